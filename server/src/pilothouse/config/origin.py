"""Where each setting comes from, and what may be shown of it."""

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pilothouse.config.reading import default_home, read_environment
from pilothouse.config.settings import Settings
from pilothouse.config.table import Setting

_SIGNED_IN: Final = re.compile(r"//.*@", re.DOTALL)
"""Who signs in to an address, and with what: rather too much is left out than too little."""


class Origin(StrEnum):
    """Where a setting comes from."""

    DEFAULT = "DEFAULT"
    ENVIRONMENT = "ENVIRONMENT"
    ARGUMENT = "ARGUMENT"
    """The command line."""


def origins(settings: Settings, environment: Mapping[str, str] | None = None) -> dict[str, Origin]:
    """Tell by field where settings come from: what neither the environment nor the default says, the command line said.

    Raises: InvalidSetting
    """
    environment = os.environ if environment is None else environment
    told = read_environment(environment)
    unset = Settings(home=default_home(environment))
    found: dict[str, Origin] = {}
    for field in Settings.__struct_fields__:
        value = getattr(settings, field)
        if field in told and value == told[field]:
            found[field] = Origin.ENVIRONMENT
        else:
            found[field] = Origin.DEFAULT if value == getattr(unset, field) else Origin.ARGUMENT
    return found


def shown(setting: Setting, settings: Settings) -> str | None:
    """Write a setting's value for people; None for nothing, and for every secret."""
    value = getattr(settings, setting.field)
    return None if setting.secret or not is_set(value) else _SIGNED_IN.sub("//…@", _text(value))


def is_set(value: Any) -> bool:  # Any: of any field's type, here and below
    """Tell whether there is a value: not none, not an empty text."""
    return value is not None and value != ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, Path) else f"{value}"
