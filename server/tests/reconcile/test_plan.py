"""One decision: what it never does, whatever it is asked about."""

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pilothouse.domain.commands import ATTEMPTS_MAX, Command, CommandAction, CommandRoute, CommandState
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import DISABLED, ENABLED, Target, Wish
from pilothouse.reconcile import Situation, plan
from simulated import ABLE, T, command_for, listener, logger, seen, wish_for

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TARGETS = [listener("a"), listener("b"), logger("root"), logger("app")]
VALUES = {"state": ["enabled", "disabled"], "level": ["DEBUG", "INFO"]}
STATES = ["enabled", "disabled", "draining", "gated", "unknown", "failed"]
ENDED = [each for each in CommandState if each not in {CommandState.QUEUED, CommandState.DELIVERED}]


@st.composite
def wishes(draw: st.DrawFn) -> list[Wish]:
    found = []
    for number, target in enumerate(draw(st.lists(st.sampled_from(TARGETS), unique=True)), start=10):
        value = draw(st.sampled_from(VALUES[target.aspect.value]))
        prints = draw(st.sampled_from([(), ("p1",), ("p1", "p2")]))
        found.append(wish_for(target, value, number, prints))
    return found


@st.composite
def commands(draw: st.DrawFn, wished: list[Wish]) -> list[Command]:
    """At most one open command and one ended for each number: those of today's wishes, and of one that is past."""
    numbers = [
        *wished,
        *(wish_for(each, VALUES[each.aspect.value][0], 5 - place) for place, each in enumerate(TARGETS)),
    ]
    found: list[Command] = []
    for wish in numbers:
        if draw(st.booleans()):
            found.append(
                command_for(wish, id=f"e{wish.number}", state=draw(st.sampled_from(ENDED)), ended_at=T - 5)
            )  # fmt: skip
        if draw(st.booleans()):
            attempts = draw(st.integers(0, ATTEMPTS_MAX))
            found.append(
                command_for(
                    wish,
                    id=f"o{wish.number}",
                    state=CommandState.DELIVERED if attempts else CommandState.QUEUED,
                    attempts=attempts,
                    delivered_at=T - draw(st.sampled_from([1.0, 50.0, 600.0])) if attempts else None,
                    next_attempt_at=T + draw(st.sampled_from([-100.0, 0.0, 100.0])),
                )
            )
    return found


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    values, prints = {}, {}
    for target in draw(st.lists(st.sampled_from(TARGETS), unique=True)):
        values[target] = draw(st.sampled_from(STATES if target.aspect.value == "state" else ["DEBUG", "INFO"]))
        if target.aspect.value == "state" and draw(st.booleans()):
            prints[target] = draw(st.sampled_from(["p1", "p2", "other"]))
    return seen(
        values,
        prints=prints,
        runtime_type=draw(st.sampled_from([RuntimeType.PY, RuntimeType.BI])),
        capabilities=draw(st.sampled_from([(), ("START",), ("STOP", "SET_LOGGER_LEVEL"), ABLE])),
        observed_at=draw(st.sampled_from([None, T])),
        running_since=T - draw(st.sampled_from([1.0, 1_000.0])),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[Wish], Situation, list[Command]]:
    wished = draw(wishes())
    return wished, draw(situations()), draw(commands(wished))


# What a sentence of the contract says, written down again without a look at how it is decided.
def is_hosted(situation: Situation, target: Target) -> bool:
    return target in situation.observed.values or (
        target.kind.value == "logger" and situation.runtime_type is RuntimeType.PY
    )


def is_so(situation: Situation, wish: Wish) -> bool:
    value = situation.observed.values.get(wish.target)
    return value == wish.value or (wish.value == "disabled" and value == "gated")


def is_another_thing(situation: Situation, wish: Wish) -> bool:
    bears = situation.observed.fingerprints.get(wish.target)
    return bool(wish.fingerprints) and bears is not None and bears not in wish.fingerprints


def is_able(situation: Situation, wish: Wish) -> bool:
    if situation.runtime_type is RuntimeType.BI:
        return True
    action = {"enabled": "START", "disabled": "STOP"}.get(wish.value, "SET_LOGGER_LEVEL")
    return action in situation.capabilities


