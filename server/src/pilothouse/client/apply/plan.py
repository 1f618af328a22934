"""From what is there to what is wanted: pure, so that a property test can say that the way is right.

What a document does not name stays as it is. Nothing is taken away but members and mappings of groups that say
`exact: true`, and only when asked (`prune`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pilothouse.client.apply.admins import foresee
from pilothouse.client.apply.alerts import (
    SECRETS,
    key_of_rule,
    present_channel,
    present_rule,
    wanted_channel,
    wanted_rule,
)
from pilothouse.client.apply.fields import CHANNEL_FIELDS
from pilothouse.client.apply.model import (
    Action,
    Environment,
    Grant,
    Group,
    Integration,
    Plan,
    Project,
    Role,
    SsoMapping,
    State,
    Step,
    Thing,
    User,
)
from pilothouse.client.apply.reading import Document, Problem, refuse

MEMBERS_AT_ONCE: Final = 500


def grant_of(mapping: Mapping[str, str]) -> Grant:
    """Read a mapping of a document."""
    return Grant(mapping["role"], mapping.get("project"), mapping.get("integration"), mapping.get("environment"))


def make_plan(documents: Sequence[Document], present: State, *, prune: bool = False) -> Plan:
    """Work out the steps, in the order in which they can be taken.

    Raises: FileInvalid, when documents name what neither they nor the organization hold, or change what stays
    """
    planner = _Planner(documents, present, prune)
    for document in documents:
        planner.consider(document)
    refuse(planner.problems)
    taking_away = [step for step in planner.steps if step.action is Action.REMOVE]
    others = [step for step in planner.steps if step.action is not Action.REMOVE]
    ordered = sorted(others, key=lambda step: step.thing) + sorted(taking_away, key=lambda step: -step.thing)
    return Plan(steps=tuple(ordered), notes=tuple(planner.notes))


class _Planner:
    """Collects steps, notes and mistakes."""

    def __init__(self, documents: Sequence[Document], present: State, prune: bool) -> None:
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self._present = present
        self._prune = prune
        foreseen = foresee(documents, present)
        self._groups, self._renamed = foreseen.groups, foreseen.renamed
        self._environments = set(present.environments)
        self._projects = set(present.projects)
        self._integrations = set(present.integrations)
        self._roles = set(present.roles)
        self._users = set(present.users)
        self._alert_channels = set(present.alert_channels)
        for document in documents:
            self._foresee(document)
        self._group_names = set(self._groups) | {d.values["name"] for d in documents if d.kind == "Group"}

    def _foresee(self, document: Document) -> None:
        """Learn what will be there, so that documents may name each other in any order."""
        values = document.values
        match document.kind:
            case "Environment":
                self._environments.add(values["handle"])
            case "Project":
                handle = values["handle"]
                self._projects.add(handle)
                self._integrations |= {(handle, each["handle"]) for each in values.get("integrations") or ()}
            case "Role":
                self._roles.add(values["name"])
            case "User":
                self._users.add(values["username"])
            case "AlertChannel":
                self._alert_channels.add(values["name"])
            case _:
                pass

    def consider(self, document: Document) -> None:
        match document.kind:
            case "Environment":
                self._environment(document)
            case "Project":
                self._project(document)
            case "Role":
                self._role(document)
            case "User":
                self._user(document)
            case "Group":
                self._group(document)
            case "AlertChannel":
                self._alert_channel(document)
            case "AlertRule":
                self._alert_rule(document)
            case _:
                self._sso_mapping(document)

    def _environment(self, document: Document) -> None:
        values = document.values
        there = self._present.environments.get(values["handle"])
        wanted = {"displayName": values["displayName"], "critical": values.get("critical")}
        if there is None:
            wanted["critical"] = bool(wanted["critical"])
        self._settle(document, Thing.ENVIRONMENT, (values["handle"],), wanted, there and _of_environment(there))

    def _project(self, document: Document) -> None:
        values = document.values
        there = self._present.projects.get(values["handle"])
        wanted = {"displayName": values["displayName"], "description": values.get("description")}
        self._settle(document, Thing.PROJECT, (values["handle"],), wanted, there and _of_project(there))
        for at, each in enumerate(values.get("integrations") or ()):
            self._integration(document, at, values["handle"], each)

    def _integration(self, document: Document, at: int, project: str, values: Mapping[str, Any]) -> None:
        key = (project, values["handle"])
        there = self._present.integrations.get(key)
        path = ("integrations", at)
        wanted = {
            "displayName": values["displayName"],
            "runtimeType": values["runtimeType"],
            "description": values.get("description"),
        }
        if there is not None and there.runtime_type != values["runtimeType"]:
            self._tell(
                document,
                (*path, "runtimeType"),
                f"{'/'.join(key)} is {there.runtime_type}, and that stays.",
                f"Write `runtimeType: {there.runtime_type}`, or make another integration.",
            )
            return
        self._settle(document, Thing.INTEGRATION, key, wanted, there and _of_integration(there), path)

    def _role(self, document: Document) -> None:
        values = document.values
        there = self._present.roles.get(values["name"])
        for at, permission in enumerate(values["permissions"]):
            if self._present.permissions is not None and permission not in self._present.permissions:
                self._tell(
                    document,
                    ("permissions", at),
                    f"there is no permission '{permission}'.",
                    "See `pilothouse roles permissions`.",
                )
        wanted = {"description": values.get("description"), "permissions": sorted(values["permissions"])}
        if there is not None and there.built_in:
            if _differing(wanted, _of_role(there)):
                self._tell(
                    document,
                    ("name",),
                    f"the role {values['name']} comes with Pilothouse and stays as it is.",
                    "Make one of your own.",
                )
            return
        self._settle(document, Thing.ROLE, (values["name"],), wanted, there and _of_role(there))

    def _user(self, document: Document) -> None:
        values = document.values
        there = self._present.users.get(values["username"])
        wanted = {name: values.get(name) for name in ("displayName", "type", "email", "disabled")}
        if there is None:
            wanted["type"] = wanted["type"] or "person"
            disabled = wanted.pop("disabled")
            self._settle(document, Thing.USER, (values["username"],), wanted, None)
            if disabled:
                self._step(
                    document, Action.UPDATE, Thing.USER, (values["username"],), {"disabled": True}, {"disabled": False}
                )
            return
        if wanted["type"] not in {None, there.type}:
            self._tell(
                document,
                ("type",),
                f"{values['username']} is a {there.type}, and that stays.",
                "Choose another user name.",
            )
            return
        self._settle(document, Thing.USER, (values["username"],), wanted, _of_user(there))

    def _group(self, document: Document) -> None:
        values = document.values
        name = values["name"]
        if self._is_renamed(document, "name", name):
            return
        there = self._groups.get(name)
        wanted = {"description": values.get("description")}
        self._settle(
            document, Thing.GROUP, (name,), wanted, None if there is None else {"description": there.description}
        )
        now = there or Group()
        if "members" in values:
            self._members(document, name, now)
        if "mappings" in values:
            self._mappings(document, name, now)

    def _members(self, document: Document, group: str, now: Group) -> None:
        wanted: list[str] = document.values["members"]
        for at, username in enumerate(wanted):
            if username not in self._users:
                self._tell(
                    document, ("members", at), f"there is no user '{username}'.", "Describe the user, or mend the name."
                )
        new = [username for username in wanted if username not in now.members]
        self._in_parts(document, Action.ADD, group, new)
        if document.values.get("exact"):
            extra = sorted(now.members - set(wanted) - now.from_sso)
            if self._prune:
                self._in_parts(document, Action.REMOVE, group, extra)
            elif extra:
                self.notes.append(f"{', '.join(extra)} would leave group {group} with --prune.")

    def _in_parts(self, document: Document, action: Action, group: str, users: Sequence[str]) -> None:
        for start in range(0, len(users), MEMBERS_AT_ONCE):
            part = list(users[start : start + MEMBERS_AT_ONCE])
            self._step(document, action, Thing.MEMBERS, (group,), {"users": part}, {}, ("members",))

    def _mappings(self, document: Document, group: str, now: Group) -> None:
        wanted = [grant_of(mapping) for mapping in document.values["mappings"]]
        for at, grant in enumerate(wanted):
            self._check_references(document, at, grant)
            if grant not in now.mappings:
                self._map(document, Action.ADD, group, grant, ("mappings", at))
        if document.values.get("exact"):
            for grant in sorted(now.mappings - set(wanted), key=str):
                if self._prune:
                    self._map(document, Action.REMOVE, group, grant, ("mappings",))
                else:
                    self.notes.append(f"role {grant.role} in {grant.scope} would leave group {group} with --prune.")

    def _map(self, document: Document, action: Action, group: str, grant: Grant, path: tuple[str | int, ...]) -> None:
        key = (group, *(part or "" for part in grant))
        self._step(document, action, Thing.MAPPING, key, {}, {}, path, grant=grant)

    def _check_references(self, document: Document, at: int, grant: Grant) -> None:
        if grant.role not in self._roles:
            self._tell_missing(document, ("mappings", at), "role", grant.role)
        self._check_place(document, ("mappings", at), grant)

    def _check_place(self, document: Document, path: tuple[str | int, ...], grant: Grant) -> None:
        missing = [
            ("project", grant.project, grant.project is None or grant.project in self._projects),
            ("environment", grant.environment, grant.environment is None or grant.environment in self._environments),
        ]
        if grant.integration is not None and grant.project in self._projects:
            missing.append(("integration", grant.integration, (grant.project, grant.integration) in self._integrations))
        for field, name, is_there in missing:
            if not is_there:
                self._tell_missing(document, path, field, str(name))

    def _tell_missing(self, document: Document, path: tuple[str | int, ...], field: str, name: str) -> None:
        message, fix = f"there is no {field} '{name}'.", f"Describe the {field}, or mend the name."
        self._tell(document, (*path, field), message, fix)

    def _alert_channel(self, document: Document) -> None:
        values = document.values
        there = self._present.alert_channels.get(values["name"])
        if there is not None and there.type != values["type"]:
            self._tell(
                document,
                ("type",),
                f"{values['name']} is a channel of the type {there.type}, and that stays.",
                "Choose another name.",
            )
            return
        needed = CHANNEL_FIELDS[values["type"]][0]
        if there is None and not values.get(needed):
            self._tell(document, (needed,), "a new channel needs it.", "Add the field.")
        for name in SECRETS:
            variable = values.get(name)
            if variable is not None and self._present.variables is not None and variable not in self._present.variables:
                self._tell(
                    document,
                    (name,),
                    f"the environment variable {variable} is not set here.",
                    "Set it, or leave the field out where the channel is to keep what it has.",
                )
        settled = None if there is None else present_channel(there, values)
        self._settle(document, Thing.ALERT_CHANNEL, (values["name"],), wanted_channel(values), settled)

    def _alert_rule(self, document: Document) -> None:
        values = document.values
        key = key_of_rule(values)
        self._check_place(document, (), Grant("", *(part or None for part in key[1:])))
        for at, channel in enumerate(values.get("channels") or ()):
            if channel not in self._alert_channels:
                self._tell(
                    document,
                    ("channels", at),
                    f"there is no channel '{channel}'.",
                    "Describe the channel, or mend the name.",
                )
        there = self._present.alert_rules.get(key)
        settled = None if there is None else present_rule(there, values["condition"])
        self._settle(document, Thing.ALERT_RULE, key, wanted_rule(values), settled)

    def _sso_mapping(self, document: Document) -> None:
        values = document.values
        wanted = SsoMapping(values["value"], values["group"], values.get("issuer"), values.get("claim"))
        if self._is_renamed(document, "group", wanted.group):
            return
        if wanted.group not in self._group_names:
            self._tell(
                document, ("group",), f"there is no group '{wanted.group}'.", "Describe the group, or mend the name."
            )
        elif not any(covers(self._as_renamed(there), wanted) for there in self._present.sso_mappings):
            key = tuple(part or "" for part in wanted)
            self._step(document, Action.CREATE, Thing.SSO_MAPPING, key, {}, {}, sso=wanted)

    def _is_renamed(self, document: Document, field: str, name: str) -> bool:
        """Tell whether a document names a group that will bear another name, and then what to write."""
        if name in self._groups or name not in self._renamed:
            return False
        new = self._renamed[name]
        self._tell(document, (field,), f"the group {name} is renamed with its project to {new}.", f"Write `{new}`.")
        return True

    def _as_renamed(self, mapping: SsoMapping) -> SsoMapping:
        return mapping._replace(group=self._renamed.get(mapping.group, mapping.group))

    def _settle(
        self,
        document: Document,
        thing: Thing,
        key: tuple[str, ...],
        wanted: Mapping[str, Any],
        there: Mapping[str, Any] | None,
        path: tuple[str | int, ...] = (),
    ) -> None:
        """Create it, change what differs, or leave it. Any: JSON values; None is not looked at."""
        if there is None:
            given = {name: value for name, value in wanted.items() if value is not None}
            self._step(document, Action.CREATE, thing, key, given, {}, path)
        elif changed := _differing(wanted, there):
            was = {name: there[name] for name in changed}
            self._step(document, Action.UPDATE, thing, key, changed, was, path)

    def _step(
        self,
        document: Document,
        action: Action,
        thing: Thing,
        key: tuple[str, ...],
        values: dict[str, Any],
        was: dict[str, Any],
        path: tuple[str | int, ...] = (),
        *,
        grant: Grant | None = None,
        sso: SsoMapping | None = None,
    ) -> None:  # Any: JSON values
        where = f"{document.file}:{document.line_of(*path)}"
        self.steps.append(
            Step(action=action, thing=thing, key=key, values=values, was=was, where=where, grant=grant, sso=sso)
        )

    def _tell(self, document: Document, path: tuple[str | int, ...], message: str, fix: str) -> None:
        field = ".".join(str(part) for part in path)
        self.problems.append(
            Problem(file=document.file, line=document.line_of(*path), field=field, message=message, fix=fix)
        )


def covers(there: SsoMapping, wanted: SsoMapping) -> bool:
    """Tell whether a mapping that is there is the one that is wanted; what is not named is the configured one."""
    return (
        (there.value, there.group) == (wanted.value, wanted.group)
        and wanted.issuer in {None, there.issuer}
        and wanted.claim in {None, there.claim}
    )


def _differing(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON values
    return {name: value for name, value in wanted.items() if value is not None and value != there[name]}


def _of_environment(there: Environment) -> dict[str, Any]:  # Any: JSON values
    return {"displayName": there.display_name, "critical": there.critical}


def _of_project(there: Project) -> dict[str, Any]:  # Any: JSON values
    return {"displayName": there.display_name, "description": there.description}


def _of_integration(there: Integration) -> dict[str, Any]:  # Any: JSON values
    return {
        "displayName": there.display_name,
        "runtimeType": there.runtime_type,
        "description": there.description,
    }


def _of_role(there: Role) -> dict[str, Any]:  # Any: JSON values
    return {"description": there.description, "permissions": sorted(there.permissions)}


def _of_user(there: User) -> dict[str, Any]:  # Any: JSON values
    return {
        "displayName": there.display_name,
        "type": there.type,
        "email": there.email,
        "disabled": there.disabled,
    }
