"""Emptying the outbox: each message is sent by one process, tried again when it may help, and never sent twice.

A process that dies in the middle of sending leaves its claim behind; when that ran out, another sends the message again
with the same id, by which receivers know it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import structlog

from pilothouse.access.grants import Subject
from pilothouse.alerting.messages import notice_of
from pilothouse.base.clock import Clock
from pilothouse.base.errors import NotFound, PilothouseError
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.notify.channels import Channel
from pilothouse.notify.errors import NotDelivered
from pilothouse.notify.notice import Notice
from pilothouse.operations import alert_channels
from pilothouse.reconcile.alerts import ChannelKind, NoticeKind, back_off_s
from pilothouse.storage import alert_channels as channel_rows
from pilothouse.storage import alert_outbox
from pilothouse.storage.alert_channels import ChannelRow
from pilothouse.storage.alert_outbox import NotificationRow, ToSend
from pilothouse.storage.sealing import CannotUnseal, Vault
from pilothouse.storage.unit import Connection, Store, Transaction

LEASE_S: Final = 60.0
SEND_S: Final = 40.0
"""An attempt takes no longer than this: well within the lease."""
AT_ONCE: Final = 10
STOP_S: Final = 5.0
"""So long a stop waits for what is being sent."""
RETRY_AFTER_MAX_S: Final = 3_600.0
_REASON_MAX: Final = 500

_log = structlog.get_logger(__name__)


class Postman(Protocol):
    """What sends one notice through one channel."""

    async def send(self, channel: Channel, notice: Notice) -> None:
        """Send it.

        Raises: NotDelivered
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Sender:
    """Sends what lies in the outbox."""

    def __init__(
        self, store: Store, vault: Vault, postman: Postman, clock: Clock, link: Callable[[str], str | None]
    ) -> None:
        self._store = store
        self._vault = vault
        self._postman = postman
        self._clock = clock
        self._link = link
        self._owner = new_id()
        self._under_way: set[asyncio.Task[None]] = set()
        self.attempts: Counter[tuple[str, str]] = Counter()
        """Attempts by kind of channel and by outcome: `sent`, `again` (it is tried later), `given_up`."""

    async def send_due(self) -> int:
        """Send every message whose time has come; tells how many were tried.

        Raises: Unavailable
        """
        tried = 0
        while True:
            now = self._clock.now()
            if not await self._store.read(partial(alert_outbox.is_any_due, now=now)):
                return tried
            claimed = await self._store.write(
                lambda tx, now=now: alert_outbox.claim(tx.connection, self._owner, now, lease_s=LEASE_S, limit=AT_ONCE)
            )
            if not claimed:
                return tried
            tasks = [asyncio.create_task(self._send(number), name="pilothouse-notice") for number in claimed]
            self._under_way.update(tasks)
            for task in tasks:
                task.add_done_callback(self._under_way.discard)
            await asyncio.wait(tasks)  # a stop ends the wait and not the sending: `close` sees to that
            for task in tasks:
                task.result()
            tried += len(claimed)

    async def test(self, subject: Subject, channel_id: str) -> NotificationRow:
        """Send a message that says that it is a test, once, and tell how that went.

        Raises: NotPermitted, NotFound, Unavailable
        """
        now = self._clock.now()
        number = await self._store.write(
            lambda tx: alert_channels.begin_test(tx, subject, channel_id, self._owner, LEASE_S, now)
        )
        await self._send(number)
        found = await self._store.read(partial(alert_outbox.find, number=number))
        if found is None:
            raise NotFound("The test was deleted while it was sent.", field="id", fix="Test again.")
        return found

    async def _send(self, number: int) -> None:
        """Try once, and write down how it went."""
        to_send, row = await self._store.read(partial(_read, number=number))
        if to_send is None:
            return
        failure: str | None = None
        wait_s: float | None = None
        try:
            await self._deliver(to_send, row)
        except NotDelivered as error:
            failure = error.reason
            wait_s = self._wait_s(to_send, error)
        except (CannotUnseal, _NothingToSay) as error:
            failure = str(error)
        except Exception as error:  # noqa: BLE001 - an edge: what a channel does must not end the others
            _log.exception("alert.not_sent", notification=to_send.notification.id)
            failure, wait_s = f"{type(error).__name__} while sending.", back_off_s(to_send.notification.attempts)
        now = self._clock.now()
        next_at = None if wait_s is None or to_send.notification.kind is NoticeKind.TEST else now + wait_s
        await self._store.write(
            lambda tx: _settle(tx, to_send, self._owner, failure and failure[:_REASON_MAX], next_at, now)
        )
        outcome = "sent" if failure is None else "given_up" if next_at is None else "again"
        self.attempts["none" if row is None else row.kind, outcome] += 1
        if failure is not None:
            _log.warning(
                "alert.not_delivered", notification=to_send.notification.id, cause=failure, again=bool(next_at)
            )

    async def _deliver(self, to_send: ToSend, row: ChannelRow | None) -> None:
        if row is None:
            raise _NothingToSay("The channel was deleted.")
        notice = notice_of(to_send, ChannelKind(row.kind), self._link, self._clock.now())
        if notice is None:
            raise _NothingToSay("What it was about was deleted.")
        channel = alert_channels.open_channel(self._vault, row)
        try:
            async with asyncio.timeout(SEND_S):
                await self._postman.send(channel, notice)
        except TimeoutError:
            raise NotDelivered(f"No answer within {SEND_S:g} s.", retry=True) from None

    @staticmethod
    def _wait_s(to_send: ToSend, error: NotDelivered) -> float | None:
        wait_s = back_off_s(to_send.notification.attempts) if error.retry else None
        if wait_s is None or error.retry_after_s is None:
            return wait_s
        return max(wait_s, min(error.retry_after_s, RETRY_AFTER_MAX_S))

    async def close(self) -> None:
        """Let what is being sent come to its end, for a moment, and let go of connections.

        What was sent but not written down would be sent again after the next start.
        """
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(PilothouseError, OSError):
            await self._postman.close()


class _NothingToSay(Exception):
    """There is nothing to send, or nowhere to send it to."""


def _read(connection: Connection, number: int) -> tuple[ToSend | None, ChannelRow | None]:
    to_send = alert_outbox.read(connection, number)
    channel_id = None if to_send is None else to_send.notification.channel_id
    return to_send, None if channel_id is None else channel_rows.find(connection, channel_id)


def _settle(
    tx: Transaction, to_send: ToSend, owner: str, failure: str | None, next_at: Instant | None, now: Instant
) -> None:
    row = to_send.notification
    ours = alert_outbox.settle(tx.connection, row.number, owner, now, failure=failure, next_attempt_at=next_at)
    if ours and row.channel_id is not None:
        channel_rows.note(tx.connection, row.channel_id, now, failure)
