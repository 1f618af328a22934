"""What can be asked of a management API: one function a wish, each makes one call. Pure.

The same call is sent directly (`client`) or as `params` of a tunnelled command.

Source: Micro Integrator's management API; contracts/commands/README.md.
"""

import re
from typing import Any, Final
from urllib.parse import quote

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.domain.mi_users import NewUser, check_new, split_name
from pilothouse.management.failures import CallNotSupported

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
NAME_CHARS_MAX: Final = 1_000
PATH_CHARS_MAX: Final = 16_384
LEVELS: Final = frozenset({"OFF", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"})
TEMPLATE_TYPES: Final = frozenset({"endpoint", "sequence"})
REGISTRY_ROOT: Final = "registry"
_USERS: Final = "/management/users"

_FILE_NAME: Final = re.compile(r"(?!\.\.?$)[^/\\:\x00-\x1f\x7f]+")
"""One file's name: no folder, no drive, nothing that leads elsewhere."""
_PATH: Final = re.compile(
    r"/management(?:/users/[A-Za-z0-9_@-][A-Za-z0-9_.@-]*|(?:/[A-Za-z0-9_-]+)+)(?:\?[A-Za-z0-9_.~%=&-]*)?", re.ASCII
)
"""Segments without escapes, none of them dots alone: a path that matches stays where it is, whoever normalises it."""


class ManagementCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a management API.

    Raises: InvalidInput when made with a method or a path that a management API does not have
    """

    method: str
    path: str
    """Under `/management/`, with the query, percent-encoded."""
    body: dict[str, str | bool] | None = None
    is_text: bool = False
    """True where it is answered with a text as it is, not with JSON."""
    secret: str | None = None
    """What of the body nobody may read in an answer, in a log or elsewhere."""

    def __post_init__(self) -> None:
        """Refuse what would leave the management API."""
        if self.method not in METHODS:
            raise InvalidInput(f"The management API has no method `{self.method[:20]}`.", field="method")
        if len(self.path) > PATH_CHARS_MAX or not _PATH.fullmatch(self.path):
            raise InvalidInput("The path is not one of the management API.", field="path")

    def __repr__(self) -> str:
        return f"ManagementCall({self.method} {self.path})"

    @property
    def is_about_users(self) -> bool:
        """True if it is about users of its own user store."""
        return self.path.startswith(_USERS)

    @property
    def is_read(self) -> bool:
        """True if it changes nothing, so that it may be repeated."""
        return self.method == "GET"

    def params(self) -> dict[str, Any]:  # Any: a JSON object
        """Give the `params` of a tunnelled command."""
        return {"method": self.method, "path": self.path, "body": self.body}


class _Collection(msgspec.Struct, frozen=True):
    """What the management API offers for one kind of artifact."""

    path: str
    parameter: str | None
    """What the name is called in a query; None where only the whole list can be read."""
    state: bool = False
    tracing: bool = False
    statistics: bool = False


_COLLECTIONS: Final[dict[str, _Collection]] = {
    "api": _Collection("apis", "apiName", tracing=True, statistics=True),
    "carbon-app": _Collection("applications", "carbonAppName"),
    "connector": _Collection("connectors", None),
    "data-service": _Collection("data-services", "dataServiceName"),
    "data-source": _Collection("data-sources", "name"),
    "endpoint": _Collection("endpoints", "endpointName", state=True, tracing=True, statistics=True),
    "inbound-endpoint": _Collection(
        "inbound-endpoints", "inboundEndpointName", state=True, tracing=True, statistics=True
    ),
    "local-entry": _Collection("local-entries", "name"),
    "message-processor": _Collection("message-processors", "name", state=True),
    "message-store": _Collection("message-stores", "name"),
    "proxy-service": _Collection("proxy-services", "proxyServiceName", state=True, tracing=True, statistics=True),
    "sequence": _Collection("sequences", "sequenceName", tracing=True, statistics=True),
    "task": _Collection("tasks", "taskName", state=True),
    "template": _Collection("templates", "name", tracing=True, statistics=True),
}

KINDS: Final = frozenset(_COLLECTIONS)
"""Kinds of artifact whose source can be read."""
KINDS_WITH_STATE: Final = frozenset(kind for kind, found in _COLLECTIONS.items() if found.state)
KINDS_WITH_TRACING: Final = frozenset(kind for kind, found in _COLLECTIONS.items() if found.tracing)
KINDS_WITH_STATISTICS: Final = frozenset(kind for kind, found in _COLLECTIONS.items() if found.statistics)


def set_state(kind: str, name: str, *, enabled: bool) -> ManagementCall:
    """Switch an artifact on or off.

    Raises: CallNotSupported for kinds without a state, InvalidInput
    """
    if kind not in KINDS_WITH_STATE:
        raise _no_such(kind, "switched on and off", KINDS_WITH_STATE)
    return _change(kind, name, "status", "active" if enabled else "inactive")


def trigger_task(name: str) -> ManagementCall:
    """Run a task once, now.

    Raises: InvalidInput
    """
    return _change("task", name, "status", "trigger")


def set_tracing(kind: str, name: str, *, enabled: bool) -> ManagementCall:
    """Switch the tracing of an artifact on or off; of templates, that of sequence templates.

    Raises: CallNotSupported for kinds without tracing, InvalidInput
    """
    if kind not in KINDS_WITH_TRACING:
        raise _no_such(kind, "traced", KINDS_WITH_TRACING)
    return _change(kind, name, "trace", "enable" if enabled else "disable")


def set_statistics(kind: str, name: str, *, enabled: bool) -> ManagementCall:
    """Switch the statistics of an artifact on or off; of templates, those of sequence templates.

    Raises: CallNotSupported for kinds without statistics, InvalidInput
    """
    if kind not in KINDS_WITH_STATISTICS:
        raise _no_such(kind, "counted", KINDS_WITH_STATISTICS)
    return _change(kind, name, "statistics", "enable" if enabled else "disable")


def list_loggers(search: str = "") -> ManagementCall:
    """List loggers with their levels, all or those whose names hold a text; also the harmless probe of a tunnel.

    Shape: answered with `{"count", "list": [{"loggerName", "componentName", "level"}]}`
    Raises: InvalidInput
    """
    return ManagementCall(method="GET", path="/management/logging" + _search(search))


def set_logger_level(name: str, level: str, logger_class: str | None = None) -> ManagementCall:
    """Set the level of a logger, or make a logger for a class.

    Raises: InvalidInput
    """
    if level not in LEVELS:
        raise InvalidInput(
            f"Micro Integrator has no level `{level[:20]}`.", fix=f"Take one of {_list(LEVELS)}.", field="level"
        )
    body: dict[str, str | bool] = {"loggerName": _checked(name, "logger"), "loggingLevel": level}
    if logger_class is not None:
        body["loggerClass"] = _checked(logger_class, "loggerClass")
    return ManagementCall(method="PATCH", path="/management/logging", body=body)


def list_log_files(search: str = "") -> ManagementCall:
    """List log files by name and size, all or those whose names hold a text.

    Shape: answered with `{"count", "list": [{"FileName", "Size"}]}`
    Raises: InvalidInput
    """
    return ManagementCall(method="GET", path="/management/logs" + _search(search))


def read_log_file(name: str) -> ManagementCall:
    """Read a log file, all of it: the management API knows no part of one.

    Shape: answered with its text
    Raises: InvalidInput
    """
    if not _FILE_NAME.fullmatch(_checked(name, "name")):
        raise InvalidInput("That is not the name of a log file.", field="name", fix="Take one that it lists.")
    return ManagementCall(method="GET", path=f"/management/logs?file={_quoted(name, 'name')}", is_text=True)


def list_registry(path: str = "") -> ManagementCall:
    """List what a folder of the registry holds, the root unless named.

    Shape: answered with `{"count", "list": [{"name", "mediaType", "properties": [{"name", "value"}]}]}`
    Raises: InvalidInput
    """
    return ManagementCall(method="GET", path="/management/registry-resources" + _registry_path(path or REGISTRY_ROOT))


def read_registry_file(path: str) -> ManagementCall:
    """Read a text of the registry.

    Shape: answered with the text
    Raises: InvalidInput
    """
    return ManagementCall(
        method="GET", path="/management/registry-resources/content" + _registry_path(path), is_text=True
    )


def registry_properties(path: str) -> ManagementCall:
    """List the properties of something in the registry.

    Shape: answered with `{"count", "list": [{"name", "value"}]}`, or with a sentence where it has none
    Raises: InvalidInput
    """
    return ManagementCall(method="GET", path="/management/registry-resources/properties" + _registry_path(path))


def list_users() -> ManagementCall:
    """List the users of its own store.

    Shape: answered with `{"count", "list": [{"userId"}]}`
    """
    return ManagementCall(method="GET", path=_USERS)


def add_user(new: NewUser) -> ManagementCall:
    """Add a user to its primary user store.

    Shape: answered with `{"userId", "status": "Added"}`
    Raises: InvalidInput
    """
    check_new(new)
    body: dict[str, str | bool] = {"userId": new.name, "password": new.password, "isAdmin": new.administrator}
    return ManagementCall(method="POST", path=_USERS, body=body, secret=new.password)


def remove_user(name: str) -> ManagementCall:
    """Remove a user, by the name that the list shows.

    Shape: answered with `{"userId", "status": "Deleted"}`
    Raises: InvalidInput
    """
    alone, domain = split_name(name)
    query = "" if domain is None else f"?domain={_quoted(domain, 'name')}"
    return ManagementCall(method="DELETE", path=f"{_USERS}/{alone}{query}")


def read_source(kind: str, name: str, template_type: str | None = None) -> ManagementCall:
    """Read what an artifact is made of; templates need their type, `endpoint` or `sequence`.

    Shape: answered with the artifact's details, its source under `configuration`; for connectors with the list of all
    Raises: CallNotSupported for kinds that cannot be read, InvalidInput
    """
    collection = _COLLECTIONS.get(kind)
    if collection is None:
        raise _no_such(kind, "read", KINDS)
    path = f"/management/{collection.path}"
    quoted = _quoted(name, "name")
    if collection.parameter is not None:
        path = f"{path}?{collection.parameter}={quoted}"
    if kind == "template":
        if template_type not in TEMPLATE_TYPES:
            raise InvalidInput(
                "A template can be read only by its type.", fix=f"Say which: {_list(TEMPLATE_TYPES)}.", field="type"
            )
        path = f"{path}&type={template_type}"
    elif template_type is not None:
        raise InvalidInput("Only templates have a type.", field="type")
    return ManagementCall(method="GET", path=path)


def _change(kind: str, name: str, member: str, value: str) -> ManagementCall:
    body: dict[str, str | bool] = {"name": _checked(name, "name"), member: value}
    if kind == "template":
        body["type"] = "sequence"
    return ManagementCall(method="POST", path=f"/management/{_COLLECTIONS[kind].path}", body=body)


def _registry_path(path: str) -> str:
    segments = _checked(path, "name").split("/")
    if segments[0] != REGISTRY_ROOT or not all(_FILE_NAME.fullmatch(each) for each in segments):
        raise InvalidInput(
            "That is not a path of the registry.", field="name", fix="It begins with `registry`, as `registry/config`."
        )
    return f"?path={_quoted(path, 'name')}"


def _search(text: str) -> str:
    return f"?searchKey={_quoted(text, 'search')}" if text.strip() else ""


def _quoted(text: str, field: str) -> str:
    # Everything but letters, digits and `_.-~`: a space is %20, since `+` is read as a space only by some.
    return quote(_checked(text, field), safe="")


def _checked(text: str, field: str) -> str:
    if not text or len(text) > NAME_CHARS_MAX:
        raise InvalidInput(f"A name has 1 to {NAME_CHARS_MAX} characters.", field=field)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The name is not text: it has half a character in it.", field=field) from None
    return text


def _no_such(kind: str, verb: str, kinds: frozenset[str]) -> CallNotSupported:
    return CallNotSupported(
        f"An artifact of kind `{kind[:40]}` cannot be {verb} in Micro Integrator.",
        fix=f"That works for {_list(kinds)}.",
        field="kind",
    )


def _list(words: frozenset[str]) -> str:
    return ", ".join(sorted(words))
