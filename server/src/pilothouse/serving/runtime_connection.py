"""One connection of a runtime: HTTP/1.1 in, JSON out, as few steps as possible between.

httptools (llhttp, the parser of Node.js) reads the bytes. It stops at `Upgrade`, and Ballerina's client sends
`Upgrade: h2c` with a body over plain HTTP: that header is made unknown to it before it looks, which is what RFC 9110
section 7.8 lets a server do. No ASGI between: the step to it costs more than an answer does.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Final, cast, final

import httptools

from pilothouse.observe.requests import HEADER, begin
from pilothouse.protocol.exchange import (
    BODY_INCOMPLETE,
    HEAD_TOO_LARGE,
    NOT_HTTP,
    OVERLOADED,
    STOPPING,
    Exchange,
    Inbound,
    Outbound,
    Stream,
)
from pilothouse.serving.answer_bytes import render, render_stream
from pilothouse.serving.door import Door, Guest

LINGER_S: Final = 2.0
"""Unit: seconds. After a refusal we read on and discard for so long; closing at once could reset it off the wire."""
PIPELINE_LIMIT: Final = 64
"""Unit: requests of one connection that wait for the one before; a client that sends more is cut."""
UNREAD_BYTES_MAX: Final = 1024 * 1024
"""Unit: bytes of a stream that the peer has not read yet; one that reads nothing is cut."""
_HEAD_END: Final = b"\r\n\r\n"
_UPGRADE: Final = re.compile(rb"\r\nupgrade(?=[ \t]*:)", re.IGNORECASE)


@final
class RuntimeConnection(Guest):
    """Bytes of one peer, from its arrival until it is gone."""

    def __init__(self, door: Door, exchange: Exchange, head_limit_bytes: int) -> None:
        self._door = door
        self._exchange = exchange
        self._head_limit = head_limit_bytes
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", None)
        self._parser = httptools.HttpRequestParser(self)
        self._address = ""
        self._head = b""
        """A head that has not arrived whole. Cap: head_limit_bytes."""
        self._in_head = True
        self._head_is_fed = False
        """Whether the parser has a part of a head: of a request that came behind another one in the same segment."""
        self._ending = False
        self._leaving = False
        self._task: asyncio.Task[Outbound] | None = None
        self._stream_end: Callable[[], None] | None = None
        """Set while an answer that does not end by itself is open: whom to tell that the peer is gone."""
        self._queue: deque[tuple[Inbound, bool, bytes | None]] = deque()
        """Pipelined requests, each with whether the connection lives on, and what the peer calls it. Cap: PIPELINE_LIMIT."""
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._authorization: str | None = None
        self._content_type: str | None = None
        self._content_encoding: str | None = None
        self._length: bytes | None = None
        self._told_id: bytes | None = None
        self._continue = False
        self._chunks: list[bytes] = []
        self._size_bytes = 0
        self._taken_bytes = 0
        self._bare_bytes = 0
        """What has come since the last part of a body: extensions of chunks and trailers have no other limit."""

    # -- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Come in."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]).removeprefix("::ffff:") if peer else ""
        self.came_in = True
        self._door.waiting(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Go; what is under way goes on, its answer is dropped."""
        del exc
        self._ending = True
        self._queue.clear()
        self._exchange.give_back(self._taken_bytes)
        self._taken_bytes = 0
        self._door.left(self)
        if self._stream_end is not None:
            self._stream_end()
            self._stream_end = None

    def pause_writing(self) -> None:
        """Take no more requests from a peer that does not read its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with a peer that reads again."""
        self._transport.resume_reading()

    def late(self) -> None:
        """End: with 408 in a body, silently while waiting for a head."""
        if self._ending or self._in_head:
            self.cut()
        else:
            self._refuse(BODY_INCOMPLETE)

    def cut(self) -> None:
        """End now."""
        self._ending = True
        self._transport.abort()

    def leave(self) -> None:
        """End after the answer that is under way, or now."""
        self._leaving = True
        if self._stream_end is not None:
            self.hang_up()
        elif self._in_head and self._task is None and not self._queue:
            self._ending = True
            self._transport.close()

    # -- what comes in

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        if self._ending or self._stream_end is not None:
            return  # who listens to a stream has nothing to say
        if self._in_head and not self._head_is_fed and (data := self._whole_head(data)) == b"":
            return
        self._bare_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._ending:
                self._refuse(NOT_HTTP)
            return
        if self._bare_bytes > self._head_limit and not self._ending and (self._head_is_fed or not self._in_head):
            self._refuse(HEAD_TOO_LARGE)

    def _whole_head(self, data: bytes) -> bytes:
        """Keep a head back until it is whole; make `Upgrade` unknown in it."""
        if self._head:
            data = self._head + data
        end = data.find(_HEAD_END)
        if end < 0:
            self._head = data
            if len(data) > self._head_limit:
                self._refuse(HEAD_TOO_LARGE)
            return b""
        if end > self._head_limit:
            self._refuse(HEAD_TOO_LARGE)
            return b""
        self._head = b""
        if b"pgrade" in data or b"PGRADE" in data:
            return _UPGRADE.sub(b"\r\nx-refused", data[:end]) + data[end:]
        return data

    def on_message_begin(self) -> None:
        """Hear that a request begins."""
        self._begin()
        self._head_is_fed = True

    def on_url(self, url: bytes) -> None:
        """Hear the target, in parts where it is long."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Hear a header."""
        name = name.lower()
        if name == b"authorization":
            self._authorization = value.decode("latin-1")
        elif name == b"content-type":
            self._content_type = value.decode("latin-1")
        elif name == b"content-encoding":
            self._content_encoding = value.decode("latin-1")
        elif name == b"content-length":
            self._length = value
        elif name == b"expect" and value.lower() == b"100-continue":
            self._continue = True
        elif name == HEADER:
            self._told_id = value

    def on_headers_complete(self) -> None:
        """Hear that the head is whole."""
        self._head_is_fed = False
        self._bare_bytes = 0
        if self._ending:
            return
        if self._parser.should_upgrade():
            self._refuse(NOT_HTTP)  # CONNECT, or an upgrade in the middle of a pipeline
            return
        self._in_head = False
        settings = self._exchange.settings
        if self._length is not None and int(self._length) > settings.body_limit_bytes:
            self._refuse(self._exchange.too_large)
            return
        if self._continue:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._task is None:
            self._door.reading(self, settings.body_timeout_s)

    def on_body(self, body: bytes) -> None:
        """Hear a part of the body."""
        if self._ending:
            return
        self._size_bytes += len(body)
        self._bare_bytes = 0
        self._chunks.append(body)
        if self._size_bytes > self._exchange.settings.body_limit_bytes:
            self._refuse(self._exchange.too_large)
        elif not self._exchange.take_in(len(body)):
            self._refuse(OVERLOADED)
        else:
            self._taken_bytes += len(body)

    def on_message_complete(self) -> None:
        """Hear that the request is whole: answer it, or queue it behind the one before."""
        if self._ending:
            return
        self._in_head = True
        self._exchange.give_back(self._taken_bytes)
        self._taken_bytes = 0
        chunks = self._chunks
        path, _, _ = self._url.partition(b"?")
        request = Inbound(
            self._parser.get_method().decode("ascii"),
            path.decode("latin-1"),
            self._authorization,
            self._content_type,
            chunks[0] if len(chunks) == 1 else b"".join(chunks),
            self._address,
            self._content_encoding,
        )
        lives = self._parser.should_keep_alive()
        if self._task is None:
            self._handle(request, lives, self._told_id)
        elif len(self._queue) < PIPELINE_LIMIT:
            self._queue.append((request, lives, self._told_id))
        else:
            self.cut()

    # -- what goes out

    def _handle(self, request: Inbound, lives: bool, told_id: bytes | None) -> None:
        request_id = begin(told_id)
        answer = self._exchange.answer(request)
        if isinstance(answer, Outbound):
            self._send(answer, request_id, lives and not self._leaving, head_only=request.method == "HEAD")
            if not self._ending:
                self._door.waiting(self)
            return
        self._task = answer
        self._door.busy(self)
        self._transport.pause_reading()
        answer.add_done_callback(self._answered(request_id, lives, head_only=request.method == "HEAD"))

    def _answered(
        self, request_id: bytes, lives: bool, *, head_only: bool
    ) -> "Callable[[asyncio.Task[Outbound]], None]":
        def answered(task: "asyncio.Task[Outbound]") -> None:
            self._task = None
            if self._ending:
                return
            answer = STOPPING if task.cancelled() else task.result()
            if isinstance(answer, Stream):
                self._open_stream(answer, request_id)
                return
            self._send(answer, request_id, lives and not self._leaving, head_only=head_only)
            while self._queue and self._task is None and not self._ending:
                self._handle(*self._queue.popleft())
            if self._task is None and not self._ending:
                self._transport.resume_reading()
                self._door.waiting(self)

        return answered

    def _open_stream(self, answer: Stream, request_id: bytes) -> None:
        """Begin an answer that ends with its connection; what the parser held is let go."""
        self._transport.resume_reading()  # to hear that the peer is gone
        self._queue.clear()
        self._begin()
        self._parser = cast("httptools.HttpRequestParser", None)
        self._door.busy(self)
        self._transport.write(render_stream(answer, request_id))
        self._stream_end = answer.opened(self)
        if self._leaving:
            self.hang_up()

    def send(self, data: bytes) -> bool:
        """Send more of a stream; False when it ended, or had to."""
        if self._ending:
            return False
        if self._transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self.cut()
            return False
        self._transport.write(data)
        return True

    def hang_up(self) -> None:
        """End a stream after what was sent; a peer that does not read it is cut soon."""
        if self._ending:
            return
        self._ending = True
        self._transport.close()
        self._door.reading(self, LINGER_S)

    def _refuse(self, answer: Outbound) -> None:
        """Answer without having read the request, and end."""
        request_id = begin(self._told_id)
        self._exchange.note_refusal(answer, self._address)
        self._send(answer, request_id, lives=False, head_only=False)

    def _send(self, answer: Outbound, request_id: bytes, lives: bool, *, head_only: bool) -> None:
        """Write an answer; end the connection when it does not live on."""
        self._transport.write(render(answer, self._loop.time(), request_id, lives=lives, head_only=head_only))
        if not lives:
            self._end()

    def _end(self) -> None:
        """Say no more; read on for a moment where the peer may still be sending, so that it sees the answer."""
        self._ending = True
        self._queue.clear()
        self._chunks.clear()
        if self._in_head and not self._head and not self._head_is_fed:
            self._transport.close()
            return
        self._door.reading(self, LINGER_S)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()

    def eof_received(self) -> bool:
        """Hear that the peer sends no more: an answer under way is still sent to it, all else ends."""
        if self._task is None:
            return False  # of a stream too: its peer is gone
        self._leaving = True
        return True
