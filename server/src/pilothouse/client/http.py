"""One connection to one control plane: no redirects, time limits, careful retries, and errors in the server's own words."""

import contextlib
import math
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, cast

import httpx2
import msgspec

from pilothouse import __version__
from pilothouse.client.errors import CertificateNotTrusted, ControlPlaneRefused, NotAControlPlane, Unreachable
from pilothouse.client.tls import is_loopback

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

CONNECT_S: Final = 10.0
READ_S: Final = 60.0
STREAM_READ_S: Final = 60.0
"""A stream says at least every 15 seconds that it is still there."""
ATTEMPTS: Final = 4
RETRY_AFTER_MAX_S: Final = 30.0
"""A server that wants more patience than that is told of as an error."""
_FIRST_PAUSE_S: Final = 0.25
_BUSY: Final = frozenset({429, 503})
_STATUS_OK: Final = 300
_STATUS_REDIRECT: Final = range(300, 400)


class Connection:
    """Sends requests to one control plane."""

    def __init__(
        self,
        url: str,
        verify: ssl.SSLContext,
        *,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self._sleep = sleep
        self._client = httpx2.Client(
            base_url=url,
            verify=verify,
            transport=transport,
            follow_redirects=False,
            trust_env=not is_loopback(url),  # a proxy does not lead to this machine
            timeout=httpx2.Timeout(READ_S, connect=CONNECT_S),
            headers={"user-agent": f"pilothouse-cli/{__version__}"},
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def send(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        token: str | None = None,
        repeatable: bool = False,
    ) -> Json:
        """Send a request and give its JSON answer; an answer without a body is an empty object.

        A repeatable one is sent again when the connection fails; every one when the server says when (Retry-After).
        Raises: Unreachable, CertificateNotTrusted, NotAControlPlane, ControlPlaneRefused
        """
        pause_s = _FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            is_last = attempt == ATTEMPTS
            try:
                with self._translated():
                    response = self._client.request(method, path, json=body, headers=_headers(token))
            except Unreachable:
                if is_last or not repeatable:
                    raise
                self._sleep(pause_s)
                pause_s *= 2
                continue
            wait_s = _retry_after_s(response)
            if response.status_code in _BUSY and not is_last and (wait_s is not None or repeatable):
                wait_s = pause_s if wait_s is None else wait_s
                if wait_s <= RETRY_AFTER_MAX_S:
                    self._sleep(wait_s)
                    pause_s *= 2
                    continue
            return self._read(response)
        raise Unreachable  # the last attempt has returned or raised

    @contextlib.contextmanager
    def stream(
        self, method: str, path: str, body: Json | None = None, *, token: str | None = None, accept: str = "*/*"
    ) -> Generator[httpx2.Response]:
        """Open an answer that is read as it comes.

        Raises: Unreachable, CertificateNotTrusted, NotAControlPlane, ControlPlaneRefused
        """
        with (
            self._translated(),
            self._client.stream(
                method,
                path,
                json=body,
                headers={**_headers(token), "accept": accept},
                timeout=httpx2.Timeout(CONNECT_S, read=STREAM_READ_S),
            ) as response,
        ):
            if response.status_code >= _STATUS_OK:
                response.read()
                self._read(response)
            yield response

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except httpx2.ConnectError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise self._not_trusted(error) from error
            raise Unreachable(
                f"{self.url} cannot be reached: {error}", fix="Check the address, and that the control plane runs."
            ) from error
        except httpx2.TimeoutException as error:
            raise Unreachable(f"{self.url} did not answer in time.", fix="Try again later.") from error
        except httpx2.TransportError as error:
            raise Unreachable(f"The connection to {self.url} broke: {error}", fix="Try again.") from error

    def _not_trusted(self, error: httpx2.ConnectError) -> CertificateNotTrusted:
        if "mismatch" in str(error).lower() or "not valid for" in str(error).lower():
            return CertificateNotTrusted(
                f"The certificate at {self.url} is for another name: {error}",
                fix="Use a name that the certificate holds, or set PILOTHOUSE_PUBLIC_HOST at the control plane.",
            )
        return CertificateNotTrusted(
            f"The certificate at {self.url} is not trusted here: {error}",
            fix="Name its authority with --ca-file, or look at it once: `pilothouse login --trust`.",
        )

    def _read(self, response: httpx2.Response) -> Json:
        if response.status_code in _STATUS_REDIRECT:
            raise NotAControlPlane(
                f"{self.url} answers with a redirect to {response.headers.get('location', 'nowhere')}.",
                fix="Name the control plane's own address; redirects are not followed.",
            )
        answer = self._object(response)
        if response.status_code >= _STATUS_OK:
            raise _refusal(answer, response)
        return answer

    def _object(self, response: httpx2.Response) -> Json:
        if not response.content:
            return {}
        try:
            return msgspec.json.decode(response.content, type=Json)
        except msgspec.DecodeError as error:
            if response.status_code >= _STATUS_OK:
                return {}
            raise NotAControlPlane(
                f"{self.url} answers with something that is no JSON object.",
                fix="Check the address and the port (9446).",
            ) from error


def _headers(token: str | None) -> Mapping[str, str]:
    return {} if token is None else {"authorization": f"Bearer {token}"}


def _retry_after_s(response: httpx2.Response) -> float | None:
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _refusal(answer: Json, response: httpx2.Response) -> ControlPlaneRefused:
    if errors := cast("list[Json]", answer.get("errors") or []):
        return refusal_of(errors[0], response.status_code)
    return ControlPlaneRefused(
        str(answer.get("message") or f"It answered with status {response.status_code}."),
        code=str(answer.get("code") or f"HTTP_{response.status_code}"),
        fix=str(answer.get("fix") or ""),
        field=answer.get("field"),
        status=response.status_code,
        retry_after_s=_retry_after_s(response),
        request_id=_text(answer.get("requestId")) or response.headers.get("x-request-id"),
    )


def refusal_of(error: Json, status: int | None = None) -> ControlPlaneRefused:
    """Read one error of a GraphQL answer."""
    more = cast("Json", error.get("extensions") or {})
    return ControlPlaneRefused(
        str(error.get("message") or "It refused and did not say why."),
        code=str(more.get("code") or "REFUSED"),
        fix=str(more.get("fix") or ""),
        field=more.get("field"),
        status=status,
        request_id=_text(more.get("requestId")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
