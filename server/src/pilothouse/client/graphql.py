"""Questions and changes over GraphQL: one operation, all pages of a list, or a subscription as server-sent events."""

import contextlib
import re
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, cast

import httpx2
import msgspec

from pilothouse.base.errors import NotSignedIn
from pilothouse.client.credentials import Credentials
from pilothouse.client.errors import UNAVAILABLE, ControlPlaneRefused, NotAControlPlane, Unreachable, status_of
from pilothouse.client.http import Connection, Json, refusal_of

PAGE: Final = 200
_READ_CODES: Final = frozenset({"SESSION_EXPIRED"})
_RECONNECT_FIRST_S: Final = 0.5
_RECONNECT_MAX_S: Final = 15.0
_EVENT_BYTES_MAX: Final = 16 * 1024 * 1024
_MUTATION: Final = re.compile(r"^\s*mutation\b", re.MULTILINE)


class Client:
    """A control plane, asked as somebody."""

    def __init__(
        self, connection: Connection, credentials: Credentials, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.connection = connection
        self._credentials = credentials
        self._sleep = sleep

    def ask(self, document: str, **variables: Any) -> Json:  # Any: JSON values
        """Run a query or a mutation that must succeed wholly.

        Raises: PilothouseError, in the server's words
        """
        answer = self.answer(document, variables)
        errors = answer.get("errors")
        if errors:
            raise refusal_of(errors[0])
        return cast("Json", answer.get("data") or {})

    def answer(self, document: str, variables: Json | None = None) -> Json:
        """Run an operation and give the whole answer, errors and all.

        Raises: PilothouseError, in the server's words
        """
        body = {"query": document, "variables": variables or {}}
        repeatable = not _MUTATION.search(document)
        return self.authorized(
            lambda token: self.connection.send("POST", "/graphql", body, token=token, repeatable=repeatable)
        )

    def authorized(self, send: Callable[[str | None], Json]) -> Json:
        """Send something signed; once more with a new token when the old one had just ended."""
        token = self._credentials.token(self.connection)
        try:
            return send(token)
        except ControlPlaneRefused as error:
            renewed = self._renewed(error, token)
        return send(renewed)

    @contextlib.contextmanager
    def stream(self, method: str, path: str, body: Json | None = None, *, accept: str) -> Generator[httpx2.Response]:
        """Open a signed answer that is read as it comes; once more with a new token when the old one had just ended.

        Raises: PilothouseError, in the server's words
        """
        token = self._credentials.token(self.connection)
        with contextlib.ExitStack() as open_:
            try:
                response = open_.enter_context(self.connection.stream(method, path, body, token=token, accept=accept))
            except ControlPlaneRefused as error:
                renewed = self._renewed(error, token)
                response = open_.enter_context(self.connection.stream(method, path, body, token=renewed, accept=accept))
            yield response

    def _renewed(self, error: ControlPlaneRefused, token: str | None) -> str:
        """Give another token after one had ended.

        Raises: the error itself, where it is another one or there is no other token
        """
        renewed = self._credentials.renewed(self.connection, token) if error.code in _READ_CODES else None
        if renewed is None:
            raise _as_not_signed_in(error, self.connection.url) from error
        return renewed

    def pages(self, document: str, path: str, **variables: Any) -> Iterator[Json]:  # Any: JSON values
        """Give every node of a list, page by page. `path` leads to the connection: `projects`, or `group.members`.

        The document takes `$first` and `$after`, and asks for `pageInfo`.
        """
        size, after = int(variables.pop("first", PAGE)), ""
        while True:
            found: Any = self.ask(document, **variables, first=size, after=after or None)
            for step in path.split("."):
                found = None if found is None else found[step]
            if found is None:
                return
            yield from found["nodes"]
            if not found["pageInfo"]["hasNextPage"]:
                return
            after = str(found["pageInfo"]["endCursor"])

    def follow(
        self,
        document: str,
        field: str,
        variables: Json,
        broke: Callable[[str], None] = lambda _: None,
        *,
        mark: str = "sequence",
    ) -> Iterator[Json]:
        """Give what a subscription tells, for ever: where the connection breaks, it goes on after what was seen last.

        broke: is told each time why the connection broke
        mark: what each part names itself by; the last one is sent as `after`. `variables` may hold where to begin
        Raises: PilothouseError, when it cannot be opened at all, or the control plane refuses
        """
        pause_s, after, was_open = _RECONNECT_FIRST_S, variables.get("after"), False
        while True:
            try:
                for data in self._events(document, {**variables, "after": after}):
                    pause_s, was_open = _RECONNECT_FIRST_S, True
                    if data is not None:
                        after = data[field].get(mark, after)
                        yield data[field]
            except (Unreachable, ControlPlaneRefused) as error:
                if not was_open or status_of(error) != UNAVAILABLE:
                    raise
                broke(error.message)
                self._sleep(pause_s)
                pause_s = min(pause_s * 2, _RECONNECT_MAX_S)

    def _events(self, document: str, variables: Json) -> Generator[Json | None]:
        """Give None once it is open, then what comes."""
        body = {"query": document, "variables": variables}
        with self.stream("POST", "/graphql", body, accept="text/event-stream") as response:
            yield None
            for kind, data in _server_sent(response):
                if kind == "complete":
                    raise Unreachable("The stream has ended.")
                answer = msgspec.json.decode(data, type=Json)
                if answer.get("errors"):
                    raise refusal_of(answer["errors"][0])
                yield answer["data"]
        raise Unreachable("The stream has ended.")


def _server_sent(response: httpx2.Response) -> Iterator[tuple[str, str]]:
    source = httpx2.EventSource(response, max_event_size=_EVENT_BYTES_MAX)
    try:
        for event in source:
            yield event.event, event.data
    except httpx2.SSEError as error:
        raise NotAControlPlane(f"The stream of events cannot be read: {error}", fix="Check the address.") from error


def _as_not_signed_in(error: ControlPlaneRefused, url: str) -> Exception:
    if error.code in {"NOT_SIGNED_IN", "SESSION_EXPIRED"}:
        return NotSignedIn(error.message, fix=f"Run `pilothouse login {url}`, or give a valid PILOTHOUSE_TOKEN.")
    return error
