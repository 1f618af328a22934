"""The chain of audit records: what its digests cover, and what a walk along it finds."""

import base64
import hashlib
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.domain.audit import (
    BEGINNING,
    CHAINED,
    FORGET,
    AuditRecord,
    Link,
    Walk,
    chain,
    chained_fields,
    forgotten,
)

_texts = st.one_of(st.none(), st.text(max_size=6))
_fields = st.lists(_texts, min_size=len(CHAINED), max_size=len(CHAINED))


@dataclass(frozen=True)
class Stored:
    number: int
    digest: str
    at: float
    fields: tuple[str | None, ...]


def write(count: int, after: Link = BEGINNING, forget: Link | None = None) -> list[Stored]:
    rows = list[Stored]()
    for step in range(count):
        number, at = after.number + 1, 1_790_000_000.0 + step / 8
        record = AuditRecord(
            at=at, organization_id="o", actor="user:ann", via="session", action="a.b", target=f"t{number}"
        )
        if forget is not None and step == count - 1:
            record = AuditRecord(
                at=at, organization_id="o", actor="housekeeping", action=FORGET, target="", after=forgotten(forget)
            )
        fields = tuple(chained_fields(record))
        after = Link(number=number, digest=chain(after.digest, number, at, fields))
        rows.append(Stored(number, after.digest, at, fields))
    return rows


def walk(rows: list[Stored], anchor: Link = BEGINNING, given: int | None = None) -> Walk:
    walked = Walk(anchor)
    for row in rows:
        if not walked.step(row.number, row.digest, row.at, row.fields):
            break
    walked.finish(rows[-1].number if given is None else given)
    return walked


def test_every_field_of_a_record_is_in_its_digest() -> None:
    covered = {*CHAINED, "at"}
    assert covered == set(AuditRecord.__struct_fields__), "a new field needs a new version of the chain"


@given(one=_fields, other=_fields, previous=st.text(max_size=4), number=st.integers(1, 9))
def test_two_records_have_one_digest_only_if_they_are_the_same(
    one: list[str | None], other: list[str | None], previous: str, number: int
) -> None:
    same = chain(previous, number, 1.0, one) == chain(previous, number, 1.0, other)
    assert same is (one == other)


def test_text_cannot_move_from_one_field_into_the_next() -> None:
    rest = ["x"] * (len(CHAINED) - 2)
    digests = {
        chain("", 1, 1.0, [*pair, *rest])
        for pair in (("ab", "c"), ("a", "bc"), ('a","b', "c"), ("", "abc"), (None, "abc"))
    }
    assert len(digests) == 5


def test_the_digest_of_version_1_stays_what_it_is() -> None:
    text = b'["1","",1,1790000000250,"o",null,' + b",".join([b'"x"'] * 13) + b"]"
    expected = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")
    assert chain("", 1, 1_790_000_000.25, ["o", None, *["x"] * 13]) == f"1.{expected}"
    assert expected == "HQb0fvkcS_tqIBSoEKU9_wGpnAeqkJMP8ZW2MkZUnT8"


def test_an_instant_counts_in_the_milliseconds_that_are_stored() -> None:
    fields = ["x"] * len(CHAINED)
    assert chain("", 1, 12.3456, fields) == chain("", 1, 12.346, fields) != chain("", 1, 12.347, fields)


def test_a_chain_that_nobody_touched_is_intact() -> None:
    walked = walk(write(5))
    assert (walked.found, walked.checked, walked.reached.number) == (None, 5, 5)


@pytest.mark.parametrize("gone", range(4))
def test_a_removed_record_shows_as_a_gap(gone: int) -> None:
    rows = write(5)
    del rows[gone]
    found = walk(rows).found
    assert found is not None
    assert (found.at, "missing" in found.message) == (gone, True)


def test_removed_records_at_the_end_show_as_long_as_the_database_remembers_their_numbers() -> None:
    found = walk(write(5)[:3], given=5).found
    assert found is not None
    assert (found.at, found.message) == (3, "The newest records are missing: 2 after 3.")


def test_records_in_another_order_or_twice_do_not_fit() -> None:
    rows = write(4)
    swapped = [rows[0], replace(rows[2], number=2), replace(rows[1], number=3), rows[3]]
    assert walk(swapped).found is not None
    assert walk([*rows[:2], replace(rows[1], number=3), *rows[3:]]).found is not None


def test_records_from_before_the_chain_come_first_and_only_there() -> None:
    older = [Stored(number, "", 1.0, ("o", "user:x", None, "", *[None] * 11)) for number in (1, 4)]
    rows = write(3, Link(number=4))
    assert walk([*older, *rows]).found is None
    assert walk([*older, *rows]).checked == 3
    assert walk([*older, *rows, replace(older[0], number=8)]).found is not None


def test_the_beginning_after_retention_is_believed_only_if_a_record_says_so() -> None:
    cut = Link(number=7, digest="1.cut")
    said, unsaid = write(3, cut, forget=cut), write(3, cut)
    assert walk(said, cut).found is None
    found = walk(unsaid, cut).found
    assert found is not None
    assert found.at == 7
    assert walk(said).found is not None, "without the anchor the oldest records are missing"
