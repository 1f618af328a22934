"""What was told is known after a restart of the control plane; silences that end while something fires."""

import pytest
from alert_helpers import SILENCE, Alerts, at, quick_passwords, sender_of
from pilothouse.app.control_plane import open_control_plane
from pilothouse.storage import presence

pytestmark = pytest.mark.anyio


async def restarted(alerts: Alerts, settings) -> Alerts:
    """The same organization in a process that knows nothing but the database, a while after its start."""
    await alerts.plane.flush()
    plane = await open_control_plane(settings, alerts.clock, quick_passwords())
    plane.board.load(await plane.store.read(lambda connection: list(presence.list_all(connection))))
    plane.board.listening_since = plane._watched_at = alerts.clock.now()
    plane.alerting.sender = sender_of(plane, alerts.postman)
    return Alerts(plane, alerts.admin, alerts.clock, alerts.postman)


async def judged(alerts: Alerts) -> None:
    """Judge and send, twice: whoever says something twice does so here."""
    for _ in range(2):
        await alerts.look()
        await alerts.send()


async def test_after_a_restart_nothing_is_told_again_but_the_reminder_and_the_end(alerts, runtime, settings) -> None:
    await alerts.rule(channels=[await alerts.channel()], remindS=600)
    await alerts.silent_runtime(runtime)
    await judged(alerts)
    assert alerts.postman.said == ["firing"]
    again = await restarted(alerts, settings)
    try:
        await judged(again)
        assert again.postman.said == ["firing"]  # nobody knows yet whether it is offline: nothing changes
        await again.pass_time(600)
        await judged(again)
        assert again.postman.said == ["firing", "reminder"]
        runtime.plane = again.plane
        await runtime.full()
        await judged(again)
        assert again.postman.said == ["firing", "reminder", "resolved"]
        keys = [notice.dedup_key for _, notice in again.postman.sent]
        assert len(set(keys)) == 1
    finally:
        await again.plane.stop()


async def test_what_was_in_the_outbox_when_the_process_died_is_sent_by_the_next_one(alerts, runtime, settings) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await alerts.silent_runtime(runtime)
    await alerts.look()
    again = await restarted(alerts, settings)
    try:
        await again.send()
        await judged(again)
        assert again.postman.said == ["firing"]
    finally:
        await again.plane.stop()


async def silent_for(alerts: Alerts, seconds: float) -> None:
    await alerts.admin.ask(
        SILENCE, input={"reason": "maintenance", "environment": "dev", "to": at(alerts.clock.now() + seconds)}
    )


async def test_a_silence_that_ends_by_itself_while_it_fires_has_it_told_once(alerts, runtime) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await silent_for(alerts, 120)
    await alerts.silent_runtime(runtime)
    await judged(alerts)
    assert alerts.postman.said == []
    await alerts.pass_time(120)
    await judged(alerts)
    assert alerts.postman.said == ["firing"]


async def test_a_silence_over_what_was_told_keeps_reminders_back_and_its_end_repeats_no_beginning(
    alerts, runtime
) -> None:
    await alerts.rule(channels=[await alerts.channel()], remindS=60)
    await alerts.silent_runtime(runtime)
    await judged(alerts)
    await silent_for(alerts, 300)
    await alerts.pass_time(200)
    await judged(alerts)
    assert alerts.postman.said == ["firing"]
    await alerts.pass_time(120)
    await judged(alerts)
    assert alerts.postman.said == ["firing", "reminder"]


async def test_what_ends_under_a_silence_is_not_told_of(alerts, runtime) -> None:
    await alerts.rule(channels=[await alerts.channel()])
    await silent_for(alerts, 120)
    await alerts.silent_runtime(runtime)
    await judged(alerts)
    for _ in range(15):
        await runtime.delta()
        await alerts.pass_time(8)
    await judged(alerts)
    (found,) = await alerts.list()
    assert (found["state"], found["silenced"]) == ("RESOLVED", False)
    assert alerts.postman.said == []
