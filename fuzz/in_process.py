"""A connection of the runtimes' port without a network: bytes in, bytes out, and who keeps count."""

import asyncio
import json
from collections import deque
from itertools import pairwise
from typing import Any

from pilothouse.protocol.exchange import Exchange, ExchangeSettings, Inbound, Outbound
from pilothouse.serving.runtime_connection import PIPELINE_LIMIT, RuntimeConnection

HEAD_LIMIT_BYTES = 2_048
BODY_LIMIT_BYTES = 8_192
SLOW_PATH = "/slow"


class Wire(asyncio.Transport):
    """What the connection writes to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.ended = False
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what is sent."""
        assert not self.is_closed, "written to after the end"
        self.written += data

    def close(self) -> None:
        """End after what was written."""
        self.is_closed = self.ended = True

    def abort(self) -> None:
        """End now."""
        self.is_closed = self.ended = True

    def can_write_eof(self) -> bool:
        """Tell that one side can end alone, as over plain TCP."""
        return True

    def write_eof(self) -> None:
        """End our side."""
        self.ended = True

    def pause_reading(self) -> None:
        """Nothing to hold back: the test feeds."""

    def resume_reading(self) -> None:
        """Nothing was held back."""

    def get_write_buffer_size(self) -> int:
        """Tell that the peer reads everything."""
        return 0


class Doorkeeper:
    """A door that remembers in which state its guest is."""

    def __init__(self) -> None:
        self.state = "arriving"

    def waiting(self, _guest: object) -> None:
        """A head is awaited."""
        self.state = "waiting"

    def reading(self, _guest: object, timeout_s: float) -> None:
        """A body is awaited, or an end."""
        assert timeout_s > 0
        self.state = "reading"

    def busy(self, _guest: object) -> None:
        """An answer is awaited."""
        self.state = "busy"

    def left(self, _guest: object) -> None:
        """The guest went."""
        assert self.state != "gone"
        self.state = "gone"


class Visit:
    """One peer, from its arrival until it is gone."""

    def __init__(self) -> None:
        self.seen: list[Inbound] = []
        self.exchange = Exchange(self._answer, ExchangeSettings(body_limit_bytes=BODY_LIMIT_BYTES))
        self.door = Doorkeeper()
        self.wire = Wire()
        door: Any = self.door  # stands in for the real one
        self.connection = RuntimeConnection(door, self.exchange, HEAD_LIMIT_BYTES)
        self.connection.connection_made(self.wire)

    def _answer(self, request: Inbound) -> Any:
        self.seen.append(request)
        answer = Outbound(200, b'{"read":%d}' % len(request.body))
        if not request.path.startswith(SLOW_PATH):
            return answer

        async def later() -> Outbound:
            await asyncio.sleep(0)
            return answer

        return later()

    async def hear(self, segments: list[bytes]) -> None:
        """Hear it all, and let go of the peer; nothing may be left behind."""
        for segment in segments:
            if segment and not self.wire.is_closed:
                self.connection.data_received(segment)
                assert len(self.connection._head) <= HEAD_LIMIT_BYTES + max(map(len, segments))
                assert len(self.connection._queue) <= PIPELINE_LIMIT
        while self.exchange.running:
            await asyncio.wait(self.exchange.running)
        await asyncio.sleep(0)
        self.connection.connection_lost(None)
        assert self.door.state == "gone"
        assert self.exchange._bodies_bytes == 0
        self.answers = parse(bytes(self.wire.written))


def parse(written: bytes) -> list[tuple[int, Any]]:
    """Read what was written as answers: each a status and JSON, nothing between them."""
    answers: list[tuple[int, Any]] = []
    rest = deque([written])
    while data := rest.popleft():
        head, separator, after = data.partition(b"\r\n\r\n")
        assert separator, data[:200]
        first, *lines = head.decode("ascii").split("\r\n")
        version, status, *_ = first.split(" ")
        assert version == "HTTP/1.1", first
        if status == "100":
            rest.append(after)
            continue
        headers = dict(line.split(": ", 1) for line in lines)
        assert headers["content-type"] == "application/json"
        length = int(headers["content-length"])
        is_head_only = not after[:length].startswith(b"{")
        answers.append((int(status), None if is_head_only else json.loads(after[:length])))
        rest.append(after if is_head_only else after[length:])
    return answers


def visit(segments: list[bytes]) -> Visit:
    """Have one peer say its segments, each as one reading."""

    async def whole() -> Visit:
        peer = Visit()
        await peer.hear(segments)
        return peer

    return asyncio.run(whole())


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at places."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]
