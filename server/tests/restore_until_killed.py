"""Restores a backup over a database again and again, each time killed (SIGKILL) one step later, and says what was left.

A step is a renaming, a removal, or the middle of filling the new database, which is filled once and copied from then on. What the next
start, or another restore, makes of it is said with it. Usage: python restore_until_killed.py <home> <backup> <scratch directory>; prints one JSON document.
"""

import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from pilothouse.app import backup as app_backup
from pilothouse.app.backup import restore
from pilothouse.app.lock import lock_home
from pilothouse.app.restoring import settle
from pilothouse.config import Settings
from pilothouse.observe.logs import configure

WATCHED = ("os.rename", "os.remove")
MARK = "select handle from environments order by handle"


def in_a_process(work: Callable[[], object]) -> bool:
    """Do something in a process of its own; True when it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def restoring(home: Path, backup: Path, die_at: int | None, filled: Path) -> None:
    """Restore, killed before the n-th step."""
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def audited(name: str, arguments: tuple[object, ...]) -> None:
        if name in WATCHED and Path(str(arguments[0])).exists() and str(arguments[0]).startswith(str(home)):
            step()

    sys.addaudithook(audited)

    def fill(fresh: Path, *_: object) -> None:
        step()
        whole = filled.read_bytes()
        fresh.write_bytes(whole[: len(whole) // 2])
        fresh.with_name(f"{fresh.name}-wal").write_bytes(b"half")
        step()
        fresh.with_name(f"{fresh.name}-wal").unlink()
        fresh.write_bytes(whole)

    app_backup._fill = fill
    restore(Settings(home=home), backup, replace=True)


def start(home: Path) -> None:
    """Do what a start does first."""
    os.close(lock_home(home))
    settle(Settings(home=home).database_path)


def told_by(database: Path) -> list[str]:
    """Read what marks a database; it is changed by nothing but SQLite's own recovery."""
    connection = sqlite3.connect(database)
    try:
        return [row[0] for row in connection.execute(MARK)]
    finally:
        connection.close()


def main() -> None:
    """Kill one step later each time, until nothing is left to kill."""
    home, backup, scratch = (Path(argument) for argument in sys.argv[1:])
    first = scratch / "first"
    shutil.copytree(home, first)
    restore(Settings(home=first), backup, replace=True)
    filled = first / "pilothouse.db"
    configure("ERROR", "text")
    rounds: list[dict[str, object]] = []
    ended, step = False, 0
    while not ended:
        step += 1
        for way in ("start", "restore"):
            copy = scratch / f"{step}-{way}"
            shutil.copytree(home, copy)
            ended = in_a_process(lambda copy=copy, step=step: restoring(copy, backup, step, filled))
            left = sorted(path.name for path in copy.iterdir())
            if way == "start":
                start(copy)
            else:
                in_a_process(lambda copy=copy: restoring(copy, backup, None, filled))
            rounds.append(
                {
                    "way": way,
                    "left": left,
                    "files": sorted(path.name for path in copy.iterdir()),
                    "now": told_by(copy / "pilothouse.db"),
                    "before": [told_by(path) for path in sorted(copy.glob("pilothouse.before-*.db"))],
                    "ended": ended,
                }
            )
    sys.stdout.write(json.dumps(rounds))


if __name__ == "__main__":
    main()
