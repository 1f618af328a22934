"""Operations of a kind are one to the database, and each has its own outcome."""

import asyncio
from collections.abc import Sequence

import pytest
from pilothouse.base.errors import Conflict, PilothouseError
from pilothouse.base.place import Database
from pilothouse.domain.events import Event, EventKind, NewEvent
from pilothouse.storage.unit import NotUnique, Store, Transaction
from sqlalchemy import text

pytestmark = pytest.mark.anyio

ADD = text("insert into organizations (id, handle, display_name) values (:n, :n, :n)")
NAMES = text("select handle from organizations where handle like 'n%' order by handle")


@pytest.fixture
async def store(database: Database):
    published: list[Event] = []
    opened = Store(database, published.extend)
    opened.published = published
    yield opened
    opened.close()


class Adding:
    """Adds names, all of them by one statement, but those that begin with `no`."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, tx: Transaction, given: Sequence[str]) -> list[str | PilothouseError]:
        self.asked.append(list(given))
        wanted = [name for name in given if not name.startswith("no")]
        if wanted:
            tx.connection.execute(ADD, [{"n": name} for name in wanted])
        for name in wanted:
            tx.emit(NewEvent(kind=EventKind.PROJECT_CREATED, at=1.0, detail=name))
        return [name.upper() if name in wanted else Conflict(f"{name} is refused", fix="-") for name in given]


async def names(store: Store) -> list[str]:
    return list(await store.read(lambda c: c.execute(NAMES).scalars().all()))


async def test_what_waits_is_done_in_one_go_and_everybody_has_an_outcome(store: Store) -> None:
    add = Adding()
    outcomes = await asyncio.gather(*(store.write_together(add, f"n{number}") for number in range(9)))
    assert outcomes == [f"N{number}" for number in range(9)]
    assert add.asked == [[f"n{number}" for number in range(9)]], "what comes in one turn of the loop is not torn apart"
    assert await names(store) == [f"n{number}" for number in range(9)]
    assert [event.detail for event in store.published] == await names(store)


async def test_who_is_alone_has_the_same_outcome(store: Store) -> None:
    add = Adding()
    assert await store.write_together(add, "n1") == "N1"
    with pytest.raises(Conflict, match="nobody is refused"):
        await store.write_together(add, "nobody")
    assert (await names(store), add.asked) == (["n1"], [["n1"], ["nobody"]])


async def test_who_is_refused_takes_nobody_along(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(store.write_together(Adding(), "n0") for _ in range(1)),
        *(store.write_together(_SHARED, name) for name in ("n1", "no1", "n2", "no2")),
        return_exceptions=True,
    )
    assert [each if isinstance(each, str) else type(each) for each in outcomes] == [
        "N0",
        "N1",
        Conflict,
        "N2",
        Conflict,
    ]
    assert await names(store) == ["n0", "n1", "n2"]


async def test_one_that_the_database_refuses_is_found_and_the_others_are_kept(store: Store) -> None:
    add = Adding()
    await store.write_together(add, "n2")
    outcomes = await asyncio.gather(
        *(store.write_together(add, name) for name in ("n1", "n2", "n3")), return_exceptions=True
    )
    assert [each if isinstance(each, str) else type(each) for each in outcomes] == ["N1", NotUnique, "N3"]
    assert await names(store) == ["n1", "n2", "n3"]
    assert sorted(event.detail or "" for event in store.published) == ["n1", "n2", "n3"]


async def test_others_that_wait_among_them_have_their_own_outcomes(store: Store) -> None:
    first, second = Adding(), Adding()

    def other(name: str):
        def operation(tx: Transaction) -> str:
            tx.connection.execute(ADD, {"n": name})
            return f"other {name}"

        return operation

    asked = [
        store.write(other("n0")),
        store.write_together(first, "n1"),
        store.write_together(second, "n2"),
        store.write(other("n3")),
        store.write_together(first, "n4"),
        store.write_together(second, "n5"),
    ]
    assert await asyncio.gather(*asked) == ["other n0", "N1", "N2", "other n3", "N4", "N5"]
    assert await names(store) == [f"n{number}" for number in range(6)]


_SHARED = Adding()
