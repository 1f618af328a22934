"""Lines of requests that were answered in some ways: by their own attribute, or by traces that the caller may see, too."""

import msgspec

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.telemetry_scopes import scope_of
from pilothouse.api.graphql.views import Row
from pilothouse.base.errors import InvalidInput
from pilothouse.operations.telemetry_scopes import AskedScope
from pilothouse.telemetry.questions import LogFilter, TraceFilter, TraceQuestion
from pilothouse.telemetry.statuses import LONGEST_NS, TRACES_MAX, Answered, codes_of, read_statuses

_VIEW_TRACES = Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS
_PAGE = 2_500


class AskedStatuses(msgspec.Struct, frozen=True, kw_only=True):
    """With what requests were answered, or calls that were made, as somebody asks for it."""

    statuses: tuple[str, ...] = ()
    outbound: bool = False

    @staticmethod
    def of(wanted: Row, field: str = "statuses") -> "AskedStatuses":
        """Read them from a filter as it came from outside.

        Raises: InvalidInput
        """
        return AskedStatuses(
            statuses=read_statuses(wanted.get("statuses"), field), outbound=wanted.get("outbound") is True
        )

    def traces(self, span: tuple[int, int]) -> TraceFilter:
        """Add to nothing what finds traces whose answer came within a time."""
        if not self.statuses:
            return TraceFilter()
        return TraceFilter(
            codes=codes_of(self.statuses), outbound=self.outbound, ended_from_ns=span[0], ended_to_ns=span[1]
        )

    def looked_through(self, span: tuple[int, int]) -> tuple[int, int]:
        """Tell when spans began that may have ended within a time."""
        return (max(0, span[0] - LONGEST_NS), span[1]) if self.statuses else span


async def with_answered(
    request: GraphQLRequest, filter_: LogFilter, asked: AskedScope, span: tuple[int, int], wanted: AskedStatuses
) -> LogFilter:
    """Narrow a filter to lines of requests that went on in a time and were answered so.

    Their traces are looked for in the places that were asked for, as far as the caller sees traces there: whoever may read
    lines alone learns of no status from them.

    Raises: InvalidInput
    """
    if not wanted.statuses:
        return filter_
    scope = await scope_of(request, _VIEW_TRACES, asked, wanted.looked_through(span))
    codes = codes_of(wanted.statuses)
    narrowed = TraceFilter(codes=codes, outbound=wanted.outbound, ended_from_ns=span[0])
    question = TraceQuestion(scope=scope, filter=narrowed, limit=_PAGE)
    found: dict[str, None] = {}
    while True:
        page = await request.services.telemetry.traces(question)
        found |= dict.fromkeys(one.trace_id for one in page.traces)
        if len(found) > TRACES_MAX:
            raise InvalidInput(
                f"More than {TRACES_MAX} requests were answered so in this time: their lines cannot be told apart.",
                field="statuses",
                fix="Ask for a shorter time, for one place, or for one status.",
            )
        if not page.more:
            break
        question = msgspec.structs.replace(question, after=page.end)
    answered = Answered(codes=() if wanted.outbound else codes, trace_ids=tuple(found))
    return msgspec.structs.replace(filter_, answered=answered)
