"""Several boards that tell each other what they heard say the same as one board that heard everything."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.domain.liveness import LivenessRules, Status
from pilothouse.domain.presence import Heard, SharedRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence import Board, Entry, merging, watching

RULES = LivenessRules(mass_count=1_000)
REPLICAS = 3
RUNTIMES = 2
BEGUN = 1_000.0


def entry(key: int, *, hash_: str = "hash-1") -> Entry:
    return Entry(
        runtime_key=key,
        runtime_id=f"runtime-{key}",
        project_id="p",
        integration_id="i",
        environment_id="e",
        runtime_type=RuntimeType.PY,
        runtime_hash=hash_,
        seen_at=BEGUN,
        interval_s=10.0,
        interval_is_reported=True,
        own_interval_s=10.0,
        address=None,
        running_since=BEGUN,
        status=Status.RUNNING,
    )


def board() -> Board:
    made = Board(RULES, BEGUN)
    for key in range(RUNTIMES):
        made.put(entry(key))
    return made


def taken(here: Board) -> list[Heard]:
    return [merging.heard_of(one) for one in here.take_dirty(here.dirty_count)]


class Stored:
    """What the database keeps: of each part the newest, as its statement does."""

    def __init__(self) -> None:
        self.rows: dict[int, Heard] = {}

    def save(self, heard: list[Heard]) -> None:
        for new in heard:
            old = self.rows.get(new.runtime_key, new)
            seen = new if new.seen_at >= old.seen_at else old
            left = new if (new.departed_at or 0) >= (old.departed_at or 0) else old
            self.rows[new.runtime_key] = Heard(
                runtime_key=new.runtime_key,
                seen_at=seen.seen_at,
                interval_s=seen.interval_s,
                address=seen.address,
                channel_at=max(new.channel_at or 0, old.channel_at or 0) or None,
                departed_at=left.departed_at,
                departed_how=left.departed_how,
            )


# A step is: how much later, which replica, which runtime, and what happens there.
STEPS = st.lists(
    st.tuples(
        st.integers(1, 25),
        st.integers(0, REPLICAS - 1),
        st.integers(0, RUNTIMES - 1),
        st.sampled_from(["beat", "beat", "beat", "goodbye", "flush", "look"]),
    ),
    max_size=40,
)
ORDER = st.permutations(range(REPLICAS))


@settings(max_examples=300, deadline=None)
@given(STEPS, ORDER, ORDER)
def test_any_interleaving_over_replicas_gives_what_one_would_know(
    steps: list[tuple[int, int, int, str]], flushed: list[int], looked: list[int]
) -> None:
    one, several, stored = board(), [board() for _ in range(REPLICAS)], Stored()
    for each in several:
        each.shared = True
    now = BEGUN
    for later_s, number, key, what in steps:
        now += later_s
        each, alone = several[number], one.find_key(key)
        here = each.find_key(key)
        assert alone is not None
        assert here is not None
        if what == "beat":
            one.touch(alone, now, f"10.0.0.{number}")
            each.touch(here, now, f"10.0.0.{number}")
        elif what == "goodbye":
            one.end_channel(alone, now, said_goodbye=True)
            each.end_channel(here, now, said_goodbye=True)
        elif what == "flush":
            stored.save(taken(each))
        else:
            merging.hear(each, list(stored.rows.values()))
    for number in flushed:
        stored.save(taken(several[number]))
    for number in looked:
        merging.hear(several[number], list(stored.rows.values()))
    assert_alike(one, several, now)


def assert_alike(one: Board, several: list[Board], now: float) -> None:
    for key in range(RUNTIMES):
        alone = one.find_key(key)
        assert alone is not None
        for each in several:
            here = each.find_key(key)
            assert here is not None
            assert (here.seen_at, here.address, here.departure) == (alone.seen_at, alone.address, alone.departure)
            for later_s in (0, 15, 31, 100):
                assert each.judge(here, now + later_s) == one.judge(alone, now + later_s)


def row(key: int, **more: object) -> SharedRow:
    values = {
        "runtime_key": key,
        "runtime_id": f"runtime-{key}",
        "project_id": "p",
        "integration_id": "i",
        "environment_id": "e",
        "runtime_type": RuntimeType.PY,
        "runtime_hash": "hash-2",
        "seen_at": BEGUN + 5,
        "interval_s": 20.0,
        "address": "10.0.0.9",
        "running_since": BEGUN,
        "status": Status.OFFLINE,
        "via": "another",
        "channel_at": None,
        "departed_at": None,
        "departed_how": None,
        "told": "00ff",
        "is_retired": False,
    }
    return SharedRow(**(values | more))  # type: ignore[arg-type]


def test_a_row_that_changed_brings_what_was_told_and_what_was_reported() -> None:
    known = board()
    assert merging.merge(known, [row(0), row(7), row(1, is_retired=True)]) == [1]
    found = known.find_key(0)
    assert found is not None
    assert (found.runtime_hash, found.status, found.told, found.seen_at) == (
        "hash-2",
        Status.OFFLINE,
        b"\x00\xff",
        BEGUN + 5,
    )
    assert known.find("i", "e", "runtime-7") is known.find_key(7)
    assert known.find_key(1) is None


def test_a_verdict_is_about_the_moment_up_to_which_everything_is_known() -> None:
    known = board()
    known.shared, known.known_until = True, BEGUN + 29
    assert watching.turns(known, BEGUN + 500) == []
    known.known_until = BEGUN + 31
    assert [turn.verdict.status for turn in watching.turns(known, BEGUN + 500)] == [Status.OFFLINE] * RUNTIMES


def test_what_a_replica_heard_last_may_be_lost_with_it() -> None:
    known = board()
    known.lost_until = BEGUN + 40
    first = known.find_key(0)
    assert first is not None
    assert known.judge(first, BEGUN + 29).status is Status.RUNNING
    assert known.judge(first, BEGUN + 60).status is Status.UNKNOWN
    assert known.judge(first, BEGUN + 71).status is Status.OFFLINE
