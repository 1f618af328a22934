"""Secrets that the key file does not open, as after `pilothouse restore --without-key`: somebody has to act, and is told so."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pilothouse.app.control_plane import ControlPlane
from pilothouse.observe.often import SELDOM_S, THINGS_MAX, Seldom
from pilothouse.storage.sealing import KEY_BYTES, Vault
from sqlalchemy import text

pytestmark = pytest.mark.anyio


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as written:
        yield written


@pytest.fixture
async def unreadable(plane: ControlPlane, runtime) -> None:
    """What the runtime's secret is sealed under is another key than the control plane's."""
    key_id, _, material = runtime.secret.partition(".")
    sealed = Vault(os.urandom(KEY_BYTES)).seal(material, key_id=key_id)
    statement = text("UPDATE secrets SET sealed_material = :sealed WHERE key_id = :key_id")
    await plane.store.write(lambda tx: tx.connection.execute(statement, {"sealed": sealed, "key_id": key_id}))


async def test_the_runtime_is_told_what_to_do_and_lives_on(runtime, unreadable) -> None:
    for status, body in (await runtime.full(), await runtime.delta()):
        assert (status, body["code"], body["acknowledged"]) == (503, "KEY_UNREADABLE", False)
        assert runtime.secret.partition(".")[0] in body["message"]
        assert "Generate a new secret" in body["fix"]


async def test_people_find_it_among_the_refused_and_not_among_our_own_trouble(
    runtime, unreadable, plane, admin
) -> None:
    await runtime.full()
    assert plane.figures.unavailable == 0
    (refused,) = (await admin.ask("{ refusals { code keyId fix runtimeName } }"))["refusals"]
    assert (refused["code"], refused["keyId"]) == ("KEY_UNREADABLE", runtime.secret.partition(".")[0])
    assert "Generate a new secret" in refused["fix"]


async def test_a_new_secret_mends_it(runtime, admin, unreadable) -> None:
    await runtime.full()
    runtime.secret = await admin.secret()
    assert (await runtime.full())[0] == 200


async def test_a_fleet_that_shares_such_a_secret_writes_one_line(runtime, unreadable, lines) -> None:
    for number in range(300):  # more than the console remembers
        runtime.runtime_id = f"r-{number}"
        await runtime.full()
    (line,) = [line for line in lines if line["log_level"] in {"warning", "error"}]
    assert (line["event"], line["code"], line["times"]) == ("heartbeat.refused", "KEY_UNREADABLE", 1)


def test_once_a_minute_a_line_says_how_often_it_came() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    assert [seldom.take("a"), seldom.take("a"), seldom.take("b"), seldom.take("a")] == [1, None, 1, None]
    now[0] = SELDOM_S
    assert [seldom.take("a"), seldom.take("a")] == [3, None]


def test_however_many_things_there_are_the_lines_are_so_many_at_most() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    assert sum(seldom.take(str(number)) is not None for number in range(5 * THINGS_MAX)) == THINGS_MAX + 1
    now[0] = 2 * SELDOM_S
    assert seldom.take("one more") == 1
