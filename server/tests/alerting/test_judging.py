"""Rules are judged by what the board, the store and telemetry say; what cannot be told changes nothing."""

import asyncio
from dataclasses import replace

import pytest
from alert_helpers import ALERTS, another
from pilothouse.alerting.worker import QUICK
from pilothouse.base.errors import Unavailable
from sqlalchemy import event

pytestmark = pytest.mark.anyio


async def test_a_runtime_that_falls_silent_is_found_and_ends_when_it_is_back(alerts, runtime) -> None:
    await alerts.rule()
    await alerts.beats(runtime)
    assert await alerts.look() == []
    await alerts.pass_time(40)
    (found,) = await alerts.look()
    assert found["state"] == "FIRING"
    assert found["message"].startswith("The runtime orders-node-1 is offline: no heartbeat from 10.0.3.7 since")
    assert (found["project"]["handle"], found["environment"]["handle"]) == ("retail-core", "dev")
    assert found["runtime"]["name"] == "orders-node-1"
    await runtime.delta()
    (ended,) = await alerts.look()
    assert (ended["state"], ended["message"]) == ("RESOLVED", "The runtime orders-node-1 runs again.")


async def test_what_lies_outside_of_a_rules_place_is_none_of_its_business(alerts, runtime) -> None:
    await alerts.rule(environment="prod")
    await alerts.silent_runtime(runtime)
    assert await alerts.look() == []


async def test_a_disabled_rule_finds_nothing_and_what_it_found_ends(alerts, runtime) -> None:
    rule = await alerts.rule()
    await alerts.silent_runtime(runtime)
    assert [found["state"] for found in await alerts.look()] == ["FIRING"]
    await alerts.rule(id=rule, enabled=False)
    assert [found["state"] for found in await alerts.look()] == ["RESOLVED"]


async def test_many_runtimes_that_fall_silent_at_once_are_one_alert(alerts, runtime) -> None:
    await alerts.rule()
    fleet = [replace(runtime, runtime_id=f"runtime-{number}", name=f"node-{number}") for number in range(12)]
    await alerts.beats(*fleet)
    await alerts.pass_time(36)
    await alerts.plane.watch()
    found = await alerts.look()
    assert len(found) == 1
    assert found[0]["message"].startswith("12 of 12 live runtimes fell silent at once")
    for one in fleet:
        await one.delta()
    assert [(each["state"], each["message"]) for each in await alerts.look()] == [
        ("RESOLVED", "Runtimes are judged each by itself again.")
    ]


async def test_after_a_restart_of_ours_what_fired_goes_on_and_nothing_new_begins(alerts, runtime) -> None:
    await alerts.rule("REPLICAS_BELOW", threshold=1)
    await alerts.beats(runtime)
    alerts.plane.board.listening_since = alerts.clock.now() + 1
    alerts.clock.advance(5)
    assert await alerts.look() == []


async def test_too_few_replicas_are_counted_per_integration_and_environment(alerts, runtime) -> None:
    await alerts.rule("REPLICAS_BELOW", threshold=2)
    await alerts.beats(runtime)
    (found,) = await alerts.look()
    assert (found["message"], found["value"], found["runtime"]) == ("1 of 2 runtimes run.", 1.0, None)
    second = replace(runtime, runtime_id="second", name="node-2")
    await alerts.beats(second)
    assert [each["state"] for each in await alerts.look()] == ["RESOLVED"]


async def test_a_rule_for_one_integration_finds_that_nothing_runs_there_at_all(alerts, runtime) -> None:
    await runtime.full()
    await alerts.rule(
        "REPLICAS_BELOW", threshold=1, project="retail-core", integration="order-intake", environment="prod"
    )
    (found,) = await alerts.look()
    assert found["message"] == "0 of 1 runtimes run."


