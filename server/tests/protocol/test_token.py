"""Our verifier, held against its rules one by one, and against PyJWT and joserfc as oracles."""

import base64
import contextlib
import hmac
import json
import time
from typing import Any

import joserfc.errors
import joserfc.jwt
import jwt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joserfc.jwk import OctKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode
from pilothouse.protocol.token import (
    HEADER_CACHE_MAX,
    SigningKey,
    TokenError,
    TokenReader,
    TokenRefusal,
    TokenRules,
    _base64url,
)

pytestmark = pytest.mark.slow

MATERIAL = b"material-of-a-key-that-is-forty-four-bytes.."
NOW = 1_790_000_000.0
RULES = TokenRules()
SKEW_S = 60
HEADER = {"alg": "HS256", "typ": "JWT", "kid": "a1b2c3d4"}
CLAIMS = {"iss": "icp-runtime-jwt-issuer", "aud": "icp-server", "scope": "runtime_agent", "exp": NOW + 3600}
UNSET = object()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign_text(header: str | bytes, payload: str | bytes, material: bytes = MATERIAL) -> str:
    """Sign exactly these texts, be they JSON or not."""
    parts = [
        b64(part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part) for part in (header, payload)
    ]
    signing_input = ".".join(parts)
    return f"{signing_input}.{b64(hmac.digest(material, signing_input.encode(), 'sha256'))}"


def sign(header: Any = HEADER, payload: Any = CLAIMS, material: bytes = MATERIAL) -> str:
    return sign_text(json.dumps(header), json.dumps(payload), material)


def changed(base: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {name: value for name, value in {**base, **members}.items() if value is not UNSET}


def refusal_of(authorization: str | None, now: float = NOW, rules: TokenRules = RULES) -> TokenRefusal | None:
    """None when it is accepted, by `key_id` and by `verify`."""
    reader = TokenReader(rules)
    try:
        reader.key_id(authorization)
        reader.verify(authorization, SigningKey(MATERIAL), now)
    except TokenError as error:
        return error.refusal if error.message and error.fix else None
    return None


def refusal_of_claims(**members: Any) -> TokenRefusal | None:
    return refusal_of(f"Bearer {sign(payload=changed(CLAIMS, **members))}")


def refusal_of_header(**members: Any) -> TokenRefusal | None:
    return refusal_of(f"Bearer {sign(header=changed(HEADER, **members))}")


# ---------------------------------------------------------------- the rules, one by one


def test_an_honest_token_is_accepted_and_names_its_key() -> None:
    reader = TokenReader(RULES)
    authorization = f"Bearer {sign()}"
    assert reader.key_id(authorization) == "a1b2c3d4"
    claims = reader.verify(authorization, SigningKey(MATERIAL), NOW)
    assert (claims.iss, claims.aud, claims.exp) == ("icp-runtime-jwt-issuer", "icp-server", NOW + 3600)


@pytest.mark.parametrize("authorization", [None, "", "Basic YTpi", "Bearer", sign(), "Bearerx.y.z", "bear x.y.z"])
def test_no_token_or_another_scheme_is_missing(authorization: str | None) -> None:
    assert refusal_of(authorization) is TokenRefusal.MISSING


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_not_case_sensitive(scheme: str) -> None:
    assert refusal_of(f"{scheme} {sign()}") is None


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b", "a.b.c.d", f"{sign()}.", f".{sign()}", f"{sign()} ", f" {sign()}", f"{sign()}\n", "é.é.é"],
)
def test_a_token_that_has_not_exactly_three_sound_segments_is_refused(token: str) -> None:
    assert refusal_of(f"Bearer {token}") in {TokenRefusal.MALFORMED, TokenRefusal.SIGNATURE}


def test_a_known_header_with_too_few_or_too_many_segments_behind_it_is_refused() -> None:
    reader, key = TokenReader(RULES), SigningKey(MATERIAL)
    reader.verify(f"Bearer {sign()}", key, NOW)
    header, payload, _ = sign().split(".")
    for signing_input in (
        header,
        f"{header}.",
        f"{header}.{payload}.{payload}",
        f"{header}..{payload}",
        f"{header}.{payload}.",
    ):
        token = f"{signing_input}.{b64(key.sign(signing_input.encode()))}"
        with pytest.raises(TokenError) as refused:
            reader.verify(f"Bearer {token}", key, NOW)
        assert refused.value.refusal is TokenRefusal.MALFORMED, token
    for token in (header, f"{header}A", header[:-1], ""):
        with pytest.raises(TokenError):
            reader.verify(f"Bearer {token}", key, NOW)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "HS512", "RS256", "ES256", "hs256", "", None, UNSET])
