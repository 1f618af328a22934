"""What a management API's answer means: success, or which failure. Pure.

Micro Integrator says what went wrong in a member `Error` or `message`, with a status as a rule, with 200 at times.

Source: Micro Integrator's management API.
"""

from http import HTTPStatus
from typing import Any, Final, cast

import msgspec

from pilothouse.domain.mi_users import SENTENCES, hide, refusal_of
from pilothouse.management.calls import ManagementCall
from pilothouse.management.failures import Failure, ManagementFailure

_SUCCESSES: Final = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED})
_WORDS_CHARS_MAX: Final = 300
_MEMBERS: Final = ("Error", "error", "message", "Message")
_decode = msgspec.json.Decoder().decode


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it came."""

    status: int
    body: bytes
    place: str
    """Who answered, for people."""


def read_answer(reply: Reply, call: ManagementCall) -> Any:  # Any: whatever JSON it is
    """Read the answer to a call that succeeded; None where it has no body. What the call keeps secret is not in it.

    Raises: ManagementFailure
    """
    if call.secret is not None:
        reply = msgspec.structs.replace(reply, body=hide(reply.body, call.secret))
    if reply.status not in _SUCCESSES:
        raise _failure(reply, call)
    if not reply.body.strip():
        return None
    if call.is_text:
        return _text(reply)
    try:
        body = _decode(reply.body)
    except (ValueError, RecursionError):
        raise ManagementFailure(
            Failure.ANSWER_NOT_JSON,
            f"{reply.place} answered {reply.status} with something that is not JSON.",
            status=reply.status,
            may_have_happened=not call.is_read,
        ) from None
    if "Error" in _members(body):
        if (refused := _user_refusal(reply, call)) is not None:
            raise refused
        raise ManagementFailure(
            Failure.REFUSED,
            f"{reply.place} did not do it: {_words(reply.body) or 'no reason given'}",
            status=reply.status,
        )
    return body


def _text(reply: Reply) -> str:
    """Give a text as it came; bytes that are no UTF-8 are replaced.

    Raises: ManagementFailure where it is not the text that was asked for but a reason why not
    """
    if reply.body.startswith(b'{"Error"'):
        try:
            members = _members(_decode(reply.body))
        except (ValueError, RecursionError):
            members = {}
        if set(members) == {"Error"}:
            raise ManagementFailure(
                Failure.REFUSED,
                f"{reply.place} did not do it: {_words(reply.body) or 'no reason given'}",
                status=reply.status,
            )
    return reply.body.decode("utf-8", "replace")


def _failure(reply: Reply, call: ManagementCall) -> ManagementFailure:
    if (refused := _user_refusal(reply, call)) is not None:
        return refused
    status, words = reply.status, _words(reply.body)
    said = f": {words}" if words else "."
    # What a 5xx left behind is not known; everything else was refused before it had an effect.
    is_unknown = status >= HTTPStatus.INTERNAL_SERVER_ERROR and not call.is_read
    failure, sentence = _meaning(status)
    return ManagementFailure(
        failure, f"{reply.place} {sentence} ({status}){said}", status=status, may_have_happened=is_unknown
    )


def _user_refusal(reply: Reply, call: ManagementCall) -> ManagementFailure | None:
    """Tell of a call about users what its words mean: a status alone says too little, a 500 of a read-only store too much."""
    refusal = refusal_of(reply.status, _words(reply.body)) if call.is_about_users else None
    if refusal is None:
        return None
    return ManagementFailure(Failure(refusal.value), f"{reply.place}: {SENTENCES[refusal]}", status=reply.status)


def _meaning(status: int) -> tuple[Failure, str]:
    if status == HTTPStatus.UNAUTHORIZED:
        return Failure.TOKEN_REFUSED, "does not accept the control plane's token"
    if status == HTTPStatus.FORBIDDEN:
        return Failure.FORBIDDEN, "does not permit this to the control plane"
    if status == HTTPStatus.NOT_FOUND:
        return Failure.NOT_FOUND, "does not have it"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Failure.REDIRECTED, "sends the call elsewhere"
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Failure.REFUSED, "refused it"
    return Failure.FAILED, "could not do it"


def _words(body: bytes) -> str:
    """Find the sentence in an answer that is a failure; empty where there is none."""
    try:
        found = _decode(body)
    except (ValueError, RecursionError):
        return ""
    members = _members(found)
    for name in _MEMBERS:
        words = members.get(name)
        if isinstance(words, str) and words.strip():
            return _clean(words)
    return ""


def _members(body: Any) -> dict[str, Any]:  # Any: JSON
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def _clean(words: str) -> str:
    """Make foreign text fit for a sentence of ours: one line, not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in words[: _WORDS_CHARS_MAX * 4]).split())
    return line if len(line) <= _WORDS_CHARS_MAX else line[: _WORDS_CHARS_MAX - 1] + "…"
