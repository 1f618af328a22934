"""What an operator may set: one table of names, defaults and meanings, read once.

The command line, the reference page in docs/ and the running server all read this table; a test keeps the page whole.
"""

import difflib
import ipaddress
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from pilothouse.base.errors import CannotStart, InvalidInput
from pilothouse.domain.commands import ATTEMPTS_MAX
from pilothouse.management.policy import AllowList

_PREFIX = "PILOTHOUSE_"
_NOT_OURS = ("PILOTHOUSE_BRIDGE_", "PILOTHOUSE_REQUIRE_", "PILOTHOUSE_TEST_")


class InvalidSetting(CannotStart):
    """A setting has a value that it cannot have."""

    code = "INVALID_SETTING"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be set."""

    variable: str
    field: str
    default: str
    """As the page shows it."""
    meaning: str
    secret: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was set, checked."""

    home: Path
    host: str = "0.0.0.0"
    public_host: str = ""
    runtime_port: int = 9445
    console_port: int = 9446
    console_tls: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    secret_key_file: Path | None = None
    admin_password: str | None = None
    metrics_token: str | None = None
    offline_after_s: float = 30.0
    beats_per_s_max: float = 3_000.0
    retry_waits_s: str = "0,0,60,120,240,480"
    write_deadline_s: float = 120.0
    mi_allow: str = ""
    mi_ca_file: Path | None = None
    mi_insecure: bool = False
    audit_retention_days: int = 365
    trusted_proxies: str = ""
    token_issuer: str = "icp-runtime-jwt-issuer"  # noqa: S105 - the wire's name
    token_audience: str = "icp-server"  # noqa: S105 - the wire's name
    token_skew_s: int = 60
    graphql_introspection: bool = True
    graphql_persisted_only: bool = False
    graphiql: bool = False
    follow_events_s: float = 0.0
    password_sign_in: bool = True
    oidc_issuer: str | None = None
    oidc_client_id: str = ""
    oidc_client_secret: str | None = None
    oidc_scopes: str = "openid profile email"
    oidc_username_claim: str = "preferred_username"
    oidc_groups_claim: str = "groups"
    oidc_ca_file: Path | None = None
    oidc_unknown_users: str = "deny"
    oidc_display_name: str = "Single sign-on"
    ldap_url: str | None = None
    ldap_start_tls: bool = False
    ldap_ca_file: Path | None = None
    ldap_insecure: bool = False
    ldap_bind_dn: str | None = None
    ldap_bind_password: str | None = None
    ldap_user_dn_pattern: str | None = None
    ldap_user_base: str | None = None
    ldap_user_filter: str | None = None
    ldap_username_attribute: str = "uid"
    ldap_group_base: str | None = None
    ldap_group_filter: str = "(&(objectClass=groupOfNames)(member={0}))"
    ldap_group_name_attribute: str = "cn"
    ldap_unknown_users: str = "deny"
    log_level: str = "INFO"
    log_format: str = "text"

    @property
    def waits_s(self) -> tuple[float, ...]:
        """After each delivery of a command without an effect, how long until the next one.

        Raises: ValueError
        """
        return tuple(float(part) for part in self.retry_waits_s.split(","))

    @property
    def proxies(self) -> tuple[str, ...]:
        """Addresses and networks of proxies that are believed."""
        return tuple(part.strip() for part in self.trusted_proxies.split(",") if part.strip())

    @property
    def database_path(self) -> Path:
        """Where the embedded database lies."""
        return self.home / "pilothouse.db"

    @property
    def secret_key_path(self) -> Path:
        """Where the key that seals secrets lies: beside the database, not in it, unless it is put elsewhere."""
        return self.secret_key_file or self.home / "keys" / "secret.key"

    @property
    def hostname(self) -> str:
        """The name by which people and runtimes reach this server."""
        return self.public_host or socket.gethostname()


