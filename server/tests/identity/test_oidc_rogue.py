"""What an identity provider, or somebody who passes for one, may not get through."""

import asyncio
import gzip
import hashlib
import time
from typing import Any

import pytest
from aiohttp import web
from joserfc.jwk import ECKey, OctKey, RSAKey
from pilothouse.base.errors import CannotStart
from pilothouse.identity import oidc_metadata
from pilothouse.identity.external import OidcRefused, ProviderUnavailable
from pilothouse.identity.oidc import OidcProvider, OidcSettings
from rogue_provider import (
    CALLBACK,
    KEYS,
    altered,
    client_of,
    finish,
    forged_with_the_public_key,
    rogue_provider,
    sign_in,
    unpadded,
    unsigned,
)

pytestmark = pytest.mark.anyio
NOW = int(time.time())


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"])
@pytest.mark.parametrize("kid", [True, False], ids=["with a key id", "without"])
async def test_the_four_algorithms_are_taken(algorithm: str, kid: bool) -> None:
    name = "EdDSA" if algorithm == "Ed25519" else algorithm
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.key, rogue.header = KEYS[name], {"alg": algorithm} | ({"kid": name} if kid else {})
        digest = hashlib.sha512 if name == "EdDSA" else hashlib.sha256
        octets = digest(b"an-access-token").digest()
        rogue.claims = {"at_hash": unpadded(octets[: len(octets) // 2])}
        assert (await sign_in(rogue, oidc)).username == "ann"


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"iss": "https://elsewhere.example.com"}, "issuer is another"),
        ({"aud": "somebody-else"}, "audience is another"),
        ({"aud": ["pilothouse", "other"]}, "several audiences"),
        ({"aud": ["pilothouse", "other"], "azp": "other"}, "another party"),
        ({"azp": "other"}, "another party"),
        ({"exp": NOW - 31}, "expiry has passed"),
        ({"exp": None}, "claims cannot be read"),
        ({"exp": "never"}, "claims cannot be read"),
        ({"exp": float("nan")}, "claims cannot be read"),
        ({"iat": NOW + 3600}, "from the future"),
        ({"iat": None}, "claims cannot be read"),
        ({"nbf": NOW + 3600}, "from the future"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": None}, "claims cannot be read"),
        ({"sub": ""}, "names nobody"),
        ({"sub": "x" * 256}, "longer subject"),
        ({"at_hash": "another"}, "at_hash"),
        ({"preferred_username": None, "groups": None}, "no usable `preferred_username`"),
        ({"preferred_username": ["ann", "admin"]}, "no usable"),
        ({"preferred_username": "ann\nadmin"}, "no usable"),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(claims: dict[str, Any], cause: str) -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.claims = claims
        with pytest.raises(OidcRefused, match=cause):
            await sign_in(rogue, oidc)


async def test_a_token_for_us_among_others_is_taken_when_it_was_made_for_us() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        now = int(time.time())
        rogue.claims = {"aud": ["other", "pilothouse"], "azp": "pilothouse", "exp": now - 10}
        assert (await sign_in(rogue, oidc, now=now)).username == "ann", "clocks may differ by 30 s"


@pytest.mark.parametrize(
    ("forge", "cause"),
    [
        (altered, "signature is wrong"),
        (unsigned, "signed with `none`"),
        (forged_with_the_public_key, "signed with `HS256`"),
        (lambda rogue: rogue.id_token().rpartition(".")[0] + ".", "signature is wrong"),
        (lambda _: "a.b.c", "cannot be read"),
        (lambda _: "no token", "cannot be read"),
        (lambda rogue: rogue.id_token() + "x" * 200_000, "cannot be read"),
        (lambda _: 7, "gave no ID token"),
        (lambda _: "ä.ö.ü", "cannot be read"),
    ],
)
async def test_a_forged_token_is_refused(forge: Any, cause: str) -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        started = await oidc.begin(time.time())
        rogue.nonce = started.nonce
        rogue.answer = {"id_token": forge(rogue)}
        with pytest.raises(OidcRefused, match=cause):
            await finish(oidc, started)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (RSAKey.generate_key(2048), {"alg": "RS256", "kid": "RS256"}),
        (KEYS["RS256"], {"alg": "RS384", "kid": "RS256"}),
        (KEYS["RS256"], {"alg": "RS256", "kid": "ES256"}),
        (KEYS["RS256"], {"alg": "RS256", "kid": "RS256", "crit": ["unknown"], "unknown": 1}),
        (OctKey.import_key("a secret that is long enough to be one"), {"alg": "HS256"}),
    ],
)
async def test_a_token_of_another_key_or_algorithm_is_refused(key: Any, header: dict[str, Any]) -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.key, rogue.header = key, header
        with pytest.raises(OidcRefused, match="ID token"):
            await sign_in(rogue, oidc)


async def test_a_key_that_the_token_brings_along_is_not_believed() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.key = ECKey.generate_key("P-256")
        rogue.header = {
            "alg": "ES256",
            "jwk": rogue.key.as_dict(private=False),
            "jku": "https://elsewhere.example.com/",
        }
        with pytest.raises(OidcRefused, match="signature is wrong"):
            await sign_in(rogue, oidc)


async def test_keys_that_cannot_sign_are_passed_over() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        weak = {"kty": "RSA", "kid": "RS256", "n": "AQAB", "e": "AQAB"}
        broken = {"kty": "EC", "crv": "P-256", "kid": "RS256", "x": "!", "y": "!"}
        shared = {"kty": "oct", "kid": "RS256", "k": "AAAA"}
        foreign = {"kty": "AKP", "kid": "RS256", "alg": "ML-DSA-44", "pub": "AAAA"}
        encrypting = KEYS["ES256"].as_dict(private=False) | {"kid": "RS256", "use": "enc"}
        rogue.published = [weak, broken, shared, foreign, encrypting, "no key", *rogue.published]
        assert (await sign_in(rogue, oidc)).username == "ann"


