"""Read what was set, and refuse what cannot be."""

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pilothouse.base.errors import CannotStart, InvalidInput
from pilothouse.base.hosts import AllowList
from pilothouse.base.place import SCHEMES
from pilothouse.config.settings import Settings
from pilothouse.config.table import PREFIX, TABLE, Setting
from pilothouse.domain.commands import ATTEMPTS_MAX
from pilothouse.notify.mail_server import read_mail_server
from pilothouse.telemetry.retention import parse_keep

_NOT_OURS = ("PILOTHOUSE_BRIDGE_", "PILOTHOUSE_REQUIRE_", "PILOTHOUSE_TEST_")


class InvalidSetting(CannotStart):
    """A setting has a value that it cannot have."""

    code = "INVALID_SETTING"


_RANGES: dict[str, tuple[int, int, str]] = {
    "workers": (1, 64, " processes"),
    "offline_after_s": (1, 86_400, " seconds"),
    "beats_per_s_max": (1, 1_000_000, ""),
    "write_deadline_s": (1, 3_600, " seconds"),
    "token_skew_s": (0, 3_600, " seconds"),
    "slow_statement_ms": (0, 3_600_000, " milliseconds"),
    "database_pool": (1, 100, " connections"),
    "database_timeout_s": (1, 3_600, " seconds"),
    "try_it_timeout_s": (1, 55, " seconds"),
    "audit_retention_days": (0, 36_500, " days"),
    "telemetry_disk_mb": (256, 1_048_576, " MiB"),
    "telemetry_memory_mb": (128, 65_536, " MiB"),
}
"""Lowest, highest, unit."""
_INDEX_PREFIX = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
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
    values |= read_environment(environment)
    values |= {name: value for name, value in overrides.items() if value is not None}
    settings = Settings(**values)
    _check(settings)
    return settings


def read_environment(environment: Mapping[str, str]) -> dict[str, Any]:  # Any: the fields' types
    """Read what variables say, by field.

    Raises: InvalidSetting
    """
    told = {setting: environment.get(setting.variable, "") for setting in TABLE}
    return {setting.field: _read(setting, text) for setting, text in told.items() if text}


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """List variables that look like ours but are not, each with the one that was probably meant."""
    known = [setting.variable for setting in TABLE]
    sentences: list[str] = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and not name.startswith(_NOT_OURS):
            close = difflib.get_close_matches(name, known, 1)
            sentences.append(f"{name} is not a setting{f'; did you mean {close[0]}?' if close else '.'}")
    return sentences


def _read(setting: Setting, text: str) -> Any:  # Any: the field's type
    kind = Settings.__annotations__[setting.field]
    if kind == float | None:
        kind = float
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


def _check_allow_lists(settings: Settings, by_field: Mapping[str, Setting]) -> None:
    for field in ("mi_allow", "notify_allow", "try_it_allow"):
        text = getattr(settings, field)
        try:
            AllowList.parse(text)
        except InvalidInput as error:
            raise _invalid(by_field[field], text, f"{error.message} {error.fix}") from None


def _check_mail(settings: Settings, by_field: Mapping[str, Setting]) -> None:
    if settings.smtp_url is None:
        return
    try:
        read_mail_server(settings.smtp_url, settings.smtp_from)
    except InvalidInput as error:
        field = "smtp_from" if error.field == "from" else "smtp_url"
        raise _invalid(by_field[field], getattr(settings, field), f"{error.message} {error.fix}") from None


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


def _check_keep(settings: Settings, setting: Setting) -> None:
    try:
        parse_keep(settings.telemetry_keep)
    except InvalidInput as error:
        raise _invalid(setting, settings.telemetry_keep, f"{error.message} {error.fix}") from None


def _check_database(settings: Settings, setting: Setting) -> None:
    try:
        known = settings.database.kind in SCHEMES.values()
    except (CannotStart, ValueError):
        known = False
    if not known:
        raise _invalid(setting, settings.database_url, "It begins with no kind of database that is known.")


def _check_following(settings: Settings, setting: Setting) -> None:
    every_s = settings.follow_events_s
    if every_s is not None and every_s != 0 and not 0.01 <= every_s <= 60:  # noqa: PLR2004 - a hundredth of a second to a minute
        raise _invalid(setting, str(every_s), "It is 0, or 0.01 to 60 seconds.")


def _check_user_stores(settings: Settings, by_field: Mapping[str, Setting]) -> None:
    for field in ("oidc_unknown_users", "ldap_unknown_users"):
        if getattr(settings, field) not in ("deny", "allow"):
            raise _invalid(by_field[field], getattr(settings, field), "It is `deny` or `allow`.")


def _check_telemetry(settings: Settings, by_field: Mapping[str, Setting]) -> None:
    if settings.telemetry_store not in ("embedded", "memory", "opensearch"):
        rule = "It is `embedded`, `opensearch` or `memory`."
        raise _invalid(by_field["telemetry_store"], settings.telemetry_store, rule)
    if not _INDEX_PREFIX.match(settings.opensearch_prefix):
        rule = "It has small letters, digits and hyphens, 40 at most, and begins with a letter."
        raise _invalid(by_field["opensearch_prefix"], settings.opensearch_prefix, rule)


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
    _check_database(settings, by_field["database_url"])
    _check_allow_lists(settings, by_field)
    _check_mail(settings, by_field)
    _check_proxies(settings, by_field["trusted_proxies"])
    _check_commands(settings, by_field)
    _check_following(settings, by_field["follow_events_s"])
    _check_user_stores(settings, by_field)
    _check_keep(settings, by_field["telemetry_keep"])
    _check_telemetry(settings, by_field)
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
