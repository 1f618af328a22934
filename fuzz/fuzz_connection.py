"""Fuzz a connection of the runtimes' port: bytes cut anywhere are answered as HTTP, or ended; nothing is left behind.

The first byte tells in how many pieces what follows is read.
"""

from collections.abc import Iterator

import atheris
from running import bodies, fuzz

with atheris.instrument_imports(include=["pilothouse.serving.runtime_connection", "pilothouse.protocol.exchange"]):
    from in_process import cut, visit

STATUSES = {200, 400, 408, 413, 431, 503}


def one(data: bytes) -> None:
    """Have one peer say it, whole and in pieces of one size."""
    if not data:
        return
    said, size = data[1:], data[0] + 1
    pieces = visit(cut(said, list(range(0, len(said), size))))
    whole = visit([said])
    for peer in (pieces, whole):
        assert {status for status, _ in peer.answers} <= STATUSES
        assert all(body is None or type(body) is dict for _, body in peer.answers)
    # Unless one of them was ended for a limit, both heard the same.
    if not pieces.wire.ended and not whole.wire.ended:
        assert pieces.seen == whole.seen


def requests() -> Iterator[bytes]:
    """Requests as runtimes send them, one or two on a connection."""
    head = (
        b"POST /icp/heartbeat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a.b.c\r\nContent-Type: application/json\r\n"
    )
    for body in bodies("heartbeat/v1", "body"):
        yield b"\x20" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    small = head + b"Content-Length: 2\r\n\r\n{}"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\n{\n}\r\n0\r\nX-Trailer: a\r\n\r\n"
    for each in (
        head + upgrade + b"Content-Length: 2\r\n\r\n{}",
        small + small,
        chunked + small,
        small.replace(b"/icp/heartbeat", b"/slow") * 3,
        head + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        b"HEAD /icp/heartbeat HTTP/1.1\r\nHost: x\r\n\r\n" + small,
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        yield b"\x05" + each
        yield b"\xff" + each


if __name__ == "__main__":
    fuzz(one, requests())
