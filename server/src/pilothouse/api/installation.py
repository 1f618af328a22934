"""What is installed here and what it was told: facts for people, none of them a secret."""

from collections.abc import Callable, Sequence

import msgspec


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A package that is installed here and that this control plane is made with."""

    name: str
    version: str
    licence: str
    """As its author names it."""
    url: str | None


class SettingInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A setting with what it stands at."""

    variable: str
    meaning: str
    default: str
    """As people read it."""
    value: str | None
    """None: nothing, or what must not be shown."""
    origin: str
    """`DEFAULT`, `ENVIRONMENT` or `ARGUMENT`."""
    secret: bool
    is_set: bool


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed here."""

    python: str
    """Name and version of the interpreter."""
    platform: str
    database: str
    """Its kind; nothing of where it lies."""
    settings: tuple[SettingInForce, ...]
    components: Callable[[], Sequence[Component]]
    """Read from the packages themselves, which takes some hundredths of a second the first time."""
