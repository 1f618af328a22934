"""The format, declared once: the reader, the JSON schema and the reference are made from it."""

from enum import StrEnum, unique
from typing import Any, Final

import msgspec

HANDLE: Final = "[a-z0-9]+(-[a-z0-9]+)*"
USERNAME: Final = "[a-z0-9._@-]+"
PERMISSION: Final = "[a-z_]+:[a-z_]+"
VARIABLE: Final = "[A-Za-z_][A-Za-z0-9_]*"
HANDLE_MAX: Final = 64
NAME_MAX: Final = 100
DESCRIPTION_MAX: Final = 1000
LONG_MAX: Final = 500
ITEMS_MAX: Final = 5000
CONDITIONS: Final = (
    "RUNTIME_OFFLINE",
    "REPLICAS_BELOW",
    "ERROR_RATE",
    "LATENCY",
    "LOG_PATTERN",
    "NO_TRAFFIC",
    "EXPIRING",
    "TELEMETRY_DROPPED",
)
LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
CHANNEL_FIELDS: Final = {
    "webhook": ("urlFrom", "signingSecretFrom"),
    "email": ("to",),
    "slack": ("urlFrom",),
    "teams": ("urlFrom",),
    "pagerduty": ("routingKeyFrom",),
}
"""By type, what a channel has; it begins with what a new one needs."""


@unique
class Shape(StrEnum):
    """What a field holds."""

    TEXT = "text"
    FLAG = "true or false"
    WHOLE = "whole number"
    NUMBER = "number"
    TEXTS = "list of texts"
    OBJECTS = "list of objects"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a document."""

    name: str
    meaning: str
    shape: Shape = Shape.TEXT
    required: bool = False
    pattern: str | None = None
    """A text, or each of a list, matches it wholly."""
    length_max: int = NAME_MAX
    """Unit: characters."""
    may_be_empty: bool = False
    choices: tuple[str, ...] = ()
    high: float = 1_000_000_000
    """The greatest number; the least is 0."""
    fields: "tuple[Field, ...]" = ()
    """Of each object in a list."""
    key: tuple[str, ...] = ()
    """The fields that tell the objects of a list apart."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of document."""

    name: str
    meaning: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    """The fields that tell documents of this kind apart."""


def _handle(meaning: str, *, name: str = "handle", required: bool = True) -> Field:
    return Field(name=name, meaning=meaning, required=required, pattern=HANDLE, length_max=HANDLE_MAX)


def _variable(name: str, meaning: str) -> Field:
    return Field(
        name=name, meaning=f"Environment variable with {meaning}. Left out: it stays as it is.", pattern=VARIABLE
    )


_DISPLAY_NAME: Final = Field(name="displayName", meaning="What people read.", required=True)
_DESCRIPTION: Final = Field(
    name="description", meaning="A few sentences.", length_max=DESCRIPTION_MAX, may_be_empty=True
)
_INTEGRATION: Final = (
    _handle("Its handle, as its runtimes announce it. It stays for good."),
    _DISPLAY_NAME,
    Field(name="runtimeType", meaning="What runs it. It stays for good.", required=True, choices=("PY", "BI", "MI")),
    _DESCRIPTION,
)
_MAPPING: Final = (
    Field(name="role", meaning="Name of the role.", required=True),
    _handle("Only in this project.", name="project", required=False),
    _handle("Only in this integration; needs `project`.", name="integration", required=False),
    _handle("Only in this environment.", name="environment", required=False),
)

