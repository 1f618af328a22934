"""Resolvers about desired states: what is wished for, what is seen, and where replicas differ."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from ariadne import ObjectType, QueryType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.commands import shown
from pilothouse.api.graphql.first_of import RUNTIMES_SHOWN_MAX, first_of
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.errors import NotFound
from pilothouse.base.pages import page_request, slice_of
from pilothouse.domain import replicas
from pilothouse.domain.commands import Command
from pilothouse.domain.liveness import Status
from pilothouse.domain.replicas import ComparedArtifact, ComparedAspect, Difference
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import TRIGGERABLE, SteerableKind, Target, Wish, values_of
from pilothouse.operations.seeing import find_place
from pilothouse.storage import command_rows, desired, runtime_rows
from pilothouse.storage.desired import DesiredChange, Place
from pilothouse.storage.runtime_rows import RuntimeScope
from pilothouse.storage.unit import Connection

query = QueryType()
steering_type = ObjectType("Steering")
artifact_type = ObjectType("SteerableArtifact")
observed_type = ObjectType("ObservedValue")
drift_type = ObjectType("Drift")
bindables = (query, steering_type, artifact_type, observed_type, drift_type)

RUNTIMES_COMPARED_MAX = 5_000
COMMANDS_READ_MAX = 1_000
COMMANDS_SHOWN_MAX = 20
_VIEW = Permission.INTEGRATION_MGT_VIEW


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """What the database says of a place."""

    integration_id: str
    project: Row
    integration: Row
    environment: Row
    runtime_type: RuntimeType
    rows: Sequence[RuntimeRow]
    wishes: Sequence[Wish]
    history: Mapping[Target, Sequence[DesiredChange]]
    commands: Sequence[Command]


class SteeringView:
    """One integration in one environment, compared."""

    def __init__(self, request: GraphQLRequest, place: _Place, artifacts: Mapping[str, Any]) -> None:
        self.project = place.project
        self.integration = place.integration
        self.environment = place.environment
        self.type = place.runtime_type
        self.views = {row.key: RuntimeView(request, row) for row in place.rows}
        running = [row for row in place.rows if self.views[row.key].status is Status.RUNNING]
        others = [row for row in place.rows if self.views[row.key].status is not Status.RUNNING]
        self.runtime_count = len(place.rows)
        self.running_count = len(running)
        self.running = [self.views[row.key] for row in running]
        self.resting = [self.views[row.key] for row in others]
        groups = [
            replicas.group(
                place.runtime_type,
                [(row.key, artifacts[row.artifact_digest], row.document.log_levels) for row in rows],
            )
            for rows in (running, others)
        ]
        self.compared = replicas.compare(place.runtime_type, groups[0], groups[1], place.wishes)
        self.history = place.history
        self.commands: dict[Target, list[Row]] = defaultdict(list)
        for command in place.commands:
            target = command.target
            if target is not None and command.runtime_key in self.views:
                self.commands[target].append(shown(command, self.views[command.runtime_key]))

    @property
    def differing(self) -> int:
        """Count what differs."""
        return sum(artifact.differs for artifact in self.compared)

    @property
    def drift(self) -> list[Row]:
        """Say how replicas differ."""
        names = {key: str(view.name or view.runtime_id[:8]) for key, view in self.views.items()}
        return [self._drift(each) for each in replicas.differences(self.compared, names)]

    def artifact(self, compared: ComparedArtifact) -> Row:
        """Show something that can be steered."""
        return {
            "kind": compared.kind,
            "name": compared.name,
            "package": compared.package,
            "label": compared.label,
            "aspects": [self._aspect(aspect) for aspect in compared.aspects],
            "triggerable": TRIGGERABLE.get(self.type) is compared.kind,
            "missing_on": self.refs(compared.missing_on),
            "missing_count": len(compared.missing_on),
        }

    def _aspect(self, compared: ComparedAspect) -> Row:
        target = compared.target
        return {
            "aspect": target.aspect,
            "values": [value.upper() for value in values_of(self.type, target.aspect)],
            "desired": None if compared.wish is None else self._desired(compared.wish, suspended=compared.suspended),
            "observed": [
                {
                    "value": seen.value.upper(),
                    "reason": seen.reason,
                    "runtimes": self.refs(seen.runtime_keys),
                    "runtime_count": len(seen.runtime_keys),
                }
                for seen in compared.seen
            ],
            "in_sync": compared.in_sync,
            "commands": self.commands[target][:COMMANDS_SHOWN_MAX],
        }

    def _desired(self, wish: Wish, *, suspended: bool) -> Row:
        return desired_state(wish, self.history.get(wish.target, ()), suspended=suspended)

    def _drift(self, difference: Difference) -> Row:
        return {
            "message": difference.message,
            "kind": difference.kind,
            "name": difference.name,
            "runtimes": self.refs(difference.runtime_keys),
            "runtime_count": len(difference.runtime_keys),
        }

    def refs(self, keys: Sequence[int]) -> list[RuntimeView]:
        """Show runtimes; of many the first."""
        return [self.views[key] for key in keys[:RUNTIMES_SHOWN_MAX]]


@query.field("steering")
async def find_steering(_: Any, info: Info, project: str, integration: str, environment: str) -> SteeringView | None:
    """Compare what one integration runs in one environment."""
    request = info.context
    reach = request.reach(_VIEW)

    def read(connection: Connection) -> _Place | None:
        return _read_place(request, connection, reach, project, integration, environment)

    place = await request.services.store.read(read)
    if place is None:
        return None
    artifacts = {row.artifact_digest: await request.artifacts(row.artifact_digest) for row in place.rows}
    return SteeringView(request, place, artifacts)


def _read_place(
    request: GraphQLRequest, connection: Connection, reach: Any, project: str, integration: str, environment: str
) -> _Place | None:
    try:
        found, target, _ = find_place(connection, request.subject, project, integration, environment)
    except NotFound:
        return None
    scope = RuntimeScope(project=project, integration=integration, environment=environment)
    place = Place(found.id, target.id)
    wishes = desired.list_wishes(connection, place)
    return _Place(
        integration_id=found.id,
        project={"handle": found.project_handle, "display_name": found.project_display_name},
        integration={"handle": found.handle, "display_name": found.display_name},
        environment={"handle": target.handle, "display_name": target.display_name, "critical": target.critical},
        runtime_type=found.runtime_type,
        rows=runtime_rows.list_all(connection, reach, scope, RUNTIMES_COMPARED_MAX),
        wishes=wishes,
        history=desired.list_history(connection, place, [wish.target for wish in wishes]),
        commands=command_rows.list_of_place(connection, found.id, target.id, COMMANDS_READ_MAX),
    )


@steering_type.field("runtimes")
def runtimes_of(view: SteeringView, _info: Info, first: int | None = None) -> list[RuntimeView]:
    """List runtimes, the running ones first."""
    return first_of([*view.running, *view.resting], first)


@steering_type.field("notRunning")
def not_running(view: SteeringView, _info: Info, first: int | None = None) -> list[RuntimeView]:
    """List runtimes that do not run."""
    return first_of(view.resting, first)


@steering_type.field("hosts")
def hosts_of(
    view: SteeringView,
    _info: Info,
    kind: SteerableKind,
    name: str,
    package: str | None = None,
    first: int | None = None,
) -> list[RuntimeView]:
    """List running runtimes that host an artifact."""
    keys = {
        key
        for artifact in view.compared
        if (artifact.kind, artifact.name) == (kind, name) and package in {None, artifact.package}
        for aspect in artifact.aspects
        for seen in aspect.seen
        for key in seen.runtime_keys
    }
    return first_of(view.refs(sorted(keys)), first)


@artifact_type.field("missingOn")
def missing_on(row: Row, _info: Info, first: int | None = None) -> list[RuntimeView]:
    """List running replicas that do not host an artifact."""
    return first_of(row["missing_on"], first)


@observed_type.field("runtimes")
@drift_type.field("runtimes")
def runtimes_in(row: Row, _info: Info, first: int | None = None) -> list[RuntimeView]:
    """List the runtimes of a value, or of a way in which replicas differ."""
    return first_of(row["runtimes"], first)


@steering_type.field("artifacts")
def artifacts_of(
    view: SteeringView,
    _info: Info,
    kind: SteerableKind | None = None,
    search: str | None = None,
    only_differing: bool | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List what can be steered, by kind and name."""
    page = page_request("steering", first, after)
    wanted = [
        artifact
        for artifact in view.compared
        if (kind is None or artifact.kind is kind)
        and (not search or search.lower() in artifact.name.lower())
        and (not only_differing or artifact.differs)
    ]
    order = {each: f"{number:02}" for number, each in enumerate(SteerableKind)}
    found = slice_of("steering", wanted, page, lambda each: (order[each.kind], each.name, each.package))
    return views.connection(found.map(view.artifact))


def desired_state(wish: Wish, history: Sequence[DesiredChange], *, suspended: bool) -> Row:
    """Show a wish with what was wished before."""
    return {
        "value": wish.value.upper(),
        "version": wish.version,
        "author": wish.author,
        "set_at": wish.set_at,
        "suspended_reason": _SUSPENDED if suspended else None,
        "absent_since": wish.absent_since,
        "history": [
            {
                "value": None if change.value is None else change.value.upper(),
                "version": change.version,
                "author": change.author,
                "at": change.at,
            }
            for change in history
            if change.version != wish.version
        ],
    }


_SUSPENDED = (
    "Another listener bears this name now than when it was asked for (its port or its paths changed): nothing is sent. "
    "Ask again to mean the new one."
)
