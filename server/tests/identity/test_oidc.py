"""Sign-in at a certified identity provider (npm `oidc-provider`)."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from oidc_provider import REDIRECT_URI, RunningProvider, running_provider
from pilothouse.identity.external import ExternalIdentity, OidcRefused, ProviderUnavailable
from pilothouse.identity.oidc import OidcProvider
from rogue_provider import client_of

pytestmark = pytest.mark.anyio
SCOPES = ("openid", "profile", "email", "groups")


def client(provider: RunningProvider, **changes: object):
    secret = {"client_id": provider.client_id, "client_secret": provider.client_secret}
    return client_of(provider.issuer, **({**secret, "redirect_uri": REDIRECT_URI, "scopes": SCOPES} | changes))


async def signed_in(
    provider: RunningProvider, oidc: OidcProvider, username: str, **changes: object
) -> ExternalIdentity:
    started = await oidc.begin(time.time())
    brought = await provider.sign_in(started.authorization_url, username)
    arguments = {
        "code": brought["code"],
        "state": brought["state"],
        "issuer": brought["iss"],
        "state_expected": started.state,
        "nonce": started.nonce,
        "code_verifier": started.code_verifier,
    }
    return await oidc.finish(**(arguments | changes), now=time.time())


async def test_a_person_signs_in_and_is_known_by_the_claims(provider: RunningProvider) -> None:
    async with client(provider) as oidc:
        ann = await signed_in(provider, oidc, "ann")
    assert (ann.issuer, ann.subject, ann.username) == (provider.issuer, "subject-of-ann", "ann")
    assert (ann.display_name, ann.email) == ("Ann Example", "ann@example.com")
    assert ann.groups == ("operators", "staff")
    assert ann.claims["groups"] == ("operators", "staff")
    assert "nonce" not in ann.claims


async def test_claims_in_the_id_token_are_enough() -> None:
    with running_provider(claims_in_id_token=True) as provider:
        async with client(provider) as oidc:
            ann = await signed_in(provider, oidc, "ann")
    assert (ann.username, ann.groups) == ("ann", ("operators", "staff"))


async def test_a_public_client_signs_in_by_its_proof_key_alone(provider: RunningProvider) -> None:
    async with client(provider, client_id=provider.public_client_id, client_secret=None) as oidc:
        assert (await signed_in(provider, oidc, "bob")).username == "bob"


async def test_an_address_that_is_not_verified_is_not_taken(provider: RunningProvider) -> None:
    async with client(provider) as oidc:
        assert (await signed_in(provider, oidc, "bob")).email is None


async def test_a_person_without_groups_has_none(provider: RunningProvider) -> None:
    async with client(provider) as oidc:
        assert (await signed_in(provider, oidc, "eve")).groups == ()


async def test_a_code_counts_once(provider: RunningProvider) -> None:
    async with client(provider) as oidc:
        started = await oidc.begin(time.time())
        brought = await provider.sign_in(started.authorization_url, "ann")
        kept = {"nonce": started.nonce, "code_verifier": started.code_verifier, "state_expected": started.state}
        again = {"code": brought["code"], "state": brought["state"], "issuer": brought["iss"], **kept}
        assert (await oidc.finish(**again, now=time.time())).username == "ann"
        with pytest.raises(OidcRefused, match="code was used already") as caught:
            await oidc.finish(**again, now=time.time())
    assert caught.value.code == "OIDC_REFUSED"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"nonce": "another"}, "nonce is not that of this sign-in"),
        ({"code_verifier": "another" * 8}, "invalid_grant"),
        ({"code": "never given"}, "invalid_grant"),
        ({"state_expected": "another"}, "state is unknown"),
        ({"state_expected": None}, "state is unknown"),
        ({"state_expected": "", "state": ""}, "state is unknown"),
        ({"issuer": "https://elsewhere.example.com"}, "issuer is not the configured"),
        ({"issuer": None}, "issuer is not the configured"),
    ],
)
async def test_what_does_not_belong_to_this_sign_in_is_refused(
    provider: RunningProvider, change: dict[str, str | None], cause: str
) -> None:
    async with client(provider) as oidc:
        with pytest.raises(OidcRefused, match=cause):
            await signed_in(provider, oidc, "ann", **change)


async def test_who_declines_is_told_so(provider: RunningProvider) -> None:
    async with client(provider) as oidc:
        started = await oidc.begin(time.time())
        brought = await provider.sign_in(started.authorization_url, "ann", deny=True)
        with pytest.raises(OidcRefused, match="access_denied"):
            await oidc.finish(
                code=brought.get("code"),
                error=brought["error"],
                state=brought["state"],
                issuer=brought["iss"],
                state_expected=started.state,
                nonce=started.nonce,
                code_verifier=started.code_verifier,
                now=time.time(),
            )


async def test_a_wrong_client_secret_is_said_to_the_administrator(provider: RunningProvider) -> None:
    async with client(provider, client_secret="wrong") as oidc:
        with pytest.raises(OidcRefused, match="invalid_client") as caught:
            await signed_in(provider, oidc, "ann")
    assert "PILOTHOUSE_OIDC_CLIENT_SECRET" in caught.value.fix


async def test_every_sign_in_begins_with_values_of_its_own(provider: RunningProvider) -> None:
    async with client(provider) as oidc:
        one, other = await oidc.begin(time.time()), await oidc.begin(time.time())
    query = parse_qs(urlsplit(one.authorization_url).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["state"] == [one.state]
    assert one.code_verifier not in one.authorization_url
    assert not {one.state, one.nonce, one.code_verifier} & {other.state, other.nonce, other.code_verifier}


async def test_the_sign_out_page_is_the_provider_s(provider: RunningProvider) -> None:
    async with client(provider) as oidc:
        url = await oidc.logout_url(None, "https://pilothouse.example.com/signed-out")
    assert url is not None
    assert url.startswith(f"{provider.issuer}/session/end?client_id=pilothouse&post_logout_redirect_uri=https%3A%2F%2F")


async def test_a_provider_that_is_down_is_named_and_signs_out_nobody() -> None:
    with running_provider() as provider:
        issuer = provider.issuer
    async with client_of(issuer) as oidc:
        with pytest.raises(ProviderUnavailable, match=r"identity provider cannot be asked now.*may still sign in"):
            await oidc.begin(time.time())
        assert await oidc.logout_url(None, "https://pilothouse.example.com/") is None
