"""Reading what is there: only the kinds that the documents are about, so that nobody needs more permissions than that."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pilothouse.client import documents as ask
from pilothouse.client.apply.admins import foresee
from pilothouse.client.apply.alerts import SECRETS, read_channel, read_rule, saved_channel
from pilothouse.client.apply.model import (
    Environment,
    Grant,
    Group,
    Integration,
    Project,
    Role,
    RuleKey,
    SsoMapping,
    State,
    User,
)
from pilothouse.client.apply.reading import Document
from pilothouse.client.graphql import Client

_ALL: Final = None
_DISABLED: Final = "DISABLED"


class Ids(msgspec.Struct, kw_only=True):
    """What the control plane calls things by: groups by the names that they bear once projects are renamed."""

    roles: dict[str, str] = {}
    users: dict[str, str] = {}
    groups: dict[str, str] = {}
    mappings: dict[tuple[str, Grant], str] = {}
    alert_channels: dict[str, str] = {}
    alert_channel_types: dict[str, str] = {}
    alert_rules: dict[RuleKey, tuple[str, dict[str, Any]]] = {}
    """With what each is now: it is saved as a whole. Any: JSON values."""


class Present(msgspec.Struct, kw_only=True):
    """What is there, with the ids that changes need."""

    state: State
    ids: Ids


def wire_name(permission: str) -> str:
    """Turn the schema's name of a permission into its wire name: `INTEGRATION_MGT_VIEW` into `integration_mgt:view`."""
    area, _, verb = permission.partition("_MGT_")
    return f"{area}_MGT:{verb}".lower()


def schema_name(permission: str) -> str:
    """Do the reverse; what is a name of the schema already stays."""
    return permission.upper().replace(":", "_")


def read_present(client: Client, documents: Sequence[Document], environ: Mapping[str, str] = os.environ) -> Present:
    """Read what the documents are about.

    environ: the environment variables in which secrets stand

    Raises: PilothouseError, in the server's words
    """
    groups = [document for document in documents if document.kind == "Group"]
    mapped = [mapping for document in groups for mapping in document.values.get("mappings") or ()]
    kinds = {document.kind for document in documents}
    projects = {d.values["handle"] for d in documents if d.kind == "Project" and "integrations" in d.values}
    projects |= {mapping["project"] for mapping in mapped if "integration" in mapping}
    rules = [document.values for document in documents if document.kind == "AlertRule"]
    projects |= {rule["project"] for rule in rules if "integration" in rule}
    placed = [*mapped, *rules]
    reader = _Reader(client)
    if "Environment" in kinds or any("environment" in each for each in placed):
        reader.environments()
    if "Project" in kinds or any("project" in each for each in placed):
        reader.projects()
        reader.integrations(projects)
    if "Role" in kinds or mapped:
        reader.roles()
    if "User" in kinds or any(document.values.get("members") for document in groups):
        reader.users()
    if groups or "SsoGroupMapping" in kinds:
        reader.groups()
        reader.foresee(documents)
        reader.members(d.values["name"] for d in groups if "members" in d.values)
        reader.mappings(d.values["name"] for d in groups if "mappings" in d.values)
    if "SsoGroupMapping" in kinds:
        reader.sso_mappings()
    channels = {d.values["name"]: d.values for d in documents if d.kind == "AlertChannel"}
    if channels or any(rule.get("channels") for rule in rules):
        reader.alert_channels(channels, environ)
    if rules:
        reader.alert_rules()
    return Present(state=reader.state, ids=reader.ids)


def read_everything(client: Client) -> Present:
    """Read all that can be described.

    Raises: PilothouseError, in the server's words
    """
    reader = _Reader(client)
    reader.environments()
    reader.projects()
    reader.integrations(_ALL)
    reader.roles()
    reader.users()
    reader.groups()
    reader.members(list(reader.ids.groups))
    reader.mappings(list(reader.ids.groups))
    reader.sso_mappings()
    reader.alert_channels({}, {})
    reader.alert_rules()
    return Present(state=reader.state, ids=reader.ids)


