"""What is there, written as documents that apply to nothing."""

from collections.abc import Iterator
from typing import Any

import yaml

from pilothouse.client.apply.fields import KINDS
from pilothouse.client.apply.model import AlertRule, Grant, Group, RuleKey, State

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""


def documents_of(state: State) -> Iterator[Json]:
    """Describe an organization, what others stand on first."""
    for handle, environment in state.environments.items():
        yield _document(
            "Environment", handle=handle, displayName=environment.display_name, critical=environment.critical
        )
    for handle, project in state.projects.items():
        integrations: list[Json] = [
            _filled(
                handle=key[1],
                displayName=each.display_name,
                runtimeType=each.runtime_type,
                description=each.description,
            )
            for key, each in state.integrations.items()
            if key[0] == handle
        ]
        yield _document(
            "Project",
            handle=handle,
            displayName=project.display_name,
            description=project.description,
            integrations=integrations,
        )
    for name, role in state.roles.items():
        if not role.built_in:
            yield _document("Role", name=name, description=role.description) | {"permissions": sorted(role.permissions)}
    for username, user in state.users.items():
        yield _document(
            "User",
            username=username,
            displayName=user.display_name,
            type=user.type,
            email=user.email,
            disabled=user.disabled or None,
        )
    for name, group in state.groups.items():
        yield _group(name, group)
    for mapping in sorted(state.sso_mappings, key=str):
        yield _document(
            "SsoGroupMapping", value=mapping.value, group=mapping.group, issuer=mapping.issuer, claim=mapping.claim
        )
    for name, channel in state.alert_channels.items():
        yield _document("AlertChannel", name=name, type=channel.type, to=list(channel.to))
    for key, rule in state.alert_rules.items():
        yield _rule(key, rule)


def to_yaml(documents: Iterator[Json]) -> str:
    """Write documents as YAML."""
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=120, explicit_start=True)


def _group(name: str, group: Group) -> Json:
    members = sorted(group.members - group.from_sso)
    return _document("Group", name=name, description=group.description) | {
        "members": members,
        "mappings": [_mapping(grant) for grant in sorted(group.mappings, key=str)],
    }


def _rule(key: RuleKey, rule: AlertRule) -> Json:
    place = dict(zip(("name", "project", "integration", "environment"), key, strict=True))
    usual = {"enabled": True, "criticalOnly": False, "forS": 0, "remindS": 0}
    values = {name: value for name, value in rule.values.items() if name not in usual or value != usual[name]}
    return _document("AlertRule", **place, **values)


def _mapping(grant: Grant) -> Json:
    return _filled(role=grant.role, project=grant.project, integration=grant.integration, environment=grant.environment)


def _document(kind: str, **values: Any) -> Json:  # Any: JSON values
    return {"kind": next(each.name for each in KINDS if each.name == kind), **_filled(**values)}


def _filled(**values: Any) -> Json:  # Any: JSON values
    return {name: value for name, value in values.items() if value not in (None, "", [])}
