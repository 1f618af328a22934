"""A control plane with another key than the database's does not start."""

from pathlib import Path

import pytest
from database_servers import running
from pilothouse.app.control_plane import open_control_plane
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import PilothouseError
from pilothouse.config import Settings
from pilothouse.storage import sealing_key
from pilothouse.storage.sealing import KEY_BYTES, begin_key_change
from pilothouse.storage.sealing_key import KeyMissing, WrongKey
from several import environment_of, run

pytestmark = pytest.mark.anyio

NOW = 1_790_000_000.0


async def start(settings: Settings) -> None:
    await (await open_control_plane(settings, FakeClock(NOW))).stop()


async def test_another_key_is_refused_and_the_right_one_taken_again(settings: Settings) -> None:
    path = settings.secret_key_path
    right = path.read_bytes()
    await start(settings)
    path.write_bytes(bytes(KEY_BYTES))
    with pytest.raises(WrongKey):
        await start(settings)
    path.write_bytes(right)
    await start(settings)


async def test_a_missing_key_is_not_made_anew_where_the_database_has_one(settings: Settings) -> None:
    await start(settings)
    settings.secret_key_path.unlink()
    with pytest.raises(KeyMissing) as told:
        await start(settings)
    assert "--old-is-lost" in told.value.fix
    assert not settings.secret_key_path.exists()


async def test_while_the_key_is_being_changed_either_opens(settings: Settings) -> None:
    await start(settings)
    begin_key_change(settings.secret_key_path)
    await start(settings)


async def test_of_two_first_starts_with_different_keys_the_second_is_refused(plane) -> None:
    def claim_another(tx) -> None:
        sealing_key.claim(tx.connection, b"x" * KEY_BYTES)

    with pytest.raises(PilothouseError) as told:
        await plane.store.write(claim_another)
    assert told.value.code == "WRONG_KEY"


@pytest.mark.slow
@pytest.mark.xdist_group("postgresql")
@pytest.mark.xdist_group("workers")
def test_a_replica_with_another_key_is_refused_and_a_lost_key_is_given_up_by_word_alone(tmp_path: Path) -> None:
    database = running("postgresql").fresh(name="workers_key")
    first, second = tmp_path / "first", tmp_path / "second"
    code, told = run(environment_of(first, database), "secrets", "rotate-key", "--old-is-lost")
    assert code == 0, told
    code, told = run(environment_of(second, database), "serve", "--workers", "2")
    assert (code != 0, "KEY_MISSING" in told) == (True, True), told
    (second / "keys").mkdir(parents=True, exist_ok=True)
    other = second / "keys" / "secret.key"
    other.write_bytes(b"y" * KEY_BYTES)
    other.chmod(0o600)
    code, told = run(environment_of(second, database), "serve", "--workers", "2")
    assert (code != 0, "WRONG_KEY" in told) == (True, True), told
    code, told = run(environment_of(second, database), "secrets", "rotate-key", "--old-is-lost")
    assert code == 0, told
    code, told = run(environment_of(first, database), "serve")
    assert (code != 0, "WRONG_KEY" in told) == (True, True), told
