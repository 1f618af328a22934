"""What was found is said once, together with what belongs to it, and again only when it did not arrive."""

import asyncio
from dataclasses import replace

import pytest
from alert_helpers import SILENCE, another, at
from pilothouse.alerting.sending import LEASE_S
from pilothouse.storage import alert_outbox

pytestmark = pytest.mark.anyio


async def test_alerts_of_one_rule_within_a_moment_are_one_message(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    first, second = runtime, replace(runtime, runtime_id="second", name="node-2")
    await alerts.beats(first, second)
    await alerts.pass_time(40)
    await alerts.look()
    await alerts.plane.alerting.sender.send_due()
    assert postman.sent == []  # it is still being gathered
    await alerts.send()
    ((_, notice),) = postman.sent
    assert notice.message == "2 alerts of this rule began."
    assert {alert.place.runtime for alert in notice.alerts} == {"orders-node-1", "node-2"}


async def test_pagerduty_hears_of_each_alert_by_itself_under_one_key_from_beginning_to_end(
    alerts, runtime, postman
) -> None:
    channel = await alerts.channel("PAGERDUTY", routingKey="R" * 32)
    await alerts.rule(channels=[channel])
    second = replace(runtime, runtime_id="second", name="node-2")
    await alerts.beats(runtime, second)
    await alerts.pass_time(40)
    await alerts.look()
    await alerts.send()
    began = {notice.place.runtime: notice.dedup_key for _, notice in postman.sent}
    assert len(set(began.values())) == 2
    await runtime.delta()
    await alerts.look()
    await alerts.send()
    ended = postman.sent[-1][1]
    assert (ended.kind, ended.dedup_key) == ("resolved", began["orders-node-1"])


async def test_a_beginning_and_an_end_are_said_once_each(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    for _ in range(3):
        await alerts.look()
        await alerts.send()
    assert postman.said == ["firing"]
    await runtime.delta()
    for _ in range(3):
        await alerts.look()
        await alerts.send()
    assert postman.said == ["firing", "resolved"]
    (found,) = await alerts.list()
    assert [(each["kind"], each["state"], each["attempts"]) for each in found["notifications"]] == [
        ("resolved", "SENT", 1),
        ("firing", "SENT", 1),
    ]


async def test_while_it_fires_it_is_said_again(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()], remindS=600)
    await alerts.silent_runtime(runtime)
    await alerts.look()
    await alerts.send()
    alerts.clock.advance(600)
    await alerts.look()
    await alerts.send()
    assert postman.said == ["firing", "reminder"]


async def test_what_did_not_arrive_is_tried_again_under_the_same_id_five_times(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.look()
    postman.fail(9)
    started = alerts.clock.now()
    await alerts.send()
    while alerts.clock.now() < started + 3_600:
        alerts.clock.advance(5)
        await alerts.plane.alerting.sender.send_due()
        if len(postman.tried) == 5:
            break
    assert 890 <= alerts.clock.now() - started <= 930
    assert len({notice.id for notice in postman.tried}) == 1
    alerts.clock.advance(7_200)
    await alerts.plane.alerting.sender.send_due()
    assert len(postman.tried) == 5
    await alerts.admin.sign_in()
    (found,) = await alerts.list()
    (told,) = found["notifications"]
    assert (told["state"], told["attempts"], told["reason"]) == ("FAILED", 5, "The receiver answered 503.")


async def test_what_a_receiver_refuses_for_good_is_not_tried_again(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.look()
    postman.fail(1, retry=False)
    await alerts.send()
    alerts.clock.advance(3_600)
    await alerts.plane.alerting.sender.send_due()
    assert len(postman.tried) == 1


async def test_an_end_waits_until_its_beginning_arrived(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.look()
    postman.fail(1)
    await alerts.send()
    await runtime.delta()
    await alerts.look()
    await alerts.send()
    assert postman.said == []
    alerts.clock.advance(15)
    await alerts.plane.alerting.sender.send_due()
    await alerts.plane.alerting.sender.send_due()
    assert postman.said == ["firing", "resolved"]


async def test_who_dies_while_sending_leaves_it_to_another_with_the_same_id(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.look()
    alerts.clock.advance(2.5)
    now = alerts.clock.now()
    claimed = await alerts.plane.store.write(
        lambda tx: alert_outbox.claim(tx.connection, "one that dies", now, lease_s=LEASE_S, limit=10)
    )
    assert len(claimed) == 1
    other = another(alerts.plane, postman)
    await other.sender.send_due()
    assert postman.tried == []  # the other may still be sending
    alerts.clock.advance(LEASE_S + 1)
    await other.sender.send_due()
    row = await alerts.plane.store.read(lambda c: alert_outbox.find(c, claimed[0]))
    assert [notice.id for notice in postman.tried] == [row.id]
    assert (row.state.value, row.attempts) == ("SENT", 2)
    # Whoever comes back from the dead changes nothing.
    assert not await alerts.plane.store.write(
        lambda tx: alert_outbox.settle(tx.connection, claimed[0], "one that dies", now, failure="late")
    )


async def test_many_processes_empty_one_outbox_and_send_nothing_twice(alerts, runtime, postman) -> None:
    channels = [await alerts.channel(name=f"channel {number}") for number in range(8)]
    await alerts.rule(channels=channels)
    await alerts.silent_runtime(runtime)
    await alerts.look()
    alerts.clock.advance(2.5)
    processes = [another(alerts.plane, postman) for _ in range(5)]
    await asyncio.gather(*(process.sender.send_due() for process in processes))
    assert len(postman.sent) == 8
    assert len({notice.id for _, notice in postman.sent}) == 8


async def test_under_a_silence_nobody_is_told_until_it_ends(alerts, runtime, postman) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    data = await alerts.admin.ask(
        SILENCE, input={"reason": "maintenance", "environment": "dev", "to": at(alerts.clock.now() + 600)}
    )
    await alerts.silent_runtime(runtime)
    (found,) = await alerts.look()
    assert (found["state"], found["silenced"]) == ("FIRING", True)
    await alerts.send()
    assert postman.said == []
    await alerts.admin.ask(f'mutation {{ endAlertSilence(id: "{data["silenceAlerts"]["id"]}") {{ id }} }}')
    (found,) = await alerts.look()
    assert found["silenced"] is False
    await alerts.send()
    assert postman.said == ["firing"]


async def test_a_deleted_rule_ends_its_alerts_without_a_word_and_they_stay_in_the_history(
    alerts, runtime, postman
) -> None:
    rule = await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.look()
    await alerts.admin.ask(f'mutation {{ deleteAlertRule(id: "{rule}") {{ id }} }}')
    await alerts.look()
    await alerts.send()
    assert postman.tried == []
    (found,) = await alerts.list()
    assert (found["state"], found["rule"]["name"]) == ("RESOLVED", "offline")


async def test_a_test_tells_how_it_went_and_is_not_repeated(alerts, postman) -> None:
    channel = await alerts.channel()
    ask = f'mutation {{ testAlertChannel(id: "{channel}") {{ kind state attempts reason channel {{ name }} }} }}'
    told = (await alerts.admin.ask(ask))["testAlertChannel"]
    assert told == {"kind": "test", "state": "SENT", "attempts": 1, "reason": None, "channel": {"name": "operators"}}
    postman.fail(1)
    told = (await alerts.admin.ask(ask))["testAlertChannel"]
    assert (told["state"], told["reason"]) == ("FAILED", "The receiver answered 503.")
    alerts.clock.advance(3_600)
    await alerts.plane.alerting.sender.send_due()
    assert len(postman.tried) == 2


async def test_a_stop_waits_for_what_is_being_sent_and_writes_it_down(alerts, runtime, postman, monkeypatch) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.look()
    alerts.clock.advance(2.5)
    under_way, may_end = asyncio.Event(), asyncio.Event()

    async def slow(*_):
        under_way.set()
        await may_end.wait()

    monkeypatch.setattr(postman, "send", slow)
    sending = asyncio.create_task(alerts.plane.alerting.sender.send_due())
    async with asyncio.timeout(5):
        await under_way.wait()
    sending.cancel()
    asyncio.get_running_loop().call_later(0.1, may_end.set)
    await alerts.plane.alerting.sender.close()
    (found,) = await alerts.list()
    assert [each["state"] for each in found["notifications"]] == ["SENT"]
