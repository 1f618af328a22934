"""`/readyz` says which part is not ready, since when and why, and 503 only when the process should get no requests."""

import asyncio
import shutil
from typing import Any, NamedTuple

import pytest
from pilothouse.app import health
from pilothouse.domain.liveness import Hold
from pilothouse.observe.works import Works

pytestmark = pytest.mark.anyio

PARTS = ["database.read", "database.write", "schema", "events", "presence", "telemetry", "alerts", "disk"]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


async def parts_of(stranger: Any, status: int = 200) -> dict[str, Any]:
    answer = await stranger.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (status, status == 200)
    return answer.json()["parts"]


async def test_every_part_says_that_it_is_ready_since_when_and_what_was_measured(stranger, plane) -> None:
    parts = await parts_of(stranger)
    assert list(parts) == PARTS
    assert {part["state"] for part in parts.values()} == {"ready"}
    assert all(
        part["ready"] and part["detail"] and part["since"] == "2026-09-21T14:13:20.000Z" for part in parts.values()
    )
    assert parts["schema"]["figures"]["revision"] == parts["schema"]["figures"]["newest"]
    assert parts["database.write"]["figures"]["last_commit_age_s"] >= 0
    assert parts["disk"]["figures"]["free_bytes"] > 0


async def test_a_part_that_turns_bad_keeps_its_moment_and_takes_the_process_out(stranger, plane, clock) -> None:
    await parts_of(stranger)
    clock.advance(60)
    plane.store.last_failure = "The database cannot take a write: disk full."
    first = (await parts_of(stranger, 503))["database.write"]
    assert (first["ready"], first["state"]) == (False, "not ready")
    assert first["detail"] == "The database cannot take a write: disk full."
    assert first["since"] == "2026-09-21T14:14:20.000Z"
    clock.advance(30)
    assert (await parts_of(stranger, 503))["database.write"]["since"] == first["since"]
    assert (await parts_of(stranger, 503))["database.read"]["since"] == "2026-09-21T14:13:20.000Z"
    answer = await stranger.client.get("/readyz", headers={"Accept": "text/plain"})
    assert answer.status_code == 503
    lines = answer.text.splitlines()
    assert lines[0] == "not ready"
    assert lines[2].startswith(
        "database.write  not ready since 2026-09-21T14:14:20.000Z (30 s) The database cannot take a write: disk full."
    )
    plane.store.last_failure = None
    assert (await parts_of(stranger))["database.write"]["state"] == "ready"


async def test_a_database_that_does_not_answer_in_time_is_not_ready(stranger, plane, monkeypatch) -> None:
    async def never(_: Any) -> None:
        await asyncio.sleep(60)

    with monkeypatch.context() as patch:
        patch.setattr(health, "READ_S", 0.05)
        patch.setattr(plane.store, "read", never)
        part = (await parts_of(stranger, 503))["database.read"]
    assert "did not answer within" in part["detail"]
    assert (await parts_of(stranger))["database.read"]["state"] == "ready"


async def test_a_schema_of_a_newer_release_degrades_and_an_older_one_is_not_ready(stranger, plane, monkeypatch) -> None:
    for revision, status, state in (("9999", 200, "degraded"), ("0001", 503, "not ready")):
        with monkeypatch.context() as patch:
            patch.setattr(health.migrate, "revision_of", lambda _, revision=revision: revision)
            assert (await parts_of(stranger, status))["schema"]["state"] == state


async def test_parts_that_only_degrade_take_nobody_out(stranger, plane, monkeypatch) -> None:
    async def state(name: str) -> tuple[str, str]:
        answer = await stranger.client.get("/readyz")
        assert (answer.status_code, answer.json()["state"]) == (200, "degraded")
        part = answer.json()["parts"][name]
        return part["state"], part["detail"]

    plane.intake.degraded = "The store is gone."
    assert (await state("telemetry"))[0] == "degraded"
    plane.intake.degraded = None
    plane.alerting.works.failed("send_due", "no way out")
    assert await state("alerts") == ("degraded", "Alerts are late: no way out")
    plane.alerting.works.done("send_due")
    plane.works.failed("flush", "disk full")
    assert "disk full" in (await state("presence"))[1]
    plane.works.done("flush")
    plane.board.hold = Hold(since=plane.clock.now(), silent=9, live=10)
    assert (await state("presence"))[0] == "degraded"
    plane.board.hold = None
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 << 30, 99 << 30, 1 << 20))
    assert (await state("disk"))[0] == "degraded"


async def test_a_process_that_hears_nothing_of_others_is_taken_out_in_time(stranger, plane, monkeypatch) -> None:
    now_s = [0.0]
    following = plane.following
    monkeypatch.setattr(following, "_works", Works(lambda: now_s[0]))
    monkeypatch.setattr(following, "_position", 7)

    following._works.done("look")
    for at_s, status, state in ((5.0, 200, "ready"), (16.0, 200, "degraded"), (36.0, 503, "not ready")):
        following._works.failed("look", "cut")
        now_s[0] = at_s
        assert (await parts_of(stranger, status))["events"]["state"] == state
    following._works.done("look")
    assert (await parts_of(stranger))["events"]["state"] == "ready"


async def test_those_who_ask_at_the_same_time_share_one_look(stranger, plane, monkeypatch) -> None:
    looks = 0
    original = plane.store.read

    async def slowly(question: Any) -> Any:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.05)
        return await original(question)

    monkeypatch.setattr(plane.store, "read", slowly)
    await asyncio.gather(*(parts_of(stranger) for _ in range(20)))
    assert looks < 5


async def test_a_look_that_breaks_is_a_part_that_is_not_ready(stranger, plane) -> None:
    def explode() -> None:
        raise OSError("no such folder")

    plane.health.part("disk", explode)
    assert (await parts_of(stranger, 503))["disk"]["detail"] == "no such folder"