@UNHURRIED
@given(questions())
def test_a_command_is_begun_only_for_what_is_hosted_differs_is_no_other_thing_and_can_be_told(asked) -> None:
    wished, situation, known = asked
    for wish in plan(wished, situation, known, T).begin:
        assert is_hosted(situation, wish.target)
        assert not is_so(situation, wish)
        assert not is_another_thing(situation, wish)
        assert is_able(situation, wish)


@UNHURRIED
@given(questions())
def test_what_is_owed_is_begun(asked) -> None:
    wished, situation, known = asked
    decided = plan(wished, situation, known, T)
    open_after = {each.wish_number for each in (*decided.due, *decided.waiting)}
    ended_now = {each.command.wish_number: each.state for each in decided.endings}
    for wish in wished:
        last = ended_now.get(wish.number) or next(
            (each.state for each in known if each.wish_number == wish.number and not each.is_open), None
        )
        is_owed = (
            is_hosted(situation, wish.target)
            and not is_so(situation, wish)
            and not is_another_thing(situation, wish)
            and is_able(situation, wish)
            and last is not CommandState.FAILED
            and wish.number not in open_after
            # Only where nobody can see whether it holds, having been confirmed once is enough.
            and not (situation.observed.values.get(wish.target) == "unknown" and last is CommandState.CONFIRMED)
        )
        assert (wish in decided.begin) or not is_owed


@UNHURRIED
@given(questions())
def test_what_is_handed_over_serves_todays_wish_for_what_is_hosted_and_can_be_told(asked) -> None:
    wished, situation, known = asked
    of_number = {wish.number: wish for wish in wished}
    for command in plan(wished, situation, known, T).due:
        wish = of_number[command.wish_number]
        assert is_hosted(situation, wish.target)
        assert not is_so(situation, wish)
        assert not is_another_thing(situation, wish)
        assert is_able(situation, wish)
        assert command.attempts < ATTEMPTS_MAX
        assert command.next_attempt_at <= T


@UNHURRIED
@given(questions())
def test_a_wish_never_has_two_open_commands_at_one_runtime(asked) -> None:
    wished, situation, known = asked
    decided = plan(wished, situation, known, T)
    left_open = [each.wish_number for each in (*decided.due, *decided.waiting)]
    numbers = [*left_open, *(wish.number for wish in decided.begin)]
    assert len(numbers) == len(set(numbers))


@UNHURRIED
@given(questions())
def test_a_command_is_superseded_at_once_when_its_wish_is_not_the_present_one_and_only_then(asked) -> None:
    wished, situation, known = asked
    present = {wish.number for wish in wished}
    decided = plan(wished, situation, known, T)
    overtaken = {each.id for each in known if each.is_open and each.wish_number not in present}
    assert {each.command.id for each in decided.endings if each.state is CommandState.SUPERSEDED} == overtaken


@UNHURRIED
@given(questions())
def test_a_command_is_confirmed_by_what_is_observed_and_by_nothing_else(asked) -> None:
    wished, situation, known = asked
    of_number = {wish.number: wish for wish in wished}
    decided = plan(wished, situation, known, T)
    confirmed = {each.command.id for each in decided.endings if each.state is CommandState.CONFIRMED}
    expected = {
        each.id
        for each in known
        if each.is_open
        and (wish := of_number.get(each.wish_number)) is not None
        and is_so(situation, wish)
        and not is_another_thing(situation, wish)
    }
    assert confirmed == expected


@UNHURRIED
@given(questions())
def test_a_command_fails_only_after_all_its_attempts(asked) -> None:
    wished, situation, known = asked
    for ending in plan(wished, situation, known, T).endings:
        if ending.state is CommandState.FAILED:
            assert ending.command.attempts == ATTEMPTS_MAX


@UNHURRIED
@given(questions())
def test_what_failed_is_not_begun_again_for_the_same_wish(asked) -> None:
    wished, situation, known = asked
    failed = {each.wish_number for each in known if each.state is CommandState.FAILED}
    assert not failed & {wish.number for wish in plan(wished, situation, known, T).begin}


