"""Following lines: nothing missed or repeated, one question for all, no memory for who is slow, and every skipped line counted."""

import asyncio
import gc
import time
import weakref
from collections.abc import Sequence

import msgspec
import pytest
from pilothouse.access.places import EVERYWHERE
from pilothouse.base.errors import InvalidInput, Unavailable
from pilothouse.telemetry import following
from pilothouse.telemetry.errors import StoreDown
from pilothouse.telemetry.following import GapTooGreat, Tail, Tails, tails_of
from pilothouse.telemetry.model import Level, LogBatch, LogRecord, Origin
from pilothouse.telemetry.questions import ArrivalQuestion, Arrivals, LogFilter, Scope
from pilothouse.telemetry.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

ALL = Scope(places=(EVERYWHERE,))
ANY = LogFilter()
ERRORS = LogFilter(levels=(Level.ERROR,))
ORIGIN = Origin(project_id="p", integration_id="i", environment_id="e", runtime_id="r", runtime_key=1)


class Asked(MemoryStore):
    """The store in memory, which notes what it is asked and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[ArrivalQuestion] = []
        self.is_away = False

    async def arrivals(self, question: ArrivalQuestion, *, timeout_s: float = 10.0) -> Arrivals:
        if self.is_away:
            raise StoreDown
        if question.scope.places:
            self.asked.append(question)
        return await super().arrivals(question, timeout_s=timeout_s)

    async def say(self, *messages: str, level: Level = Level.INFO) -> None:
        records = [LogRecord(at_ns=1, message=message, severity=level.value) for message in messages]
        await self.append_logs([LogBatch(ORIGIN, records)])

    async def count_to(self, count: int) -> None:
        await self.say(*(f"n{number}" for number in range(count)))


@pytest.fixture
def store() -> Asked:
    return Asked()


@pytest.fixture
async def tails(store: Asked):
    made = Tails(store)
    yield made
    for topic in made._topics.values():
        topic.stop()
    await asyncio.sleep(0)


def said(lines: Sequence) -> list[str]:
    return [line.record.message for line in lines]


async def joined(tails: Tails, filter_: LogFilter = ANY, after: int | None = None) -> Tail:
    tail = await tails.open(ALL, filter_, after)
    first = await tail.take(0)
    assert (first.lines, first.skipped) == ([], 0)
    return tail


async def test_lines_come_within_a_second_of_being_stored(tails, store) -> None:
    await store.say("before")
    tail = await joined(tails)
    await store.say("after")
    part = await asyncio.wait_for(tail.take(5), 1.0)
    assert said(part.lines) == ["after"]
    assert part.skipped == 0


async def test_it_goes_on_behind_an_arrival_without_loss_or_repetition(tails, store) -> None:
    tail = await joined(tails)
    await store.say("a", "b")
    seen = await tail.take(5)
    tail.close()
    await store.say("c")
    again = await tails.open(ALL, ANY, seen.arrival)
    first = await again.take(0)
    await store.say("d")
    second = await again.take(5)
    assert (said(seen.lines), said(first.lines), said(second.lines)) == (["a", "b"], ["c"], ["d"])


async def test_whoever_breaks_off_at_any_time_sees_every_line_once(tails, store) -> None:
    seen: list[str] = []
    done = asyncio.Event()

    async def speak() -> None:
        for number in range(300):
            await store.say(f"n{number}")
            if number % 7 == 0:
                await asyncio.sleep(0.005)
        done.set()

    speaking = asyncio.create_task(speak())
    after = -1
    while len(seen) < 300:
        tail = await tails.open(ALL, ANY, after)
        for _ in range(3):
            part = await tail.take(0.05)
            seen += said(part.lines)
            after = part.arrival
            assert part.skipped == 0
        tail.close()
    await speaking
    assert seen == [f"n{number}" for number in range(300)]


async def test_two_hundred_tails_of_one_question_ask_once(tails, store) -> None:
    many = [await joined(tails) for _ in range(200)]
    other = await joined(tails, ERRORS)
    assert (len(tails), tails.questions) == (201, 2)
    store.asked.clear()
    await store.say("told to all")
    parts = await asyncio.wait_for(asyncio.gather(*(tail.take(5) for tail in many)), 5)
    assert [said(part.lines) for part in parts] == [["told to all"]] * 200
    await asyncio.sleep(0.3)
    assert len(store.asked) == 2
    for tail in [*many, other]:
        tail.close()
    assert (len(tails), tails.questions) == (0, 0)


async def test_nothing_is_asked_while_nothing_arrives(tails, store) -> None:
    await joined(tails)
    store.asked.clear()
    await asyncio.sleep(0.5)
    assert store.asked == []


async def test_a_filter_that_nothing_fits_does_not_hold_its_follower_back(tails, store) -> None:
    tail = await joined(tails, ERRORS)
    await store.count_to(10)
    part = await tail.take(0.5)
    assert (part.lines, part.skipped, part.arrival) == ([], 0, 9)


async def test_more_than_five_hundred_lines_a_second_are_counted_and_not_kept(tails, store) -> None:
    tail = await joined(tails)
    began_s = time.monotonic()
    await store.count_to(2_345)
    lines, skipped = [], 0
    while len(lines) + skipped < 2_345:
        part = await tail.take(5)
        lines += said(part.lines)
        skipped += part.skipped
    seconds = 1 + int(time.monotonic() - began_s)
    assert len(lines) + skipped == 2_345
    assert lines[:500] == [f"n{number}" for number in range(500)]
    assert len(set(lines)) == len(lines) <= 500 * seconds
    await asyncio.sleep(1.0)
    await store.say("a second later")
    assert said((await tail.take(5)).lines) == ["a second later"]


async def test_who_does_not_take_its_lines_keeps_few_of_them(tails, store) -> None:
    slow = await joined(tails)
    quick = await joined(tails)
    for number in range(4):
        await store.count_to(400)
        assert len((await quick.take(5)).lines) == 400, number
        await asyncio.sleep(1.0)
    assert len(slow._lines) == 500
    part = await slow.take(0)
    assert (len(part.lines), part.skipped) == (500, 1_100)


async def test_long_lines_take_the_room_of_many(tails, store, monkeypatch) -> None:
    monkeypatch.setattr(following, "CHARACTERS_MAX", 1_000)
    tail = await joined(tails)
    await store.say(*["x" * 300] * 5)
    part = await tail.take(5)
    assert (len(part.lines), part.skipped) == (3, 2)


async def test_a_gap_is_given_whole_at_the_pace_of_a_tail(tails, store, monkeypatch) -> None:
    monkeypatch.setattr(following, "CHARACTERS_MAX", 2_000)
    await store.count_to(520)
    await store.say(*["x" * 1_500] * 2)
    tail = await tails.open(ALL, ANY, -1)
    lines: list[str] = []
    began_s = asyncio.get_running_loop().time()
    while len(lines) < 522:
        part = await tail.take(5)
        assert part.skipped == 0
        lines += said(part.lines)
    assert lines[:520] == [f"n{number}" for number in range(520)]
    assert asyncio.get_running_loop().time() - began_s >= 0.9


async def test_what_is_beyond_the_gap_that_can_be_given_is_counted(tails, store, monkeypatch) -> None:
    monkeypatch.setattr(following, "CATCH_UP_MAX", 500)
    await store.count_to(3_210)
    tail = await tails.open(ALL, ANY, -1)
    part = await tail.take(5)
    assert (len(part.lines), part.skipped, part.arrival) == (500, 2_710, 3_209)
    await asyncio.sleep(1.0)
    await store.say("now")
    assert said((await tail.take(5)).lines) == ["now"]


async def test_a_gap_that_cannot_be_bridged_is_said(tails, store, monkeypatch) -> None:
    monkeypatch.setattr(following, "CATCH_UP_MAX", 500)
    monkeypatch.setattr(following, "GAP_MAX", 1_000)
    await store.count_to(3_000)
    tail = await tails.open(ALL, ANY, -1)
    with pytest.raises(GapTooGreat) as refused:
        await tail.take(5)
    assert refused.value.fix


async def test_an_arrival_that_never_was_is_refused(tails, store) -> None:
    await store.count_to(3)
    with pytest.raises(InvalidInput) as refused:
        await tails.open(ALL, ANY, 3)
    assert refused.value.field == "after"


async def test_a_store_that_is_away_for_a_moment_costs_no_line(tails, store) -> None:
    tail = await joined(tails)
    store.is_away = True
    await store.say("said meanwhile")
    assert (await tail.take(0.6)).lines == []
    store.is_away = False
    assert said((await tail.take(5)).lines) == ["said meanwhile"]


async def test_a_store_that_stays_away_is_heard_of(tails, store, monkeypatch) -> None:
    monkeypatch.setattr(following, "PATIENCE_S", 0.0)
    tail = await joined(tails)
    store.is_away = True
    with pytest.raises(Unavailable):
        await tail.take(5)
    assert tails.questions == 0
    store.is_away = False
    await joined(tails)


async def test_an_expression_that_is_none_is_refused_at_once(tails) -> None:
    tail = await tails.open(ALL, LogFilter(regex="("))
    with pytest.raises(InvalidInput):
        await tail.take(0)


async def test_a_new_follower_of_a_question_that_has_ended_begins_it_anew(tails, store) -> None:
    first = await joined(tails)
    first.close()
    second = await joined(tails)
    await asyncio.sleep(0)
    await store.say("heard")
    assert said((await second.take(5)).lines) == ["heard"]


async def test_each_store_has_its_followers_and_takes_them_with_it() -> None:
    store = MemoryStore()
    made = weakref.ref(tails_of(store))
    assert tails_of(store) is made()
    assert tails_of(MemoryStore()) is not made()
    del store
    gc.collect()
    assert made() is None


def test_questions_that_differ_only_in_where_they_begin_are_the_same() -> None:
    one = ArrivalQuestion(scope=ALL, after=3)
    assert following._key(one) == following._key(msgspec.structs.replace(one, after=9))
    assert following._key(one) != following._key(ArrivalQuestion(scope=ALL, filter=ERRORS, after=3))
