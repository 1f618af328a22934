"""Changing the key that seals the secrets: nothing is lost whenever it is stopped, and afterwards the old key opens nothing."""

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.lock import HomeInUse, lock_home
from pilothouse.app.people import LOCAL
from pilothouse.app.secrets import rotate_key
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import CannotStart, NotFound
from pilothouse.cli.main import app
from pilothouse.config import Settings
from pilothouse.operations.secrets import generate
from pilothouse.storage.sealing import CannotUnseal, Vault, begin_key_change, end_key_change, load_key
from sqlalchemy import text
from typer.testing import CliRunner

pytestmark = pytest.mark.slow

KILLED = Path(__file__).with_name("rotate_key_until_killed.py")
KEY_FILE = Path("keys") / "secret.key"
KEYS = st.binary(min_size=32, max_size=32)


async def make_secret(plane: ControlPlane) -> str:
    made = await plane.store.write(
        partial(
            generate,
            subject=LOCAL,
            organization=await plane.organization(),
            vault=plane.vault,
            environment_handle="dev",
            project_handle=None,
            integration_handle=None,
            now=plane.clock.now(),
        )
    )
    return made.secret


async def sealed_in(plane: ControlPlane) -> dict[str, bytes]:
    rows = await plane.store.read(lambda c: c.execute(text("select key_id, sealed_material from secrets")).all())
    return {row.key_id: row.sealed_material for row in rows}


async def with_plane(settings: Settings, work):
    plane = await open_control_plane(settings, FakeClock())
    try:
        return await work(plane)
    finally:
        await plane.stop()


async def make_three(plane: ControlPlane) -> list[str]:
    return [await make_secret(plane) for _ in range(3)]


@pytest.fixture
def secrets(settings: Settings) -> list[str]:
    """Three secrets in a home whose control plane is stopped."""
    return asyncio.run(with_plane(settings, make_three))


def opened(settings: Settings, keys: bytes) -> set[str]:
    async def read(plane: ControlPlane) -> set[str]:
        vault = Vault(keys)
        return {f"{key_id}.{vault.open(sealed, key_id=key_id)}" for key_id, sealed in (await sealed_in(plane)).items()}

    return asyncio.run(with_plane(settings, read))


@given(KEYS, KEYS, st.text(min_size=1, max_size=64))
def test_a_vault_with_two_keys_seals_with_the_first_and_opens_what_either_sealed(
    new: bytes, old: bytes, material: str
) -> None:
    both, before = Vault(new + old), Vault(old)
    by_old = before.seal(material, key_id="k")
    by_both = both.seal(material, key_id="k")
    assert both.open(by_old, key_id="k") == both.open(by_both, key_id="k") == material
    assert Vault(new).open(by_both, key_id="k") == material
    assert both.is_current(by_both)
    assert both.is_current(by_old) == (new == old)
    if new != old:
        with pytest.raises(CannotUnseal):
            before.open(by_both, key_id="k")


def test_afterwards_everything_opens_with_the_new_key_alone(settings: Settings, secrets: list[str]) -> None:
    old = load_key(settings.secret_key_path)
    done = asyncio.run(rotate_key(settings))
    assert (done.resealed, done.was_begun_before) == (3, False)
    new = load_key(settings.secret_key_path)
    assert len(new) == 32
    assert new != old
    assert stat.S_IMODE(settings.secret_key_path.stat().st_mode) == 0o600
    assert opened(settings, new) == set(secrets)
    with pytest.raises(CannotUnseal):
        opened(settings, old)


def test_runtimes_keep_their_secrets(settings: Settings, secrets: list[str]) -> None:
    asyncio.run(rotate_key(settings))

    async def load(plane: ControlPlane) -> None:
        for secret in secrets:
            key_id, _, material = secret.partition(".")
            key = await plane.edge.keyring.load(key_id)
            from pilothouse.protocol.token import SigningKey

            assert key.signing.sign(b"x") == SigningKey(material.encode()).sign(b"x")

    asyncio.run(with_plane(settings, load))


def test_destroyed_materials_are_no_hindrance(settings: Settings, secrets: list[str]) -> None:
    from pilothouse.operations.secrets import revoke

    async def end_one(plane: ControlPlane) -> None:
        await plane.store.write(lambda tx: revoke(tx, LOCAL, secrets[0].partition(".")[0], now=plane.clock.now()))

    asyncio.run(with_plane(settings, end_one))
    assert asyncio.run(rotate_key(settings)).resealed == 2


def test_killed_before_any_step_whatever_nothing_is_lost_and_the_next_run_ends_it(
    settings: Settings, secrets: list[str], tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, str(KILLED), str(settings.home), str(scratch)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)  # noqa: S603 - our own file
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout)
    steps, outcomes = told["steps"], told["outcomes"]
    assert len(outcomes) == len(steps) + 1
    for number, outcome in enumerate(outcomes):
        after = steps[:number]
        assert outcome["all_open"], after
        assert outcome["ends_when_run_again"], after
        assert outcome["all_open_at_the_end"], after
        assert outcome["nothing_left_behind"], after
    # Both states were seen: before and after the file held both keys.
    assert {outcome["key_bytes"] for outcome in outcomes} == {32, 64}
    # Both keys are durable, in file and directory, before the first secret is sealed under the new one; and everything
    # is committed before the old one goes.
    begun, ended = [place for place, step in enumerate(steps) if step == "os.rename"]
    resealed, committed = steps.index("UPDATE secrets"), len(steps) - 1 - steps[::-1].index("COMMIT")
    assert "fsync" in steps[:begun]
    assert "fsync" in steps[begun:resealed]
    assert begun < resealed < committed < ended
    assert "fsync" in steps[committed:ended]
    assert "fsync" in steps[ended:]