_USER_STORES: tuple[tuple[str, str, str], ...] = (
    ("password_sign_in", "on", "`off`: passwords that are kept here open no sessions; a directory's still do."),
    (
        "oidc_issuer",
        "none",
        "Issuer of the identity provider, as its discovery document has it. Without it there is none.",
    ),
    ("oidc_client_id", "none", "Client id at the identity provider."),
    ("oidc_client_secret", "none", "Its secret; none for a public client."),
    ("oidc_scopes", "openid profile email", "What is asked for, separated by blanks."),
    ("oidc_username_claim", "preferred_username", "The claim that names a person."),
    ("oidc_groups_claim", "groups", "The claim with a person's groups, or a path with dots to it."),
    ("oidc_ca_file", "the system's authorities", "PEM file with the one authority that the provider is trusted by."),
    (
        "oidc_unknown_users",
        "deny",
        "`deny`: who comes for the first time must be in a mapped group; `allow`: anybody may come.",
    ),
    ("oidc_display_name", "Single sign-on", "What the console calls the identity provider."),
    ("ldap_url", "none", "`ldaps://host[:636]` or `ldap://host[:389]` of the directory. Without it there is none."),
    ("ldap_start_tls", "off", "`on` encrypts an `ldap://` line before anything is said."),
    ("ldap_ca_file", "the system's authorities", "PEM file with the one authority that the directory is trusted by."),
    ("ldap_insecure", "off", "`on` allows passwords in clear text over a network."),
    ("ldap_bind_dn", "none: anonymous", "Who searches in the directory."),
    ("ldap_bind_password", "none", "The password of who searches."),
    ("ldap_user_dn_pattern", "none", "Where people are found without a search: `uid={0},ou=people,dc=example,dc=com`."),
    ("ldap_user_base", "none", "Below which people are searched."),
    ("ldap_user_filter", "(&(objectClass=person)(uid={0}))", "Which entry is meant; `{0}` is the name that was typed."),
    ("ldap_username_attribute", "uid", "What a person is called here."),
    ("ldap_group_base", "none", "Below which groups are searched."),
    (
        "ldap_group_filter",
        "(&(objectClass=groupOfNames)(member={0}))",
        "Groups of a person: `{0}` the DN, `{1}` the name.",
    ),
    ("ldap_group_name_attribute", "cn", "What a group is called in mappings."),
    (
        "ldap_unknown_users",
        "deny",
        "`deny`: who comes for the first time must be in a mapped group; `allow`: anybody may come.",
    ),
)
"""Field, default and meaning of the settings about user stores; their variables are called like the fields."""

