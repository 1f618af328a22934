"""The secret never shows; the token is what any JWT library accepts."""

import copy
import json
import pickle

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse_bridge._secret import Secret
from pilothouse_bridge._token import TokenCache, mint

MATERIAL = "m4terial-that-must-never-be-seen-anywhere"
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(
    key_id=st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    material=st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=32, max_size=80),
    issuer=texts,
    audience=texts,
    now_s=st.floats(1, 4e9),
)
def test_a_token_is_accepted_by_an_independent_library(
    key_id: str, material: str, issuer: str, audience: str, now_s: float
) -> None:
    token = mint(Secret.parse(f"{key_id}.{material}"), issuer=issuer, audience=audience, now_s=now_s)
    claims = jwt.decode(
        token.text,
        material.encode(),
        algorithms=["HS256"],
        audience=audience,
        issuer=issuer,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert jwt.get_unverified_header(token.text) == {"alg": "HS256", "typ": "JWT", "kid": key_id}
    assert claims == {
        "iss": issuer,
        "aud": audience,
        "scope": "runtime_agent",
        "iat": int(now_s),
        "exp": int(now_s) + 3600,
    }


def test_a_secret_is_split_at_its_first_dot() -> None:
    secret = Secret.parse("0badcafe." + "a.b" * 20)
    assert (secret.key_id, secret.key()) == ("0badcafe", b"a.b" * 20)


def test_key_material_is_never_decoded() -> None:
    assert Secret.parse("k." + "QUJD" * 11).key() == b"QUJD" * 11


@pytest.mark.parametrize(
    ("text", "problem"),
    [("nodot" * 20, "no dot"), ("." + "x" * 40, "before its first dot"), ("k." + "x" * 31, "31 bytes")],
)
def test_a_secret_that_cannot_be_one_is_refused_without_being_shown(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        Secret.parse(text)
    assert text not in str(refused.value)


def test_32_bytes_of_material_are_counted_in_bytes() -> None:
    assert len(Secret.parse("k." + "ü" * 16).key()) == 32


def test_the_material_shows_in_no_text() -> None:
    secret = Secret.parse(f"0badcafe.{MATERIAL}")
    token = mint(secret, issuer="i", audience="a", now_s=0)
    cache = TokenCache(secret, issuer="i", audience="a", clock=lambda: 0)
    for text in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(token), repr(cache), token.text):
        assert MATERIAL not in text
    assert token.text not in repr(token)


@pytest.mark.parametrize("take_away", [pickle.dumps, copy.deepcopy])
def test_a_secret_cannot_be_carried_off(take_away: object) -> None:
    with pytest.raises(TypeError, match="not to be copied"):
        take_away(Secret.parse(f"0badcafe.{MATERIAL}"))  # type: ignore[operator]


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(("passed_s", "renewed"), [(0, False), (3299, False), (3300, True), (3601, True), (-1, True)])
def test_a_token_is_kept_until_five_minutes_before_its_end(passed_s: float, renewed: bool) -> None:
    clock = Clock()
    cache = TokenCache(Secret.parse("k." + "x" * 40), issuer="i", audience="a", clock=clock)
    first = cache.current()
    clock.now_s += passed_s
    assert (cache.current() != first) is renewed


def test_a_refused_token_is_made_anew() -> None:
    clock = Clock()
    cache = TokenCache(Secret.parse("k." + "x" * 40), issuer="i", audience="a", clock=clock)
    first = cache.current()
    clock.now_s += 1
    cache.forget()
    assert json.loads(jwt.utils.base64url_decode(cache.current().split(".")[1]))["iat"] == 1_000_001
    assert cache.current() != first
