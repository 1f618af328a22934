"""Who called whom: a map worked out from the spans of a time."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from ariadne import ObjectType, QueryType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.telemetry_origins import reference
from pilothouse.api.graphql.telemetry_scopes import bounded_scope
from pilothouse.api.graphql.traces import NS_A_MS
from pilothouse.api.graphql.views import Row
from pilothouse.telemetry.model import Attributes, Span, SpanKind
from pilothouse.telemetry.questions import Scope, SpanQuestion

query = QueryType()
node_type = ObjectType("ServiceNode")
bindables = (query, node_type)

SPANS_MAX = 20_000
"""Spans that a map is made of."""
NODES_MAX = 500
"""Services that a map shows: the busiest."""
_SPANS_AT_ONCE = 4_000
"""Few enough that others have their turn while they are decoded."""
_ASKED = (SpanKind.CLIENT, SpanKind.PRODUCER)
_ANSWERED = (SpanKind.SERVER, SpanKind.CONSUMER)
_VIEW = Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS
_NAMED_BY = (
    ("db.system.name", "server.address", "db.namespace"),
    ("db.system", "server.address", "db.name"),
    ("messaging.system", "messaging.destination.name", "messaging.destination"),
    ("peer.service",),
    ("server.address",),
    ("net.peer.name",),
    ("peer.address",),
)
"""What names somebody who is only called: the first row whose first attribute is there; of the others, the first that is there."""


class Node(msgspec.Struct, frozen=True, order=True):
    """A service, told apart by whose it is and by its name; nobody's is what is only called."""

    project_id: str
    integration_id: str
    name: str

    @property
    def id(self) -> str:
        """A short name for it, the same in every map."""
        whole = f"{self.project_id}\0{self.integration_id}\0{self.name}"
        return blake2b(whole.encode("utf-8", "replace"), digest_size=8).hexdigest()


class Calls:
    """Calls along one edge."""

    def __init__(self) -> None:
        self.failed = 0
        self.durations_ns: list[int] = []

    def add(self, span: Span) -> None:
        """Count one."""
        self.failed += span.record.failed
        self.durations_ns.append(span.record.duration_ns)

    @property
    def p95_ms(self) -> float:
        """What 95 % of the calls did not exceed."""
        rank = math.ceil(0.95 * len(self.durations_ns))
        return sorted(self.durations_ns)[rank - 1] / NS_A_MS


class ServiceGraph(msgspec.Struct, frozen=True, kw_only=True):
    """What spans tell about who called whom."""

    requests: Mapping[Node, tuple[int, int]]
    """What each answered, and how much of it failed; of what is only called, the calls."""
    calls: Mapping[tuple[Node, Node], Calls]

    @property
    def nodes(self) -> set[Node]:
        """Everything on the map."""
        return {*self.requests, *(node for edge in self.calls for node in edge)}


@query.field("serviceMap")
async def show_map(_: Any, info: Info, scope: Row | None = None) -> Row:  # Any: the root, unused
    """Show who called whom."""
    within, _from_ns, _to_ns = await bounded_scope(info.context, _VIEW, scope)
    spans, more = await _newest(info.context, within)
    found = await asyncio.to_thread(graph_of, spans)
    busiest = sorted(found.nodes, key=lambda node: (-found.requests.get(node, (0, 0))[0], node))
    nodes = set(busiest[:NODES_MAX])
    edges = sorted(
        (edge for edge in found.calls if nodes.issuperset(edge)), key=lambda e: -len(found.calls[e].durations_ns)
    )
    return {
        "nodes": [_node_view(found, node) for node in busiest[:NODES_MAX]],
        "edges": [_edge_view(edge, found.calls[edge]) for edge in edges],
        "spans_read": len(spans),
        "complete": not more and len(busiest) <= NODES_MAX,
    }


@node_type.field("integration")
async def integration_of(node: Row, info: Info) -> Row | None:
    """Show whose service it is."""
    return await reference(info.context, "integration", node["integration_id"])


@node_type.field("project")
async def project_of(node: Row, info: Info) -> Row | None:
    """Show whose service it is."""
    return await reference(info.context, "project", node["project_id"])


def graph_of(spans: Sequence[Span]) -> ServiceGraph:
    """Work out who called whom.

    A call leads from a span to the request that it caused elsewhere, or, where none is known, to what the span says that it called.
    Spans are given newest first and perhaps not all: what is cut off is older, and children are younger than their parents, so
    that a call whose request is known is never taken for one of something that is only called.
    """
    by_id = {(span.record.trace_id, span.record.span_id): span for span in reversed(spans)}
    requests: dict[Node, list[int]] = defaultdict(lambda: [0, 0])
    calls: dict[tuple[Node, Node], Calls] = defaultdict(Calls)
    answered: set[tuple[str, str]] = set()
    for span in spans:
        record, node = span.record, _node(span)
        if record.kind not in _ANSWERED:
            continue
        requests[node][0] += 1
        requests[node][1] += record.failed
        parent = by_id.get((record.trace_id, record.parent_id)) if record.parent_id else None
        if parent is None or parent is span:
            continue
        if parent.record.kind in _ASKED:
            answered.add((record.trace_id, record.parent_id))
            calls[_node(parent), node].add(parent)
        elif _node(parent) != node:  # a caller that tells nothing of its calls
            calls[_node(parent), node].add(span)
    for span in spans:
        if span.record.kind in _ASKED and (span.record.trace_id, span.record.span_id) not in answered:
            called = called_by(span.record.attributes)
            if called is not None:
                node = Node("", "", called)
                requests[node][0] += 1
                requests[node][1] += span.record.failed
                calls[_node(span), node].add(span)
    return ServiceGraph(requests={node: (all_, failed) for node, (all_, failed) in requests.items()}, calls=calls)


def called_by(attributes: Attributes) -> str | None:
    """Name what a call went to, by what its span says; None where it says nothing."""
    for first, *others in _NAMED_BY:
        if attributes.get(first):
            more = next((attributes[name] for name in others if attributes.get(name)), None)
            return str(attributes[first]) if more is None else f"{attributes[first]} {more}"
    return None


async def _newest(request: GraphQLRequest, scope: Scope) -> tuple[list[Span], bool]:
    """Read the newest spans between programs, and tell whether there are more."""
    spans: list[Span] = []
    question, more = SpanQuestion(scope=scope, kinds=(*_ASKED, *_ANSWERED), limit=_SPANS_AT_ONCE), True
    while more and len(spans) < SPANS_MAX:
        page = await request.services.telemetry.spans(question)
        spans += page.spans
        more = page.more
        question = msgspec.structs.replace(question, after=page.end)
    return spans, more


def _node(span: Span) -> Node:
    origin = span.origin
    return Node(origin.project_id or "", origin.integration_id or "", span.record.service)


def _node_view(graph: ServiceGraph, node: Node) -> Row:
    requests, failed = graph.requests.get(node, (0, 0))
    return {
        "id": node.id,
        "name": node.name,
        "integration_id": node.integration_id or None,
        "project_id": node.project_id or None,
        "requests": requests,
        "failed": failed,
    }


def _edge_view(edge: tuple[Node, Node], calls: Calls) -> Row:
    return {
        "from": edge[0].id,
        "to": edge[1].id,
        "calls": len(calls.durations_ns),
        "failed": calls.failed,
        "p_95_ms": calls.p95_ms,
    }
