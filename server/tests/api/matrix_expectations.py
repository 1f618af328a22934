"""Who may do what, written by hand from the product's rules: the matrix of permissions is held against this table.

Nothing here is taken from the code under test, but the names of permissions on the wire.
"""

from collections.abc import Callable
from dataclasses import dataclass

Place = tuple[str | None, str | None, str | None]
"""Project, integration, environment; None: not limited."""

ORG: Place = (None, None, None)
SHOP: Place = ("shop", None, None)
OTHER: Place = ("other", None, None)
TILL: Place = ("shop", "till", None)
DEV: Place = (None, None, "dev")
PROD: Place = (None, None, "prod")
TILL_DEV: Place = ("shop", "till", "dev")
TILL_PROD: Place = ("shop", "till", "prod")
ELSE: Place = ("other", "else", None)

SCOPES = {"organization": ORG, "project": SHOP, "other project": OTHER, "integration": TILL, "dev": DEV, "prod": PROD}

CONTAINS = {
    "environment_mgt:manage": {"environment_mgt:manage_nonprod"},
    "integration_mgt:manage": {"integration_mgt:edit", "integration_mgt:view"},
    "integration_mgt:edit": {"integration_mgt:view"},
    "integration_mgt:try": {"integration_mgt:view"},
    "project_mgt:manage": {"project_mgt:edit", "project_mgt:view"},
    "project_mgt:edit": {"project_mgt:view"},
    "user_mgt:manage_groups": {"user_mgt:update_group_roles"},
    "user_mgt:manage_users": {"user_mgt:update_users"},
    "workflow_mgt:manage_human_tasks": {"workflow_mgt:view_human_tasks"},
    "workflow_mgt:manage_workflows": {"workflow_mgt:view_workflows"},
}
ALL = {
    "alert_mgt:manage",
    "audit_mgt:view",
    "environment_mgt:manage",
    "environment_mgt:manage_nonprod",
    "integration_mgt:edit",
    "integration_mgt:manage",
    "integration_mgt:try",
    "integration_mgt:view",
    "observability_mgt:view_insights",
    "observability_mgt:view_logs",
    "project_mgt:edit",
    "project_mgt:manage",
    "project_mgt:view",
    "user_mgt:manage_groups",
    "user_mgt:manage_roles",
    "user_mgt:manage_users",
    "user_mgt:update_group_roles",
    "user_mgt:update_users",
    "workflow_mgt:manage_human_tasks",
    "workflow_mgt:manage_workflows",
    "workflow_mgt:view_human_tasks",
    "workflow_mgt:view_workflows",
}
ROLES = {
    "Super Admin": ALL,
    "Admin": {name for name in ALL if not name.startswith("user_mgt:")},
    "Developer": {
        "integration_mgt:edit",
        "integration_mgt:try",
        "environment_mgt:manage_nonprod",
        "project_mgt:edit",
        "observability_mgt:view_logs",
        "observability_mgt:view_insights",
        "workflow_mgt:manage_human_tasks",
        "workflow_mgt:view_workflows",
    },
    "Project Admin": {
        "alert_mgt:manage",
        "integration_mgt:manage",
        "integration_mgt:try",
        "observability_mgt:view_logs",
        "observability_mgt:view_insights",
        "project_mgt:manage",
        "user_mgt:update_group_roles",
        "workflow_mgt:manage_human_tasks",
        "workflow_mgt:manage_workflows",
    },
    "Viewer": {
        "integration_mgt:view",
        "project_mgt:view",
        "observability_mgt:view_logs",
        "observability_mgt:view_insights",
        "workflow_mgt:view_human_tasks",
    },
}

