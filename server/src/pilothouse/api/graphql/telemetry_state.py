"""Resolvers about the telemetry store itself: how full it is, what is wrong with it, and who lost records."""

from collections.abc import Sequence
from typing import Any

from ariadne import ObjectType, QueryType

from pilothouse.access.permissions import Permission
from pilothouse.access.places import Place, Reach
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.telemetry_origins import reference
from pilothouse.api.graphql.telemetry_scopes import instant_of
from pilothouse.api.graphql.views import Row
from pilothouse.base.errors import Unavailable
from pilothouse.telemetry.intake import Loss
from pilothouse.telemetry.questions import Admission, EnvironmentUsage, Scope, Usage

query = QueryType()
part_type = ObjectType("TelemetryPart")
bindables = (query, part_type)

DROPS_MAX = 100
_LOGS, _INSIGHTS = Permission.OBSERVABILITY_MGT_VIEW_LOGS, Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS


@query.field("telemetry")
async def show_state(_: Any, info: Info) -> Row:  # Any: the root, unused
    """Show how the store does. Figures of the whole are told to who sees all of it."""
    request, intake = info.context, info.context.services.intake
    usage, trouble = await _usage(request)
    whole = request.reach(_LOGS).everything or request.reach(_INSIGHTS).everything
    losses = _seen(request, intake.losses())
    return {
        "store": request.services.settings.telemetry_store,
        "degraded": intake.degraded or trouble or intake.split,
        "bytes_on_disk": usage.bytes_on_disk if usage is not None and whole else None,
        "budget_bytes": (usage.budget_bytes or None) if usage is not None and whole else None,
        "accepted": intake.accepted_by_all if whole else None,
        "refused": intake.refused_by_all if whole else sum(loss.refused for loss in losses),
        "parts": [] if usage is None else [_part_view(part) for part in usage.parts if _sees(request, part)],
        "drops": [_loss_view(loss) for loss in sorted(losses, key=_most_lost_first)[:DROPS_MAX]],
    }


@part_type.field("environment")
async def environment_of(part: Row, info: Info) -> Row | None:
    """Show the environment whose records they are."""
    return await reference(info.context, "environment", part["environment_id"])


async def _usage(request: GraphQLRequest) -> tuple[Usage | None, str | None]:
    """Ask how full the store is; what keeps it from telling is told instead."""
    try:
        return await request.services.telemetry.usage(), None
    except Unavailable as error:
        return None, f"{error.message} {error.fix}".strip()


def _sees(request: GraphQLRequest, part: EnvironmentUsage) -> bool:
    """Tell whether all of an environment's records of a sort may be known of."""
    reach: Reach = request.reach(_LOGS if part.sort == "logs" else _INSIGHTS)
    if part.environment_id is None:
        return reach.everything
    return reach.covers(Place(environment_id=part.environment_id))


def _seen(request: GraphQLRequest, losses: Sequence[Loss]) -> list[Loss]:
    """Leave out losses of what the caller sees neither logs nor insights of."""
    admissions = [Admission(Scope.within(request.reach(permission))) for permission in (_LOGS, _INSIGHTS)]
    return [loss for loss in losses if any(admission.admits(loss.origin) for admission in admissions)]


def _most_lost_first(loss: Loss) -> tuple[int, float]:
    return -(loss.refused + loss.dropped_by_sender), -loss.last_at


def _part_view(part: EnvironmentUsage) -> Row:
    return {
        "sort": part.sort,
        "environment_id": part.environment_id,
        "bytes_on_disk": part.bytes_on_disk,
        "records": part.records,
        "oldest": None if part.oldest_ns is None else instant_of(part.oldest_ns),
        "newest": None if part.newest_ns is None else instant_of(part.newest_ns),
    }


def _loss_view(loss: Loss) -> Row:
    return {
        "origin": loss.origin,
        "refused": loss.refused,
        "dropped_by_sender": loss.dropped_by_sender,
        "last_reason": loss.last_reason or None,
        "last_at": loss.last_at,
    }