@UNHURRIED
@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_wishes_and_commands_decides_nothing(asked, random) -> None:
    wished, situation, known = asked
    first = plan(wished, situation, known, T)
    random.shuffle(wished)
    random.shuffle(known)
    second = plan(wished, situation, known, T)
    assert set(first.begin) == set(second.begin)
    assert {each.id for each in first.due} == {each.id for each in second.due}
    assert {each.id for each in first.waiting} == {each.id for each in second.waiting}
    assert {(each.command.id, each.state) for each in first.endings} == {
        (each.command.id, each.state) for each in second.endings
    }


@UNHURRIED
@given(questions())
def test_every_open_command_ends_or_is_due_or_waits(asked) -> None:
    wished, situation, known = asked
    decided = plan(wished, situation, known, T)
    found = [each.command.id for each in decided.endings] + [each.id for each in (*decided.due, *decided.waiting)]
    assert sorted(found) == sorted(each.id for each in known if each.is_open)


@UNHURRIED
@given(questions())
def test_planning_again_on_the_outcome_ends_and_begins_nothing_more(asked) -> None:
    wished, situation, known = asked
    decided = plan(wished, situation, known, T)
    outcome = {each.id: each for each in known}
    for ending in decided.endings:
        outcome[ending.command.id] = msgspec.structs.replace(ending.command, state=ending.state, ended_at=T)
    for wish in decided.begin:
        outcome[f"new{wish.number}"] = command_for(wish, id=f"new{wish.number}")
    last = {each.wish_number: each.id for each in outcome.values() if not each.is_open}
    last |= {ending.command.wish_number: ending.command.id for ending in decided.endings}
    relevant = [each for each in outcome.values() if each.is_open or last[each.wish_number] == each.id]
    again = plan(wished, situation, relevant, T)
    assert (again.endings, again.begin) == ((), ())


@pytest.mark.parametrize("value", ["draining"])
@given(attempts=st.integers(1, ATTEMPTS_MAX), since_s=st.floats(0, 10_000))
def test_what_is_seen_under_way_is_neither_repeated_nor_called_failed(
    value: str, attempts: int, since_s: float
) -> None:
    wish = wish_for(listener(), DISABLED)
    command = command_for(
        wish, state=CommandState.DELIVERED, attempts=attempts, delivered_at=T - since_s - 1, next_attempt_at=T - since_s
    )
    decided = plan([wish], seen({wish.target: value}, observed_at=T), [command], T)
    assert (decided.endings, decided.due, decided.begin) == ((), (), ())


def test_a_gate_is_as_near_to_closed_as_it_gets_and_the_reason_says_so() -> None:
    wish = wish_for(listener(), DISABLED)
    command = command_for(wish, state=CommandState.DELIVERED, attempts=1, delivered_at=T - 5)
    (ending,) = plan([wish], seen({wish.target: "gated"}), [command], T).endings
    assert ending.state is CommandState.CONFIRMED
    assert "gated" in ending.reason


def test_a_gate_is_not_open() -> None:
    wish = wish_for(listener(), ENABLED)
    assert plan([wish], seen({wish.target: "gated"}), [], T).begin == (wish,)


def test_what_is_gone_from_the_runtime_expires_and_says_why() -> None:
    wish = wish_for(listener(), DISABLED)
    command = command_for(wish, state=CommandState.DELIVERED, attempts=1, delivered_at=T - 5)
    (ending,) = plan([wish], seen({}), [command], T).endings
    assert (ending.state, ending.reason) == (CommandState.EXPIRED, "The runtime does not host it any more.")


def test_what_the_runtime_cannot_be_told_any_more_expires_and_is_begun_when_it_can() -> None:
    wish = wish_for(listener(), DISABLED)
    command = command_for(wish)
    (ending,) = plan([wish], seen({wish.target: "enabled"}, capabilities=()), [command], T).endings
    assert ending.state is CommandState.EXPIRED
    assert "declare" in ending.reason
    ended = msgspec.structs.replace(command, state=ending.state, ended_at=T)
    assert plan([wish], seen({wish.target: "enabled"}, capabilities=()), [ended], T + 1).begin == ()
    assert plan([wish], seen({wish.target: "enabled"}), [ended], T + 2).begin == (wish,)


