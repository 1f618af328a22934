"""The push channel: one open answer per runtime, over which commands leave at once and whose end is seen at once.

Source: contracts/commands/README.md, "The channel".
"""

import random
from collections.abc import Callable
from typing import Final, final

import msgspec

from pilothouse.base.clock import Clock
from pilothouse.base.instants import Instant
from pilothouse.presence import Board, Entry
from pilothouse.protocol.exchange import Stream, Wire

PING_EVERY_S: Final = 15.0
LIFE_S: Final = 3_600.0
"""A channel is opened anew after this: its token is looked at again."""
LIFE_SPREAD: Final = 0.1
"""Share of the life by which they differ, so that not all come at once."""

_PING: Final = b":\n\n"


def _event(name: str, members: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(members) + b"\n\n"


_HELLO: Final = _event("hello", {"pingSeconds": int(PING_EVERY_S)})
_RENEW: Final = _event("renew", {})
_REPLACED: Final = _event("replaced", {})


class Channel(msgspec.Struct, eq=False):
    """One runtime's channel."""

    runtime_key: int
    key_id: str
    """Of the secret that opened it: commands over it are signed with that one."""
    wire: Wire
    ends_at: Instant


@final
class ChannelDesk:
    """All channels of this process, one a runtime; a channel leaves with its connection.

    An end that the runtime's side made says that its process or its network is gone. One that we made says nothing: the
    runtime comes back, or its heartbeats fall silent.
    """

    def __init__(
        self,
        board: Board,
        clock: Clock,
        *,
        opened: Callable[[int], None],
        ended: Callable[[], None],
        usable_until: Callable[[str], Instant],
    ) -> None:
        self._board = board
        self._clock = clock
        self._opened = opened
        """Told the runtime whose commands can leave now."""
        self._ended = ended
        """Told that somebody's channel ended and that it is time to look who is left."""
        self._usable_until = usable_until
        """Tells when a secret ends, by its key id."""
        self._channels: dict[int, Channel] = {}
        self._closed = False
        # In the order of the next ping: every channel has the same interval.
        self._pings: dict[Channel, Instant] = {}

    def __len__(self) -> int:
        return len(self._channels)

    def __contains__(self, runtime_key: int) -> bool:
        return runtime_key in self._channels

    def answer(self, entry: Entry, key_id: str) -> Stream:
        """Make the answer that becomes a runtime's channel."""

        def opened(wire: Wire) -> Callable[[], None]:
            return self._open(entry, key_id, wire)

        return Stream(200, _HELLO, media_type="text/event-stream", opened=opened)

    def send_command(self, runtime_key: int, command: object) -> bool:
        """Send a command; False when the runtime holds no channel."""
        channel = self._channels.get(runtime_key)
        if channel is None:
            return False
        return self._send(channel, _event("command", command))

    def key_id_of(self, runtime_key: int) -> str | None:
        """Tell which secret opened a runtime's channel."""
        channel = self._channels.get(runtime_key)
        return None if channel is None else channel.key_id

    def say_goodbye(self, entry: Entry) -> None:
        """Take a runtime's goodbye."""
        channel = self._channels.pop(entry.runtime_key, None)
        if channel is not None:
            self._pings.pop(channel, None)
            channel.wire.hang_up()
        self._board.end_channel(entry, self._clock.now(), said_goodbye=True)
        self._ended()

    def close_of(self, key_id: str) -> None:
        """End the channels that a secret opened which is no longer good."""
        for channel in [channel for channel in self._channels.values() if channel.key_id == key_id]:
            self._let_go(channel)

    def close(self, runtime_key: int) -> None:
        """End the channel of a runtime that was removed."""
        channel = self._channels.get(runtime_key)
        if channel is not None:
            self._let_go(channel)

    def close_all(self) -> None:
        """End all channels, and open no other: the control plane stops."""
        self._closed = True
        for channel in list(self._channels.values()):
            self._let_go(channel)

    def tick(self) -> None:
        """Ping those whose time has come, and have old ones opened anew."""
        now = self._clock.now()
        while self._pings:
            channel, due_at = next(iter(self._pings.items()))
            if due_at > now:
                return
            del self._pings[channel]
            if channel.ends_at <= now or self._usable_until(channel.key_id) <= now:
                channel.wire.send(_RENEW)
                self._let_go(channel)
                continue
            self._pings[channel] = now + PING_EVERY_S
            self._send(channel, _PING)

    def _open(self, entry: Entry, key_id: str, wire: Wire) -> Callable[[], None]:
        now = self._clock.now()
        current = self._board.find_key(entry.runtime_key)
        if current is None or self._closed:  # it was removed in the moment between, or we stop
            wire.hang_up()
            return lambda: None
        life_s = LIFE_S * (1 - random.uniform(0, LIFE_SPREAD))  # noqa: S311 - spreading, not secrecy
        channel = Channel(entry.runtime_key, key_id, wire, now + life_s)
        before = self._channels.get(entry.runtime_key)
        self._channels[entry.runtime_key] = channel
        self._pings[channel] = now + PING_EVERY_S
        if before is not None:
            self._pings.pop(before, None)
            before.wire.send(_REPLACED)
            before.wire.hang_up()
        self._board.open_channel(current, now)
        self._opened(entry.runtime_key)

        def peer_is_gone() -> None:
            self._end(channel)

        return peer_is_gone

    def _send(self, channel: Channel, data: bytes) -> bool:
        """Send; a runtime that reads nothing was cut, and is judged by its heartbeats."""
        if channel.wire.send(data):
            return True
        self._let_go(channel)
        return False

    def _let_go(self, channel: Channel) -> None:
        """End a channel from our side."""
        self._pings.pop(channel, None)
        del self._channels[channel.runtime_key]
        entry = self._board.find_key(channel.runtime_key)
        if entry is not None:
            entry.channel_since = None
        channel.wire.hang_up()

    def _end(self, channel: Channel) -> None:
        """Hear that the runtime's side is gone."""
        self._pings.pop(channel, None)
        if self._channels.get(channel.runtime_key) is not channel:
            return  # replaced, said goodbye, or let go
        del self._channels[channel.runtime_key]
        entry = self._board.find_key(channel.runtime_key)
        if entry is not None:
            self._board.end_channel(entry, self._clock.now(), said_goodbye=False)
            self._ended()
