"""One database in the place of another, though that takes several renames: who is cut off in between is ended by the next.

What is to be done is written down before the first rename, and done again from the beginning by whoever comes next: a start,
another restore, or a command that works on the home's database. Whoever does it holds the home's lock.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec
import structlog

from pilothouse.base.errors import CannotStart
from pilothouse.base.instants import Instant

BESIDE: Final = ("-wal", "-shm")
"""What SQLite keeps beside its file while it is open, and after a crash: without it the file is not what was committed."""
_log = structlog.get_logger(__name__)


class RestoreCutOff(CannotStart):
    """A restore was cut off, and what it wrote down cannot be read."""

    code = "RESTORE_CUT_OFF"


class _Plan(msgspec.Struct, frozen=True):
    """What is under way."""

    aside: str
    """The name that the database gets that was here before."""


def fresh_of(database: Path) -> Path:
    """Name the file in which a restore makes its database."""
    return database.with_suffix(".restoring")


def put_in_place(database: Path, now: Instant) -> Path:
    """Let the fresh database take its place; gives back where the one lies that was here before, if one was.

    Raises: OSError
    """
    aside = _free(database, now)
    plan, written = _plan_of(database), database.with_suffix(".restore-plan.new")
    written.write_bytes(msgspec.json.encode(_Plan(aside.name)))
    _to_disk(fresh_of(database))
    _to_disk(written)
    written.replace(plan)
    _to_disk(database.parent)
    _carry_out(database, aside)
    plan.unlink()
    return aside


def is_cut_off(database: Path) -> bool:
    """Tell whether a restore was cut off between its renames."""
    return _plan_of(database).is_file()


def settle(database: Path) -> None:
    """End what a restore began that was cut off, or take away what it left; does nothing where all is well.

    Raises: RestoreCutOff, OSError
    """
    plan = _plan_of(database)
    if not plan.is_file():
        remove_fresh(database)
        return
    try:
        aside = database.with_name(msgspec.json.decode(plan.read_bytes(), type=_Plan).aside)
    except msgspec.DecodeError as error:
        raise RestoreCutOff(
            f"{plan} is damaged: {error}.",
            fix=f"Move the database that you want to {database}, with its -wal file if there is one, and delete {plan.name}.",
        ) from error
    _carry_out(database, aside)
    plan.unlink()
    _log.warning("restore.ended", database=str(database), before=str(aside))


def remove_fresh(database: Path) -> None:
    """Take away a database that was not finished."""
    fresh = fresh_of(database)
    for end in ("", *BESIDE, "-journal"):
        fresh.with_name(fresh.name + end).unlink(missing_ok=True)
    database.with_suffix(".restore-plan.new").unlink(missing_ok=True)


def _plan_of(database: Path) -> Path:
    return database.with_suffix(".restore-plan")


def _carry_out(database: Path, aside: Path) -> None:
    """Do all of it that is not done yet."""
    fresh = fresh_of(database)
    if fresh.is_file():
        _move(database, aside)
        fresh.replace(database)
    elif not database.is_file():
        _move(aside, database)  # somebody took the fresh one away: what was here before comes back
    _to_disk(database.parent)


def _move(database: Path, to: Path) -> None:
    for end in (*BESIDE, ""):
        with contextlib.suppress(FileNotFoundError):  # where it ended in order there is nothing beside it
            database.with_name(database.name + end).replace(to.with_name(to.name + end))


def _free(database: Path, now: Instant) -> Path:
    """Find a name that nothing has."""
    number = int(now)
    while any(database.with_name(f"{database.stem}.before-{number}.db{end}").exists() for end in ("", *BESIDE)):
        number += 1
    return database.with_name(f"{database.stem}.before-{number}.db")


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