def test_the_words_of_the_runtime_are_in_the_reason_of_a_failure() -> None:
    wish = wish_for(listener(), ENABLED)
    command = command_for(
        wish, state=CommandState.DELIVERED, attempts=ATTEMPTS_MAX, delivered_at=T - 5, next_attempt_at=T - 1
    )
    situation = seen({wish.target: "failed"}, observed_at=T)
    told = msgspec.structs.replace(situation.observed, reasons={wish.target: "Port 8090 is taken."})
    (ending,) = plan([wish], msgspec.structs.replace(situation, observed=told), [command], T).endings
    assert "still reports failed instead of enabled" in ending.reason
    assert "It says: Port 8090 is taken." in ending.reason


def test_a_level_of_a_micro_integrators_logger_is_told_once_in_each_life_of_its_process() -> None:
    wish = wish_for(logger("org-apache"), "DEBUG")
    confirmed = command_for(wish, state=CommandState.CONFIRMED, attempts=1, ended_at=T)
    mi = {"runtime_type": RuntimeType.MI, "capabilities": ()}
    assert plan([wish], seen({}, **mi), [], T).begin == (wish,)
    assert plan([wish], seen({}, running_since=T - 10, **mi), [confirmed], T + 5).begin == ()
    assert plan([wish], seen({}, running_since=T + 1, **mi), [confirmed], T + 5).begin == (wish,)


def asked_once(**members: object) -> Command:
    return msgspec.structs.replace(
        Command(id="q", runtime_key=1, action=CommandAction.TRIGGER, author="ana", queued_at=T, deadline=T + 120),
        **members,
    )


def test_what_is_asked_once_leaves_once_and_expires_at_its_deadline() -> None:
    queued = asked_once()
    assert plan([], seen({}), [queued], T).due == (queued,)
    delivered = asked_once(state=CommandState.DELIVERED, delivered_at=T, attempts=1)
    decided = plan([], seen({}), [delivered], T + 119)
    assert (decided.due, decided.waiting) == ((), (delivered,))
    (ending,) = plan([], seen({}), [delivered], T + 120).endings
    assert (ending.state, ending.reason) == (CommandState.EXPIRED, "The runtime did not answer in time.")
    (ending,) = plan([], seen({}), [queued], T + 120).endings
    assert ending.reason == "It was not handed over in time."


def test_a_question_is_asked_again_when_no_answer_comes() -> None:
    asked = asked_once(
        action=CommandAction.LIST_LOGGERS,
        state=CommandState.DELIVERED,
        delivered_at=T,
        attempts=1,
        next_attempt_at=T + 20,
    )
    able = (*ABLE, "LIST_LOGGERS")
    assert plan([], seen({}, capabilities=able), [asked], T + 19).due == ()
    assert plan([], seen({}, capabilities=able), [asked], T + 20).due == (asked,)


@given(st.sampled_from(list(CommandAction)), st.sampled_from(list(RuntimeType)))
def test_what_was_not_declared_is_never_handed_over(action: CommandAction, runtime_type: RuntimeType) -> None:
    assume(runtime_type is not RuntimeType.MI)
    known = {CommandAction.START, CommandAction.STOP, CommandAction.SET_LOGGER_LEVEL}
    assume(not (runtime_type is RuntimeType.BI and action in known))
    decided = plan([], seen({}, runtime_type=runtime_type, capabilities=()), [asked_once(action=action)], T)
    assert decided.due == ()


@pytest.mark.parametrize("route", list(CommandRoute))
def test_routes_that_tell_of_arrival_wait_for_work_in_hand_before_they_repeat(route: CommandRoute) -> None:
    from pilothouse.domain.commands import GRACE_S, SAME_MOMENT_S, next_attempt_after

    waits = [
        next_attempt_after(command_for(wish_for(listener(), DISABLED)), attempts, route, T) - T
        for attempts in range(1, ATTEMPTS_MAX + 1)
    ]
    assert waits == sorted(waits)
    assert waits[2:] == [60, 120, 240, 480]
    assert waits[:2] == ([SAME_MOMENT_S] * 2 if route is CommandRoute.HEARTBEAT else [GRACE_S + 5] * 2)