async def test_a_secret_that_ends_soon_is_found_once_and_ends_with_its_revocation(alerts, admin) -> None:
    await alerts.rule("EXPIRING", threshold=14)
    data = await admin.ask(
        "mutation ($input: GenerateSecretInput!) { generateSecret(input: $input) { keyId } }",
        input={"environment": "dev"},
    )
    key_id = data["generateSecret"]["keyId"]
    until = "2026-09-30T00:00:00Z"  # nine days after the tests' time
    await admin.ask(f'mutation {{ setSecretExpiry(keyId: "{key_id}", expiresAt: "{until}") {{ keyId }} }}')
    (found,) = await alerts.look()
    assert found["message"] == f"The secret {key_id} ends at 2026-09-30T00:00:00.000Z."
    assert len(await alerts.look()) == 1
    await admin.ask(f'mutation {{ revokeSecret(keyId: "{key_id}") {{ keyId }} }}')
    assert [each["state"] for each in await alerts.look()] == ["RESOLVED"]


async def test_two_processes_that_judge_at_once_find_one_alert_and_say_it_once(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.plane.watch()
    processes = [alerts.plane.alerting, *(another(alerts.plane, postman) for _ in range(4))]
    await asyncio.gather(*(process.judge(QUICK) for process in processes))
    assert len(await alerts.list()) == 1
    alerts.clock.advance(2.5)
    await asyncio.gather(*(process.sender.send_due() for process in processes))
    assert postman.said == ["firing"]


async def test_an_event_has_the_rules_on_runtimes_judged_soon(alerts, runtime) -> None:
    await alerts.rule()
    await alerts.silent_runtime(runtime)
    work = asyncio.create_task(alerts.plane.alerting.run())
    try:
        await alerts.plane.watch()
        async with asyncio.timeout(3):
            while not await alerts.list():
                await asyncio.sleep(0.02)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_a_store_that_does_not_answer_is_trouble_and_leaves_alerts_as_they_are(
    alerts, runtime, monkeypatch
) -> None:
    rule = await alerts.rule("LOG_PATTERN", levels=["ERROR"])

    async def down(*_, **__):
        raise Unavailable("It is being started again.")

    monkeypatch.setattr(alerts.plane.telemetry, "count_logs", down)
    await alerts.look()
    data = await alerts.admin.ask("query ($id: ID!) { alertRule(id: $id) { trouble lastJudgedAt } }", id=rule)
    assert data["alertRule"]["trouble"] == "The telemetry store did not answer: It is being started again."
    monkeypatch.undo()
    alerts.clock.advance(60)
    assert await alerts.look() == []
    data = await alerts.admin.ask("query ($id: ID!) { alertRule(id: $id) { trouble } }", id=rule)
    assert data["alertRule"]["trouble"] is None


async def test_a_list_of_alerts_costs_the_same_however_long_it_is(alerts, runtime) -> None:
    channel = await alerts.channel()
    await alerts.rule(channels=[channel])
    fleet = [replace(runtime, runtime_id=f"runtime-{number}", name=f"node-{number}") for number in range(9)]

    async def count(runtimes) -> int:
        await alerts.beats(*runtimes)
        await alerts.pass_time(40)
        await alerts.look()
        statements = []
        engine = alerts.plane.store.reader_engine
        listen = ("before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
        event.listen(engine, *listen)
        await alerts.admin.ask(ALERTS, filter={})
        event.remove(engine, *listen)
        return len(statements)

    few = await count(fleet[:1])
    assert await count(fleet) == few


async def test_what_ended_ninety_days_ago_is_forgotten(alerts, runtime) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.look()
    await alerts.send()
    await runtime.delta()
    await alerts.look()
    await alerts.send()
    alerts.clock.advance(89 * 86_400)
    await alerts.plane.alerting.tidy()
    await alerts.admin.sign_in()
    assert len(await alerts.list()) == 1
    alerts.clock.advance(2 * 86_400)
    await alerts.plane.alerting.tidy()
    left = await alerts.plane.store.read(
        lambda c: [c.exec_driver_sql(f"select count(*) from {name}").scalar_one() for name in TABLES]
    )
    assert left == [0, 0, 0]


TABLES = ("alerts", "alert_notices", "alert_notifications")
