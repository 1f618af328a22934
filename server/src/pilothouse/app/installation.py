"""What is installed here, read from the packages themselves: names, versions and licences are nowhere written by hand."""

import platform
import re
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

from pilothouse.api.installation import Component, Installation, SettingInForce
from pilothouse.base.errors import CannotStart
from pilothouse.config import TABLE, Settings
from pilothouse.config.origin import is_set, origins, shown

OWN: Final = "pilothouse"
_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?")
_EXTRA: Final = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_UNKNOWN: Final = "not told"
_LONGEST: Final = 60
"""Characters of a licence's name; longer ones are the licence itself."""


def installation_of(settings: Settings) -> Installation:
    """Gather what there is to tell about this installation."""
    try:
        database = settings.database.kind
    except CannotStart:  # it does not start then, and says why
        database = _UNKNOWN
    return Installation(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=f"{platform.system()} {platform.machine()}",
        database=database,
        settings=_in_force(settings),
        components=components,
    )


def _in_force(settings: Settings) -> tuple[SettingInForce, ...]:
    found = origins(settings)
    return tuple(
        SettingInForce(
            variable=setting.variable,
            meaning=setting.meaning,
            default=setting.default,
            value=shown(setting, settings),
            origin=found[setting.field].value,
            secret=setting.secret,
            is_set=is_set(getattr(settings, setting.field)),
        )
        for setting in TABLE
    )


@cache
def components() -> tuple[Component, ...]:
    """List the packages that this control plane is made with and that are installed, by name."""
    found: dict[str, Component] = {}
    # Of its own extras all that are installed are in use, as the database's driver is.
    own = _find(OWN)
    waiting = [(OWN, frozenset(own.metadata.get_all("Provides-Extra") or () if own else ()))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        package = _find(name)
        if package is None:
            continue
        found[name] = _component(package)
        waiting += _required(package, extras)
    return tuple(found[name] for name in sorted(found))


def _find(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _required(package: Distribution, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """List what a package needs with some of its extras; what the platform does not need is not installed either."""
    needed: list[tuple[str, frozenset[str]]] = []
    for line in package.requires or ():
        match = _REQUIREMENT.match(line)
        if match is None:
            continue
        name, of_it, marker = match.groups()
        asked = _EXTRA.findall(marker or "")
        if not asked or extras.intersection(asked):
            wanted = frozenset(part.strip() for part in (of_it or "").split(",") if part.strip())
            needed.append((re.sub(r"[-_.]+", "-", name).lower(), wanted))
    return needed


def _component(package: Distribution) -> Component:
    return Component(name=package.name, version=package.version, licence=_licence(package), url=_url(package))


def _licence(package: Distribution) -> str:
    """Name a licence: by its expression, else in the author's short words, else by the classifiers."""
    told = _told(package, "License-Expression") or _told(package, "License")
    if told and "\n" not in told and len(told) <= _LONGEST and told.upper() != "UNKNOWN":
        return told
    named = [str(one) for one in package.metadata.get_all("Classifier") or () if str(one).startswith("License ::")]
    return ", ".join(one.rpartition(" :: ")[2] for one in named) or _UNKNOWN


def _told(package: Distribution, name: str) -> str:
    return next((str(one) for one in package.metadata.get_all(name) or ()), "")


def _url(package: Distribution) -> str | None:
    addresses = [str(one).partition(", ") for one in package.metadata.get_all("Project-URL") or ()]
    home = _told(package, "Home-page")
    found = next((url for label, _, url in addresses if re.match(r"(?i)home|source|repository|code|github", label)), "")
    url = home or found or (addresses[0][2] if addresses else "")
    return url if url.startswith("https://") else None
