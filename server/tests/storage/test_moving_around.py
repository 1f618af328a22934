"""A filled home goes around all kinds of database by the two commands, and comes back as it went."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from database_servers import running
from pilothouse.app.backup import back_up
from pilothouse.app.control_plane import open_control_plane
from pilothouse.base.place import embedded
from pilothouse.config import Settings
from pilothouse.operations.auditing import verify
from pilothouse.storage.alone import reading
from test_moving import rows_in

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.embedded,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("mariadb"),
]
KINDS = ("postgresql", "mariadb", "mysql")
CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { commands { id state } } }"
CHANNEL = "mutation ($input: AlertChannelInput!) { saveAlertChannel(input: $input) { channel { id } } }"
RULE = "mutation ($input: AlertRuleInput!) { saveAlertRule(input: $input) { id } }"
KEPT = {
    "projects", "integrations", "environments", "runtimes", "secrets", "users", "events", "audit_records", "desired_states",
    "commands", "alert_channels", "alert_rules",
}  # fmt: skip
"""What the test has put something into."""


async def fill(admin: Any, runtime: Any) -> None:
    """Have something of everything that people and runtimes leave behind."""
    runtime.artifacts["listeners"][0]["name"] = "écoute 日本 😀 "  # with a blank at its end
    await runtime.full()
    place = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
    wish = {**place, "kind": "LISTENER", "name": "écoute 日本 😀 ", "aspect": "STATE", "value": "DISABLED"}
    await admin.ask(CHANGE, input=wish)
    made = await admin.ask(
        CHANNEL, input={"name": "operators", "kind": "SLACK", "url": "https://hooks.example.com/services/T1"}
    )
    channel = made["saveAlertChannel"]["channel"]["id"]
    await admin.ask(RULE, input={"name": "gone", "condition": "RUNTIME_OFFLINE", "channels": [channel]})
    for number in range(5):
        await admin.ask(f'mutation {{ createProject(input: {{displayName: "Büro {number}"}}) {{ handle }} }}')


def run(home: Path, url: str, *words: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command of a control plane's machine; it must succeed."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PILOTHOUSE_")}
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "pilothouse", *words, "--home", str(home)],
        env=environment | {"PILOTHOUSE_DATABASE_URL": url}, input=told, capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done


async def test_a_home_goes_around_every_kind_of_database_and_comes_back_as_it_went(
    plane, admin, runtime, settings, tmp_path
) -> None:
    await fill(admin, runtime)
    shown = await admin.ask("{ runtimes { nodes { runtimeId status } } }")
    await plane.stop()
    back_up(settings, tmp_path / "first")
    before = rows_in(tmp_path / "first")
    assert {table for table in KEPT if not before.get(table)} == set()

    home, url = settings.home, embedded(settings.database_path).url
    for kind in KINDS:
        there = running(kind).blank().url
        exported = run(home, url, "db", "export")
        run(home, there, "db", "upgrade")
        imported = run(home, there, "db", "import", told=exported.stdout)
        assert b"The audit is intact" in imported.stderr, imported.stderr
        back_up(Settings(home=home, database_url=there), tmp_path / kind)
        assert rows_in(tmp_path / kind) == before, kind
        url = there

    back = tmp_path / "back"
    (back / "keys").mkdir(parents=True)
    shutil.copy2(home / "keys" / "secret.key", back / "keys" / "secret.key")
    run(back, "", "db", "import", told=run(home, url, "db", "export").stdout)
    back_up(Settings(home=back), tmp_path / "last")
    assert rows_in(tmp_path / "last") == before

    again = await open_control_plane(Settings(home=back), plane.clock)
    try:
        runtime.plane = again
        status, answer = await runtime.delta()  # its secret opens, and it is known
        assert (status, answer["acknowledged"]) == (200, True), json.dumps(answer)
        with reading(Settings(home=back).database) as connection:
            assert verify(connection).intact
    finally:
        await again.stop()
    assert [each["runtimeId"] for each in shown["runtimes"]["nodes"]] == [runtime.runtime_id]
