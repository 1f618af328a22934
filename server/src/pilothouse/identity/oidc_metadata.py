"""What a provider says about itself: its endpoints and its keys, each read once and kept for a while.

Source: OpenID Connect Discovery 1.0; RFC 7517 (JWK sets).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from pilothouse.identity.external import is_loopback
from pilothouse.identity.oidc_http import JsonObject, ProviderHttp, unavailable

LASTS_S: Final = 3600.0
"""How long endpoints and keys are kept."""
KEYS_AGAIN_S: Final = 10.0
"""The least time between two readings of the keys for the sake of a key that is not among them."""
KEYS_MAX: Final = 100
"""Keys looked at; a provider has a handful."""
RSA_CHARS_MIN: Final = 342
"""Characters of a modulus of 2048 bits in base64url; shorter keys are not taken."""

SigningKey = RSAKey | ECKey | OKPKey
T = TypeVar("T")
_log = structlog.stdlib.get_logger(__name__)


class Metadata(msgspec.Struct, frozen=True):
    """The part of the discovery document that is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Kept(Generic[T]):
    """A value read from elsewhere: kept for a while, read by one for all who wait, a failure is not kept."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._found: tuple[T, float] | None = None
        self._reading: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Give the value, read anew after an hour."""
        if self._found is not None and asyncio.get_running_loop().time() - self._found[1] < LASTS_S:
            return self._found[0]
        return await self.again()

    async def again(self) -> T:
        """Read the value now, together with whoever is reading it."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._keep())
            self._reading.add_done_callback(self._done)
        return await asyncio.shield(self._reading)

    async def _keep(self) -> T:
        value = await self._read()
        self._found = (value, asyncio.get_running_loop().time())
        return value

    def _done(self, reading: asyncio.Task[T]) -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # asked for here, since everybody who waited may have gone


class ProviderMetadata:
    """The discovery document and the signing keys of one issuer."""

    def __init__(self, issuer: str, http: ProviderHttp) -> None:
        self._issuer = issuer
        self._http = http
        self._document = Kept(self._read_document)
        self._keys = Kept(self._read_keys)
        self._again_at = -KEYS_AGAIN_S

    async def document(self) -> Metadata:
        """Give the endpoints.

        Raises: ProviderUnavailable
        """
        return await self._document.get()

    async def keys(self, key_id: str | None) -> tuple[SigningKey, ...]:
        """Give the keys that may have signed: the one named, or all where the token names none.

        An unknown name has the keys read anew, at most every 10 s.

        Raises: ProviderUnavailable
        """
        found = _named(await self._keys.get(), key_id)
        now = asyncio.get_running_loop().time()
        if not found and now - self._again_at >= KEYS_AGAIN_S:
            self._again_at = now
            _log.info("oidc_keys_read_anew", issuer=self._issuer)
            found = _named(await self._keys.again(), key_id)
        return found

    async def _read_document(self) -> Metadata:
        answer = await self._http.get(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise unavailable(f"its discovery document is answered with status {answer.status}.")
        try:
            document = msgspec.convert(answer.content, Metadata)
        except msgspec.ValidationError as error:
            raise unavailable(f"its discovery document is incomplete ({error}).") from None
        if document.issuer != self._issuer:
            raise unavailable(f"its discovery document is that of another issuer, `{document.issuer[:200]}`.")
        for name in (
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "userinfo_endpoint",
            "end_session_endpoint",
        ):
            url: str | None = getattr(document, name)
            if url is not None and not is_safe_url(url):
                raise unavailable(f"its {name} is not an https URL.")
        return document

    async def _read_keys(self) -> tuple[SigningKey, ...]:
        answer = await self._http.get((await self.document()).jwks_uri)
        keys = answer.content.get("keys")
        if answer.status != 200 or not isinstance(keys, list):  # noqa: PLR2004 - OK
            raise unavailable(f"its keys are answered with status {answer.status} and no key set.")
        return tuple(key for each in keys[:KEYS_MAX] if (key := _signing_key(each)) is not None)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]: JSON


def is_safe_url(url: str) -> bool:
    """Tell whether a URL may carry tokens: https, or http to this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _named(keys: tuple[SigningKey, ...], key_id: str | None) -> tuple[SigningKey, ...]:
    return keys if key_id is None else tuple(key for key in keys if key.kid == key_id)


def _signing_key(found: object) -> SigningKey | None:
    """Make a key of a JSON object; none where it is of another kind, for another use, too short or malformed."""
    if not isinstance(found, dict):
        return None
    jwk: JsonObject = found  # pyright: ignore[reportUnknownVariableType]: a JSON object
    is_short = jwk.get("kty") == "RSA" and len(str(jwk.get("n"))) < RSA_CHARS_MIN
    is_foreign = jwk.get("kty") == "OKP" and jwk.get("crv") != "Ed25519"
    if is_short or is_foreign or jwk.get("kty") not in {"RSA", "EC", "OKP"} or jwk.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(jwk)  # pyright: ignore[reportArgumentType]: the library checks the members
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None
