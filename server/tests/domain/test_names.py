"""Handles and names: derived, checked, never half-right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.base.errors import InvalidInput
from pilothouse.domain.handles import check_handle, handle_from_name
from pilothouse.domain.tenancy import check_naming


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("My Project", "my-project"),
        ("  --A__B--", "a-b"),
        ("Größe", "gr-e"),
        ("日本", None),
        ("", None),
        ("İstanbul", "stanbul"),
    ],
)
def test_names_become_handles_as_the_wire_says(name: str, handle: str | None) -> None:
    assert handle_from_name(name) == handle


@given(st.text(max_size=300))
def test_a_derived_handle_is_a_handle_and_stays_itself(name: str) -> None:
    handle = handle_from_name(name)
    if handle is not None:
        assert check_handle(handle) == handle
        assert handle_from_name(handle) == handle


@given(st.text(max_size=80))
def test_what_is_refused_as_a_handle_comes_with_a_fix(text: str) -> None:
    try:
        assert check_handle(text) == text
    except InvalidInput as error:
        assert error.fix
        assert error.field == "handle"


@given(st.text(max_size=200), st.one_of(st.none(), st.text(max_size=80)))
def test_naming_gives_clean_names_or_names_the_field(display_name: str, handle: str | None) -> None:
    try:
        naming = check_naming(display_name, handle)
    except InvalidInput as error:
        assert error.field in ("displayName", "handle")
    else:
        assert naming.display_name == display_name.strip()
        assert check_handle(naming.handle) == naming.handle