AUDIT, ENV, NONPROD = "audit_mgt:view", "environment_mgt:manage", "environment_mgt:manage_nonprod"
I_VIEW, I_EDIT, I_MANAGE = "integration_mgt:view", "integration_mgt:edit", "integration_mgt:manage"
P_VIEW, P_EDIT, P_MANAGE = "project_mgt:view", "project_mgt:edit", "project_mgt:manage"
USERS, MEMBERS = "user_mgt:manage_users", "user_mgt:update_users"
GROUPS, GROUP_ROLES, MANAGE_ROLES = "user_mgt:manage_groups", "user_mgt:update_group_roles", "user_mgt:manage_roles"
ALERTS, LOGS, INSIGHTS = "alert_mgt:manage", "observability_mgt:view_logs", "observability_mgt:view_insights"
W_VIEW, W_MANAGE = "workflow_mgt:view_workflows", "workflow_mgt:manage_workflows"

ALLOWED, REFUSED, NOT_THERE = "allowed", "NOT_PERMITTED", "not there"
Outcome = str | frozenset[str]
"""One of the three, or the names that a list is filtered to."""


@dataclass(frozen=True)
class Who:
    """Somebody who holds permissions in one place."""

    permissions: frozenset[str]
    """With what they contain."""
    scope: Place
    by_token: bool = False

    def has(self, *any_of: str) -> bool:
        """Held somewhere."""
        return not self.permissions.isdisjoint(any_of)

    def may(self, place: Place, *any_of: str) -> bool:
        """Held in all of a place."""
        return self.has(*any_of) and all(own in (None, other) for own, other in zip(self.scope, place, strict=True))

    def sees(self, place: Place, *any_of: str) -> bool:
        """Held somewhere in a place."""
        return self.has(*any_of) and all(
            own is None or other is None or own == other for own, other in zip(self.scope, place, strict=True)
        )

    def sees_anything_in(self, place: Place) -> bool:
        """Anything at all is held somewhere in a place."""
        return bool(self.permissions) and self.sees(place, *self.permissions)


def with_contents(permissions: set[str]) -> frozenset[str]:
    return frozenset(permissions).union(*(CONTAINS.get(name, set()) for name in permissions))


Rule = Callable[[Who], Outcome]


@dataclass(frozen=True)
class Call:
    """A call of one root field, and what comes of it."""

    field: str
    text: str
    """The field with arguments and selection; `$name` stands for the id of something in the test's world."""
    rule: Rule


def anyone() -> Rule:
    return lambda _who: ALLOWED


def held(*any_of: str) -> Rule:
    """Held anywhere: what is not about a place."""
    return lambda who: ALLOWED if who.has(*any_of) else REFUSED


def shown(place: Place, *any_of: str) -> Rule:
    """One thing by its name: null to who may not see it."""
    return lambda who: REFUSED if not who.has(*any_of) else ALLOWED if who.sees(place, *any_of) else NOT_THERE


def listed(things: dict[str, Place], *any_of: str) -> Rule:
    """A list of what one sees."""

    def rule(who: Who) -> Outcome:
        if not who.has(*any_of):
            return REFUSED
        return frozenset(name for name, place in things.items() if who.sees(place, *any_of))

    return rule


def listed_within(things: dict[str, Place], *any_of: str) -> Rule:
    """A list of what lies wholly where one holds it: what belongs to no project is for who holds it everywhere."""

    def rule(who: Who) -> Outcome:
        return (
            frozenset(name for name, place in things.items() if who.may(place, *any_of))
            if who.has(*any_of)
            else REFUSED
        )

    return rule


def change(
    place: Place, *any_of: str, door: tuple[str, ...] = (), seen_by: tuple[str, ...] = (), seen: Place | None = None
) -> Rule:
    """Something is done in a place: refused at the door, not there to who does not see it, else as it is held there."""

    def rule(who: Who) -> Outcome:
        if not who.has(*(door or any_of)):
            return REFUSED
        if seen_by and not who.sees(seen or place, *seen_by):
            return NOT_THERE
        return ALLOWED if who.may(place, *any_of) else REFUSED

    return rule


def both(one: Rule, other: Rule) -> Rule:
    """What two rules ask: the first one that does not allow it decides."""
    return lambda who: first if (first := one(who)) != ALLOWED else other(who)


def environments_listed(who: Who) -> Outcome:
    return frozenset(name for name, place in (("dev", DEV), ("prod", PROD)) if who.sees_anything_in(place))


