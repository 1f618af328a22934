"""The people's side: a session, the GraphQL API, and the feed of changes."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from pilothouse_conformance.verdict import Failed
from pilothouse_conformance.wire import (
    Address,
    Answer,
    Exchange,
    Json,
    Line,
    Note,
    Request,
    Trust,
    connect,
    items,
    members,
)

_FEED_QUERY = """subscription ($filter: RuntimeFilter, $after: Int) { runtimeChanged(filter: $filter, after: $after) {
  sequence resync kind runtimeKey runtime { runtimeId } } }"""
_COMMAND_FEED_QUERY = """subscription ($filter: RuntimeFilter, $after: Int) { runtimeChanged(filter: $filter, after: $after) {
  sequence resync kind runtimeKey runtime { runtimeId } command { id state } } }"""


class CannotSignIn(Exception):
    """Nothing can be judged without a session."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the API said instead of an answer."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in."""

    address: Address
    trust: Trust
    cookie: str

    def headers(self, accept: str = "application/json") -> dict[str, str]:
        """Give the headers that a browser would send."""
        return {
            "Content-Type": "application/json",
            "Accept": accept,
            "Origin": self.address.origin,
            "Cookie": self.cookie,
        }


def sign_in(address: Address, trust: Trust, username: str, password: str) -> Session:
    """Open a session.

    Raises: CannotSignIn, NoAnswer
    """
    line = Line(address, trust, _unheard)
    request = Request(
        method="POST",
        path="/auth/sign-in",
        headers={"Content-Type": "application/json", "Origin": address.origin},
        body=json.dumps({"username": username, "password": password}).encode(),
    )
    answer = line.ask(request)
    line.close()
    cookie = answer.headers.get("set-cookie", "").partition(";")[0]
    if answer.status != http.HTTPStatus.OK or not cookie:
        message = members(answer.body).get("message", "")
        raise CannotSignIn(f"Sign-in at {address.origin} was answered {answer.status}. {message}".rstrip())
    return Session(address, trust, cookie)


class Console:
    """The GraphQL API, as one case uses it."""

    def __init__(self, session: Session, note: Note) -> None:
        self._session = session
        self._note = note
        self._line = Line(session.address, session.trust, self._note_without_secrets, timeout_s=40.0)
        self._secrets: list[str] = []

    def hide(self, text: str) -> None:
        """Keep a text out of what is shown."""
        self._secrets.append(text)

    def ask(self, query: str, **variables: Json) -> Json:
        """Run an operation that must succeed.

        Raises: Failed
        """
        data, refusal = self.try_asking(query, **variables)
        if refusal is not None:
            raise Failed(f"the API refused what the case needs: {refusal.code} {refusal.message}".rstrip())
        return data

    def try_asking(self, query: str, **variables: Json) -> tuple[Json, Refusal | None]:
        """Run an operation, and tell what it was refused with."""
        answer = self._post(query, variables)
        body = members(answer.body)
        if "code" in body:
            return None, Refusal(str(body["code"]), str(body.get("message", "")))
        errors = items(body.get("errors"))
        if errors:
            extensions = members(errors[0].get("extensions"))
            return body.get("data"), Refusal(str(extensions.get("code", "")), str(errors[0].get("message", "")))
        if answer.status != http.HTTPStatus.OK or "data" not in body:
            return None, Refusal(f"HTTP_{answer.status}", answer.raw[:200].decode(errors="replace"))
        return body["data"], None

    def feed(self, *, commands: bool = False, after: int | None = None, **scope: str) -> "Feed":
        """Follow the changes in a scope, from a sequence on or from now on."""
        query = _COMMAND_FEED_QUERY if commands else _FEED_QUERY
        return Feed(self._session, query, {"filter": scope, "after": after})

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _post(self, query: str, variables: dict[str, Json]) -> Answer:
        body = json.dumps({"query": query, "variables": variables}).encode()
        return self._line.ask(Request(method="POST", path="/graphql", headers=self._session.headers(), body=body))

    def _note_without_secrets(self, exchange: Exchange) -> None:
        request, answer = exchange.request.replace(self._session.cookie, "…"), exchange.answer
        if "generated" in answer or "generateSecret" in answer:
            answer = "(an answer with a secret in it)"
        for secret in self._secrets:
            request, answer = request.replace(secret, "…"), answer.replace(secret, "…")
        self._note(Exchange(request, answer))


@dataclass
class Feed:
    """The changes that a subscription tells of, collected while it is open."""

    session: Session
    query: str
    variables: dict[str, Json]
    changes: list[Json] = field(default_factory=list[Json])
    _socket: socket.socket | None = None

    def __enter__(self) -> Self:
        """Begin to listen; what happens from now on is heard."""
        body = json.dumps({"query": self.query, "variables": self.variables}).encode()
        request = Request(method="POST", path="/graphql", headers=self.session.headers("text/event-stream"), body=body)
        self._socket = connect(self.session.address, self.session.trust, 20.0)
        for segment in request.segments(self.session.address.authority):
            self._socket.sendall(segment)
        response = http.client.HTTPResponse(self._socket, method="POST")
        response.begin()
        if response.status != http.HTTPStatus.OK:
            raise Failed(
                f"the subscription was answered {response.status}: {response.read(300).decode(errors='replace')}"
            )
        self._socket.settimeout(None)
        threading.Thread(target=self._listen, args=(response,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return
            finally:
                self._socket.close()

    def of(self, runtime_id: str, kind: str) -> list[Json]:
        """Give the changes of one kind that a runtime went through."""
        return [
            change
            for change in list(self.changes)
            if change.get("kind") == kind and (change.get("runtime") or {}).get("runtimeId") == runtime_id
        ]

    def wait(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until something holds; tell whether it did in time."""
        until_s = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > until_s:
                return False
            time.sleep(0.05)
        return True

    def _listen(self, response: http.client.HTTPResponse) -> None:
        try:
            for line in iter(response.readline, b""):
                if line.startswith(b"data:") and line[5:].strip():
                    data = json.loads(line[5:]).get("data")
                    if data:
                        self.changes.append(data["runtimeChanged"])
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            return  # hung up


def _unheard(exchange: Exchange) -> None:
    """Keep no record: a password is in it."""
    del exchange