def test_a_control_plane_starts_and_works_with_a_change_that_did_not_end(
    settings: Settings, secrets: list[str]
) -> None:
    keys = begin_key_change(settings.secret_key_path)
    assert begin_key_change(settings.secret_key_path) == keys

    async def use(plane: ControlPlane) -> str:
        for secret in secrets:
            await plane.edge.keyring.load(secret.partition(".")[0])
        return await make_secret(plane)

    made = asyncio.run(with_plane(settings, use))
    done = asyncio.run(rotate_key(settings))
    assert (done.resealed, done.was_begun_before) == (3, True)
    assert opened(settings, load_key(settings.secret_key_path)) == {*secrets, made}
    assert load_key(settings.secret_key_path) == keys[:32]


def test_a_control_plane_that_runs_is_not_worked_against(settings: Settings, secrets: list[str]) -> None:
    before = settings.secret_key_path.read_bytes()
    held = lock_home(settings.home)
    try:
        with pytest.raises(HomeInUse, match="holds the key") as refused:
            asyncio.run(rotate_key(settings))
    finally:
        os.close(held)
    assert "Stop the control plane" in refused.value.fix
    assert settings.secret_key_path.read_bytes() == before
    assert opened(settings, before) == set(secrets)


def test_a_material_that_does_not_open_keeps_the_key_as_it_is(settings: Settings, secrets: list[str]) -> None:
    async def spoil(plane: ControlPlane) -> None:
        await plane.store.write(
            lambda tx: tx.connection.execute(
                text("update secrets set sealed_material = :other where key_id = :key_id"),
                {"other": Vault(bytes(32)).seal("m" * 32, key_id="x"), "key_id": secrets[1].partition(".")[0]},
            )
        )

    asyncio.run(with_plane(settings, spoil))
    before = settings.secret_key_path.read_bytes()
    with pytest.raises(CannotUnseal, match=secrets[1].partition(".")[0]):
        asyncio.run(rotate_key(settings))
    assert settings.secret_key_path.read_bytes() == before


def test_a_lost_key_file_is_not_made_anew(settings: Settings, secrets: list[str]) -> None:
    settings.secret_key_path.unlink()
    with pytest.raises(CannotStart, match="cannot be read"):
        asyncio.run(rotate_key(settings))
    assert not settings.secret_key_path.exists()


def test_where_no_control_plane_is_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        asyncio.run(rotate_key(Settings(home=tmp_path / "nowhere")))
    assert not (tmp_path / "nowhere").exists()


def test_a_key_file_behind_a_link_is_changed_where_it_lies(tmp_path: Path) -> None:
    real, link = tmp_path / "real.key", tmp_path / "secret.key"
    real.write_bytes(bytes(range(32)))
    real.chmod(0o600)
    link.symlink_to(real)
    keys = begin_key_change(link)
    end_key_change(link)
    assert link.is_symlink()
    assert real.read_bytes() == keys[:32]
    assert keys[32:] == bytes(range(32))


def run_cli(*words: str) -> str:
    answer = CliRunner().invoke(app, list(words))
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_the_commands_list_secrets_and_change_the_key_without_showing_a_material(
    settings: Settings, secrets: list[str]
) -> None:
    home = str(settings.home)
    before = run_cli("secrets", "list", "--home", home).splitlines()
    changed = run_cli("secrets", "rotate-key", "--home", home)
    assert before == run_cli("secrets", "list", "--home", home).splitlines()
    assert "3 secrets are sealed under the new key" in changed
    assert before[0].split("  ")[0] == "KEY ID"
    assert {line.split()[0] for line in before[1:]} == {secret.partition(".")[0] for secret in secrets}
    assert {tuple(line.split()[1:]) for line in before[1:]} == {("dev", "-", "ACTIVE", "-", "-", "0")}
    for secret in secrets:
        assert secret.partition(".")[2] not in "\n".join(before) + changed


def test_listing_works_while_the_control_plane_runs(settings: Settings, secrets: list[str]) -> None:
    held = lock_home(settings.home)
    try:
        assert len(run_cli("secrets", "list", "--home", str(settings.home)).splitlines()) == 4
    finally:
        os.close(held)


def test_a_copy_of_the_home_is_a_whole_control_plane(settings: Settings, secrets: list[str], tmp_path: Path) -> None:
    copied = Settings(home=shutil.copytree(settings.home, tmp_path / "copy"))
    asyncio.run(rotate_key(copied))
    assert (copied.home / KEY_FILE).read_bytes() != (settings.home / KEY_FILE).read_bytes()
    assert opened(settings, load_key(settings.secret_key_path)) == set(secrets)
