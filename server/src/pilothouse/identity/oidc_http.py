"""Requests to an identity provider, with limits on time and size, and without following it anywhere."""

import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp
import msgspec

from pilothouse.identity.external import ProviderUnavailable

STORE: Final = "The identity provider"
ANSWER_BYTES_MAX: Final = 512 * 1024
"""Bytes of one answer; a larger one is not read to its end."""
CONNECTIONS_MAX: Final = 16
"""Connections to the provider at once; further requests wait within their time."""

JsonObject = dict[str, object]


class Answer(msgspec.Struct, frozen=True):
    """A JSON object and the status it came with."""

    status: int
    content: JsonObject


class ProviderHttp:
    """Asks one provider; connections are kept until `close`."""

    def __init__(self, tls: ssl.SSLContext, timeout_s: float) -> None:
        self._tls = tls
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Read a JSON object.

        Raises: ProviderUnavailable
        """
        return await self._ask("GET", url, headers or {}, None)

    async def post(self, url: str, form: Mapping[str, str], *, headers: Mapping[str, str]) -> Answer:
        """Send a form; the answer is a JSON object.

        Raises: ProviderUnavailable
        """
        return await self._ask("POST", url, headers, form)

    async def close(self) -> None:
        """Let the connections go and ask nothing more."""
        self._is_closed = True
        if self._session is not None:
            await self._session.close()

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None) -> Answer:
        accepting = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        try:
            async with self._open().request(
                method, url, data=form, headers=accepting, allow_redirects=False
            ) as response:
                status, body = response.status, await self._read(response)
        except TimeoutError:
            raise unavailable(f"it did not answer within {self._timeout_s:g} s.") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise unavailable(f"its certificate is not trusted ({error.certificate_error}).") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unavailable(f"the connection failed ({error or type(error).__name__}).") from None
        if not isinstance(body, dict):
            raise unavailable(f"it answered {status} with something else than a JSON object.")
        return Answer(status, body)  # pyright: ignore[reportUnknownArgumentType]: keys of a JSON object are text

    async def _read(self, response: aiohttp.ClientResponse) -> object:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                raise unavailable(f"its answer is longer than {ANSWER_BYTES_MAX} bytes.")
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise unavailable("the control plane is shutting down.")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=CONNECTIONS_MAX),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                # A compressed answer is not asked for; one that comes anyway is not unpacked, whatever its size.
                auto_decompress=False,
            )
        return self._session


def unavailable(cause: str) -> ProviderUnavailable:
    """Name the cause why the provider cannot be asked."""
    return ProviderUnavailable(STORE, cause)
