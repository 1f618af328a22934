"""What is there, and the steps that change it. Names stand for things: ids are the control plane's own business."""

from enum import IntEnum, StrEnum, unique
from typing import Any, NamedTuple, cast

import msgspec


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that is there."""

    display_name: str
    critical: bool


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project that is there."""

    display_name: str
    description: str = ""


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """An integration that is there."""

    display_name: str
    runtime_type: str
    description: str = ""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role that is there; permissions by their wire names."""

    permissions: frozenset[str]
    description: str = ""
    built_in: bool = False


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user who is there."""

    display_name: str
    type: str = "person"
    email: str | None = None
    disabled: bool = False


class Grant(NamedTuple):
    """A role within a scope; None does not limit it."""

    role: str
    project: str | None = None
    integration: str | None = None
    environment: str | None = None

    @property
    def scope(self) -> str:
        """Tell the scope for people."""
        where = "/".join(filter(None, (self.project, self.integration))) or "the whole organization"
        return f"{where} in {self.environment}" if self.environment else where


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group that is there. Members and mappings are known only where they were asked for."""

    description: str = ""
    members: frozenset[str] = frozenset()
    from_sso: frozenset[str] = frozenset()
    """Those of the members whom the identity provider put in: its word counts, not a file's."""
    mappings: frozenset[Grant] = frozenset()
    project: str | None = None
    """Handle of the project whose admins these are: the group is renamed with it."""


class SsoMapping(NamedTuple):
    """A group of the identity provider that leads into a group here."""

    value: str
    group: str
    issuer: str | None = None
    claim: str | None = None


class AlertChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of alerts that is there, without what is secret of it."""

    type: str
    to: tuple[str, ...] = ()
    differing: frozenset[str] = frozenset()
    """Fields of its document that name an environment variable with another value than it has."""


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """An alert rule that is there, by the fields of its document."""

    values: dict[str, Any]
    """Any: JSON values."""


RuleKey = tuple[str, str, str, str]
"""Name, project, integration and environment of an alert rule; empty: all."""


class State(msgspec.Struct, kw_only=True):
    """An organization as it is, as far as it was asked about."""

    environments: dict[str, Environment] = {}
    projects: dict[str, Project] = {}
    integrations: dict[tuple[str, str], Integration] = {}
    roles: dict[str, Role] = {}
    users: dict[str, User] = {}
    groups: dict[str, Group] = {}
    sso_mappings: frozenset[SsoMapping] = frozenset()
    alert_channels: dict[str, AlertChannel] = {}
    alert_rules: dict[RuleKey, AlertRule] = {}
    variables: frozenset[str] | None = None
    """Those of the environment variables that the documents name that are set; None where nobody looked."""
    permissions: frozenset[str] | None = None
    """Those that can be granted; None where nobody asked."""
    me: str = ""
    """Who is signed in: whoever makes a project becomes one of its administrators."""


@unique
class Action(StrEnum):
    """What a step does."""

    CREATE = "create"
    UPDATE = "update"
    ADD = "add"
    REMOVE = "remove"


@unique
class Thing(IntEnum):
    """What a step is about, in the order in which steps are taken: what others stand on comes first."""

    ENVIRONMENT = 0
    PROJECT = 1
    INTEGRATION = 2
    ROLE = 3
    USER = 4
    GROUP = 5
    MEMBERS = 6
    MAPPING = 7
    SSO_MAPPING = 8
    ALERT_CHANNEL = 9
    ALERT_RULE = 10

    @property
    def title(self) -> str:
        """Tell it for people."""
        return self.name.lower().replace("_", " ").replace("sso", "SSO")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One change, carried out by one request."""

    action: Action
    thing: Thing
    key: tuple[str, ...]
    values: dict[str, Any]
    """The fields that are set. Any: JSON values."""
    was: dict[str, Any] = {}
    """The same fields as they are now."""
    where: str = ""
    """File and line that ask for it."""
    grant: Grant | None = None
    sso: SsoMapping | None = None

    def describe(self) -> str:
        """Tell it in one line, for people."""
        match self.thing:
            case Thing.MEMBERS:
                way = "to" if self.action is Action.ADD else "from"
                return f"{self.action.value} {', '.join(self.values['users'])} {way} group {self.key[0]}"
            case Thing.MAPPING if self.grant is not None:
                verb = "map" if self.action is Action.ADD else "unmap"
                return f"{verb} role {self.grant.role} for group {self.key[0]} in {self.grant.scope}"
            case Thing.SSO_MAPPING if self.sso is not None:
                return f"{self.action.value} SSO mapping of {self.sso.value} into group {self.sso.group}"
            case Thing.ALERT_RULE:
                scope = Grant("", *(part or None for part in self.key[1:])).scope
                return f"{self.action.value} alert rule {self.key[0]} in {scope}"
            case _:
                return f"{self.action.value} {self.thing.title} {'/'.join(self.key)}"

    def details(self) -> list[str]:
        """Tell the fields that change, one a line."""
        if self.action is Action.UPDATE:
            return [f"{name}: {_said(self.was.get(name))} → {_said(value)}" for name, value in self.values.items()]
        if self.action is Action.CREATE and self.thing is not Thing.SSO_MAPPING:
            return [f"{name}: {_said(value)}" for name, value in self.values.items()]
        return []


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The way from what is there to what is wanted."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    """What is not as it is described and yet stays."""


def _said(value: Any) -> str:  # Any: JSON values
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(cast("list[str]", value))
    return msgspec.json.encode(value).decode()
