"""Whom records belong to, as who sent them and what they name decide."""

import pytest
from pilothouse.access.places import Place
from pilothouse.domain.events import Event, EventKind
from pilothouse.domain.liveness import LivenessRules, Status
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.operations.telemetry_origins import OriginBook
from pilothouse.presence import Board, Entry
from pilothouse.telemetry.model import Origin
from pilothouse.telemetry.senders import CollectorSender, NotYours, RuntimeSender

NOW = 1_790_000_000.0
OWN = RuntimeSender(key_id="k", project_id="p", integration_id="i", environment_id="dev")


def entry(key: int, runtime_id: str, integration_id: str = "i", environment_id: str = "dev") -> Entry:
    return Entry(
        runtime_key=key,
        runtime_id=runtime_id,
        project_id="p",
        integration_id=integration_id,
        environment_id=environment_id,
        runtime_type=RuntimeType.PY,
        runtime_hash="h",
        seen_at=NOW + key,
        interval_s=10.0,
        interval_is_reported=True,
        address=None,
        running_since=NOW,
        status=Status.RUNNING,
    )


@pytest.fixture
def board() -> Board:
    board = Board(LivenessRules(), NOW)
    board.put(entry(1, "r1"))
    board.put(entry(2, "r2", environment_id="prod"))
    return board


@pytest.fixture
def book(board) -> OriginBook:
    return OriginBook(board)


def collector(project_id=None, integration_id=None, environment_id="dev") -> CollectorSender:
    place = Place(project_id=project_id, integration_id=integration_id, environment_id=environment_id)
    return CollectorSender(token_id="t", place=place)


def origin(runtime_id, key, environment_id="dev") -> Origin:
    return Origin(
        project_id="p", integration_id="i", environment_id=environment_id, runtime_id=runtime_id, runtime_key=key
    )


def test_a_runtimes_own_token_speaks_for_its_integration_alone(book):
    assert book.of_runtime(OWN, "r1") == origin("r1", 1)
    assert book.of_runtime(OWN, "r2") == origin("r2", None)
    assert book.of_runtime(OWN, None) == origin(None, None)


def test_a_collector_speaks_for_the_runtimes_in_its_place(book):
    assert book.of_runtime(collector(), "r1") == origin("r1", 1)
    assert book.of_runtime(collector("p", "i"), "r1") == origin("r1", 1)


@pytest.mark.parametrize("sender", [collector(), collector("other"), collector("p", "other", "prod")])
def test_what_lies_elsewhere_is_refused(book, sender):
    with pytest.raises(NotYours):
        book.of_runtime(sender, "r2")


def test_what_nobody_knows_belongs_to_the_tokens_integration_or_to_nobody(book):
    assert book.of_runtime(collector("p", "i"), "r9") == origin("r9", None)
    assert book.of_runtime(collector("p"), "r9") == Origin(environment_id="dev", runtime_id="r9")
    assert book.of_runtime(collector("p"), None).unclaimed


def test_a_runtime_that_registers_later_is_found_then(book, board):
    assert book.of_runtime(collector(), "r3").unclaimed
    board.put(entry(3, "r3"))
    assert book.of_runtime(collector(), "r3") == origin("r3", 3)


def test_of_several_that_bear_one_id_the_one_that_was_seen_last_has_it(book, board):
    board.put(entry(4, "r1", integration_id="j"))
    assert book.of_runtime(collector(), "r1").runtime_key == 4


def test_a_runtime_that_went_keeps_its_integration(book, board):
    book.of_runtime(collector(), "r1")
    book.follow(Event(kind=EventKind.RUNTIME_REMOVED, at=NOW, runtime_key=1, sequence=1))
    board.take_down(1)
    assert book.of_runtime(collector(), "r1") == origin("r1", 1)
    with pytest.raises(NotYours):
        book.of_runtime(collector(environment_id="prod"), "r1")


@pytest.mark.anyio
async def test_who_went_is_known_after_a_restart(plane, runtime):
    assert (await runtime.full())[0] == 200
    (known,) = plane.board.list_called(runtime.runtime_id)
    book = plane.telemetry_parts.origins
    book.follow(Event(kind=EventKind.RUNTIME_REMOVED, at=NOW, runtime_key=known.runtime_key, sequence=1))
    plane.board.take_down(known.runtime_key)
    await plane.flush()
    again = OriginBook(plane.board)
    await again.begin(plane.store)
    found = again.of_runtime(collector(environment_id=known.environment_id), runtime.runtime_id)
    assert found.runtime_key == known.runtime_key
