"""Many turns: a runtime that obeys ends as desired and is left in peace; one that does not is called failed, in time."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pilothouse.domain.commands import ATTEMPTS_MAX, CommandRoute, CommandState
from pilothouse.domain.runtime_type import RuntimeType
from simulated import ABLE, World, listener, logger

HTTP, ADMIN, ROOT = listener("http"), listener("admin"), logger("root")
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
gaps = st.floats(0.5, 300, allow_nan=False)


def world(**members: Any) -> World:
    truth = {HTTP: "enabled", ADMIN: "enabled", ROOT: "INFO"}
    return World(truth=dict(truth), reported=dict(truth), **members)


@given(st.lists(gaps, min_size=2, max_size=20), st.sampled_from([HTTP, ROOT]))
def test_a_runtime_that_obeys_is_told_once_ends_as_desired_and_is_left_in_peace(
    beats: list[float], target: Any
) -> None:
    here = world()
    here.wish(target, "disabled" if target is HTTP else "DEBUG")
    for gap_s in beats:
        here.beat()
        here.now += gap_s
    (command,) = here.commands
    assert (command.state, command.attempts) == (CommandState.CONFIRMED, 1)
    assert here.truth[target] == here.wishes[target].value
    quiet = here.decide(here.now)
    assert (quiet.begin, quiet.due, quiet.waiting, quiet.endings) == ((), (), (), ())


@given(
    st.lists(gaps, min_size=4_000 // 300, max_size=60), st.sampled_from([CommandRoute.HEARTBEAT, CommandRoute.CHANNEL])
)
@settings(UNHURRIED, max_examples=60)
def test_a_runtime_that_does_nothing_is_offered_it_six_times_with_growing_waits_and_then_it_failed(
    beats: list[float], route: CommandRoute
) -> None:
    """The model: after the n-th offer the next one is at the first beat that is at least the n-th wait later."""
    least_s = 0.0 if route is CommandRoute.HEARTBEAT else 35.0
    waits = [max(least_s, wait) for wait in (0, 0, 60, 120, 240)]
    here = world(route=route)
    here.wish(HTTP, "disabled")
    offered: list[float] = []
    failed_at: float | None = None
    for gap_s in [*beats, *[60.0] * 30]:
        if not offered or (len(offered) < ATTEMPTS_MAX and here.now >= offered[-1] + waits[len(offered) - 1]):
            offered.append(here.now)
        elif len(offered) == ATTEMPTS_MAX and failed_at is None:
            failed_at = here.now  # the first report after the last offer
        here.beat(obeys=False)
        (command,) = here.commands
        assert (command.state is CommandState.FAILED) == (failed_at is not None)
        here.now += gap_s
    assert [at for at, _ in here.delivered] == offered
    assert len(offered) == ATTEMPTS_MAX
    assert here.commands[0].ended_at == failed_at


@given(st.integers(0, ATTEMPTS_MAX - 1), st.booleans())
def test_a_runtime_whose_answers_are_lost_is_told_again_until_one_arrives(lost: int, full: bool) -> None:
    here = world()
    here.wish(HTTP, "disabled")
    left, changed = lost, False
    for _ in range(100):
        offered = here.beat(obeys=False, full=full or changed)
        if offered and left:
            left -= 1
        elif offered:
            here.truth[HTTP], changed = "disabled", True  # it carries it out, and reports in full from now on
        here.now += 10
    (command,) = here.commands
    assert (command.state, command.attempts) == (CommandState.CONFIRMED, lost + 1)


@given(st.integers(1, ATTEMPTS_MAX))
def test_after_a_failure_nothing_is_sent_until_the_wish_changes(changes: int) -> None:
    here = world()
    here.wish(HTTP, "disabled")
    for _ in range(60):
        here.beat(obeys=False)
        here.now += 60
    assert here.commands[-1].state is CommandState.FAILED
    sent = len(here.delivered)
    for _ in range(changes):
        here.beat()
        here.now += 3_600
    assert len(here.delivered) == sent
    here.wish(HTTP, "disabled")  # the same again is a new wish
    here.beat()
    here.beat()
    assert here.truth[HTTP] == "disabled"
    assert here.commands[-1].state is CommandState.CONFIRMED


def test_what_failed_and_is_done_by_hand_later_is_in_peace() -> None:
    here = world()
    here.wish(HTTP, "disabled")
    for _ in range(60):
        here.beat(obeys=False)
        here.now += 60
    here.truth[HTTP] = "disabled"
    here.beat()
    quiet = here.decide(here.now)
    assert (quiet.begin, quiet.due, quiet.endings) == ((), (), ())


def test_what_drifts_away_later_is_brought_back() -> None:
    here = world()
    here.wish(HTTP, "disabled")
    here.beat()
    here.beat()
    here.truth[HTTP] = "enabled"  # somebody restarted the program
    here.beat()
    here.beat()
    assert here.truth[HTTP] == "disabled"
    assert [command.state for command in here.commands] == [CommandState.CONFIRMED] * 2


def test_who_changes_their_mind_to_and_fro_is_followed_to_the_last_word() -> None:
    here = world()
    for value in ("disabled", "enabled", "disabled", "enabled"):
        here.wish(HTTP, value)
        here.beat(full=False)
    for _ in range(4):
        here.beat()
    assert here.truth[HTTP] == "enabled"
    assert not any(command.is_open for command in here.commands)
    assert [command.state for command in here.commands][-1] is CommandState.CONFIRMED


def test_a_program_that_no_longer_declares_what_it_can_is_not_told_and_nothing_stays_open() -> None:
    here = world()
    here.wish(HTTP, "disabled")
    here.look(hands_over=False)
    here.capabilities = ()
    assert here.beat() == []
    assert not any(command.is_open for command in here.commands)
    here.capabilities = ABLE
    here.beat()
    here.beat()
    assert here.truth[HTTP] == "disabled"


class Fleet(RuleBasedStateMachine):
    """Wishes, beats, losses and drift in any order; whatever happened, a calm spell ends in order."""

    targets = st.sampled_from([HTTP, ADMIN, ROOT])

    @initialize(
        runtime_type=st.sampled_from([RuntimeType.PY, RuntimeType.BI]),
        route=st.sampled_from([CommandRoute.HEARTBEAT, CommandRoute.CHANNEL]),
    )
    def begin(self, runtime_type: RuntimeType, route: CommandRoute) -> None:
        self.world = world(runtime_type=runtime_type, route=route)

    @rule(thing=targets, number=st.integers(0, 2))
    def wish(self, thing: Any, number: int) -> None:
        values = ["enabled", "disabled", None] if thing is not ROOT else ["DEBUG", "WARN", None]
        self.world.wish(thing, values[number])

    @rule(arrives=st.booleans(), obeys=st.booleans(), full=st.booleans())
    def beat(self, arrives: bool, obeys: bool, full: bool) -> None:
        self.world.beat(arrives=arrives, obeys=obeys, full=full)

    @rule(seconds=st.sampled_from([1.0, 10.0, 70.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(thing=targets)
    def drift(self, thing: Any) -> None:
        if thing in self.world.truth:
            flips = {"enabled": "disabled", "disabled": "enabled", "DEBUG": "INFO"}
            self.world.truth[thing] = flips.get(self.world.truth[thing], "DEBUG")

    @rule(thing=st.sampled_from([HTTP, ADMIN]))
    def come_or_go(self, thing: Any) -> None:
        if self.world.truth.pop(thing, None) is None:
            self.world.truth[thing] = "enabled"

    @rule(able=st.booleans())
    def declare(self, able: bool) -> None:
        self.world.capabilities = ABLE if able else ()

    @rule()
    def look(self) -> None:
        self.world.look(hands_over=False)

    @invariant()
    def no_wish_has_two_open_commands(self) -> None:
        numbers = [command.wish_number for command in self.world.commands if command.is_open]
        assert len(numbers) == len(set(numbers))

    @invariant()
    def nothing_was_offered_more_than_six_times(self) -> None:
        assert all(command.attempts <= ATTEMPTS_MAX for command in self.world.commands)

    def teardown(self) -> None:
        """Calm: it can, everything arrives, it obeys."""
        if not hasattr(self, "world"):
            return
        here = self.world
        here.capabilities = ABLE
        for _ in range(12):
            here.now += 1_000
            here.beat()
        assert not any(command.is_open for command in here.commands)
        for target, wish in here.wishes.items():
            ended = [command for command in here.of(target) if command.wish_number == wish.number]
            has_failed = bool(ended) and ended[-1].state is CommandState.FAILED
            assert target not in here.truth or here.truth[target] == wish.value or has_failed
        sent = len(here.delivered)
        for _ in range(3):
            here.now += 1_000
            here.beat()
        assert len(here.delivered) == sent


TestFleet: Any = Fleet.TestCase
TestFleet.settings = settings(UNHURRIED, max_examples=60, stateful_step_count=30)