KINDS: Final = (
    Kind(
        name="Environment",
        meaning="A deployment target.",
        key=("handle",),
        fields=(
            _handle("Its handle, as runtimes announce it. It stays for good."),
            _DISPLAY_NAME,
            Field(
                name="critical",
                meaning="Whether what touches it is confirmed by name. A new one is not, unless told.",
                shape=Shape.FLAG,
            ),
        ),
    ),
    Kind(
        name="Project",
        meaning="A group of integrations. Making one also makes the group `<displayName> Admins`.",
        key=("handle",),
        fields=(
            _handle("Its handle, as runtimes announce it. It stays for good."),
            _DISPLAY_NAME,
            _DESCRIPTION,
            Field(
                name="integrations",
                meaning="Integrations that it holds; others that it has stay.",
                shape=Shape.OBJECTS,
                fields=_INTEGRATION,
                key=("handle",),
            ),
        ),
    ),
    Kind(
        name="Role",
        meaning="A set of permissions. Built-in roles are not listed: they stay as they are.",
        key=("name",),
        fields=(
            Field(name="name", meaning="Its name.", required=True),
            _DESCRIPTION,
            Field(
                name="permissions",
                meaning="Exactly these, e.g. `integration_mgt:view`; what they contain is granted, too.",
                shape=Shape.TEXTS,
                required=True,
                pattern=PERMISSION,
            ),
        ),
    ),
    Kind(
        name="User",
        meaning="A person, or a service account, which acts through API tokens alone.",
        key=("username",),
        fields=(
            Field(
                name="username",
                meaning="Lower-case letters, digits, `.`, `_`, `-`, `@`. It stays for good.",
                required=True,
                pattern=USERNAME,
            ),
            _DISPLAY_NAME,
            Field(
                name="type",
                meaning="A new person gets a one-time password, which is shown once. A person unless told.",
                choices=("person", "service"),
            ),
            Field(name="email", meaning="Where to reach them.", length_max=LONG_MAX),
            Field(name="disabled", meaning="Whether they are kept out.", shape=Shape.FLAG),
        ),
    ),
    Kind(
        name="Group",
        meaning="People and service accounts, and the roles that they are given.",
        key=("name",),
        fields=(
            Field(name="name", meaning="Its name.", required=True),
            _DESCRIPTION,
            Field(
                name="exact",
                meaning="With `--prune`, members and mappings that are not listed here are taken away.",
                shape=Shape.FLAG,
            ),
            Field(
                name="members",
                meaning="User names. Left out: members are not looked at.",
                shape=Shape.TEXTS,
                pattern=USERNAME,
            ),
            Field(
                name="mappings",
                meaning="Roles, each within a scope. Left out: mappings are not looked at.",
                shape=Shape.OBJECTS,
                fields=_MAPPING,
                key=("role", "project", "integration", "environment"),
            ),
        ),
    ),
    Kind(
        name="SsoGroupMapping",
        meaning="Which group of the identity provider leads into which group here.",
        key=("issuer", "claim", "value", "group"),
        fields=(
            Field(
                name="value",
                meaning="The group, as the identity provider names it.",
                required=True,
                length_max=LONG_MAX,
            ),
            Field(name="group", meaning="Name of the group here.", required=True),
            Field(
                name="issuer", meaning="The identity provider; the configured one unless given.", length_max=LONG_MAX
            ),
            Field(name="claim", meaning="The claim that holds the groups; the configured one unless given."),
        ),
    ),
    Kind(
        name="AlertChannel",
        meaning="Where alerts are told. What is secret stands in environment variables of whoever applies, never in a file.",
        key=("name",),
        fields=(
            Field(name="name", meaning="Its name.", required=True),
            Field(
                name="type",
                meaning="By what it reaches people. It stays for good.",
                required=True,
                choices=tuple(CHANNEL_FIELDS),
            ),
            _variable("urlFrom", "the URL of a webhook, of Slack or of Teams"),
            _variable("signingSecretFrom", "what signs a webhook; a new one gets its own, which is shown once"),
            _variable("routingKeyFrom", "the routing key of PagerDuty"),
            Field(name="to", meaning="Addresses of an e-mail channel.", shape=Shape.TEXTS, length_max=LONG_MAX),
        ),
    ),
    Kind(
        name="AlertRule",
        meaning="What is watched, and who is told.",
        key=("name", "project", "integration", "environment"),
        fields=(
            Field(name="name", meaning="Its name, once in a place.", required=True),
            _handle("Only in this project. A rule stays in its place.", name="project", required=False),
            _handle("Only in this integration; needs `project`.", name="integration", required=False),
            _handle("Only in this environment.", name="environment", required=False),
            Field(name="criticalOnly", meaning="Critical environments alone.", shape=Shape.FLAG),
            Field(
                name="condition", meaning="What is watched: *Be told of trouble*.", required=True, choices=CONDITIONS
            ),
            Field(
                name="severity",
                meaning="How grave it is. A warning unless told.",
                choices=("INFO", "WARNING", "CRITICAL"),
            ),
            Field(name="enabled", meaning="Whether it is judged.", shape=Shape.FLAG),
            Field(name="threshold", meaning="As the condition has it.", shape=Shape.NUMBER),
            Field(name="percentile", meaning="Of a latency: 0.95.", shape=Shape.NUMBER, high=1),
            Field(name="windowS", meaning="The time that is looked at, in seconds.", shape=Shape.WHOLE, high=86_400),
            Field(name="pattern", meaning="Of log lines, in RE2.", length_max=DESCRIPTION_MAX, may_be_empty=True),
            Field(name="levels", meaning="Of log lines.", shape=Shape.TEXTS, choices=LEVELS),
            Field(name="forS", meaning="How long it must hold, in seconds.", shape=Shape.WHOLE, high=86_400),
            Field(
                name="remindS",
                meaning="Said again after so many seconds; 0: once.",
                shape=Shape.WHOLE,
                high=604_800,
            ),
            Field(name="channels", meaning="Exactly these are told, by name.", shape=Shape.TEXTS),
        ),
    ),
)
KIND_BY_NAME: Final = {kind.name: kind for kind in KINDS}


def json_schema() -> dict[str, Any]:  # Any: JSON
    """Make the JSON schema of one document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A document of `pilothouse apply`",
        "oneOf": [_schema_of_kind(kind) for kind in KINDS],
    }


def _schema_of_kind(kind: Kind) -> dict[str, Any]:  # Any: JSON
    body = _schema_of_object(kind.fields)
    body["title"] = kind.name
    body["description"] = kind.meaning
    body["properties"] = {"kind": {"const": kind.name}, **body["properties"]}
    body["required"] = ["kind", *body["required"]]
    return body


def _schema_of_object(fields: tuple[Field, ...]) -> dict[str, Any]:  # Any: JSON
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {field.name: _schema_of_field(field) for field in fields},
        "required": [field.name for field in fields if field.required],
    }


def _schema_of_field(field: Field) -> dict[str, Any]:  # Any: JSON
    text: dict[str, Any] = {"type": "string", "maxLength": field.length_max}  # Any: JSON
    if field.pattern:
        text["pattern"] = f"^{field.pattern}$"
    if not field.may_be_empty:
        text["minLength"] = 1
    if field.choices:
        text = {"enum": list(field.choices)}
    match field.shape:
        case Shape.TEXT:
            shape = text
        case Shape.FLAG:
            shape = {"type": "boolean"}
        case Shape.WHOLE | Shape.NUMBER:
            name = "integer" if field.shape is Shape.WHOLE else "number"
            shape = {"type": name, "minimum": 0, "maximum": field.high}
        case Shape.TEXTS:
            shape = {"type": "array", "items": text, "uniqueItems": True, "maxItems": ITEMS_MAX}
        case Shape.OBJECTS:
            shape = {"type": "array", "items": _schema_of_object(field.fields), "maxItems": ITEMS_MAX}
    return {"description": field.meaning, **shape}
