"""From what somebody asks for to the scope of a telemetry store's question: what is unknown or unseen matches nothing."""

import msgspec

from pilothouse.access.places import Reach
from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import Instant
from pilothouse.storage import telemetry_scopes
from pilothouse.storage.telemetry_scopes import NamedIds
from pilothouse.storage.unit import Connection
from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.questions import Scope

DEFAULT_S = 3_600
"""Units: seconds before now (or before `to`, where that lies in the past) that are asked for unless somebody says otherwise."""
DAYS_MAX = 400
"""Of one question."""
NAMES_MAX = 100
"""Handles or ids in one list of a scope."""
_NAME_CHARACTERS_MAX = 255
_DAY_NS = 86_400 * NS_A_SECOND


class AskedScope(msgspec.Struct, frozen=True, kw_only=True):
    """Whose telemetry of which time somebody asks for, in their words. Nothing asks for everything that they may see."""

    project: str | None = None
    """A handle."""
    integrations: tuple[str, ...] = ()
    """Handles within `project`."""
    environments: tuple[str, ...] = ()
    """Handles."""
    runtimes: tuple[str, ...] = ()
    """Our ids of runtimes."""
    runtime_ids: tuple[str, ...] = ()
    """What runtimes call themselves."""
    unclaimed: bool | None = None
    from_ns: int | None = None
    to_ns: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises: InvalidInput
        """
        if self.integrations and self.project is None:
            raise InvalidInput(
                "An integration's handle is unique within its project, which is not named.",
                field="project",
                fix="Name the project beside the integrations.",
            )
        for name in ("integrations", "environments", "runtimes", "runtime_ids"):
            asked: tuple[str, ...] = getattr(self, name)
            if len(asked) > NAMES_MAX:
                raise InvalidInput(
                    f"At most {NAMES_MAX} of them can be named at once, not {len(asked)}.",
                    field=name,
                    fix="Name fewer, or leave the list out to ask for all.",
                )
            if any(len(one) > _NAME_CHARACTERS_MAX for one in asked):
                raise InvalidInput(
                    f"A name has at most {_NAME_CHARACTERS_MAX} characters.", field=name, fix="Name what is there."
                )

    @property
    def names_something(self) -> bool:
        """Whether something has to be looked up."""
        return self.project is not None or bool(self.environments or self.runtimes)


def span_of(asked: AskedScope, now: Instant) -> tuple[int, int]:
    """Tell the time that is asked for: the last hour unless said otherwise. Units: ns since the epoch.

    Raises: InvalidInput
    """
    now_ns = int(now * NS_A_SECOND)
    to_ns = now_ns if asked.to_ns is None else asked.to_ns
    from_ns = min(now_ns, to_ns) - DEFAULT_S * NS_A_SECOND if asked.from_ns is None else asked.from_ns
    if from_ns >= to_ns:
        raise InvalidInput("The time ends before it begins.", field="from", fix="Let `from` be earlier than `to`.")
    if to_ns - from_ns > DAYS_MAX * _DAY_NS:
        raise InvalidInput(
            f"At most {DAYS_MAX} days can be asked for at once.", field="from", fix="Ask for a shorter time."
        )
    return from_ns, to_ns


def find_scope(connection: Connection, reach: Reach, asked: AskedScope, span: tuple[int, int] | None) -> Scope:
    """Make the scope of a question within somebody's reach, by one statement; None as time asks for all of it."""
    named = telemetry_scopes.find_named(
        connection,
        project=asked.project,
        integrations_of_it=asked.integrations,
        environment_handles=asked.environments,
        runtime_ids=asked.runtimes,
    )
    return _scope(reach, asked, named, span)


def plain_scope(reach: Reach, asked: AskedScope, span: tuple[int, int] | None) -> Scope:
    """Make the scope of a question that names nothing that has to be looked up."""
    return _scope(reach, asked, _NONE, span)


_NONE = NamedIds(project_id=None, integration_ids=(), environment_ids=(), runtimes=())


def _scope(reach: Reach, asked: AskedScope, named: NamedIds, span: tuple[int, int] | None) -> Scope:
    from_ns, to_ns = span or (None, None)
    nothing = Scope(places=(), from_ns=from_ns, to_ns=to_ns)
    runtime_ids = {*asked.runtime_ids, *(one.runtime_id for one in named.runtimes)}
    integration_ids, environment_ids = set(named.integration_ids), set(named.environment_ids)
    missing = (
        (asked.project is not None and named.project_id is None)
        or (asked.integrations and not integration_ids)
        or (asked.environments and not environment_ids)
        or ((asked.runtimes or asked.runtime_ids) and not runtime_ids)
    )
    if missing:
        return nothing
    if asked.runtimes and not asked.runtime_ids:  # the same name may be borne elsewhere: only where they live is meant
        homes = {one.integration_id for one in named.runtimes}, {one.environment_id for one in named.runtimes}
        integration_ids = integration_ids & homes[0] if asked.integrations else homes[0]
        environment_ids = environment_ids & homes[1] if asked.environments else homes[1]
        if not integration_ids or not environment_ids:
            return nothing
    return Scope(
        places=reach.places,
        project_ids=() if named.project_id is None else (named.project_id,),
        integration_ids=tuple(sorted(integration_ids)),
        environment_ids=tuple(sorted(environment_ids)),
        runtime_ids=tuple(sorted(runtime_ids)),
        unclaimed=asked.unclaimed,
        from_ns=from_ns,
        to_ns=to_ns,
    )
