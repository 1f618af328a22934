"""Settings: one frozen struct, by precedence environment > arguments > data variable > files > defaults."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from pilothouse_bridge import _config_telemetry, _sources
from pilothouse_bridge._config_telemetry import TelemetrySettings
from pilothouse_bridge._readings import boolean, optional_text
from pilothouse_bridge._secret import Secret
from pilothouse_bridge._sources import Found, Layer, snake
from pilothouse_bridge.errors import FieldInvalidError, FieldMissingError

LABEL_LIMIT: Final = 100  # the wire's limit for a runtime's name
_LOOPBACK: Final = re.compile(r"localhost|.*\.localhost|127(\.\d{1,3}){3}|::1")


@dataclass(frozen=True)
class Endpoint:
    """Where the control plane listens, taken apart once."""

    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def is_loopback(self) -> bool:
        """Whether the traffic never leaves this machine."""
        return _LOOPBACK.fullmatch(self.host) is not None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the bridge was told.

    environment, project, integration: where this program belongs; required.
    secret: the credential generated in the console; required.
    runtime: the label of this process; unnamed when absent.
    version: the program's own version, shown in the console.
    server: the control plane's runtime port.
    heartbeat_interval_s: seconds between two signs of life.
    cert: PEM file of the authority to trust; verification is on when it is set.
    enable_ssl: verify with the system's authorities; off means TLS without verification, as in the original bridge.
    jwt_issuer, jwt_audience: what the token says about who made it and for whom.
    runtime_id_file: where the identity is kept over restarts.
    restart: what the command RESTART does: exec, exit or off; found out by the bridge when absent.
    telemetry: logs, metrics and traces.
    """

    environment: str
    project: str
    integration: str
    secret: Secret
    runtime: str | None
    version: str | None
    server: Endpoint
    heartbeat_interval_s: float
    cert: Path | None
    enable_ssl: bool
    jwt_issuer: str
    jwt_audience: str
    runtime_id_file: Path
    restart: str | None = None
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)

    @property
    def verifies_server(self) -> bool:
        """Whether the server must prove who it is."""
        return self.enable_ssl or self.cert is not None


#: Field as it is spelled in Config.toml → default; None where there is none.
DEFAULTS: Final[Mapping[str, object]] = {
    "environment": None,
    "project": None,
    "integration": None,
    "runtime": None,
    "secret": None,
    "version": None,
    "serverUrl": "https://localhost:9445",
    "heartbeatInterval": 10,
    "cert": None,
    "enableSSL": False,
    "jwtIssuer": "icp-runtime-jwt-issuer",
    "jwtAudience": "icp-server",
    "runtimeIdFile": ".icp_runtime_id",
    "restart": None,
    **_config_telemetry.DEFAULTS,
}
_FIELDS: Final = tuple(DEFAULTS)


@dataclass(frozen=True)
class Loaded:
    """Settings that can be used, and what was odd about them."""

    settings: Settings
    warnings: tuple[str, ...]


def load(arguments: Mapping[str, object], *, environ: Mapping[str, str] = os.environ, directory: Path) -> Loaded:
    """Gather, merge and check the settings.

    Shape: ``arguments`` is keyed by snake_case names; a None means "not given".
    Raises: ConfigurationError.
    """
    from_environment, odd_names = _sources.from_environment(environ, _FIELDS)
    from_text, odd_text = _sources.from_text_variables(environ, _FIELDS)
    from_files, odd_files = _sources.from_files(environ, directory, _FIELDS)
    from_arguments: Layer = {
        field: Found(arguments[snake(field)], f"argument {snake(field)}")
        for field in _FIELDS
        if arguments.get(snake(field)) is not None
    }
    defaults: Layer = {field: Found(value, "default") for field, value in DEFAULTS.items() if value is not None}
    merged: Layer = defaults | from_files | from_text | from_arguments | from_environment
    return Loaded(_checked(merged, _Places(environ, directory), directory), (*odd_names, *odd_text, *odd_files))


@dataclass(frozen=True)
class _Places:
    """Where values were looked for: part of the message when one is missing."""

    environ: Mapping[str, str]
    directory: Path

    def describe(self) -> str:
        """A short list for people."""
        files = _sources.config_files(self.environ, self.directory)
        named = [str(path) for path in files or _sources.default_files(self.directory)]
        return f"the environment, the arguments of connect(), {' and '.join(dict.fromkeys(named))}"