class _Reader:
    def __init__(self, client: Client) -> None:
        self._client = client
        self.state = State(me=client.ask(ask.VIEWER)["viewer"]["username"])
        self.ids = Ids()
        self._origin: dict[str, str] = {}

    def environments(self) -> None:
        for node in self._client.pages(ask.ENVIRONMENTS, "environments"):
            self.state.environments[node["handle"]] = Environment(
                display_name=node["displayName"], critical=node["critical"]
            )

    def projects(self) -> None:
        for node in self._client.pages(ask.PROJECTS, "projects"):
            self.state.projects[node["handle"]] = Project(
                display_name=node["displayName"], description=node["description"]
            )

    def integrations(self, projects: Collection[str] | None) -> None:
        """Of these projects that are there, or of all."""
        for project in [None] if projects is None else sorted(set(projects) & set(self.state.projects)):
            for node in self._client.pages(ask.INTEGRATIONS, "integrations", project=project):
                self.state.integrations[node["project"]["handle"], node["handle"]] = Integration(
                    display_name=node["displayName"],
                    runtime_type=node["runtimeType"],
                    description=node["description"],
                )

    def roles(self) -> None:
        told = self._client.ask(ask.PERMISSIONS)["permissions"]
        self.state.permissions = frozenset(each["name"] for each in told)
        for node in self._client.pages(ask.ROLES, "roles"):
            self.ids.roles[node["name"]] = node["id"]
            self.state.roles[node["name"]] = Role(
                permissions=frozenset(map(wire_name, node["permissions"])),
                description=node["description"],
                built_in=node["builtIn"],
            )

    def users(self) -> None:
        for node in self._client.pages(ask.USERS, "users"):
            self.ids.users[node["username"]] = node["id"]
            self.state.users[node["username"]] = User(
                display_name=node["displayName"],
                type=node["kind"].lower(),
                email=node["email"],
                disabled=node["state"] == _DISABLED,
            )

    def groups(self) -> None:
        for node in self._client.pages(ask.GROUPS, "groups"):
            self.ids.groups[node["name"]] = node["id"]
            self.state.groups[node["name"]] = Group(
                description=node["description"],
                project=None if node["project"] is None else node["project"]["handle"],
            )

    def foresee(self, documents: Sequence[Document]) -> None:
        """From here on groups are called as they will be once the projects of the documents are renamed."""
        self._origin = foresee(documents, self.state).origin
        self.ids.groups = {later: self.ids.groups[now] for later, now in self._origin.items()}

    def members(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.ids.groups:
                nodes = list(self._client.pages(ask.GROUP_MEMBERS, "group.members", id=self.ids.groups[name]))
                self._amend(
                    name,
                    members=frozenset(node["user"]["username"] for node in nodes),
                    from_sso=frozenset(node["user"]["username"] for node in nodes if node["fromSso"]),
                )

    def mappings(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.ids.groups:
                grants: set[Grant] = set()
                for node in self._client.pages(ask.GROUP_MAPPINGS, "group.mappings", id=self.ids.groups[name]):
                    grant = Grant(node["role"]["name"], *_scope(node["scope"]))
                    self.ids.mappings[name, grant] = node["id"]
                    grants.add(grant)
                self._amend(name, mappings=frozenset(grants))

    def _amend(self, name: str, **fields: frozenset[Any]) -> None:  # Any: names or grants
        now = self._origin.get(name, name)
        self.state.groups[now] = msgspec.structs.replace(self.state.groups[now], **fields)

    def sso_mappings(self) -> None:
        self.state.sso_mappings = frozenset(
            SsoMapping(node["value"], node["group"]["name"], node["issuer"], node["claim"])
            for node in self._client.pages(ask.SSO_MAPPINGS, "ssoGroupMappings")
        )

    def alert_channels(self, described: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> None:
        """Of those that documents describe, also whether a secret is another one than stands in the environment.

        Any: as in Document
        """
        named = {values[name] for values in described.values() for name in SECRETS if name in values}
        self.state.variables = frozenset(name for name in named if environ.get(name))
        for node in self._client.pages(ask.ALERT_CHANNELS, "alertChannels"):
            name = node["name"]
            self.ids.alert_channels[name] = node["id"]
            self.ids.alert_channel_types[name] = node["kind"].lower()
            differing = self._differing(node, described.get(name, {}), environ)
            self.state.alert_channels[name] = read_channel(node, differing)

    def _differing(self, node: Mapping[str, Any], values: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
        """Any: JSON values."""
        known = self.state.variables or frozenset()
        secret = {name: values[name] for name in SECRETS if values.get(name) in known}
        if not secret or values["type"] != node["kind"].lower():
            return []
        wanted = {"id": node["id"], **saved_channel(node["name"], values["type"], secret, environ)}
        found = self._client.ask(ask.ALERT_CHANNEL_DIFFERENCES, input=wanted)["alertChannelDifferences"]
        return [name for name in secret if SECRETS[name] in found]

    def alert_rules(self) -> None:
        for node in self._client.pages(ask.ALERT_RULES, "alertRules"):
            key, rule = read_rule(node)
            self.state.alert_rules[key] = rule
            self.ids.alert_rules[key] = (node["id"], rule.values)
            for channel in node["channels"]:
                self.ids.alert_channels.setdefault(channel["name"], channel["id"])


def _scope(scope: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:  # Any: JSON values
    def handle(name: str) -> str | None:
        return None if scope[name] is None else scope[name]["handle"]

    return handle("project"), handle("integration"), handle("environment")