def test_any_other_algorithm_is_refused(algorithm: Any) -> None:
    assert refusal_of_header(alg=algorithm) is TokenRefusal.ALGORITHM


def test_a_token_without_a_signature_is_refused_whatever_its_header_says() -> None:
    signing_input = sign().rpartition(".")[0]
    assert refusal_of(f"Bearer {signing_input}.") is TokenRefusal.SIGNATURE
    unsigned = jwt.encode(CLAIMS, None, algorithm="none", headers={"kid": "k"})
    assert refusal_of(f"Bearer {unsigned}") is TokenRefusal.ALGORITHM


@pytest.mark.parametrize("key_id", ["", None, UNSET, "k" * 65, "a\0b", "a\nb", "clé", "\x7f"])
def test_a_header_without_a_usable_key_id_is_refused(key_id: Any) -> None:
    assert refusal_of_header(kid=key_id) is TokenRefusal.NO_KEY_ID


@pytest.mark.parametrize("key_id", ["k", "k" * 64, "a1b2c3d4"])
def test_key_ids_of_1_to_64_characters_are_read(key_id: str) -> None:
    assert TokenReader(RULES).key_id(f"Bearer {sign(header=changed(HEADER, kid=key_id))}") == key_id


@pytest.mark.parametrize(
    "members",
    [
        {"kid": 5},
        {"kid": ["a"]},
        {"alg": 5},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"b64": False},
        {"b64": True},
    ],
)
def test_headers_of_the_wrong_type_and_critical_extensions_are_refused(members: dict[str, Any]) -> None:
    assert refusal_of_header(**members) is TokenRefusal.MALFORMED


@pytest.mark.parametrize(
    "header",
    ["", "null", "[]", '"x"', "{", '{"alg":"HS256","kid":"k"}x', b"\xff\xfe", '{"alg":"HS256","kid":"\\ud800"}'],
)
def test_a_header_that_is_no_json_object_is_refused(header: str | bytes) -> None:
    assert refusal_of(f"Bearer {sign_text(header, json.dumps(CLAIMS))}") is TokenRefusal.MALFORMED


def test_text_that_is_no_utf_8_is_refused_even_in_members_that_nobody_reads() -> None:
    header, payload = json.dumps(HEADER).encode(), json.dumps(CLAIMS).encode()
    for token in (
        sign_text(header[:-1] + b',"x":"\xff"}', payload),
        sign_text(header, payload[:-1] + b',"x":"\xff"}'),
    ):
        assert not joserfc_accepts(token, NOW)
        assert refusal_of(f"Bearer {token}") is TokenRefusal.MALFORMED


def test_a_header_longer_than_512_bytes_is_refused() -> None:
    assert refusal_of_header(pad="x" * 400) is TokenRefusal.MALFORMED


def test_an_authorization_longer_than_the_limit_is_refused() -> None:
    assert refusal_of_claims(pad="x" * 9000) is TokenRefusal.MALFORMED


def test_another_key_does_not_verify() -> None:
    assert refusal_of(f"Bearer {sign(material=b'another-key-material-of-enough-bytes')}") is TokenRefusal.SIGNATURE


@pytest.mark.parametrize("issuer", ["other", "", None, UNSET, "icp-runtime-jwt-issuer "])
def test_another_issuer_is_refused(issuer: Any) -> None:
    assert refusal_of_claims(iss=issuer) is TokenRefusal.ISSUER


@pytest.mark.parametrize(
    "audience", ["icp", "icp-server-2", "icp-serve", "", [], ["x"], ["icp-serve", "r"], None, UNSET]
)
def test_another_audience_is_refused_and_a_substring_is_another(audience: Any) -> None:
    assert refusal_of_claims(aud=audience) is TokenRefusal.AUDIENCE


def test_one_audience_of_several_is_enough() -> None:
    assert refusal_of_claims(aud=["x", "icp-server"]) is None