def _checked(found: Layer, places: _Places, directory: Path) -> Settings:
    cert = optional_text(found, "cert")
    return Settings(
        environment=_required_text(found, "environment", places),
        project=_required_text(found, "project", places),
        integration=_required_text(found, "integration", places),
        secret=_secret(found, places),
        runtime=_label(found),
        version=optional_text(found, "version"),
        server=_endpoint(found),
        heartbeat_interval_s=_interval(found),
        cert=None if cert is None else _existing_file(found["cert"], directory / cert),
        enable_ssl=boolean(found, "enableSSL"),
        jwt_issuer=_text_or_default(found, "jwtIssuer"),
        jwt_audience=_text_or_default(found, "jwtAudience"),
        runtime_id_file=directory / _text_or_default(found, "runtimeIdFile"),
        restart=_restart(found),
        telemetry=_config_telemetry.checked(found),
    )


def _required_text(found: Layer, field: str, places: _Places) -> str:
    text = optional_text(found, field)
    if text is None:
        raise FieldMissingError(
            field,
            places.describe(),
            f'add {field} = "..." to the table [wso2.icp.runtime.bridge] of Config.toml '
            f"(the console shows it under Add Runtime), or set {_sources.OWN_PREFIX}{snake(field).upper()}",
        )
    return text


def _text_or_default(found: Layer, field: str) -> str:
    return optional_text(found, field) or str(DEFAULTS[field])


def _secret(found: Layer, places: _Places) -> Secret:
    text = _required_text(found, "secret", places)
    try:
        return Secret.parse(text)
    except ValueError as error:
        raise FieldInvalidError(
            "secret",
            found["secret"].origin,
            str(error),
            "paste the whole secret that the console showed once, or generate a new one",
        ) from None


def _label(found: Layer) -> str | None:
    label = optional_text(found, "runtime")
    if label is not None and len(label) > LABEL_LIMIT:
        problem = f"has {len(label)} characters; {LABEL_LIMIT} is the most"
        raise FieldInvalidError("runtime", found["runtime"].origin, problem, "choose a shorter name")
    return label


def _restart(found: Layer) -> str | None:
    word = optional_text(found, "restart")
    if word not in {None, "exec", "exit", "off"}:
        raise FieldInvalidError(
            "restart", found["restart"].origin, "must be exec, exit or off", "leave it out to let the bridge choose"
        )
    return word


def _endpoint(found: Layer) -> Endpoint:
    text = _text_or_default(found, "serverUrl")
    origin = found["serverUrl"].origin
    fix = "write it like https://icp.example.com:9445"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise FieldInvalidError("serverUrl", origin, "is not a URL", fix) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise FieldInvalidError("serverUrl", origin, "must begin with https:// or http:// and name a host", fix)
    if parts.username is not None or parts.query or parts.fragment:
        raise FieldInvalidError("serverUrl", origin, "may not hold a user name, a query or a fragment", fix)
    if re.search(r"[\x00-\x20\x7f]", text):
        raise FieldInvalidError("serverUrl", origin, "holds a space or a control character", fix)
    default_port = 443 if parts.scheme == "https" else 80
    return Endpoint(parts.scheme, parts.hostname, default_port if port is None else port, parts.path.rstrip("/"))


def _interval(found: Layer) -> float:
    entry = found["heartbeatInterval"]
    value = entry.value
    if entry.text_only:
        try:
            value = float(cast("str", value))
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldInvalidError(
            "heartbeatInterval", entry.origin, "must be a number of seconds", "write heartbeatInterval = 10"
        )
    if not (math.isfinite(value) and 0.1 <= value <= 3600):  # noqa: PLR2004 - the message says it in words
        raise FieldInvalidError(
            "heartbeatInterval", entry.origin, "must lie between 0.1 and 3600 seconds", "10 is a good value"
        )
    return float(value)


def _existing_file(entry: Found, path: Path) -> Path:
    if not path.is_file():
        raise FieldInvalidError(
            "cert", entry.origin, f"names the file '{path}', which does not exist", "give the path of a PEM file"
        )
    return path
