"""Refusing what a runtime sent: the answer it gets, the figure, the line in our log, the entry in the console."""

import msgspec
import structlog

from pilothouse.base.clock import Clock
from pilothouse.base.errors import PilothouseError, Refused
from pilothouse.domain.heartbeat import FullHeartbeat
from pilothouse.domain.refusals import KeyUnreadable
from pilothouse.observe.figures import Figures
from pilothouse.observe.often import Bounded, Seldom, worth_a_line
from pilothouse.observe.refusals import RefusalBook, RefusedSender
from pilothouse.protocol import wire
from pilothouse.protocol.exchange import Inbound, Outbound
from pilothouse.protocol.statuses import ACKNOWLEDGED_FALSE, RETRY_AFTER_S, UNAVAILABLE, status_of
from pilothouse.protocol.token import TokenReader
from pilothouse.storage.sealing import CannotUnseal

_log = structlog.get_logger(__name__)
_RETRY_LATER = (("retry-after", str(RETRY_AFTER_S)),)


class Refuser(msgspec.Struct, kw_only=True, eq=False):
    """Makes refusals."""

    tokens: TokenReader
    refusals: RefusalBook
    figures: Figures
    clock: Clock
    unreadable: Seldom = msgspec.field(default_factory=Seldom)
    """Of which secrets a line says that they cannot be read."""
    refused_lines: Bounded = msgspec.field(default_factory=Bounded)
    unavailable_lines: Bounded = msgspec.field(default_factory=Bounded)
    """Of our own trouble; refusals do not use them up."""

    def refuse(self, error: PilothouseError, request: Inbound, heartbeat: FullHeartbeat | None = None) -> Outbound:
        """Answer a request that cannot be taken."""
        if isinstance(error, CannotUnseal):
            error = KeyUnreadable(error.message)
        status = status_of(error)
        if not isinstance(error, Refused):
            self.figures.unavailable += 1
            self.tell_left_out()
            if self.unavailable_lines.take(error.code):
                _log.error("heartbeat.unavailable", code=error.code, cause=error.message, address=request.address)
            return Outbound(
                UNAVAILABLE,
                wire.refusal(
                    "UNAVAILABLE",
                    "The control plane cannot take heartbeats right now.",
                    "Nothing to do here: try again.",
                ),
                _RETRY_LATER,
            )
        self._note(error, request, heartbeat)
        if status == ACKNOWLEDGED_FALSE:
            return Outbound(
                status, wire.not_acknowledged([f"{error.message} {error.fix}"], code=error.code, fix=error.fix)
            )
        later = _RETRY_LATER if status == UNAVAILABLE else ()
        return Outbound(status, wire.refusal(error.code, error.message, error.fix), later)

    def tell_left_out(self, *, is_end: bool = False) -> None:
        """Write how many lines were left out of the minute that is over, by code; called as time passes, too."""
        for code, count in self.refused_lines.take_left_out(is_end=is_end).items():
            _log.warning("heartbeat.refused", code=code, cause=_more(count), left_out=count)
        for code, count in self.unavailable_lines.take_left_out(is_end=is_end).items():
            _log.error("heartbeat.unavailable", code=code, cause=_more(count), left_out=count)

    def _note(self, error: Refused, request: Inbound, heartbeat: FullHeartbeat | None) -> None:
        self.figures.refused[error.code] += 1
        sender = self._sender(request, heartbeat)
        count = self.refusals.note(error.code, error.message, error.fix, sender, self.clock.now())
        times = count if worth_a_line(count) else None
        if isinstance(error, KeyUnreadable):  # a whole fleet may be behind one secret: more senders than are remembered
            times = self.unreadable.take(sender.key_id or "")
        self.tell_left_out()
        if times is not None and self.refused_lines.take(error.code):
            _log.warning(
                "heartbeat.refused",
                code=error.code,
                cause=error.message,
                fix=error.fix,
                times=times,
                **{name: value for name, value in msgspec.structs.asdict(sender).items() if value is not None},
            )

    def _sender(self, request: Inbound, heartbeat: FullHeartbeat | None) -> RefusedSender:
        try:
            key_id = self.tokens.key_id(request.authorization)
        except Refused:
            key_id = None
        if heartbeat is None:
            return RefusedSender(address=request.address, key_id=key_id)
        return RefusedSender(
            address=request.address,
            key_id=key_id,
            runtime_id=heartbeat.runtime_id,
            runtime_name=heartbeat.runtime_name,
            environment=heartbeat.environment,
            project=heartbeat.project,
            integration=heartbeat.integration,
        )


def _more(count: int) -> str:
    return f"{count} more like these in the last minute."


def no_runtime(error: Refused) -> Outbound:
    """Answer who asks for a channel before it reported."""
    return Outbound(status_of(error), wire.refusal(error.code, error.message, error.fix))


def not_allowed(allow: str) -> Outbound:
    """Answer a method that an address does not take."""
    body = wire.refusal("METHOD_NOT_ALLOWED", f"This address takes {allow}.", f"Send a {allow} request.")
    return Outbound(405, body, (("allow", allow),))


def nothing_here(path: str) -> Outbound:
    """Answer an address that is none."""
    return Outbound(
        404,
        wire.refusal(
            "NOT_FOUND",
            f"Nothing is at {path[:200]} on the runtimes' port.",
            "Runtimes send to /icp/heartbeat and /icp/deltaHeartbeat; the console is on the other port (9446).",
        ),
    )
