"""The limits of the ports."""

from pathlib import Path

import msgspec


class TlsFiles(msgspec.Struct, frozen=True):
    """The files of a listener's certificate and key, PEM."""

    certificate: Path
    key: Path


class CarrierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that hold for each port, and for the process."""

    max_connections: int = 16_384
    """Unit: connections on one port. At the limit the connection that has been silent longest makes room."""
    backlog: int = 4096
    """Unit: connections that the kernel keeps for us until we accept them; a small one costs a burst a second each."""
    handshake_timeout_s: float = 10.0
    """Unit: seconds. A TLS connection that has not shaken hands by then is closed."""
    idle_timeout_s: float = 30.0
    """Unit: seconds. From the connection or the last answer until the next head is whole; three beats of 10 s."""
    body_timeout_s: float = 60.0
    """Unit: seconds. On the console's port: from the head to the last byte of the body. Runtimes have their own."""
    head_limit_bytes: int = 32 * 1024
    """Unit: bytes. The largest head of a request; a heartbeat's is about 0.7 KiB, a browser's with cookies 2 KiB."""
    grace_s: float = 10.0
    """Unit: seconds. What is under way at a stop may take this long; then it is cancelled and the peers are cut."""
    open_files_reserve: int = 512
    """Unit: open files kept free for the database, logs and outgoing connections."""
