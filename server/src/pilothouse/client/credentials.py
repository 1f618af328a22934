"""What requests are signed with: a token from the environment, an API token, or a session that is refreshed in time."""

import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from pilothouse.base.errors import NotSignedIn
from pilothouse.client.errors import ControlPlaneRefused
from pilothouse.client.http import Connection, Json
from pilothouse.client.store import Context, ContextStore

_EARLY_S = 30.0
"""An access token is refreshed this long before its end, so that it does not end on the way."""


class Credentials(Protocol):
    """Gives the token for a request."""

    def token(self, connection: Connection) -> str | None:
        """Give a token that should be valid now."""
        ...

    def renewed(self, connection: Connection, refused: str | None) -> str | None:
        """Give another one after `refused` was; None when there is none."""
        ...


class FixedToken:
    """A token that was handed in and that nothing can renew."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def token(self, connection: Connection) -> str | None:
        """Give the token."""
        del connection
        return self._token

    def renewed(self, connection: Connection, refused: str | None) -> str | None:
        """Give nothing: there is no other."""
        del connection, refused


def with_tokens(context: Context, answer: Json, now: float) -> Context:
    """Put the tokens of an answer of sign-in into a context.

    Raises: ControlPlaneRefused
    """
    try:
        return msgspec.structs.replace(
            context,
            username=str(answer["username"]),
            access_token=str(answer["accessToken"]),
            access_ends_at=now + float(answer["accessExpiresInSeconds"]),
            refresh_token=str(answer["refreshToken"]),
            api_token=None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ControlPlaneRefused("The answer of the sign-in is not complete.", code="NOT_A_CONTROL_PLANE") from error


class StoredSession:
    """The credentials of a context; whoever refreshes a session holds the file's lock, since a refresh token works once."""

    def __init__(self, store: ContextStore, name: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._name = name
        self._clock = clock
        self._context = store.load().contexts[name]

    def token(self, connection: Connection) -> str | None:
        """Give the API token, or an access token that does not end in the next moment."""
        context = self._context
        if context.api_token is not None:
            return context.api_token
        if context.access_token is not None and context.access_ends_at - _EARLY_S > self._clock():
            return context.access_token
        return self.renewed(connection, context.access_token)

    def renewed(self, connection: Connection, refused: str | None) -> str | None:
        """Refresh the session, unless another command did so meanwhile.

        Raises: NotSignedIn, ControlPlaneRefused
        """
        if self._context.api_token is not None:
            return None
        with self._store.lock():
            kept = self._store.load().contexts.get(self._name)
            if kept is None or kept.refresh_token is None:
                raise NotSignedIn("You are not signed in.", fix=f"Run `pilothouse login {connection.url}`.")
            if kept.access_token not in {None, refused} and kept.access_ends_at - _EARLY_S > self._clock():
                self._context = kept
                return kept.access_token
            try:
                answer = connection.send("POST", "/auth/refresh", {"refreshToken": kept.refresh_token})
            except ControlPlaneRefused as error:
                if error.code in {"REFRESH_REFUSED", "REFRESH_REUSED", "NOT_SIGNED_IN"}:
                    self._store.put_locked(self._name, kept.signed_out())
                    raise NotSignedIn(
                        "Your session has ended.", fix=f"Run `pilothouse login {connection.url}`."
                    ) from error
                raise
            self._context = with_tokens(kept, answer, self._clock())
            self._store.put_locked(self._name, self._context)
            return self._context.access_token
