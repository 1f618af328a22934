"""APScheduler's jobs: what is shown of them, and that a pause, a resumption and a run at once are what they say."""

import asyncio
import functools
import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apscheduler.executors.asyncio
import apscheduler.executors.base
import apscheduler.executors.pool
import apscheduler.schedulers.base
import pytest
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from pilothouse_bridge._inventory import ListenerState, Schedule
from pilothouse_bridge._steering import Change, Kind, Steerable, SteeringError
from pilothouse_bridge.discover._trigger_text import trigger_text
from pilothouse_bridge.discover.apscheduler import APScheduler

HERE = Path(__file__).name


def nothing() -> None:
    """Do nothing; a function at module level has a reference."""


@pytest.fixture(scope="module")
def wakes() -> list[float]:
    return []


@pytest.fixture(scope="module")
def source(wakes: list[float]) -> APScheduler:
    made = APScheduler()
    made.install(lambda: wakes.append(time.monotonic()))
    return made


@pytest.fixture
def scheduler() -> Iterator[BackgroundScheduler]:
    gc.collect()
    made = BackgroundScheduler(timezone=UTC)
    yield made
    if made.running:
        # A run of its loop that is under way would look for its job among those of a stopped scheduler.
        made.pause()
        with made._jobstores_lock:
            pass
        made.shutdown()
    made._pending_jobs.clear()


def shown(source: APScheduler, name: str) -> Schedule:
    (found,) = [one for one in source.find() if one.name == name]
    return found


def steer(source: APScheduler, name: str) -> Steerable:
    (found,) = [one for one in source.steerables() if one.name == name]
    assert found.kind is Kind.SCHEDULE
    assert found.package == "apscheduler"
    return found


def eventually(condition: Callable[[], object], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (CronTrigger(hour=3, timezone=UTC), "cron: 0 3 * * * (UTC)"),
        (CronTrigger.from_crontab("*/5 8-17 * * mon-fri", timezone=UTC), "cron: */5 8-17 * * mon-fri (UTC)"),
        (CronTrigger(second="*/10", timezone=UTC), "cron with seconds: */10 * * * * * (UTC)"),
        (CronTrigger(year=2030, week=7, hour=1, timezone=UTC), "cron: 0 1 * * *, week 7, year 2030 (UTC)"),
        (IntervalTrigger(seconds=30, timezone=UTC), "every 30 s"),
        (IntervalTrigger(hours=36, minutes=5, timezone=UTC), "every 1 d 12 h 5 min"),
        (IntervalTrigger(seconds=1.5, timezone=UTC), "every 1.5 s"),
        (IntervalTrigger(minutes=1, jitter=5, timezone=UTC), "every 1 min, up to 5 s later"),
        (DateTrigger(datetime(2030, 1, 31, 3, tzinfo=UTC)), "once at 2030-01-31 03:00:00 UTC"),
        (CalendarIntervalTrigger(months=2, hour=4, timezone=UTC), "every 2 months at 04:00 (UTC)"),
        (CalendarIntervalTrigger(days=1, hour=4, second=9, timezone=UTC), "every 1 day at 04:00:09 (UTC)"),
        (
            OrTrigger([CronTrigger(hour=3, timezone=UTC), IntervalTrigger(hours=7, timezone=UTC)]),
            "cron: 0 3 * * * (UTC) or every 7 h",
        ),
    ],
)
def test_a_trigger_reads_as_people_write_it(trigger: Any, text: str) -> None:
    assert trigger_text(trigger) == text


def test_a_trigger_of_the_programs_own_speaks_for_itself() -> None:
    class CronTrigger:
        def __str__(self) -> str:
            return "when the tide is high " * 50

    assert trigger_text(CronTrigger()).startswith("when the tide is high")
    assert len(trigger_text(CronTrigger())) == 200


