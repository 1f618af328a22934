"""Sign-in at an OpenID Connect provider: the code flow with PKCE, as a client that keeps nothing of a sign-in itself.

Source: OpenID Connect Core 1.0; RFC 6749, RFC 7636 (PKCE), RFC 9207 (issuer in the answer), RFC 9700 (best practice).
"""

import base64
import hashlib
import re
import secrets
from typing import Final
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec
import structlog

from pilothouse.base.errors import CannotStart
from pilothouse.base.instants import Instant
from pilothouse.identity.external import (
    GROUPS_MAX,
    KEY_CHARS_MAX,
    ExternalIdentity,
    OidcRefused,
    ProviderUnavailable,
    as_claims,
    as_texts,
    client_tls,
)
from pilothouse.identity.oidc_http import JsonObject, ProviderHttp, unavailable
from pilothouse.identity.oidc_metadata import Metadata, ProviderMetadata, is_safe_url
from pilothouse.identity.oidc_tokens import Expected, key_id_of, same, verify

_ERROR_CODE: Final = re.compile(r"[a-z_]{1,60}", re.ASCII)
_SERVER_ERROR: Final = 500
_OK: Final = 200
_CAUSES: Final = {
    "access_denied": "you, or the identity provider, declined it.",
    "invalid_grant": "the code was used already, has expired, or belongs to another sign-in.",
    "invalid_client": "the identity provider does not take Pilothouse's client id and secret.",
    "login_required": "the identity provider wants you to sign in there first.",
}

_ONLY_FOR_THIS_SIGN_IN: Final = frozenset({"nonce", "at_hash", "c_hash", "jti", "sid"})
"""Claims that say nothing about the person."""

_log = structlog.stdlib.get_logger(__name__)


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which provider is trusted, as whom we ask, and what its claims mean."""

    issuer: str
    """As the discovery document has it, to the letter."""
    client_id: str
    client_secret: str | None = None
    """None for a public client: PKCE alone then binds the code to us."""
    redirect_uri: str
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    username_claim: str = "preferred_username"
    groups_claim: str = "groups"
    """A claim's name, or a path with dots into nested claims (`realm_access.roles`)."""
    ca_file: str | None = None
    timeout_s: float = 10.0
    """For each request to the provider."""
    clock_skew_s: float = 30.0


