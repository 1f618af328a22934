"""The tail of the log: lines as they arrive, shared by all who follow the same."""

import contextlib
import re
import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from ariadne import SubscriptionType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.logs import line_view
from pilothouse.api.graphql.places import forget
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.telemetry_scopes import asked_scope, read_log_filter, scope_of
from pilothouse.api.graphql.views import Row
from pilothouse.base.errors import InvalidInput, NotPermitted, PilothouseError
from pilothouse.operations.telemetry_scopes import AskedScope
from pilothouse.telemetry.following import Part, tails_of
from pilothouse.telemetry.questions import Scope

subscription = SubscriptionType()
bindables = (subscription,)

WAIT_S = 0.5
"""How long a quiet tail waits before it looks whether it may go on."""
LOOK_AGAIN_S = 15.0
"""Units: seconds. What the filter names is looked up anew this often; a quiet tail tells how far it has come."""
_VIEW = Permission.OBSERVABILITY_MGT_VIEW_LOGS
_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")


@subscription.source("logTailed")
async def follow_log(
    _: Any,  # Any: the root, unused
    info: Info,
    filter: Row | None = None,
    after: str | None = None,
) -> AsyncGenerator[Part | PilothouseError, None]:
    """Follow the lines of a scope: what was missed first, then what arrives; trouble is the last that is told."""
    try:
        async with contextlib.aclosing(_follow(info.context, filter or {}, after)) as parts:
            async for part in parts:
                yield part
    except PilothouseError as error:
        yield error  # raised here it would break the connection off without a word


async def _follow(request: GraphQLRequest, wanted: Row, after: str | None) -> AsyncGenerator[Part, None]:
    asked, filter_ = asked_scope(wanted.get("scope")), read_log_filter(wanted)
    if wanted.get("statuses"):
        raise InvalidInput(
            "Lines are not followed by the status of their request: it is known when the request is over, and they come before.",
            field="statuses",
            fix="Leave it out, or ask `logs` for lines of a time that is over.",
        )
    tails = tails_of(request.services.telemetry)
    scope = await _scope(request, asked)
    tail = await tails.open(scope, filter_, _read_arrival(after))
    sent: Part | None = None
    sent_s = looked_up_s = time.monotonic()
    held = request.subject.holdings.grants
    try:
        while True:
            part = await tail.take(WAIT_S)
            if request.services.bus.closed:
                return
            await request.renew(request.services.clock.now())
            forget(request)
            now_s = time.monotonic()
            if request.subject.holdings.grants != held or now_s - looked_up_s >= LOOK_AGAIN_S:
                held, looked_up_s = request.subject.holdings.grants, now_s
                scope, before = await _scope(request, asked), scope
                if scope != before:  # what was read with other rights is read again with these
                    since = tail.question.after if sent is None else sent.arrival
                    tail.close()
                    tail = await tails.open(scope, filter_, since)
                    continue
            is_told = bool(part.lines or part.skipped) or sent is None
            if is_told or (now_s - sent_s >= LOOK_AGAIN_S and sent is not None and part.arrival > sent.arrival):
                sent, sent_s = part, now_s
                yield part
    finally:
        tail.close()


@subscription.field("logTailed")
def show_part(part: Part | PilothouseError, _info: Info, **_arguments: Any) -> Row:  # Any: the source's arguments
    """Show what is new.

    Raises: PilothouseError
    """
    if isinstance(part, PilothouseError):
        raise part
    return {
        "arrival": str(part.arrival),
        "lines": [line_view(line) for line in part.lines],
        "skipped": part.skipped,
    }


async def _scope(request: GraphQLRequest, asked: AskedScope) -> Scope:
    """Make the scope by what the caller holds now; whatever their own time, unless one is asked for.

    Raises: NotPermitted
    """
    if request.reach(_VIEW).nothing:
        raise NotPermitted(
            "You may not read logs any more.", fix="Ask who gives roles for `observability_mgt:view_logs`."
        )
    scope = await scope_of(request, _VIEW, asked, None)
    return msgspec.structs.replace(scope, from_ns=asked.from_ns, to_ns=asked.to_ns)


def _read_arrival(told: str | None) -> int | None:
    if told is None:
        return None
    if _NUMBER.match(told) is None:
        raise InvalidInput("This is no arrival.", field="after", fix="Send the last `arrival` that you saw.")
    return int(told)