def test_jobs_are_shown_with_their_trigger_and_place(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    scheduler.add_job(nothing, "cron", hour=3, id="nightly")
    scheduler.start()
    found = shown(source, "nightly")
    assert replace(found, handler=None) == Schedule(
        "nightly", "apscheduler", ListenerState.ENABLED, "cron: 0 3 * * * (UTC)"
    )
    assert str(found.handler).endswith(f"{HERE}:{nothing.__code__.co_firstlineno}")


def test_a_job_without_an_id_is_named_by_its_function(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    scheduler.add_job(nothing, "interval", hours=1, args=())
    scheduler.add_job(nothing, "interval", hours=2)
    scheduler.add_job(nothing, "interval", hours=2)
    scheduler.add_job(functools.partial(nothing), "interval", hours=3)
    scheduler.start()
    names = sorted(one.name for one in source.find() if "nothing" in one.name or "partial" in one.name)
    base = f"{nothing.__module__}:nothing"
    assert len(names) == len(set(names)) == 4
    assert base in names
    assert all(name.startswith((base, "functools:")) or "nothing" in name for name in names)
    again = sorted(one.name for one in source.find() if "nothing" in one.name or "partial" in one.name)
    assert again == names


def test_a_name_stays_with_its_job_when_another_one_goes(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    first, second = (scheduler.add_job(nothing, "interval", days=40) for _ in range(2))
    scheduler.start()
    by_job = {one.job.id: one.name for one in source.steerables() if "days" not in one.name}  # type: ignore[attr-defined]
    scheduler.remove_job(first.id)
    assert {one.job.id: one.name for one in source.steerables()}[second.id] == by_job[second.id]  # type: ignore[attr-defined]


def test_jobs_of_a_scheduler_that_does_not_run_are_disabled_and_say_why(
    source: APScheduler, scheduler: BackgroundScheduler
) -> None:
    scheduler.add_job(nothing, "interval", hours=1, id="waits")
    before = shown(source, "waits")
    assert (before.state, before.state_reason) == (ListenerState.DISABLED, "Its scheduler is not started.")
    with pytest.raises(SteeringError, match="not started") as refused:
        steer(source, "waits").trigger()
    assert (refused.value.code, refused.value.http_status) == ("NOT_SUPPORTED", 501)
    scheduler.start(paused=True)
    assert shown(source, "waits").state_reason == "Its scheduler is paused by the program."
    scheduler.resume()
    assert shown(source, "waits").state is ListenerState.ENABLED


def test_a_scheduler_made_before_the_bridge_is_found(scheduler: BackgroundScheduler) -> None:
    scheduler.add_job(nothing, "interval", hours=1, id="early")
    late = APScheduler()
    late.install(lambda: None)
    assert "early" in [one.name for one in late.find()]


def test_whoever_adds_or_pauses_a_job_wakes_the_bridge(
    source: APScheduler, wakes: list[float], scheduler: BackgroundScheduler
) -> None:
    for act in (
        scheduler.start,
        lambda: scheduler.add_job(nothing, "interval", hours=1, id="stir"),
        lambda: scheduler.pause_job("stir"),
        lambda: scheduler.resume_job("stir"),
        scheduler.pause,
        scheduler.resume,
        lambda: scheduler.remove_job("stir"),
    ):
        wakes.clear()
        act()
        assert wakes


def test_a_run_wakes_nobody(source: APScheduler, wakes: list[float], scheduler: BackgroundScheduler) -> None:
    ran = threading.Event()
    scheduler.start()
    scheduler.add_job(ran.set, "interval", seconds=0.05, id="busy")
    wakes.clear()
    assert ran.wait(10)
    ran.clear()
    assert ran.wait(10)
    assert wakes == []


def test_nothing_runs_while_stopped_and_the_schedule_is_kept(
    source: APScheduler, scheduler: BackgroundScheduler
) -> None:
    runs: list[float] = []
    scheduler.add_job(lambda: runs.append(time.time()), "interval", seconds=0.05, id="tick")
    scheduler.start()
    grid = scheduler.get_job("tick").trigger.start_date.timestamp()
    while_stopped = 0
    for _ in range(3):
        eventually(lambda: runs)
        outcome = steer(source, "tick").stop(5)
        assert outcome.change is Change.STOPPED
        assert shown(source, "tick").state is ListenerState.DISABLED
        assert shown(source, "tick").state_reason == "Paused."
        runs.clear()
        time.sleep(0.2)
        while_stopped += len(runs)
        assert steer(source, "tick").start().change is Change.STARTED
        assert shown(source, "tick").state is ListenerState.ENABLED
    assert while_stopped == 0
    next_run = scheduler.get_job("tick").next_run_time.timestamp()
    assert (next_run - grid) / 0.05 == pytest.approx(round((next_run - grid) / 0.05), abs=0.01)


def test_a_stop_waits_for_the_run_in_hand(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    began, may_end = threading.Event(), threading.Event()

    def run() -> None:
        began.set()
        may_end.wait(10)

    scheduler.add_job(run, "interval", seconds=0.02, id="long")
    scheduler.start()
    assert began.wait(10)
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(steer(source, "long").stop, 10)
        eventually(lambda: shown(source, "long").state is ListenerState.DRAINING)
        assert shown(source, "long").state_reason == "Paused; 1 run in hand."
        assert not stopping.done()
        may_end.set()
        outcome = stopping.result(10)
    assert (outcome.change, outcome.finished, outcome.cut) == (Change.STOPPED, 1, 0)
    assert shown(source, "long").state is ListenerState.DISABLED


def test_a_run_that_outlasts_the_grace_is_told(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    began, may_end = threading.Event(), threading.Event()

    def run() -> None:
        began.set()
        may_end.wait(10)

    scheduler.add_job(run, "interval", seconds=0.02, id="endless")
    scheduler.start()
    assert began.wait(10)
    outcome = steer(source, "endless").stop(0.05)
    assert (outcome.change, outcome.finished, outcome.cut) == (Change.STOPPED, 0, 0)
    assert "1 of 1 runs in hand went on after the grace of 0.05 s" in outcome.message
    assert shown(source, "endless").state is ListenerState.DRAINING
    may_end.set()
    eventually(lambda: shown(source, "endless").state is ListenerState.DISABLED)


def test_what_is_so_already_changes_nothing(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    scheduler.add_job(nothing, "interval", hours=1, id="calm")
    scheduler.start()
    assert steer(source, "calm").start().change is Change.UNCHANGED
    assert steer(source, "calm").stop(1).change is Change.STOPPED
    assert steer(source, "calm").stop(1).change is Change.UNCHANGED


def test_a_one_time_job_whose_hour_passed_while_stopped_runs_when_started(
    source: APScheduler, scheduler: BackgroundScheduler
) -> None:
    ran = threading.Event()
    scheduler.start()
    at = datetime.now(UTC) + timedelta(seconds=3)  # far enough off to be stopped before, on a busy machine too
    scheduler.add_job(ran.set, "date", run_date=at, id="invoice", misfire_grace_time=1)
    steer(source, "invoice").stop(1)
    # Later than the time at which APScheduler would call it missed and forget it.
    time.sleep(4.1)
    assert not ran.is_set()
    outcome = steer(source, "invoice").start()
    assert (outcome.change, "next run now" in outcome.message) == (Change.STARTED, True)
    assert ran.wait(10)


def test_a_schedule_that_is_over_is_not_silently_removed(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    scheduler.start()
    end = datetime.now(UTC) + timedelta(seconds=2)
    scheduler.add_job(nothing, "interval", hours=1, end_date=end, id="over", next_run_time=end + timedelta(hours=1))
    steer(source, "over").stop(1)
    time.sleep(2.1)
    with pytest.raises(SteeringError, match="is over") as refused:
        steer(source, "over").start()
    assert refused.value.code == "FAILED"
    assert scheduler.get_job("over") is not None


def test_a_trigger_runs_once_and_leaves_the_schedule_alone(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    runs: list[int] = []
    scheduler.add_job(runs.append, "interval", args=[1], hours=1, id="hourly")
    scheduler.start()
    before = scheduler.get_job("hourly").next_run_time
    assert steer(source, "hourly").trigger().change is Change.TRIGGERED
    eventually(lambda: runs)
    time.sleep(0.1)
    assert runs == [1]
    assert scheduler.get_job("hourly").next_run_time == before
    assert [one.name for one in source.find()].count("hourly") == 1
    assert len(scheduler.get_jobs()) == 1


def test_a_trigger_works_while_paused_and_leaves_the_pause(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    ran = threading.Event()
    scheduler.add_job(ran.set, "interval", seconds=0.05, id="held")
    scheduler.start()
    steer(source, "held").stop(1)
    ran.clear()
    assert steer(source, "held").trigger().change is Change.TRIGGERED
    assert ran.wait(10)
    ran.clear()
    time.sleep(0.2)
    assert not ran.is_set()
    assert shown(source, "held").state is ListenerState.DISABLED


def test_a_trigger_beyond_the_allowed_runs_is_refused(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    may_end = threading.Event()
    scheduler.add_job(may_end.wait, "interval", hours=1, args=[10], id="single")
    scheduler.start()
    steer(source, "single").trigger()
    with pytest.raises(SteeringError, match="no more than 1 run") as refused:
        steer(source, "single").trigger()
    may_end.set()
    assert (refused.value.code, refused.value.http_status) == ("BUSY", 409)


def test_a_triggered_run_is_not_missed_because_the_pool_was_busy(source: APScheduler) -> None:
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": {"type": "threadpool", "max_workers": 1}},
        job_defaults={"misfire_grace_time": 1},
    )
    ran, may_end = threading.Event(), threading.Event()
    scheduler.add_job(may_end.wait, "interval", hours=1, args=[20], id="hog")
    scheduler.add_job(ran.set, "interval", hours=1, id="queued")
    scheduler.start()
    steer(source, "hog").trigger()
    steer(source, "queued").trigger()
    time.sleep(1.3)
    may_end.set()
    assert ran.wait(10)
    assert scheduler.get_job("queued").misfire_grace_time == 1
    scheduler.shutdown()


def test_a_job_that_is_gone_is_no_artifact(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    scheduler.add_job(nothing, "interval", hours=1, id="brief")
    scheduler.start()
    held = steer(source, "brief")
    scheduler.remove_job("brief")
    for act in (lambda: held.stop(1), held.start, held.trigger):
        with pytest.raises(SteeringError) as refused:
            act()
        assert (refused.value.code, refused.value.http_status) == ("NO_SUCH_ARTIFACT", 404)


def test_an_asyncio_scheduler_is_told_on_its_own_loop(source: APScheduler) -> None:
    runs: list[int] = []
    heard_on: set[int] = set()

    async def work() -> None:
        await asyncio.sleep(0)
        runs.append(threading.get_ident())

    async def program() -> None:
        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.add_listener(lambda _: heard_on.add(threading.get_ident()))
        scheduler.add_job(work, "interval", seconds=0.05, id="async-tick")
        scheduler.start()
        loop = asyncio.get_running_loop()
        job = await loop.run_in_executor(None, steer, source, "async-tick")
        for _ in range(3):
            while not runs:
                await asyncio.sleep(0.01)
            assert (await loop.run_in_executor(None, job.stop, 5)).change is Change.STOPPED
            runs.clear()
            await asyncio.sleep(0.2)
            assert runs == []
            assert (await loop.run_in_executor(None, job.trigger)).change is Change.TRIGGERED
            await asyncio.sleep(0.2)
            assert len(runs) == 1
            runs.clear()
            assert (await loop.run_in_executor(None, job.start)).change is Change.STARTED
        scheduler.shutdown()
        await asyncio.sleep(0.05)

    asyncio.run(program())
    assert heard_on == {threading.get_ident()}


def test_an_asyncio_run_in_hand_is_finished(source: APScheduler) -> None:
    done: list[int] = []
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await may_end.wait()
        done.append(1)

    async def program() -> None:
        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.add_job(work, "interval", hours=1, id="async-long", next_run_time=datetime.now(UTC))
        scheduler.start()
        await begun.wait()
        loop = asyncio.get_running_loop()
        job = await loop.run_in_executor(None, steer, source, "async-long")
        stopping = loop.run_in_executor(None, job.stop, 20)
        loop.call_later(0.5, may_end.set)
        outcome = await stopping
        assert (outcome.finished, done) == (1, [1])
        scheduler.shutdown()
        await asyncio.sleep(0.05)

    asyncio.run(program())


def test_a_blocking_scheduler_is_steered_from_another_thread(source: APScheduler) -> None:
    runs: list[int] = []
    scheduler = BlockingScheduler(timezone=UTC)
    scheduler.add_job(runs.append, "interval", args=[1], seconds=0.05, id="blocking")
    thread = threading.Thread(target=scheduler.start)
    thread.start()
    eventually(lambda: runs)
    steer(source, "blocking").stop(5)
    runs.clear()
    time.sleep(0.2)
    assert runs == []
    steer(source, "blocking").start()
    eventually(lambda: runs)
    scheduler.shutdown()
    thread.join(10)
    assert not thread.is_alive()


def test_a_scheduler_of_another_kind_is_shown_but_not_steered(source: APScheduler) -> None:
    class Strange(apscheduler.schedulers.base.BaseScheduler):
        def start(self, paused: bool = False) -> None:
            super().start(paused)

        def shutdown(self, wait: bool = True) -> None:
            super().shutdown(wait)

        def wakeup(self) -> None:
            """Nobody sleeps."""

        def _create_default_executor(self) -> Any:
            return apscheduler.executors.pool.ThreadPoolExecutor(1)

    scheduler = Strange(timezone=UTC)
    scheduler.add_job(nothing, "interval", hours=1, id="odd")
    scheduler.start()
    assert shown(source, "odd").state is ListenerState.ENABLED
    with pytest.raises(SteeringError, match="Strange") as refused:
        steer(source, "odd").stop(1)
    assert (refused.value.code, refused.value.http_status) == ("NOT_SUPPORTED", 501)
    scheduler.shutdown()


def test_a_job_store_that_is_away_hides_no_other_jobs(source: APScheduler, scheduler: BackgroundScheduler) -> None:
    broken = BackgroundScheduler(timezone=UTC)
    broken.get_jobs = lambda *_, **__: 1 / 0  # type: ignore[method-assign, assignment]
    scheduler.add_job(nothing, "interval", hours=1, id="sound")
    assert "sound" in [one.name for one in source.find()]


def test_this_release_of_apscheduler_is_as_we_know_it() -> None:
    """What we rely on that is not promised: a release that changes it must fail here first."""
    base = apscheduler.schedulers.base
    assert (base.STATE_STOPPED, base.STATE_RUNNING, base.STATE_PAUSED) == (0, 1, 2)
    assert callable(base.BaseScheduler._dispatch_event)
    assert {"_instances"} <= set(vars(apscheduler.executors.pool.ThreadPoolExecutor(1)))
    assert issubclass(apscheduler.executors.asyncio.AsyncIOExecutor, apscheduler.executors.base.BaseExecutor)
    assert {"_jobstore_alias", "misfire_grace_time", "next_run_time", "func_ref"} <= set(Job.__slots__)
    assert apscheduler.executors.base.MaxInstancesReachedError.__name__ == "MaxInstancesReachedError"