@pytest.mark.parametrize(
    ("late_s", "expected"),
    [(-3600, None), (0, None), (30, None), (59.5, None), (60, TokenRefusal.EXPIRED), (61, TokenRefusal.EXPIRED)],
)
def test_a_token_lives_until_its_expiry_and_the_skew(late_s: float, expected: TokenRefusal | None) -> None:
    assert refusal_of_claims(exp=NOW - late_s) is expected


@pytest.mark.parametrize(
    ("early_s", "expected"),
    [(-1, None), (60, None), (60.5, TokenRefusal.NOT_YET_VALID), (3600, TokenRefusal.NOT_YET_VALID)],
)
def test_a_token_lives_from_its_not_before_less_the_skew(early_s: float, expected: TokenRefusal | None) -> None:
    assert refusal_of_claims(nbf=NOW + early_s) is expected


def test_a_refusal_for_time_tells_how_far_off_the_clock_is() -> None:
    reader, key = TokenReader(RULES), SigningKey(MATERIAL)
    with pytest.raises(TokenError) as late:
        reader.verify(f"Bearer {sign(payload=changed(CLAIMS, exp=NOW - 90))}", key, NOW)
    with pytest.raises(TokenError) as early:
        reader.verify(f"Bearer {sign(payload=changed(CLAIMS, nbf=NOW + 75))}", key, NOW)
    assert (late.value.clock_skew_s, early.value.clock_skew_s) == (90, 75)


@pytest.mark.parametrize(
    "literal",
    ["true", "null", '"1790003600"', "NaN", "Infinity", "1e400", "1e15", "1790003600000", "9" * 400, "[1]", "01"],
)
def test_an_expiry_that_is_no_sensible_number_is_refused(literal: str) -> None:
    payload = json.dumps(changed(CLAIMS, exp=UNSET))[:-1] + f', "exp": {literal}}}'
    assert refusal_of(f"Bearer {sign_text(json.dumps(HEADER), payload)}") is TokenRefusal.MALFORMED


@pytest.mark.parametrize("literal", ["false", "null", '"1"', "NaN", "-Infinity", "1e400"])
def test_a_not_before_that_is_no_number_is_refused(literal: str) -> None:
    payload = json.dumps(CLAIMS)[:-1] + f', "nbf": {literal}}}'
    assert refusal_of(f"Bearer {sign_text(json.dumps(HEADER), payload)}") is TokenRefusal.MALFORMED


def test_a_token_without_expiry_is_refused() -> None:
    assert refusal_of_claims(exp=UNSET) is TokenRefusal.MALFORMED


@pytest.mark.parametrize(
    "members",
    [
        {"iss": 5},
        {"iss": ["icp-runtime-jwt-issuer"]},
        {"aud": 5},
        {"aud": ["icp-server", 5]},
        {"aud": {}},
        {"scope": 1},
        {"scope": ["runtime_agent"]},
    ],
)
def test_claims_of_the_wrong_type_are_refused(members: dict[str, Any]) -> None:
    assert refusal_of_claims(**members) is TokenRefusal.MALFORMED


@pytest.mark.parametrize("scope", ["runtime_agent admin", "runtime_agent ", "admin", "", None, UNSET])
def test_the_scope_is_exactly_one_word(scope: Any) -> None:
    assert refusal_of_claims(scope=scope) is TokenRefusal.SCOPE


def test_checks_run_in_their_order() -> None:
    wrong = {"iss": "x", "aud": "x", "exp": 0, "nbf": NOW + 999, "scope": "x"}
    expected = [
        TokenRefusal.ISSUER,
        TokenRefusal.AUDIENCE,
        TokenRefusal.EXPIRED,
        TokenRefusal.NOT_YET_VALID,
        TokenRefusal.SCOPE,
    ]
    found = []
    for claim in list(wrong):
        found.append(refusal_of_claims(**wrong))
        del wrong[claim]
    assert expected == found


def test_of_duplicate_members_the_last_counts_as_in_both_libraries() -> None:
    payload = '{"iss":"x",' + json.dumps(CLAIMS)[1:]
    token = sign_text(json.dumps(HEADER), payload)
    assert json.loads(payload)["iss"] == CLAIMS["iss"]
    assert refusal_of(f"Bearer {token}") is None
    header = '{"alg":"HS256","alg":"none","kid":"k"}'
    assert refusal_of(f"Bearer {sign_text(header, json.dumps(CLAIMS))}") is TokenRefusal.ALGORITHM