class OidcStart(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that has begun: where to send the browser, and what to keep from it until it comes back."""

    authorization_url: str
    state: str
    nonce: str
    code_verifier: str


class OidcProvider:
    """One identity provider. Made once; `close` lets its connections go.

    Raises: CannotStart when made with settings that cannot be safe
    """

    def __init__(self, settings: OidcSettings) -> None:
        _check(settings)
        self._settings = settings
        self._http = ProviderHttp(client_tls(settings.ca_file, setting="PILOTHOUSE_OIDC_CA_FILE"), settings.timeout_s)
        self._metadata = ProviderMetadata(settings.issuer, self._http)
        self.issuer = settings.issuer

    async def check(self) -> None:
        """Read the provider's discovery document, where it is not known yet.

        Raises: ProviderUnavailable
        """
        await self._metadata.document()

    async def begin(self, now: Instant) -> OidcStart:  # noqa: ARG002 - part of the port: a sign-in begins at a moment
        """Begin a sign-in.

        Raises: ProviderUnavailable
        """
        document = await self._metadata.document()
        state, nonce, verifier = (secrets.token_urlsafe(bytes_) for bytes_ in (24, 24, 48))
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._settings.client_id,
                "redirect_uri": self._settings.redirect_uri,
                "scope": " ".join(dict.fromkeys(("openid", *self._settings.scopes))),
                "state": state,
                "nonce": nonce,
                "code_challenge": _unpadded(hashlib.sha256(verifier.encode()).digest()),
                "code_challenge_method": "S256",
            }
        )
        url = _with_query(document.authorization_endpoint, query)
        return OidcStart(authorization_url=url, state=state, nonce=nonce, code_verifier=verifier)

    async def finish(
        self,
        *,
        code: str | None,
        state: str | None,
        state_expected: str | None,
        nonce: str,
        code_verifier: str,
        now: Instant,
        error: str | None = None,
        issuer: str | None = None,
    ) -> ExternalIdentity:
        """Turn what the browser brought back into an identity.

        `code`, `state`, `error` and `issuer` (`iss`) are of the callback's query; the others are what `begin` gave.

        Raises: OidcRefused, ProviderUnavailable
        """
        if not state or not state_expected or not same(state, state_expected):
            raise OidcRefused("the state is unknown: this sign-in was not begun in this browser, or long ago.")
        document = await self._metadata.document()
        _check_sender(document, issuer)
        if error is not None or not code:
            raise _refusal(error)
        tokens = await self._redeem(document, code, code_verifier)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise OidcRefused("the identity provider gave no ID token.")
        access_token = access_token if isinstance(access_token, str) else None
        keys = await self._metadata.keys(key_id_of(id_token))
        expected = Expected(
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=nonce,
            access_token=access_token,
            clock_skew_s=self._settings.clock_skew_s,
        )
        proved, claims = verify(id_token, keys, expected, now)
        if access_token is not None and self._lacks(claims):
            claims = {**await self._userinfo(document, access_token, proved.sub), **claims}
        return self._identity(proved.sub, claims)

    async def logout_url(self, id_token_hint: str | None, post_logout_redirect: str) -> str | None:
        """Say where the browser ends its session at the provider.

        None where it has no such page or cannot be asked: the sign-out here does not depend on it.
        """
        try:
            endpoint = (await self._metadata.document()).end_session_endpoint
        except ProviderUnavailable as error:
            _log.warning("oidc.sign_out_not_known", cause=error.cause)
            return None
        if endpoint is None:
            return None
        query = {"client_id": self._settings.client_id, "post_logout_redirect_uri": post_logout_redirect}
        return _with_query(
            endpoint, urlencode(query if id_token_hint is None else query | {"id_token_hint": id_token_hint})
        )

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.close()

    async def _redeem(self, document: Metadata, code: str, code_verifier: str) -> JsonObject:
        settings = self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.redirect_uri,
            "code_verifier": code_verifier,
        }
        headers: dict[str, str] = {}
        if settings.client_secret is None:
            form["client_id"] = settings.client_id
        elif "client_secret_basic" in document.token_endpoint_auth_methods_supported:
            pair = f"{quote_plus(settings.client_id, safe='')}:{quote_plus(settings.client_secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
        answer = await self._http.post(document.token_endpoint, form, headers=headers)
        if answer.status >= _SERVER_ERROR:
            raise unavailable(f"it answered {answer.status} when the code was handed in.")
        if answer.status != _OK:
            error = answer.content.get("error")
            _log.warning("oidc.code_refused", status=answer.status, error=str(error)[:60])
            raise _refusal(error)
        return answer.content

    async def _userinfo(self, document: Metadata, access_token: str, subject: str) -> JsonObject:
        if document.userinfo_endpoint is None:
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = await self._http.get(document.userinfo_endpoint, headers=headers)
        if answer.status != _OK:
            raise unavailable(f"it answered {answer.status} when asked for your claims.")
        if answer.content.get("sub") != subject:
            raise OidcRefused("the identity provider's userinfo is about somebody else.")
        return answer.content

    def _lacks(self, claims: JsonObject) -> bool:
        wanted = (self._settings.username_claim, self._settings.groups_claim)
        return any(_claim(claims, name) is None for name in wanted)

    def _identity(self, subject: str, claims: JsonObject) -> ExternalIdentity:
        settings = self._settings
        username = _text(claims, settings.username_claim)
        if not username or not username.isprintable():
            raise OidcRefused(
                f"the identity provider gives no usable `{settings.username_claim}`.",
                fix="The administrator sets PILOTHOUSE_OIDC_USERNAME_CLAIM to a claim that names people.",
            )
        groups = as_texts(_claim(claims, settings.groups_claim))
        if len(groups) > GROUPS_MAX or "_claim_names" in claims:
            _log.warning("oidc.groups_left_out", username=username, groups=len(groups))
        return ExternalIdentity(
            issuer=settings.issuer,
            subject=subject,
            username=username,
            display_name=_text(claims, "name") or username,
            email=_text(claims, "email") if claims.get("email_verified") is not False else None,
            groups=groups[:GROUPS_MAX],
            claims=as_claims(
                {settings.groups_claim: list(groups)}
                | {name: value for name, value in claims.items() if name not in _ONLY_FOR_THIS_SIGN_IN}
            ),
        )


def _check(settings: OidcSettings) -> None:
    """Refuse to start with what cannot be safe or cannot work."""
    if not is_safe_url(settings.issuer) or urlsplit(settings.issuer).query or urlsplit(settings.issuer).fragment:
        raise CannotStart(
            f"PILOTHOUSE_OIDC_ISSUER is `{settings.issuer}`, which is not an https URL without a query.",
            fix="Set it to the issuer as the provider's /.well-known/openid-configuration has it.",
        )
    if len(settings.issuer) > KEY_CHARS_MAX:
        raise CannotStart(
            f"PILOTHOUSE_OIDC_ISSUER is longer than {KEY_CHARS_MAX} characters.", fix="Use a shorter one."
        )
    if not settings.client_id:
        raise CannotStart("PILOTHOUSE_OIDC_CLIENT_ID is empty.", fix="Set it to the id that the provider gave.")


def _check_sender(document: Metadata, issuer: str | None) -> None:
    """Refuse an answer of another provider, mixed in (RFC 9207)."""
    missing = issuer is None and document.authorization_response_iss_parameter_supported
    if missing or (issuer is not None and issuer != document.issuer):
        raise OidcRefused("the answer's issuer is not the configured identity provider.")


def _refusal(error: object) -> OidcRefused:
    """Word an error code; it may come from anybody's link, so nothing else of it is repeated."""
    name = error if isinstance(error, str) and _ERROR_CODE.fullmatch(error) else "unknown"
    cause = _CAUSES.get(name, "the identity provider did not say yes.")
    if name == "invalid_client":
        fix = "The administrator checks PILOTHOUSE_OIDC_CLIENT_ID and PILOTHOUSE_OIDC_CLIENT_SECRET."
        return OidcRefused(f"{cause[:-1]} ({name}).", fix=fix)
    return OidcRefused(f"{cause[:-1]} ({name}).")


def _claim(claims: JsonObject, name: str) -> object:
    """Give a claim by its name; where there is none of that name, by a path with dots."""
    if name in claims:
        return claims[name]
    found: object = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]: JSON
    return found  # pyright: ignore[reportUnknownVariableType]


def _text(claims: JsonObject, name: str) -> str | None:
    texts = as_texts(_claim(claims, name))
    return texts[0] if len(texts) == 1 else None


def _with_query(endpoint: str, query: str) -> str:
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{query}"


def _unpadded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
