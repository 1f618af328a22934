"""From an HTTP answer to what it means: acknowledged, busy, rejected, not a control plane at all."""

import email.utils
import time
from typing import Final

from pilothouse_bridge import _wire
from pilothouse_bridge._transport import Reply
from pilothouse_bridge._wire import Answer
from pilothouse_bridge.errors import AnswerNotUnderstoodError, DeliveryError, HeartbeatRejectedError, ServerBusyError

#: What an operator must mend here or on the server; the rest is the server's own trouble.
REJECTIONS: Final = frozenset({400, 401, 403, 409})
#: For servers that name no fix.
_FIXES: Final = {
    400: "check secret, project and integration in Config.toml; a revoked secret must be replaced by a new one",
    401: "check that the secret was pasted whole and that the clocks of both machines agree",
    403: "check that the secret may be used for this integration",
    409: "check that environment, project and integration are those that the secret was generated for",
}
#: Trouble of the server's own that passes; with any other code it says what somebody has to do.
_PASSES: Final = frozenset({"UNAVAILABLE", "OVERLOADED"})
_NOT_YET_FIX: Final = "create the environment in the console, or correct 'environment' in Config.toml"


def understand(reply: Reply) -> Answer:
    """The server's yes.

    Raises: DeliveryError for everything else.
    """
    if not 200 <= reply.status < 300:  # noqa: PLR2004 - HTTP's own numbers
        raise _refusal(reply)
    try:
        answer = _wire.read_answer(reply.body)
    except ValueError as error:
        raise AnswerNotUnderstoodError(f"status {reply.status}, but {error}") from None
    if not answer.acknowledged and not answer.full_heartbeat_required:
        refusal = _wire.read_refusal(reply.body)
        # Ballerina and MI log nothing but `errors`, so the server says its fix there too: once is enough.
        reason = "; ".join(answer.errors).removesuffix(refusal.fix).rstrip() or "no reason given"
        raise HeartbeatRejectedError(reply.status, refusal.code, reason, refusal.fix or _NOT_YET_FIX)
    return answer


def retry_after_s(header: str | None, now_s: float) -> float | None:
    """Seconds to wait by a Retry-After header, which holds a number or a date."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - now_s)
    except (ValueError, OverflowError, TypeError):
        return None


def _refusal(reply: Reply) -> DeliveryError:
    refusal = _wire.read_refusal(reply.body)
    message = refusal.message or f"the server answered {reply.status} without a reason"
    if reply.status in REJECTIONS:
        return HeartbeatRejectedError(reply.status, refusal.code, message, refusal.fix or _FIXES[reply.status])
    if reply.status == 429 or reply.status >= 500:  # noqa: PLR2004 - HTTP's own numbers
        fix = "" if refusal.code in _PASSES else refusal.fix
        return ServerBusyError(reply.status, message, retry_after_s(reply.retry_after, time.time()), fix)
    return AnswerNotUnderstoodError(f"status {reply.status}: {message}")
