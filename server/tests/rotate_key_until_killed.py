"""Changes the sealing key of a home again and again, each time killed (SIGKILL) one step later, and says what was left.

A step is whatever the disk can see: opening a file, syncing it, renaming, removing, a statement that writes, a commit.
Usage: python rotate_key_until_killed.py <home> <scratch directory>; prints one JSON document.
"""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

from pilothouse.app.secrets import rotate_key
from pilothouse.config import Settings
from pilothouse.storage.sealing import Vault, load_key
from sqlalchemy import Engine, event

WATCHED = ("os.rename", "os.remove", "os.link", "os.chmod", "os.truncate")


def opened(home: Path) -> dict[str, str]:
    """Open every secret with what lies in the key file, as the next start would."""
    vault = Vault(load_key(home / "keys" / "secret.key"))
    connection = sqlite3.connect(home / "pilothouse.db")
    try:
        rows = connection.execute("select key_id, sealed_material from secrets where sealed_material is not null")
        return {key_id: vault.open(sealed, key_id=key_id) for key_id, sealed in rows.fetchall()}
    finally:
        connection.close()


def run(home: Path, die_at: int | None, log: Path) -> bool:
    """Change the key in a process of its own, killed before its n-th step; True when it came to its end."""
    child = os.fork()
    if child == 0:
        _watch(home, die_at, log)
        asyncio.run(rotate_key(Settings(home=home)))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _watch(home: Path, die_at: int | None, log: Path) -> None:
    count = 0
    notes = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def step(name: str) -> None:
        nonlocal count
        count += 1
        if count == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(notes, f"{name}\n".encode())

    def audited(name: str, arguments: tuple[object, ...]) -> None:
        if name in WATCHED or (name == "open" and str(arguments[0]).startswith(f"{home}/keys")):
            step(name)

    def statement(_connection: object, _cursor: object, text: str, *_rest: object) -> None:
        if text.startswith(("UPDATE", "INSERT")):
            step(text.split(" SET", 1)[0].split(" (", 1)[0])

    original = os.fsync

    def synced(descriptor: int) -> None:
        step("fsync")
        original(descriptor)

    os.fsync = synced
    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", lambda _: step("COMMIT"))
    sys.addaudithook(audited)


def main() -> None:
    """Kill it at every step there is."""
    template, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    told = opened(template)
    old = load_key(template / "keys" / "secret.key")
    outcomes: list[dict[str, object]] = []
    steps: list[str] = []
    die_at, ended = 0, False
    while not ended:
        die_at += 1
        home, log = scratch / f"home-{die_at}", scratch / f"steps-{die_at}"
        shutil.copytree(template, home)
        ended = run(home, die_at, log)
        steps = log.read_text().splitlines()
        outcome: dict[str, object] = {
            "all_open": opened(home) == told,
            "key_bytes": len(load_key(home / "keys" / "secret.key")),
        }
        outcome["ends_when_run_again"] = run(home, None, scratch / "again")
        key = load_key(home / "keys" / "secret.key")
        outcome["all_open_at_the_end"] = opened(home) == told and len(key) == len(old) and key != old
        outcome["nothing_left_behind"] = [path.name for path in (home / "keys").iterdir()] == ["secret.key"]
        outcomes.append(outcome)
    sys.stdout.write(json.dumps({"outcomes": outcomes, "steps": steps}))


if __name__ == "__main__":
    main()
