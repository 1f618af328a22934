"""Refused senders: one entry a cause and sender, struck out once accepted, whichever of several processes refused or accepted."""

from pilothouse.observe.refusals import REFUSALS_MAX, RefusalBook, RefusedSender

SENDER = RefusedSender(address="10.0.0.1", key_id="k1", runtime_id="r1")
UNREAD = RefusedSender(address="10.0.0.1", key_id="k1")


def books(count: int = 2) -> list[RefusalBook]:
    return [RefusalBook(is_shared=True) for _ in range(count)]


def exchange(*several: RefusalBook) -> None:
    told = {str(number): one.tell() for number, one in enumerate(several)}
    for number, one in enumerate(several):
        one.hear({id_: document for id_, document in told.items() if id_ != str(number)})


def shown(book: RefusalBook) -> list[tuple[str, int, float]]:
    return [(entry.code, entry.count, entry.at) for entry in book.newest(REFUSALS_MAX, lambda _: True)]


def test_every_process_shows_the_sum_with_what_was_said_last() -> None:
    one, other = books()
    for at in (1.0, 2.0, 5.0):
        one.note("KEY_UNKNOWN", f"said at {at}", "", SENDER, at)
    other.note("KEY_UNKNOWN", "said at 4", "", SENDER, 4.0)
    other.note("BAD", "", "", RefusedSender(address="10.0.0.9"), 6.0)
    exchange(one, other)
    for book in (one, other):
        assert shown(book) == [("BAD", 1, 6.0), ("KEY_UNKNOWN", 4, 5.0)]
        assert book.newest(2, lambda _: True)[1].message == "said at 5.0"


def test_what_is_told_again_is_not_counted_again() -> None:
    one, other = books()
    one.note("BAD", "", "", SENDER, 1.0)
    for _ in range(3):
        exchange(one, other)
    assert shown(other) == [("BAD", 1, 1.0)]


def test_who_is_accepted_by_another_process_is_struck_out_at_all_until_it_is_refused_again() -> None:
    one, other, third = books(3)
    one.note("BAD", "", "", SENDER, 1.0)
    one.note("WORSE", "", "", UNREAD, 1.0)
    one.note("BAD", "", "", RefusedSender(address="10.0.0.1", key_id="k1", runtime_id="r2"), 1.0)
    exchange(one, other, third)
    other.settle("k1", "r1", 2.0)
    exchange(one, other, third)
    for book in (one, other, third):
        assert [entry.sender.runtime_id for entry in book.newest(9, lambda _: True)] == ["r2"]
    third.note("BAD", "", "", SENDER, 3.0)
    exchange(one, other, third)
    for book in (one, other, third):
        assert ("BAD", 1, 3.0) in shown(book)


def test_who_was_accepted_before_the_refusal_was_told_is_struck_out_when_it_is() -> None:
    one, other = books()
    one.note("BAD", "", "", SENDER, 1.0)
    other.settle("k1", "r1", 2.0)
    exchange(one, other)
    exchange(one, other)
    assert shown(one) == shown(other) == []


def test_a_process_that_serves_alone_remembers_nobody_who_was_accepted() -> None:
    book = RefusalBook()
    book.note("BAD", "", "", SENDER, 1.0)
    book.settle("k1", "r1", 2.0)
    assert shown(book) == []
    assert not book._accepted


def test_only_what_others_are_to_know_counts_as_a_change() -> None:
    one, _ = books()
    before = one.changes
    one.settle("k1", "r1", 1.0)
    assert one.changes == before
    one.note("BAD", "", "", SENDER, 2.0)
    assert one.changes > before