def environment_changed(place: Place, *, door: bool = True) -> Rule:
    """An environment is known to who holds anything in it; a critical one asks for more than an ordinary one."""
    needed = (ENV,) if place == PROD else (ENV, NONPROD)

    def rule(who: Who) -> Outcome:
        if door and not who.has(NONPROD):
            return REFUSED
        if not who.sees_anything_in(place):
            return NOT_THERE
        return ALLOWED if who.may(place, *needed) else REFUSED

    return rule


def may_delete(place: Place, seen_by: str, *needed: str) -> Rule:
    """What hangs on something is told to who may delete it, without a door in front."""

    def rule(who: Who) -> Outcome:
        if not who.sees(place, seen_by):
            return NOT_THERE
        return ALLOWED if who.may(place, *needed) else REFUSED

    return rule


def manages_secret(who: Who, place: Place) -> bool:
    critical = place[2] == "prod"
    return (
        who.may(place, ENV)
        or (not critical and who.may(place, NONPROD))
        or (place[1] is not None and who.may(place, I_MANAGE))
    )


SECRET_PLACES: dict[str, Place] = {"$devKey": TILL_DEV, "$prodKey": TILL_PROD, "$freeKey": DEV}
_SECRETS = (NONPROD, I_MANAGE)


def secret_shown(place: Place) -> Rule:
    return lambda who: REFUSED if not who.has(*_SECRETS) else ALLOWED if manages_secret(who, place) else NOT_THERE


def secrets_listed(who: Who) -> Outcome:
    if not who.has(*_SECRETS):
        return REFUSED
    return frozenset(name for name, place in SECRET_PLACES.items() if manages_secret(who, place))


def ingest_tokens_listed(who: Who) -> Outcome:
    if not who.has(*_SECRETS):
        return REFUSED
    return frozenset({"collector"} if manages_secret(who, TILL_DEV) else ())


def alerts_managed(place: Place, *, seen_by: tuple[str, ...] = ()) -> Rule:
    """A rule or silence in a place, which is told back as integrations are: for who sees them and manages alerts there."""

    def rule(who: Who) -> Outcome:
        if not who.has(ALERTS) or not who.has(I_VIEW):
            return REFUSED
        if not (who.sees(place, *seen_by) if seen_by else who.sees_anything_in(place)):
            return NOT_THERE
        return ALLOWED if who.may(place, ALERTS) else REFUSED

    return rule


def steered(*any_of: str, door: tuple[str, ...] = (), place: Place = TILL_DEV) -> Rule:
    """Something is done to the runtimes of an integration in one environment."""
    return change(place, *any_of, door=door or any_of, seen_by=(I_VIEW,))


def secret_changed(place: Place, *, seen: Place | None = None) -> Rule:
    """A secret is not there for who does not manage it; a new one asks for its environment, which must be seen."""

    def rule(who: Who) -> Outcome:
        if not who.has(*_SECRETS):
            return REFUSED
        if seen is not None:
            if not who.sees_anything_in(seen):
                return NOT_THERE
            return ALLOWED if manages_secret(who, place) else REFUSED
        return ALLOWED if manages_secret(who, place) else NOT_THERE

    return rule


def of_user(who: Who) -> Outcome:
    """Another one's sessions and tokens."""
    return ALLOWED if who.may(ORG, USERS) else REFUSED


def own_or_managed(*, own: bool) -> Rule:
    """Sessions and tokens: one's own, or everybody's with user_mgt:manage_users; a token has no self."""
    return lambda who: ALLOWED if (own and not who.by_token) or who.may(ORG, USERS) else NOT_THERE


def session_only(then: Outcome) -> Rule:
    """What needs a person at the screen."""
    return lambda who: REFUSED if who.by_token else then


def gives(place: Place, needs: str, given: str) -> Rule:
    """Nobody gives away what they do not hold there."""
    return lambda who: (
        REFUSED
        if not who.has(needs)
        else NOT_THERE
        if not who.sees_anything_in(place)
        else ALLOWED
        if who.may(place, needs) and who.may(place, given)
        else REFUSED
    )
