"""The push channel of a Python runtime: opened when it is known, held, renewed, given up where a server has none."""

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Final

from .wires import ChannelLine

if TYPE_CHECKING:
    from .driver import Driver, Member

NO_CHANNEL_S: Final = 600.0
REPLACED_S: Final = 60.0
_PINGS_MISSED: Final = 3
_OK, _REFUSED = 200, (404, 405)


class Channel:
    """One runtime's channel, over all of its connections."""

    __slots__ = ("_driver", "_epoch", "_line", "_member", "_not_before", "_opening", "_ping_s", "_reason", "is_open")

    def __init__(self, driver: "Driver", member: "Member") -> None:
        self._driver = driver
        self._member = member
        self._epoch = member.epoch
        self._line: ChannelLine | None = None
        self._opening = False
        self._not_before = 0.0
        self._ping_s = 15.0
        self._reason = ""
        self.is_open = False

    def beat_was_answered(self) -> None:
        """Open when a heartbeat went through and there is none."""
        if self._line is None and not self._opening and time.monotonic() >= self._not_before:
            self._try()

    def sweep(self, now: float) -> None:
        """End a channel that is silent for too long."""
        line = self._line
        if line is not None and self.is_open and now - line.heard_at > _PINGS_MISSED * self._ping_s:
            self._driver.figures.channels["silent for too long"] += 1
            line.transport.abort()

    def abandon(self) -> None:
        """End with the process."""
        self.is_open = False
        if self._line is not None:
            self._line.abandon()
            self._line = None

    async def say_goodbye(self) -> bool:
        """Tell that the process ends in order; gives whether the server understood."""
        told: asyncio.Future[int] = self._driver.loop.create_future()

        def ended(status: int, _body: bytes) -> None:
            if not told.done():
                told.set_result(status)

        try:
            await self._driver.dialer.open(lambda: ChannelLine(self._request("DELETE"), self._event, ended))
            status = await asyncio.wait_for(told, 10)
        except (OSError, TimeoutError):
            return False
        return status == _OK

    def _request(self, method: str) -> bytes:
        runtime, target = self._member.runtime, self._driver.dialer.target
        return (
            f"{method} /icp/channel/{runtime.runtime_id} HTTP/1.1\r\nhost: {target.host}:{target.port}\r\n"
            f"authorization: Bearer {runtime.token(time.time())}\r\naccept: text/event-stream\r\n"
            f"{'connection: close' if method == 'DELETE' else 'cache-control: no-cache'}\r\n\r\n"
        ).encode()

    def _try(self) -> None:
        self._opening = True
        self._driver.spawn(self._open())

    async def _open(self) -> None:
        try:
            line = await self._driver.dialer.open(lambda: ChannelLine(self._request("GET"), self._event, self._ended))
        except (OSError, TimeoutError) as error:
            self._driver.figures.channels[f"cannot connect: {type(error).__name__}"] += 1
            self._not_before = time.monotonic() + 5
            return
        finally:
            self._opening = False
        assert isinstance(line, ChannelLine)
        if self._epoch != self._member.epoch:
            line.abandon()
        elif not line.transport.is_closing():
            self._line = line

    def _event(self, name: str, data: Any) -> None:  # Any: JSON
        runtime, now = self._member.runtime, time.monotonic()
        if self._epoch != self._member.epoch:
            return
        if name == "hello":
            self.is_open = True
            self._ping_s = float(data.get("pingSeconds", self._ping_s))
            self._driver.figures.channels["opened"] += 1
        elif name == "command":
            self._driver.enqueue(self._member, runtime.carry_out(data, now))  # type: ignore[attr-defined]
        elif name == "beat":
            self._driver.enqueue(self._member, [runtime.full()])
        elif name in {"renew", "replaced"}:
            self._reason = name

    def _ended(self, status: int, body: bytes) -> None:
        if self._epoch != self._member.epoch or self._driver.stopped:
            return
        now, figures = time.monotonic(), self._driver.figures.channels
        self._line = None
        was_open, self.is_open = self.is_open, False
        reason, self._reason = self._reason, ""
        if status == _OK:
            figures[f"ended: {reason or 'by the server or the network'}"] += 1
            if was_open:
                self._member.life.channel_lost_at = now
            if reason == "replaced":
                self._not_before = now + REPLACED_S
            else:
                self._try()
            return
        code = _code_of(body)
        figures[f"refused: {status} {code}"] += 1
        if status in _REFUSED and code == "RUNTIME_UNKNOWN":
            self._driver.enqueue(self._member, [self._member.runtime.full()])
        else:
            self._not_before = now + (NO_CHANNEL_S if status in _REFUSED else 10.0)


def _code_of(body: bytes) -> str:
    try:
        return str(json.loads(body).get("code", ""))
    except (ValueError, AttributeError):
        return ""
