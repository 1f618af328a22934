"""The line to the cluster: opensearch-py's client, its failures in our words, its answers as typed values."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from pilothouse.base.errors import CannotStart, InvalidInput, PilothouseError, StorageFull
from pilothouse.telemetry.errors import QuestionTimeout, StoreBusy, StoreDown
from pilothouse.telemetry.stores.opensearch.settings import OpenSearchSettings

try:
    import aiohttp
    import opensearchpy
    from opensearchpy.exceptions import ConnectionError as NotReached
    from opensearchpy.exceptions import ConnectionTimeout, TransportError
except ImportError:
    raise CannotStart(
        "Telemetry is to be kept in OpenSearch, but its client is not installed.",
        fix="Install it: pip install 'pilothouse-server[opensearch]'.",
    ) from None

T = TypeVar("T")
WRITE_S = 8.0
"""A write that takes longer is given up: senders wait 10 s by default, and send again what they heard nothing of."""
SILENT_S = 3.0
"""After a cluster left so many requests without an answer as it has nodes, it is not asked for so long."""
_BUSY_WAIT_S = 2.0
_TOO_MANY, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 429, 403, 404, 409
_DOWN = frozenset({500, 502, 503, 504})
_REFUSED = frozenset({401, 403})


class Conflicted(PilothouseError):
    """Somebody else wrote the document first."""

    code = "TELEMETRY_CONFLICT"


class Absent(PilothouseError):
    """There is no such index or document."""

    code = "TELEMETRY_ABSENT"


class _Raw:
    """Lets octets through both ways: what is asked and answered is typed by us."""

    mimetype = "application/json"

    def loads(self, s: object) -> object:
        """Give an answer on."""
        return s

    def dumps(self, data: object) -> object:
        """Give a question on."""
        return data


class Connection:
    """Asks the cluster."""

    def __init__(self, settings: OpenSearchSettings) -> None:
        hosts = [_host(url) for url in settings.urls]
        options: dict[str, Any] = {  # Any: the client's own options
            "maxsize": settings.connections,
            "serializer": _Raw(),
            "serializers": {"application/json": _Raw(), "text/plain": _Raw()},
            "max_retries": 0,
            "http_compress": False,
        }
        if any(host["use_ssl"] for host in hosts):
            options["ssl_context"] = _tls(settings)
        if settings.api_key:
            options["headers"] = {"authorization": f"ApiKey {settings.api_key}"}
        elif settings.username:
            options["http_auth"] = (settings.username, settings.password)
        self._nodes = len(hosts)
        self._unanswered = 0
        self._silent_until_s = 0.0
        self._is_closed = False
        self._client = opensearchpy.AsyncOpenSearch(hosts=hosts, **options)

    async def ask(
        self,
        method: str,
        path: str,
        type_: type[T],
        body: object = None,
        *,
        parameters: Mapping[str, str] | None = None,
        timeout_s: float = WRITE_S,
    ) -> T:
        """Ask for something, and read the answer.

        Raises: StoreBusy, StoreDown, StorageFull, InvalidInput, Absent, Conflicted
        """
        if self._is_closed:  # the client would connect anew, and nobody hang up
            raise StoreDown("The control plane stops.")
        if time.monotonic() < self._silent_until_s:
            raise _timed_out()
        octets = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        headers = {"content-type": "application/x-ndjson" if isinstance(body, bytes) else "application/json"}
        for attempt in range(self._nodes):
            try:
                answer = await self._client.transport.perform_request(
                    method, path, params=dict(parameters or {}), body=octets, timeout=timeout_s, headers=headers
                )
            except TransportError as error:
                self._note(error)
                if attempt + 1 < self._nodes and _was_not_sent(error):
                    continue
                raise _ours(error) from None
            self._unanswered = 0
            return msgspec.json.decode(answer or b"null", type=type_)
        raise StoreDown("No node of the OpenSearch cluster can be reached.")

    def _note(self, error: TransportError) -> None:
        """Count what found no answer: whoever asks next need not wait for that again."""
        if not isinstance(error, ConnectionTimeout):
            self._unanswered = 0
            return
        self._unanswered += 1
        if self._unanswered >= self._nodes:
            self._silent_until_s = time.monotonic() + SILENT_S

    async def close(self) -> None:
        """Hang up."""
        pool = self._client.transport.connection_pool
        await self._client.close()
        # The client forgets the nodes that did not answer lately.
        for node in getattr(pool, "orig_connections", ()):
            await node.close()


@asynccontextmanager
async def within(timeout_s: float) -> AsyncGenerator[None]:
    """Give a question its time; when it is over, or when the asker goes, the cluster stops working on it.

    Raises: QuestionTimeout
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise QuestionTimeout(timeout_s=timeout_s) from None


def _host(url: str) -> dict[str, Any]:  # Any: the client's own options
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return {
        "host": parts.hostname,
        "port": parts.port or (443 if tls else 80),
        "use_ssl": tls,
        "url_prefix": parts.path.strip("/"),
    }


def _tls(settings: OpenSearchSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise CannotStart(
            f"PILOTHOUSE_OPENSEARCH_CA_FILE cannot be read: {error}.", fix="It is a PEM file with certificates."
        ) from None
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _was_not_sent(error: TransportError) -> bool:
    """Tell whether another node may be asked: only when this one cannot have begun with it."""
    return isinstance(error, NotReached) and isinstance(error.info, aiohttp.ClientConnectorError)


def _ours(error: TransportError) -> PilothouseError:
    if isinstance(error, ConnectionTimeout):
        return _timed_out()
    if isinstance(error, NotReached):
        if isinstance(error.info, aiohttp.ClientConnectorCertificateError | ssl.SSLError):
            return StoreDown(
                "The certificate of OpenSearch is not trusted.",
                fix="Set PILOTHOUSE_OPENSEARCH_CA_FILE to the authority that it is from.",
            )
        return StoreDown("OpenSearch cannot be reached.", fix="See whether PILOTHOUSE_OPENSEARCH_URL is right.")
    return failure(error.status_code if isinstance(error.status_code, int) else 0, error.error, _reason(error.info))


def _timed_out() -> StoreDown:
    return StoreDown("OpenSearch did not answer in time.", fix="See whether the cluster is overloaded.")


def failure(status: int, kind: str, reason: str) -> PilothouseError:
    """Say in our words why the cluster did not do something."""
    if kind == "cluster_block_exception" and ("flood" in reason or "read-only" in reason):
        return StorageFull("The OpenSearch cluster takes no more: its disks are nearly full.")
    if status in _REFUSED:
        return StoreDown(
            "OpenSearch refuses the control plane.", fix="Check its name and password or API key, and its permissions."
        )
    if status in _DOWN:
        return StoreDown(f"OpenSearch cannot answer now: {reason or kind or status}.")
    if status == _TOO_MANY:
        return StoreBusy(wait_s=_BUSY_WAIT_S)
    named = {_NOT_FOUND: Absent, _CONFLICT: Conflicted}.get(status)
    return named(reason) if named else InvalidInput(f"OpenSearch does not understand this: {reason or kind}.")


def _reason(info: object) -> str:
    if isinstance(info, Mapping):
        found: Mapping[str, object] = info  # pyright: ignore[reportUnknownVariableType] - the client's JSON
        error = found.get("error")
        if isinstance(error, Mapping):
            return str(error.get("reason", ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return ""
