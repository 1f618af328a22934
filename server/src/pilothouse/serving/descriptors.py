"""Open files: raising the process's own limit and sharing it between the ports."""

import resource

import msgspec
import structlog

_log = structlog.get_logger(__name__)

CONNECTIONS_FEW = 4_096
"""Unit: connections. With room for fewer on a port than this, the operator is warned and not only told."""


class OpenFiles(msgspec.Struct, frozen=True):
    """What the operating system allows this process, and what each port may take of it."""

    limit: int
    """Unit: open files, after raising."""
    connections_per_port: int
    """Unit: connections."""
    enough: bool
    """Whether the ports may take what their settings ask for."""


def share(limit: int, *, ports: int, wanted: int, reserve: int) -> OpenFiles:
    """Divide a limit of open files between ports; of a very low one the reserve takes a quarter at most."""
    room = max(1, (limit - min(reserve, limit // 4)) // max(1, ports))
    return OpenFiles(limit, min(wanted, room), room >= wanted)


def raise_open_files(*, ports: int, wanted: int, reserve: int) -> OpenFiles:
    """Raise the soft limit of open files to the hard one and say what it became."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = 2**31 if hard == resource.RLIM_INFINITY else hard
    shared = share(limit, ports=ports, wanted=wanted, reserve=reserve)
    _log.info("open_files_limit", was=soft, limit=limit, connections_per_port=shared.connections_per_port)
    if shared.connections_per_port < min(wanted, CONNECTIONS_FEW):
        _log.warning(
            "open_files_limit_low",
            limit=limit,
            connections_per_port=shared.connections_per_port,
            wanted_per_port=wanted,
            fix=f"Raise the limit of open files to {wanted * ports + reserve}: LimitNOFILE in a unit, `ulimit -n` in a shell.",
        )
    return shared
