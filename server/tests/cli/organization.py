"""An organization in memory that takes steps as a control plane would: it refuses what names something that is not there."""

import msgspec
from pilothouse.client.apply.admins import PROJECT_ADMIN, admins_of, rename_admins
from pilothouse.client.apply.alerts import SECRETS, saved_rule
from pilothouse.client.apply.model import (
    Action,
    AlertChannel,
    AlertRule,
    Environment,
    Grant,
    Group,
    Integration,
    Project,
    Role,
    State,
    Step,
    Thing,
    User,
)


class Refused(Exception):
    """The step cannot be taken now."""


def need(there: bool, what: str) -> None:
    if not there:
        raise Refused(what)


def take(state: State, step: Step) -> None:
    """Change the organization by one step."""
    {
        Thing.ENVIRONMENT: _environment,
        Thing.PROJECT: _project,
        Thing.INTEGRATION: _integration,
        Thing.ROLE: _role,
        Thing.USER: _user,
        Thing.GROUP: _group,
        Thing.MEMBERS: _members,
        Thing.MAPPING: _mapping,
        Thing.SSO_MAPPING: _sso_mapping,
        Thing.ALERT_CHANNEL: _alert_channel,
        Thing.ALERT_RULE: _alert_rule,
    }[step.thing](state, step)


def _fields(step: Step) -> dict:
    names = {"displayName": "display_name", "runtimeType": "runtime_type"}
    return {names.get(name, name): value for name, value in step.values.items()}


def _put(state: State, where: dict, key: object, step: Step, make: type) -> None:
    fields = _fields(step)
    if "permissions" in fields:
        fields["permissions"] = frozenset(fields["permissions"])
    if step.action is Action.CREATE:
        need(key not in where, f"{key} exists")
        where[key] = make(**fields)
    else:
        need(key in where, f"{key} is not there")
        assert fields, "an update changes something"
        where[key] = msgspec.structs.replace(where[key], **fields)


def _environment(state: State, step: Step) -> None:
    _put(state, state.environments, step.key[0], step, Environment)


def _project(state: State, step: Step) -> None:
    if step.action is Action.UPDATE and "displayName" in step.values:
        was = state.projects[step.key[0]].display_name
        renamed = rename_admins(state.groups, step.key[0], was, step.values["displayName"])
        now = {old: new for new, old in renamed.items()}
        state.sso_mappings = frozenset(
            each._replace(group=now.get(each.group, each.group)) for each in state.sso_mappings
        )
    _put(state, state.projects, step.key[0], step, Project)
    if step.action is Action.CREATE:
        name = admins_of(step.values["displayName"], state.groups)
        state.groups[name] = Group(
            members=frozenset({state.me}), mappings=frozenset({Grant(PROJECT_ADMIN, step.key[0])}), project=step.key[0]
        )


def _integration(state: State, step: Step) -> None:
    need(step.key[0] in state.projects, f"project {step.key[0]} is not there")
    need(step.action is Action.CREATE or "runtimeType" not in step.values, "the type stays")
    _put(state, state.integrations, step.key, step, Integration)


def _role(state: State, step: Step) -> None:
    need(not (step.key[0] in state.roles and state.roles[step.key[0]].built_in), "built in")
    _put(state, state.roles, step.key[0], step, Role)


def _user(state: State, step: Step) -> None:
    need(step.action is Action.CREATE or "type" not in step.values, "the type stays")
    need(step.action is Action.UPDATE or "disabled" not in step.values, "nobody is made disabled")
    _put(state, state.users, step.key[0], step, User)


def _group(state: State, step: Step) -> None:
    _put(state, state.groups, step.key[0], step, Group)


def _members(state: State, step: Step) -> None:
    name, users = step.key[0], frozenset(step.values["users"])
    need(name in state.groups, f"group {name} is not there")
    need(users <= set(state.users), "not all users are there")
    group = state.groups[name]
    if step.action is Action.ADD:
        need(not users & group.members, "a member already")
        members = group.members | users
    else:
        need(users <= group.members, "no member")
        members = group.members - users
    state.groups[name] = msgspec.structs.replace(group, members=members)


def _mapping(state: State, step: Step) -> None:
    name, grant = step.key[0], step.grant
    assert grant is not None
    need(name in state.groups and grant.role in state.roles, "group or role is not there")
    need(grant.project is None or grant.project in state.projects, "project is not there")
    need(grant.integration is None or (grant.project, grant.integration) in state.integrations, "no such integration")
    need(grant.environment is None or grant.environment in state.environments, "environment is not there")
    group = state.groups[name]
    need((grant in group.mappings) is (step.action is Action.REMOVE), "mapped already, or not mapped")
    mappings = group.mappings ^ {grant}
    state.groups[name] = msgspec.structs.replace(group, mappings=mappings)


def _sso_mapping(state: State, step: Step) -> None:
    assert step.sso is not None
    need(step.sso.group in state.groups, "group is not there")
    need(step.sso not in state.sso_mappings, "mapped already")
    state.sso_mappings |= {step.sso}


NEW_RULE = {
    "criticalOnly": False,
    "severity": "WARNING",
    "enabled": True,
    "threshold": None,
    "percentile": None,
    "windowS": 300,
    "pattern": "",
    "levels": [],
    "forS": 0,
    "remindS": 0,
    "channels": [],
}


def _alert_channel(state: State, step: Step) -> None:
    name = step.key[0]
    need((name in state.alert_channels) is (step.action is Action.UPDATE), "there already, or not there")
    need(step.action is Action.CREATE or "type" not in step.values, "the type stays")
    type_ = step.values.get("type") or state.alert_channels[name].type
    to = tuple(step.values["to"]) if "to" in step.values else getattr(state.alert_channels.get(name), "to", ())
    need(type_ != "email" or to != (), "an e-mail channel reaches somebody")
    differing = getattr(state.alert_channels.get(name), "differing", frozenset()) - (set(SECRETS) & set(step.values))
    state.alert_channels[name] = AlertChannel(type=type_, to=to, differing=differing)


def _alert_rule(state: State, step: Step) -> None:
    _, project, integration, environment = step.key
    need(not project or project in state.projects, "project is not there")
    need(not integration or (project, integration) in state.integrations, "no such integration")
    need(not environment or environment in state.environments, "environment is not there")
    there = state.alert_rules.get(step.key)
    need((there is not None) is (step.action is Action.UPDATE), "there already, or not there")
    ids = {channel: f"id of {channel}" for channel in state.alert_channels}
    need(set(step.values.get("channels", ())) <= set(ids), "channel is not there")
    saved = saved_rule(step.key, {} if there is None else there.values, step.values, ids)
    need(saved["condition"] in {"ERROR_RATE", "LATENCY"} or "threshold" not in saved, "it takes no threshold")
    need(saved["condition"] == "LOG_PATTERN" or "pattern" not in saved, "it takes no pattern")
    channels = [channel for channel, id_ in ids.items() if id_ in saved["channels"]]
    kept = {field: saved[field] for field in ("condition", *NEW_RULE) if field in saved}
    state.alert_rules[step.key] = AlertRule(values=NEW_RULE | kept | {"channels": sorted(channels)})