def test_deep_nesting_is_refused_without_a_crash() -> None:
    payload = json.dumps(CLAIMS)[:-1] + f', "x": {"[" * 2500}{"]" * 2500}}}'
    assert refusal_of(f"Bearer {sign_text(json.dumps(HEADER), payload)}") is TokenRefusal.MALFORMED


# ---------------------------------------------------------------- keys


@given(material=st.binary(min_size=32, max_size=200), message=st.binary(max_size=500))
def test_a_key_signs_as_the_standard_library_does(material: bytes, message: bytes) -> None:
    assert SigningKey(material).sign(message) == hmac.digest(material, message, "sha256")


def test_the_vector_of_rfc_7515_a_1_holds() -> None:
    material = base64.urlsafe_b64decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow=="
    )
    signing_input = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    assert b64(SigningKey(material).sign(signing_input)) == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def test_a_key_does_not_show_its_material() -> None:
    key = SigningKey(MATERIAL)
    assert "material" not in f"{key!r} {key}"
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey(b"short-material")


# ---------------------------------------------------------------- the cache of header segments


def test_strangers_cannot_fill_the_cache() -> None:
    reader = TokenReader(RULES)
    for number in range(50):
        forged = f"Bearer {sign(header=changed(HEADER, n=number), material=b'x' * 32)}"
        reader.key_id(forged)
        with pytest.raises(TokenError):
            reader.verify(forged, SigningKey(MATERIAL), NOW)
    assert len(reader._key_ids) == 0


def test_the_cache_is_bounded_and_never_changes_an_answer() -> None:
    reader, key = TokenReader(RULES), SigningKey(MATERIAL)
    payload = json.dumps(CLAIMS)
    for number in range(HEADER_CACHE_MAX + 10):
        token = sign_text(json.dumps({"alg": "HS256", "kid": str(number)}), payload)
        authorization = f"Bearer {token}"
        reader.verify(authorization, key, NOW)
        assert reader.key_id(authorization) == str(number)
    assert len(reader._key_ids) == 10


def test_a_header_that_is_known_does_not_excuse_a_wrong_signature() -> None:
    reader = TokenReader(RULES)
    reader.verify(f"Bearer {sign()}", SigningKey(MATERIAL), NOW)
    with pytest.raises(TokenError) as refused:
        reader.verify(f"Bearer {sign(material=b'y' * 32)}", SigningKey(MATERIAL), NOW)
    assert refused.value.refusal is TokenRefusal.SIGNATURE


# ---------------------------------------------------------------- the oracles

JOSERFC_KEY = OctKey.import_key(MATERIAL)
REGISTRY = JWSRegistry(algorithms=["HS256"], strict_check_header=False)
OURS = ("iss", "aud", "exp", "nbf", "scope")


def joserfc_accepts(token: str, now: float) -> bool:
    rules = joserfc.jwt.JWTClaimsRegistry(
        now=now,  # type: ignore[arg-type]
        leeway=SKEW_S,
        iss={"essential": True, "value": RULES.issuer},
        aud={"essential": True, "values": list(RULES.audiences)},
        exp={"essential": True},
        scope={"essential": True, "value": RULES.scope},
    )
    try:
        claims = joserfc.jwt.decode(token, JOSERFC_KEY, registry=REGISTRY).claims
        rules.validate({name: claims[name] for name in OURS if name in claims})
    except (joserfc.errors.JoseError, ValueError, RecursionError):
        return False
    return isinstance(claims["scope"], str)  # it would take a list


def pyjwt_accepts(token: str) -> bool:
    """PyJWT has no clock to hand in: tokens given to it are clear of the edges of the present."""
    options: Any = {"require": ["exp", "iss", "aud"], "verify_iat": False, "verify_sub": False, "verify_jti": False}
    try:
        claims = jwt.decode(
            token, MATERIAL, ["HS256"], options, issuer=RULES.issuer, audience=list(RULES.audiences), leeway=SKEW_S
        )
    except (jwt.PyJWTError, ValueError, RecursionError):
        return False
    return claims.get("scope") == RULES.scope


def is_accepted(token: str, now: float) -> bool:
    return refusal_of(f"Bearer {token}", now) is None


text = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
times_s = st.sampled_from([-7200, -1800, -300, -45, 0, 45, 300, 1800, 7200])


