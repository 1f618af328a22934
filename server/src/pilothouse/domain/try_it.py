"""Trying out a service: what is asked of a runtime, at which of its doors, and where it is allowed."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pilothouse.domain.artifacts.api import Api
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.base import ArtifactState

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PORTS: Final = range(1, 65_536)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said of an environment, and what the environment was then."""

    allowed: bool
    critical: bool


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """A port at which a runtime says that it takes HTTP requests."""

    listener: str
    scheme: str
    """`http` or `https`."""
    port: int
    open: bool
    """Whether it took requests at the time of the last full heartbeat."""


def is_allowed(said: Said | None, *, critical: bool) -> bool:
    """Tell whether services may be tried out in an environment: by default in those that are not critical.

    What was said before an environment became critical, or ceased to be, does not count any more.
    """
    if said is None or said.critical != critical:
        return not critical
    return said.allowed


def doors_of(artifacts: ArtifactSet) -> Sequence[Door]:
    """List the ports of a runtime that speak HTTP, each once: its listeners, then those in the addresses of its APIs."""
    doors: dict[int, Door] = {}
    for listener in artifacts.listeners:
        is_open = listener.state in {ArtifactState.ENABLED, ArtifactState.UNKNOWN}
        _add(doors, listener.name, listener.protocol, listener.port, is_open=is_open)
    for api in artifacts.all(Api):
        for url in (api.url or "", *api.urls):
            scheme, port = _read(url)
            _add(doors, f"{scheme}:{port}", scheme, port, is_open=True)
    return tuple(doors.values())


def _add(doors: dict[int, Door], name: str, protocol: str | None, port: int | None, *, is_open: bool) -> None:
    scheme = (protocol or "").lower()
    if scheme in _DEFAULT_PORTS and port is not None and port in _PORTS and port not in doors:
        doors[port] = Door(listener=name, scheme=scheme, port=port, open=is_open)


def _read(url: str) -> tuple[str, int | None]:
    """Read scheme and port of a URL; nothing where it is none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return "", None
