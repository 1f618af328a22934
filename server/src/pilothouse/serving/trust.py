"""Making this machine, and its browsers, trust our certificate: first a plan, then its steps one by one.

The plan is pure; carrying it out never fails as a whole: each store is reported by itself, and what rights or tools do
not allow is handed back as the command to run.
"""

import os
import shlex
import shutil
import subprocess
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

import msgspec

NICKNAME: Final = "Pilothouse"
"""Under which the certificate stands in a store; untrusting removes what has this name."""
_FILE_NAME: Final = "pilothouse.crt"
_TIMEOUT_S: Final = 30.0
"""Unit: seconds for one command of a store."""


@unique
class Store(StrEnum):
    """Who keeps trusted certificates."""

    DEBIAN = "system (Debian, Ubuntu)"
    RHEL = "system (RHEL, Fedora)"
    NSS = "browser (Chromium, Chrome)"


@unique
class Outcome(StrEnum):
    """What became of a step."""

    DONE = "done"
    TO_DO = "to do by hand"
    ABSENT = "no such store here"


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan has to know of this machine."""

    home: Path
    root: Path = Path("/")
    """The root of the file system; tests have another."""
    is_root: bool = False
    tools: frozenset[str] = frozenset()
    """Which of the stores' programs are installed."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done for one store."""

    store: Store
    commands: tuple[tuple[str, ...], ...] = ()
    """In this order; none where there is no such store."""
    obstacle: str | None = None
    """Why we cannot do it ourselves."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was done for one store, or what is to be run."""

    store: Store
    outcome: Outcome
    run: str = ""
    """The commands to run by hand."""
    reason: str = ""


_SYSTEM: Final = {
    Store.DEBIAN: (Path("usr/local/share/ca-certificates"), ("update-ca-certificates",)),
    Store.RHEL: (Path("etc/pki/ca-trust/source/anchors"), ("update-ca-trust", "extract")),
}


def look_around() -> Surroundings:
    """See what this machine has."""
    tools = ("certutil", "update-ca-certificates", "update-ca-trust")
    return Surroundings(
        home=Path.home(),
        is_root=os.geteuid() == 0,
        tools=frozenset(tool for tool in tools if shutil.which(tool)),
    )


def plan_trust(certificate: Path, around: Surroundings) -> tuple[Step, ...]:
    """Plan to have each store trust the certificate."""
    steps = [_system_step(store, around, certificate) for store in _SYSTEM]
    database = around.home / ".pki" / "nssdb"
    address = f"sql:{database}"
    commands: list[tuple[str, ...]] = []
    if not (database / "cert9.db").exists():
        commands += [("mkdir", "-p", str(database)), ("certutil", "-d", address, "-N", "--empty-password")]
    # "P": this very server is trusted; it may vouch for nobody else.
    commands.append(("certutil", "-d", address, "-A", "-t", "P,,", "-n", NICKNAME, "-i", str(certificate)))
    return (*steps, Step(store=Store.NSS, commands=tuple(commands), obstacle=_nss_obstacle(around)))


def plan_untrust(around: Surroundings) -> tuple[Step, ...]:
    """Plan to have each store forget the certificate."""
    steps = [_system_step(store, around, None) for store in _SYSTEM]
    database = around.home / ".pki" / "nssdb"
    if not (database / "cert9.db").exists():
        return (*steps, Step(store=Store.NSS))
    command = ("certutil", "-d", f"sql:{database}", "-D", "-n", NICKNAME)
    return (*steps, Step(store=Store.NSS, commands=(command,), obstacle=_nss_obstacle(around)))


def carry_out(steps: tuple[Step, ...]) -> tuple[Report, ...]:
    """Do what can be done, and say for each store what became of it."""
    return tuple(_carry_out(step) for step in steps)


def _system_step(store: Store, around: Surroundings, certificate: Path | None) -> Step:
    """Plan for a store of the operating system: a file in its directory and a refresh."""
    directory, refresh = _SYSTEM[store]
    place = around.root / directory
    file = place / _FILE_NAME
    if not place.is_dir() or (certificate is None and not file.exists()):
        return Step(store=store)
    first = ("rm", "-f", str(file)) if certificate is None else ("install", "-m", "0644", str(certificate), str(file))
    obstacle = None
    if not around.is_root:
        obstacle = "needs the rights of root"
    elif refresh[0] not in around.tools:
        obstacle = f"{refresh[0]} is not installed"
    return Step(store=store, commands=(first, refresh), obstacle=obstacle)


def _nss_obstacle(around: Surroundings) -> str | None:
    if "certutil" in around.tools:
        return None
    return "certutil is not installed (package libnss3-tools or nss-tools)"


def _carry_out(step: Step) -> Report:
    if not step.commands:
        return Report(store=step.store, outcome=Outcome.ABSENT)
    sudo = "sudo " if step.store in _SYSTEM else ""
    by_hand = " && ".join(sudo + shlex.join(command) for command in step.commands)
    if step.obstacle is not None:
        return Report(store=step.store, outcome=Outcome.TO_DO, run=by_hand, reason=step.obstacle)
    for command in step.commands:
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 -- the plan's own commands, no shell
        except (OSError, subprocess.TimeoutExpired) as error:
            return Report(store=step.store, outcome=Outcome.TO_DO, run=by_hand, reason=str(error))
        if ended.returncode != 0:
            reason = ended.stderr.strip() or f"{command[0]} ended with {ended.returncode}"
            return Report(store=step.store, outcome=Outcome.TO_DO, run=by_hand, reason=reason)
    return Report(store=step.store, outcome=Outcome.DONE)
