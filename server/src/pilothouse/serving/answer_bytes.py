"""An answer to a runtime as bytes of HTTP/1.1."""

from email.utils import formatdate
from http import HTTPStatus
from typing import Final, final

from pilothouse.observe.requests import HEADER
from pilothouse.protocol.exchange import Outbound, Stream

_ID: Final = HEADER + b": "
_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n".encode() + _ID
    for status in HTTPStatus
}
_BARE_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() + _ID for status in HTTPStatus
}


@final
class _Date:
    """The date header of this second, since making one costs as much as all the rest."""

    at_s = -1
    line = b""


def render(answer: Outbound, now_s: float, request_id: bytes, *, lives: bool, head_only: bool) -> bytes:
    """Write out an answer; `now_s` is any clock that runs, and `lives` whether the connection goes on after it."""
    if int(now_s) != _Date.at_s:
        _Date.at_s = int(now_s)
        _Date.line = f"\r\ndate: {formatdate(usegmt=True)}\r\ncontent-length: ".encode()
    extra = b"" if lives else b"\r\nconnection: close"
    status_line = _STATUS_LINES[answer.status]
    for name, value in answer.headers:
        if name == "content-type":
            status_line = _BARE_STATUS_LINES[answer.status]
        extra += f"\r\n{name}: {value}".encode("latin-1")
    length = b"%d\r\n\r\n" % len(answer.body)
    return b"".join((status_line, request_id, extra, _Date.line, length, b"" if head_only else answer.body))


def render_stream(answer: Stream, request_id: bytes) -> bytes:
    """Write out the head and the beginning of an answer that ends with its connection."""
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\ncontent-type: {answer.media_type}\r\n"
        f"cache-control: no-store\r\nconnection: close\r\ndate: {formatdate(usegmt=True)}\r\n"
    )
    return (
        head.encode()
        + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in answer.headers)
        + (_ID + request_id + b"\r\n\r\n" + answer.body)
    )
