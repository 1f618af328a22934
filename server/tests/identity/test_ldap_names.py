"""Names in filters and in DNs, without a directory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.identity.ldap_names import escaped, filled, is_below, name_of
from sansldap import FilterEquality, LDAPFilter


@given(st.text())
def test_a_value_stays_a_value_in_a_filter(value: str) -> None:
    assert LDAPFilter.from_string(f"(uid={escaped(value)})") == FilterEquality("uid", value.encode())


@given(st.text(), st.text())
def test_a_value_cannot_take_the_place_of_another(first: str, second: str) -> None:
    assert filled("{0}|{1}|{0}", first, second) == f"{escaped(first)}|{escaped(second)}|{escaped(first)}"


@given(st.text(), st.text())
def test_a_value_stays_a_value_in_a_dn(value: str, below: str) -> None:
    dn = f"uid={escaped(value)},ou={escaped(below)},dc=example"
    assert name_of(dn) == value
    assert is_below(dn, f"ou={escaped(below)},dc=example")


@pytest.mark.parametrize(
    ("dn", "name"),
    [
        ("cn=operators,ou=groups,dc=example", "operators"),
        (r"cn=Sales\, North,dc=example", "Sales, North"),
        (r"cn=Sales\2C North,dc=example", "Sales, North"),
        (r"cn=back\\,dc=example", "back\\"),
        (r"cn=M\C3\BCnchen,dc=example", "München"),
        ("cn=one+ou=two,dc=example", "one"),
        (r"cn=not text\FF", "not text�"),
        ("", ""),
    ],
)
def test_the_name_of_a_group_is_the_value_of_its_first_part(dn: str, name: str) -> None:
    assert name_of(dn) == name


@pytest.mark.parametrize(
    ("dn", "base", "expected"),
    [
        ("cn=a,OU=Groups, DC=Example", "ou=groups,dc=example", True),
        ("cn=a,ou=x,ou=groups,dc=example", "ou=groups,dc=example", True),
        ("ou=groups,dc=example", "ou=groups,dc=example", False),
        ("cn=a,ou=other,dc=example", "ou=groups,dc=example", False),
        (r"cn=a\,ou=groups,dc=example", "ou=groups,dc=example", False),
        ("cn=a,ou=othergroups,dc=example", "ou=groups,dc=example", False),
    ],
)
def test_only_what_stands_below_a_base_is_below_it(dn: str, base: str, expected: bool) -> None:
    assert is_below(dn, base) is expected