async def test_an_unknown_key_has_the_keys_read_anew_but_not_for_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        await sign_in(rogue, oidc)
        new = ECKey.generate_key("P-256", parameters={"kid": "new"})
        rogue.key, rogue.header = new, {"alg": "ES256", "kid": "new"}
        rogue.published = [new.as_dict(private=False)]
        assert (await sign_in(rogue, oidc)).username == "ann", "the provider has changed its keys"
        rogue.header = {"alg": "ES256", "kid": "never published"}
        for _ in range(3):
            with pytest.raises(OidcRefused, match="does not publish"):
                await sign_in(rogue, oidc)
        assert rogue.asked.count("keys") == 2
        monkeypatch.setattr(oidc_metadata, "KEYS_AGAIN_S", 0.0)
        with pytest.raises(OidcRefused, match="does not publish"):
            await sign_in(rogue, oidc)
        assert rogue.asked.count("keys") == 3


async def test_endpoints_and_keys_are_read_once_by_all_who_sign_in_together() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        await asyncio.gather(*(oidc.begin(time.time()) for _ in range(20)))
        await sign_in(rogue, oidc)
    assert (rogue.asked.count("openid-configuration"), rogue.asked.count("keys")) == (1, 1)


async def test_a_failure_to_read_is_not_remembered() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.status = {"openid-configuration": 503}
        with pytest.raises(ProviderUnavailable, match="503"):
            await oidc.check()
        rogue.status = {}
        await oidc.check()


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://elsewhere.example.com"},
        {"token_endpoint": None},
        {"token_endpoint": "http://provider.example.com/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "http://[broken"},
    ],
)
async def test_a_discovery_document_that_cannot_be_believed_is_refused(metadata: dict[str, Any]) -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.metadata = metadata
        with pytest.raises(ProviderUnavailable, match=r"discovery document|https URL"):
            await oidc.begin(time.time())


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (web.Response(body=b"<html>"), "something else than a JSON object"),
        (web.Response(body=b"[" * 400_000), "something else than a JSON object"),
        (web.Response(body=b'{"a":"' + b"x" * 600_000), "longer than"),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), "answered 302"),
        (web.Response(body=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}), "something else"),
    ],
)
@pytest.mark.parametrize("end", ["openid-configuration", "keys", "token"])
async def test_an_answer_that_is_none_is_trouble_of_the_provider(end: str, answer: web.Response, cause: str) -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.raw = {end: answer}
        with pytest.raises(ProviderUnavailable, match=cause):
            await sign_in(rogue, oidc)


async def test_a_provider_that_does_not_answer_is_given_up_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with client_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout_s=0.3) as oidc:
        with pytest.raises(ProviderUnavailable, match=r"within 0\.3 s"):
            await oidc.begin(time.time())
    server.close()


async def test_userinfo_fills_in_what_the_token_lacks_and_nothing_else() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.claims = {"groups": None}
        rogue.userinfo |= {"preferred_username": "admin"}
        ann = await sign_in(rogue, oidc)
    assert (ann.username, ann.groups) == ("ann", ("from userinfo",))
    assert rogue.authorizations[-1] == "Bearer an-access-token"


async def test_userinfo_about_somebody_else_is_refused() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.claims, rogue.userinfo = {"groups": None}, {"sub": "another", "groups": ["administrators"]}
        with pytest.raises(OidcRefused, match="somebody else"):
            await sign_in(rogue, oidc)


async def test_a_claim_may_lie_within_another() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer, groups_claim="realm_access.roles") as oidc:
        rogue.claims = {"realm_access": {"roles": ["operators"]}, "mixed": ["a", 7], "flag": True}
        ann = await sign_in(rogue, oidc)
    assert ann.groups == ann.claims["realm_access.roles"] == ("operators",)
    assert not {"mixed", "flag", "exp"} & set(ann.claims)


async def test_a_callback_s_error_is_not_repeated_unless_it_is_a_code() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        with pytest.raises(OidcRefused) as caught:
            await sign_in(rogue, oidc, code=None, error="Call 555-0100 and tell them your password!")
    assert "555" not in caught.value.message
    assert "token" not in rogue.asked


async def test_the_secret_goes_into_the_form_where_the_provider_takes_nothing_else() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        await sign_in(rogue, oidc)
    assert rogue.forms[0]["client_secret"] == "a secret"


async def test_a_provider_without_a_sign_out_page_has_none() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.metadata = {"end_session_endpoint": None}
        assert await oidc.logout_url("hint", CALLBACK) is None


async def test_trouble_at_the_token_endpoint_is_the_provider_s() -> None:
    async with rogue_provider() as rogue, client_of(rogue.issuer) as oidc:
        rogue.status = {"token": 500}
        with pytest.raises(ProviderUnavailable, match="answered 500"):
            await sign_in(rogue, oidc)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://sso.example.com"},
        {"issuer": "https://"},
        {"issuer": "https://sso.example.com?realm=one"},
        {"issuer": "https://sso.example.com/" + "x" * 255},
        {"client_id": ""},
        {"ca_file": "/nowhere/ca.pem"},
    ],
)
async def test_settings_that_cannot_be_safe_are_refused_at_the_start(changes: dict[str, Any]) -> None:
    fine = {"issuer": "https://sso.example.com", "client_id": "pilothouse", "redirect_uri": CALLBACK}
    with pytest.raises(CannotStart) as refusal:
        OidcProvider(OidcSettings(**(fine | changes)))
    assert refusal.value.fix
