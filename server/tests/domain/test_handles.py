"""Handles and the names that follow from people's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.base.errors import InvalidInput
from pilothouse.domain.handles import HANDLE_LENGTH_MAX, check_handle, handle_from_name
from pilothouse.domain.tenancy import admins_name, is_admins_name, list_name

DISPLAY_NAMES = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=100).filter(
    lambda name: name.strip() == name and name.isprintable()
)


@given(st.text(max_size=200))
def test_what_is_derived_from_a_name_is_a_handle_of_at_most_64(name: str) -> None:
    handle = handle_from_name(name)
    if handle is not None:
        assert check_handle(handle) == handle
        assert len(handle) <= HANDLE_LENGTH_MAX
        assert handle_from_name(handle) == handle


@pytest.mark.parametrize("handle", ["", "-a", "a-", "a--b", "A", "ä", "a_b", "a b", "x" * 65, "a\n"])
def test_what_is_no_handle_is_refused(handle: str) -> None:
    with pytest.raises(InvalidInput):
        check_handle(handle)


@given(DISPLAY_NAMES, st.integers(0, 5))
def test_admins_get_a_free_name_that_follows_the_project_and_fits(name: str, others: int) -> None:
    taken: list[str] = []
    for _ in range(others + 1):
        chosen = admins_name(name, taken)
        assert chosen.casefold() not in {each.casefold() for each in taken}
        assert len(chosen) <= 100
        assert is_admins_name(chosen, name)
        taken.append(chosen)


def test_a_name_that_somebody_chose_does_not_follow() -> None:
    assert is_admins_name("Shop Admins 2", "Shop")
    assert not is_admins_name("Shop Admins of the night", "Shop")
    assert not is_admins_name("Owners", "Shop")
    assert admins_name("Shop", ["shop ADMINS"]) == "Shop Admins 2"


def test_a_list_is_named_by_all_that_was_asked() -> None:
    names = {list_name("a"), list_name("b"), list_name("a", None), list_name("a", "x"), list_name("a", "x", None)}
    assert len(names) == 5
    assert list_name("a", "x") == list_name("a", "x")
