import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from pilothouse.management.tokens import LIFETIME_S, Signing, mint
from pilothouse.protocol.token import SigningKey, TokenError, TokenReader, TokenRules

NOW = 1_790_000_000.5
MATERIAL = "c29tZSBrZXkgbWF0ZXJpYWwgdGhhdCBpcyBsb25nIGVub3VnaA=="


def signing(**changes: object) -> Signing:
    return Signing(
        **{"key_id": "9f2c11aa", "material": MATERIAL, "issuer": "icp-runtime-jwt-issuer", "audiences": ("icp-server",)}
        | changes
    )


def test_the_token_says_what_micro_integrator_looks_for() -> None:
    token = jwt.decode(mint(signing(), NOW), OctKey.import_key(MATERIAL), algorithms=["HS256"])

    assert token.header == {"alg": "HS256", "kid": "9f2c11aa", "typ": "JWT"}
    assert token.claims == {
        "iss": "icp-runtime-jwt-issuer",
        "aud": "icp-server",
        "sub": "icp-artifact-fetcher",
        "scope": "runtime_agent",
        "iat": 1_790_000_000,
        "exp": 1_790_000_000 + LIFETIME_S,
    }
    assert LIFETIME_S <= 3_600


def test_several_audiences_are_a_list() -> None:
    token = jwt.decode(mint(signing(audiences=("a", "b")), NOW), OctKey.import_key(MATERIAL), algorithms=["HS256"])

    assert token.claims["aud"] == ["a", "b"]


@given(
    st.text(st.characters(codec="utf-8"), min_size=32, max_size=60),
    st.text("0123456789abcdef", min_size=8, max_size=8),
)
def test_whatever_the_secret_our_own_reader_and_another_library_accept_the_token(material: str, key_id: str) -> None:
    token = mint(signing(material=material, key_id=key_id), NOW)
    reader, authorization = TokenReader(TokenRules()), f"Bearer {token}"

    assert reader.key_id(authorization) == key_id
    assert reader.verify(authorization, SigningKey(material.encode()), NOW).scope == "runtime_agent"
    assert jwt.decode(token, OctKey.import_key(material.encode()), algorithms=["HS256"]).claims["exp"] == 1_790_000_900
    with pytest.raises(TokenError):
        reader.verify(authorization, SigningKey(b"another key that is long enough, too"), NOW)
    with pytest.raises(TokenError):
        reader.verify(authorization, SigningKey(material.encode()), NOW + LIFETIME_S + 61)


def test_the_token_is_three_unpadded_segments_and_the_signature_is_over_the_text_of_the_material() -> None:
    header, claims, signature = mint(signing(), NOW).split(".")

    assert "=" not in header + claims + signature
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "HS256"
    assert len(base64.urlsafe_b64decode(signature + "=")) == 32


def test_a_short_key_and_a_token_for_nobody_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        signing(material="x" * 31)
    with pytest.raises(ValueError, match="somebody"):
        signing(audiences=())


def test_the_key_is_not_shown_in_logs() -> None:
    assert MATERIAL not in repr(signing())
    assert MATERIAL not in f"{signing()}"