@st.composite
def claims_about(draw: st.DrawFn, now: float) -> dict[str, Any]:
    """Claims that are mostly right, and wrong in every way that JSON can say."""
    oddly: Any = lambda right: st.one_of(*[st.just(right)] * 12, scalars, st.lists(scalars, max_size=2))  # noqa: E731
    claims: dict[str, Any] = {
        "iss": draw(oddly(RULES.issuer)),
        "aud": draw(st.one_of(oddly("icp-server"), st.lists(text | st.just("icp-server"), max_size=3))),
        "scope": draw(oddly(RULES.scope)),
        "exp": draw(oddly(now + 1800) | times_s.map(lambda s: now + s) | times_s.map(lambda s: int(now + s))),
        "nbf": draw(st.just(UNSET) | times_s.map(lambda s: now + s) | scalars),
        "sub": draw(st.just(UNSET) | scalars),
        "iat": draw(st.just(UNSET) | times_s.map(lambda s: now + s)),
    }
    dropped = draw(st.sets(st.sampled_from(sorted(claims)), max_size=1)) if draw(st.booleans()) else set[str]()
    extra = draw(st.dictionaries(text.filter(lambda name: name not in claims), scalars, max_size=2))
    return {**{n: v for n, v in claims.items() if v is not UNSET and n not in dropped}, **extra}


headers = st.fixed_dictionaries(
    {
        "alg": st.one_of(*[st.just("HS256")] * 8, st.sampled_from(["none", "HS512", "RS256"])),
        "kid": st.just("a1b2c3d4"),
    },
    optional={"typ": st.sampled_from(["JWT", "at+jwt", ""]), "x-note": scalars, "cty": st.just("json")},
)


def is_stricter_on(token: str) -> bool:
    """Tell whether we refuse by a rule of our own what libraries take: see the module's docstring."""
    header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    numbers = [value for value in (*payload.values(), *header.values()) if isinstance(value, float)]
    return (
        any(value != value or value in (float("inf"), -float("inf")) for value in numbers)  # noqa: PLR0124
        or not (isinstance(payload.get("exp"), (int, float)) and payload["exp"] <= 253_402_300_799)
        or abs(payload.get("nbf") or 0) > 1e300
    )


@settings(max_examples=400, deadline=None)
@given(header=headers, claims=claims_about(NOW))
def test_it_accepts_what_joserfc_accepts_and_nothing_else(header: dict[str, Any], claims: dict[str, Any]) -> None:
    token = sign(header, claims)
    ours, theirs = is_accepted(token, NOW), joserfc_accepts(token, NOW)
    assert ours <= theirs
    assert ours or not theirs or is_stricter_on(token)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_it_accepts_what_pyjwt_accepts_and_nothing_else(data: st.DataObject) -> None:
    now = time.time()
    header, claims = data.draw(headers), data.draw(claims_about(now))
    token = sign(header, claims)
    ours, theirs = is_accepted(token, now), pyjwt_accepts(token)
    assert ours <= theirs
    lenient = any(
        isinstance(claims.get(name), (bool, str)) for name in ("exp", "nbf")
    )  # it takes texts and truth values
    assert ours or not theirs or lenient or is_stricter_on(token)


@settings(max_examples=300, deadline=None)
@given(offset_s=st.floats(-SKEW_S - 2, SKEW_S + 2), claim=st.sampled_from(["exp", "nbf"]))
@example(offset_s=-SKEW_S, claim="exp")
@example(offset_s=SKEW_S, claim="nbf")
def test_the_edges_of_time_are_where_joserfc_has_them(offset_s: float, claim: str) -> None:
    token = sign(payload=changed(CLAIMS, **{claim: NOW + offset_s}))
    assert is_accepted(token, NOW) == joserfc_accepts(token, NOW)


ALPHABET = "ABCxyz019-_=+/.~ \n*é\0"


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_a_mutated_token_is_refused_unless_nothing_changed(data: st.DataObject) -> None:
    token = sign()
    at = data.draw(st.integers(0, len(token) - 1))
    mutated = data.draw(
        st.one_of(
            st.sampled_from(ALPHABET).map(lambda c: token[:at] + c + token[at + 1 :]),
            st.sampled_from(ALPHABET).map(lambda c: token[:at] + c + token[at:]),
            st.integers(1, 5).map(lambda n: token[:at] + token[at + n :]),
            st.integers(1, 4).map(lambda n: token + "=" * n),
            st.permutations(token.split(".")).map(".".join),
            st.just(token[:at] + token[at].swapcase() + token[at + 1 :]),
        )
    )
    assert is_accepted(mutated, NOW) == (mutated == token)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_no_other_spelling_of_the_right_signature_is_accepted(data: st.DataObject) -> None:
    signing_input, _, signature = sign().rpartition(".")
    last = data.draw(st.characters(codec="ascii", categories=["Lu", "Ll", "Nd", "P", "S"]))
    other = signature[:-1] + last
    assert is_accepted(f"{signing_input}.{other}", NOW) == (other == signature)


