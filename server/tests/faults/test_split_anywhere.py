"""Bytes are cut by networks wherever they like: what was said stays what was said, in both directions."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.protocol.channel import _event
from pilothouse_bridge._sse import events

sys.path.append(str(Path(__file__).parents[3] / "fuzz"))

from in_process import BODY_LIMIT_BYTES, cut, visit

EXAMPLES = settings(max_examples=150, deadline=None)
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


def announced(body: bytes, path: bytes, more: bytes) -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s" % (path, more, len(body), body)


def chunked(body: bytes, path: bytes, more: bytes) -> bytes:
    pieces = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in (body[:7], body[7:]) if piece)
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%sTransfer-Encoding: chunked\r\n\r\n%s0\r\nX: y\r\n\r\n" % (
        path,
        more,
        pieces,
    )


bodies = st.binary(max_size=300) | st.sampled_from([b"\r\n\r\n", b"x" * BODY_LIMIT_BYTES, b"POST / HTTP/1.1\r\n\r\n"])
requests = st.tuples(st.sampled_from([announced, chunked]), bodies, st.sampled_from([b"/icp/heartbeat", b"/slow"]))
places = st.lists(st.integers(0, 2**16), max_size=12)


@EXAMPLES
@given(told=st.lists(requests, min_size=1, max_size=4), offers=st.booleans(), data=st.data())
def test_requests_cut_anywhere_are_heard_and_answered_as_they_were_sent(
    told: list[tuple[Callable[..., bytes], bytes, bytes]], offers: bool, data: st.DataObject
) -> None:
    # Only the first may offer another protocol: a client that offers one waits for the answer before it goes on.
    said = b"".join(
        write(body, path, OFFER if offers and not number else b"") for number, (write, body, path) in enumerate(told)
    )
    ends = [found.start() + more for found in re.finditer(b"\r\n\r\n", said) for more in range(5)]
    at = data.draw(st.lists(st.integers(0, len(said)) | st.sampled_from(ends), max_size=12))
    peer = visit(cut(said, at))
    assert [(heard.path.encode(), heard.body) for heard in peer.seen] == [(path, body) for _, body, path in told]
    assert peer.answers == [(200, {"read": len(body)}) for _, body, _ in told]


@EXAMPLES
@given(said=st.binary(max_size=400), at=places, request=requests)
def test_rubbish_before_in_and_after_a_request_is_answered_in_http_or_ended(
    said: bytes, at: list[int], request: tuple[Callable[..., bytes], bytes, bytes]
) -> None:
    write, body, path = request
    whole = write(body, path, b"")
    middle = len(whole) // 2
    for each in (said, said + whole, whole + said, whole[:middle] + said + whole[middle:]):
        peer = visit(cut(each, at))
        assert {status for status, _ in peer.answers} <= {200, 400, 413, 431, 503}


class Pieces(io.RawIOBase):
    """A stream that gives its bytes in pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__()
        self._pieces = [piece for piece in pieces if piece]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._pieces:
            return 0
        piece = self._pieces.pop(0)
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        if piece[count:]:
            self._pieces.insert(0, piece[count:])
        return count


texts = st.text(max_size=40) | st.sampled_from(
    ["\n", "\r\n\r\n", "a\u2028b", "data: x", "\x85", ": ping", "\0", "\ufeff"]
)


@EXAMPLES
@given(commands=st.lists(st.dictionaries(texts, texts, max_size=4), max_size=5), at=places)
def test_what_leaves_over_a_channel_is_read_by_the_bridge_as_it_was_sent_wherever_it_is_cut(
    commands: list[dict[str, str]], at: list[int]
) -> None:
    sent = _event("hello", {}) + b":\n\n" + b"".join(_event("command", command) for command in commands)
    read = list(events(io.BufferedReader(Pieces(cut(sent, at)), buffer_size=16).readline))
    assert [event.name for event in read] == ["hello", *["command"] * len(commands)]
    assert [json.loads(event.data) for event in read[1:]] == commands
