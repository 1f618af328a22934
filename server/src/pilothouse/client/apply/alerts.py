"""Rules and channels of alerts: as the control plane tells them, as documents say them, and back."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pilothouse.client.apply.model import AlertChannel, AlertRule, RuleKey

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

SECRETS: Final = {"urlFrom": "url", "signingSecretFrom": "signingSecret", "routingKeyFrom": "routingKey"}
"""Fields of a document that name an environment variable, and what the API calls what stands in it."""
ANOTHER: Final = "another value"
_OF_THE_CONDITION: Final[Mapping[str, Any]] = {"threshold": None, "percentile": None, "pattern": "", "levels": []}
"""Fields that mean nothing to another condition, as they are where they are not set."""
_RULE: Final = (
    "criticalOnly",
    "condition",
    "severity",
    "enabled",
    "threshold",
    "percentile",
    "windowS",
    "pattern",
    "levels",
    "forS",
    "remindS",
    "channels",
)


def key_of_rule(values: Mapping[str, Any]) -> RuleKey:
    """Tell what tells an alert rule apart."""
    return tuple(values.get(name) or "" for name in ("name", "project", "integration", "environment"))  # pyright: ignore[reportReturnType]


def read_rule(node: Json) -> tuple[RuleKey, AlertRule]:
    """Read a rule as the control plane tells it."""
    handles = {name: node[name]["handle"] for name in ("project", "integration", "environment") if node[name]}
    values = {name: node[name] for name in _RULE} | {
        "pattern": node["pattern"] or "",
        "levels": sorted(node["levels"] or []),
        "remindS": node["remindS"] or 0,
        "channels": sorted(each["name"] for each in node["channels"]),
    }
    return key_of_rule({"name": node["name"], **handles}), AlertRule(values=values)


def read_channel(node: Json, differing: Iterable[str] = ()) -> AlertChannel:
    """Read a channel as the control plane tells it."""
    return AlertChannel(type=node["kind"].lower(), to=tuple(node["to"] or ()), differing=frozenset(differing))


def wanted_rule(values: Mapping[str, Any]) -> Json:
    """Tell what a document wants of a rule; None is not looked at."""
    wanted = {name: values.get(name) for name in _RULE}
    return wanted | {name: sorted(values[name]) for name in ("levels", "channels") if name in values}


def present_rule(there: AlertRule, condition: str) -> Json:
    """Tell a rule as it is, to be compared with what is wanted of it."""
    return there.values if there.values["condition"] == condition else there.values | _OF_THE_CONDITION


def saved_rule(key: RuleKey, there: Json, values: Json, channel_ids: Mapping[str, str]) -> Json:
    """Make what the control plane is asked to save: a rule is saved as a whole.

    there: as it is; nothing where it is made
    values: what changes
    """
    kept = there | _OF_THE_CONDITION if "condition" in values else there
    whole = kept | values
    place = dict(zip(("project", "integration", "environment"), key[1:], strict=True))
    whole |= {
        "name": key[0],
        **place,
        "remindS": whole.get("remindS") or None,
        "channels": [channel_ids[name] for name in whole.get("channels") or ()],
    }
    return {name: value for name, value in whole.items() if value not in (None, "", []) or name == "channels"}


def wanted_channel(values: Mapping[str, Any]) -> Json:
    """Tell what a document wants of a channel; None is not looked at."""
    to = values.get("to")
    return {
        "type": values["type"],
        "to": None if to is None else sorted(to),
        **{name: values.get(name) for name in SECRETS},
    }


def present_channel(there: AlertChannel, values: Mapping[str, Any]) -> Json:
    """Tell a channel as it is: of what is secret, whether it is what the document wants."""
    secrets = {name: ANOTHER if name in there.differing else values.get(name) for name in SECRETS}
    return {"type": there.type, "to": sorted(there.to), **secrets}


def saved_channel(name: str, type_: str, values: Mapping[str, Any], environ: Mapping[str, str]) -> Json:
    """Make what the control plane is asked to save, with what stands in the environment variables."""
    secrets = {field: environ[values[own]] for own, field in SECRETS.items() if values.get(own) is not None}
    to = {} if values.get("to") is None else {"to": list(values["to"])}
    return {"name": name, "kind": type_.upper(), **to, **secrets}