@settings(max_examples=400, deadline=None)
@given(header=st.text(max_size=60) | st.binary(max_size=60), payload=st.text(max_size=80) | st.binary(max_size=80))
def test_signed_rubbish_is_refused_and_nothing_else_happens(header: str | bytes, payload: str | bytes) -> None:
    assert refusal_of(f"Bearer {sign_text(header, payload)}") is not None
    assert refusal_of(f"Bearer {sign_text(json.dumps(HEADER), payload)}") is not None


@settings(max_examples=400, deadline=None)
@given(authorization=st.text(max_size=120) | st.text(max_size=120).map("Bearer {}".format))
def test_unsigned_rubbish_is_refused_and_nothing_else_happens(authorization: str) -> None:
    with contextlib.suppress(TokenError):
        TokenReader(RULES).key_id(authorization)
    assert refusal_of(authorization) is not None


@settings(max_examples=300, deadline=None)
@given(segment=st.text("ABCDabcd0129-_=+/ \n*", min_size=1, max_size=9))
def test_a_payload_segment_decodes_only_if_joserfc_decodes_it(segment: str) -> None:
    try:
        theirs: bytes | None = urlsafe_b64decode(segment.encode())
    except ValueError:
        theirs = None
    try:
        ours: bytes | None = _base64url(segment.encode())
    except ValueError:
        ours = None
    assert ours == theirs


# -- tokens that their senders keep


def kept(now: float = NOW, **claims: Any) -> str:
    return f"Bearer {sign(payload=changed(CLAIMS, iat=now - 60, exp=now + 600, **claims))}"


def test_a_token_that_was_verified_ends_at_its_time_all_the_same() -> None:
    reader, key, token = TokenReader(RULES), SigningKey(MATERIAL), kept()
    for _ in range(3):
        reader.verify(token, key, NOW)
    reader.verify(token, key, NOW + 600 + RULES.skew_s - 1)
    with pytest.raises(TokenError) as refused:
        reader.verify(token, key, NOW + 600 + RULES.skew_s + 1)
    assert refused.value.refusal is TokenRefusal.EXPIRED


def test_a_token_that_was_verified_is_nothing_under_another_secret() -> None:
    reader, token = TokenReader(RULES), kept()
    reader.verify(token, SigningKey(MATERIAL), NOW)
    with pytest.raises(TokenError) as refused:
        reader.verify(token, SigningKey(b"another secret of thirty-two bytes or more"), NOW)
    assert refused.value.refusal is TokenRefusal.SIGNATURE


def test_a_token_that_begins_later_is_refused_before_although_it_was_accepted_after() -> None:
    reader, key, token = TokenReader(RULES), SigningKey(MATERIAL), kept(nbf=NOW)
    reader.verify(token, key, NOW)
    with pytest.raises(TokenError) as refused:
        reader.verify(token, key, NOW - RULES.skew_s - 5)
    assert refused.value.refusal is TokenRefusal.NOT_YET_VALID


@given(st.integers(min_value=0), st.booleans())
def test_no_change_of_a_remembered_token_is_accepted_for_it(place: int, upper: bool) -> None:
    reader, key, token = TokenReader(RULES), SigningKey(MATERIAL), kept()
    reader.verify(token, key, NOW)
    at = len("Bearer ") + place % (len(token) - len("Bearer "))
    other = "A" if token[at] != "A" else "B"
    changed_token = token[:at] + (other if upper else other.lower()) + token[at + 1 :]
    try:
        fresh: object = TokenReader(RULES).verify(changed_token, key, NOW)
    except TokenError as error:
        fresh = error.refusal
    try:
        known: object = reader.verify(changed_token, key, NOW)
    except TokenError as error:
        known = error.refusal
    assert known == fresh