TABLE: tuple[Setting, ...] = (
    Setting(
        variable="PILOTHOUSE_HOME",
        field="home",
        default="~/.local/share/pilothouse",
        meaning="Directory of database, certificate and key. `make up` uses `.pilothouse` in the source tree.",
    ),
    Setting(variable="PILOTHOUSE_HOST", field="host", default="0.0.0.0", meaning="Address that both ports listen on."),
    Setting(
        variable="PILOTHOUSE_PUBLIC_HOST",
        field="public_host",
        default="this machine's name",
        meaning="Name by which people and runtimes reach this server; it is put into the certificate and shown in the console.",
    ),
    Setting(variable="PILOTHOUSE_RUNTIME_PORT", field="runtime_port", default="9445", meaning="Port for runtimes."),
    Setting(
        variable="PILOTHOUSE_CONSOLE_PORT",
        field="console_port",
        default="9446",
        meaning="Port for the console and the APIs.",
    ),
    Setting(
        variable="PILOTHOUSE_CONSOLE_TLS",
        field="console_tls",
        default="on",
        meaning="`off` serves the console over plain HTTP, and then on loopback (127.0.0.1) alone.",
    ),
    Setting(
        variable="PILOTHOUSE_TLS_CERTIFICATE",
        field="tls_certificate",
        default="self-signed, made at the first start",
        meaning="PEM file with your own certificate and its chain.",
    ),
    Setting(
        variable="PILOTHOUSE_TLS_KEY",
        field="tls_key",
        default="made with it",
        meaning="PEM file with the certificate's private key.",
    ),
    Setting(
        variable="PILOTHOUSE_SECRET_KEY_FILE",
        field="secret_key_file",
        default="`keys/secret.key` in the home directory",
        meaning=(
            "File of 32 random bytes that secrets are sealed under; made at the first start. "
            "Without it the stored secrets cannot be opened: back it up, apart from the database."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_ADMIN_PASSWORD",
        field="admin_password",
        default="generated, shown once",
        meaning="Password of the first administrator, `admin`; read at the first start only. 12 characters at least.",
        secret=True,
    ),
    Setting(
        variable="PILOTHOUSE_METRICS_TOKEN",
        field="metrics_token",
        default="none",
        meaning="Bearer token that lets other machines read `/metrics`; without one only loopback may.",
        secret=True,
    ),
    Setting(
        variable="PILOTHOUSE_OFFLINE_AFTER_S",
        field="offline_after_s",
        default="30",
        meaning="Seconds of silence before a runtime counts as offline, at least; three of its own intervals if that is longer.",
    ),
    Setting(
        variable="PILOTHOUSE_BEATS_PER_S_MAX",
        field="beats_per_s_max",
        default="3000",
        meaning=(
            "Heartbeats per second that the fleet may send: when there would be more, Python runtimes are told a slower pace, "
            "and are called offline that much later."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_RETRY_WAITS_S",
        field="retry_waits_s",
        default="0,0,60,120,240,480",
        meaning=(
            "Seconds after each delivery of a command until it is offered again if the runtime still reports something else: "
            "six numbers. After the sixth delivery it is called failed."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_WRITE_DEADLINE_S",
        field="write_deadline_s",
        default="120",
        meaning="Seconds in which the outcome of what is asked once (run a job) must be known; then it is called expired.",
    ),
    Setting(
        variable="PILOTHOUSE_MI_ALLOW",
        field="mi_allow",
        default="none",
        meaning=(
            "Hosts (`*.mi.example.com`) and networks (`10.20.0.0/16`), separated by commas, whose management APIs may be called "
            "beside those that live where their heartbeats come from."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_MI_CA_FILE",
        field="mi_ca_file",
        default="the system's authorities",
        meaning="PEM file with the authorities, or the very certificates, that Micro Integrators' management APIs are trusted by.",
    ),
    Setting(
        variable="PILOTHOUSE_MI_INSECURE",
        field="mi_insecure",
        default="off",
        meaning="`on` gives up the check of Micro Integrators' certificates; for trying out only.",
    ),
    Setting(
        variable="PILOTHOUSE_TRUSTED_PROXIES",
        field="trusted_proxies",
        default="none",
        meaning=(
            "Addresses and networks (`10.1.2.3, 10.20.0.0/16`), separated by commas, of proxies before the console whose "
            "`X-Forwarded-For` is believed: without them all people behind one share its address."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_AUDIT_RETENTION_DAYS",
        field="audit_retention_days",
        default="365",
        meaning="Days that audit records are kept; 0 keeps them for good.",
    ),
    Setting(
        variable="PILOTHOUSE_TOKEN_ISSUER",
        field="token_issuer",
        default="icp-runtime-jwt-issuer",
        meaning="Issuer that runtimes' tokens must name.",
    ),
    Setting(
        variable="PILOTHOUSE_TOKEN_AUDIENCE",
        field="token_audience",
        default="icp-server",
        meaning="Audiences that runtimes' tokens may name, separated by commas.",
    ),
    Setting(
        variable="PILOTHOUSE_TOKEN_SKEW_S",
        field="token_skew_s",
        default="60",
        meaning="Seconds by which a runtime's clock may be off before its tokens are refused.",
    ),
    Setting(
        variable="PILOTHOUSE_GRAPHQL_INTROSPECTION",
        field="graphql_introspection",
        default="on",
        meaning="`off` keeps the GraphQL schema from telling itself, also to those who are signed in.",
    ),
    Setting(
        variable="PILOTHOUSE_GRAPHQL_PERSISTED_ONLY",
        field="graphql_persisted_only",
        default="off",
        meaning="`on` runs the console's own queries alone, whoever asks: no scripts, no GraphiQL.",
    ),
    Setting(
        variable="PILOTHOUSE_GRAPHIQL",
        field="graphiql",
        default="off",
        meaning="`on` serves `/graphiql`, a page to write GraphQL queries on.",
    ),
    Setting(
        variable="PILOTHOUSE_FOLLOW_EVENTS_S",
        field="follow_events_s",
        default="0",
        meaning=(
            "Seconds between two looks at what other processes wrote into the same database; 0 where this process writes alone, "
            "as it does with the embedded one."
        ),
    ),
    *(
        Setting(
            variable=_PREFIX + field.upper(),
            field=field,
            default=default,
            meaning=meaning,
            secret=field.endswith(("_secret", "_bind_password")),
        )
        for field, default, meaning in _USER_STORES
    ),
    Setting(
        variable="PILOTHOUSE_LOG_LEVEL", field="log_level", default="INFO", meaning="DEBUG, INFO, WARNING or ERROR."
    ),
    Setting(
        variable="PILOTHOUSE_LOG_FORMAT",
        field="log_format",
        default="text",
        meaning="`text` for people, `json` for machines.",
    ),
)

_RANGES: dict[str, tuple[int, int, str]] = {
    "offline_after_s": (1, 86_400, " seconds"),
    "beats_per_s_max": (1, 1_000_000, ""),
    "write_deadline_s": (1, 3_600, " seconds"),
    "token_skew_s": (0, 3_600, " seconds"),
    "audit_retention_days": (0, 36_500, " days"),
}
"""Lowest, highest, unit."""
_BOOLEANS = {"on": True, "true": True, "1": True, "yes": True, "off": False, "false": False, "0": False, "no": False}


def default_home(environment: Mapping[str, str]) -> Path:
    """Tell where things are kept when nothing is said: the user's own data directory."""
    base = environment.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "pilothouse"


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:  # Any: values of the command line
    """Read the settings: command line, then environment, then defaults.

    Raises: InvalidSetting
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {"home": default_home(environment)}  # Any: checked by msgspec below
    for setting in TABLE:
        text = environment.get(setting.variable, "")
        if text:
            values[setting.field] = _read(setting, text)
    values |= {name: value for name, value in overrides.items() if value is not None}
    settings = Settings(**values)
    _check(settings)
    return settings


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """List variables that look like ours but are not, each with the one that was probably meant."""
    known = [setting.variable for setting in TABLE]
    sentences: list[str] = []
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name not in known and not name.startswith(_NOT_OURS):
            close = difflib.get_close_matches(name, known, 1)
            sentences.append(f"{name} is not a setting{f'; did you mean {close[0]}?' if close else '.'}")
    return sentences


def _read(setting: Setting, text: str) -> Any:  # Any: the field's type
    kind = Settings.__annotations__[setting.field]
    if kind is bool:
        value = _BOOLEANS.get(text.strip().lower())
        if value is None:
            raise _invalid(setting, text, "It is `on` or `off`.")
        return value
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise _invalid(setting, text, "It is a number.") from None
    if kind in (Path, Path | None):
        try:
            return Path(text).expanduser()
        except RuntimeError:
            raise _invalid(setting, text, "There is no such user's home directory.") from None
    return text


def _check_allow_list(settings: Settings, setting: Setting) -> None:
    try:
        AllowList.parse(settings.mi_allow)
    except InvalidInput as error:
        raise _invalid(setting, settings.mi_allow, f"{error.message} {error.fix}") from None


def _check_proxies(settings: Settings, setting: Setting) -> None:
    try:
        for proxy in settings.proxies:
            ipaddress.ip_network(proxy)
    except ValueError as error:
        raise _invalid(setting, settings.trusted_proxies, f"{error}.") from None


def _check_commands(settings: Settings, by_field: Mapping[str, Setting]) -> None:
    try:
        waits_s = settings.waits_s
    except ValueError:
        waits_s = ()
    if len(waits_s) != ATTEMPTS_MAX or not all(0 <= wait_s <= 86_400 for wait_s in waits_s):  # noqa: PLR2004 - a day at most
        raise _invalid(
            by_field["retry_waits_s"],
            settings.retry_waits_s,
            f"It is {ATTEMPTS_MAX} numbers of seconds, separated by commas.",
        )


def _check_following(settings: Settings, setting: Setting) -> None:
    every_s = settings.follow_events_s
    if every_s != 0 and not 0.01 <= every_s <= 60:  # noqa: PLR2004 - a hundredth of a second to a minute
        raise _invalid(setting, str(every_s), "It is 0, or 0.01 to 60 seconds.")


def _check_user_stores(settings: Settings, by_field: Mapping[str, Setting]) -> None:
    for field in ("oidc_unknown_users", "ldap_unknown_users"):
        if getattr(settings, field) not in ("deny", "allow"):
            raise _invalid(by_field[field], getattr(settings, field), "It is `deny` or `allow`.")


def _check(settings: Settings) -> None:
    by_field = {setting.field: setting for setting in TABLE}
    for field in ("runtime_port", "console_port"):
        port = getattr(settings, field)
        if not 0 <= port <= 65_535:  # noqa: PLR2004 - ports end there
            raise _invalid(by_field[field], str(port), "A port is a number from 1 to 65535, or 0 for any free one.")
    if settings.runtime_port == settings.console_port != 0:
        raise _invalid(by_field["console_port"], str(settings.console_port), "The two ports must differ.")
    for field, (lowest, highest, unit) in _RANGES.items():
        if not lowest <= getattr(settings, field) <= highest:
            rule = f"It is {lowest} to {highest}{unit}."
            raise _invalid(by_field[field], str(getattr(settings, field)), rule)
    _check_allow_list(settings, by_field["mi_allow"])
    _check_proxies(settings, by_field["trusted_proxies"])
    _check_commands(settings, by_field)
    _check_following(settings, by_field["follow_events_s"])
    _check_user_stores(settings, by_field)
    if settings.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise _invalid(by_field["log_level"], settings.log_level, "It is DEBUG, INFO, WARNING or ERROR.")
    if settings.log_format not in ("text", "json"):
        raise _invalid(by_field["log_format"], settings.log_format, "It is `text` or `json`.")
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        missing = by_field["tls_key" if settings.tls_key is None else "tls_certificate"]
        raise InvalidSetting(
            f"{missing.variable} is not set, but its other half is.",
            fix=f"Set {missing.variable} too.",
            field=missing.variable,
        )


def _invalid(setting: Setting, text: str, rule: str) -> InvalidSetting:
    shown = "…" if setting.secret else text[:80]
    return InvalidSetting(
        f"{setting.variable} cannot be '{shown}'. {rule}",
        fix=f"{setting.meaning} Default: {setting.default}.",
        field=setting.variable,
    )
