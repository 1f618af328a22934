"""``python -m order_service``: serve on 127.0.0.1, port ``ORDER_SERVICE_PORT`` (8290 unless set, 0 for any free)."""

import pilothouse_bridge.auto  # noqa: F401, I001 - makes this program visible; first, so that it sees all
import contextlib
import os
import socket
import sys

import uvicorn

from order_service.app import create_app
from order_service.logs import configure_logging

DEFAULT_PORT = 8290


def main() -> int:
    """Serve until interrupted; answers the exit status."""
    configure_logging()
    wish = os.environ.get("ORDER_SERVICE_PORT", str(DEFAULT_PORT))
    if not wish.isdecimal() or int(wish) > 65535:  # noqa: PLR2004 - the largest port
        print(f"ORDER_SERVICE_PORT must be a number from 0 to 65535, not '{wish}'.", file=sys.stderr)  # noqa: T201
        return 2
    trouble = _taken("127.0.0.1", int(wish))
    if trouble is not None:
        print(  # noqa: T201 - the program's own words to the person who starts it
            f"Port {wish} cannot be used: {trouble}. Stop what listens there, or choose another: ORDER_SERVICE_PORT=0",
            file=sys.stderr,
        )
        return 1
    with contextlib.suppress(KeyboardInterrupt):  # the way people stop it
        uvicorn.run(create_app(), host="127.0.0.1", port=int(wish), log_config=None, access_log=False)
    return 0


def _taken(host: str, port: int) -> str | None:
    """Why the port cannot be used, asked before the server starts: its own message names no way out."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
