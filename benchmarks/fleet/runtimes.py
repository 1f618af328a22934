"""What all kinds of runtimes have in common. They know no sockets and no clock: a driver carries what they send."""

import abc
import base64
import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from .homes import WIRE_TYPE, Home, Kind, Members
from .tokens import LIFETIME_S

FULL_PATH = "/icp/heartbeat"
DELTA_PATH = "/icp/deltaHeartbeat"
RESULT_PATH = "/icp/commandResult"
RENEW_S = 300.0
"""A token that is kept is used until so long before its end."""
FATAL_TO_MICRO_INTEGRATOR = (400, 401, 409)


class Send(NamedTuple):
    """A request that a runtime wants sent now."""

    path: str
    members: str
    """The body without its timestamp and closing brace."""
    hash: str = ""
    """The hash that it says, where it is a beat."""

    @property
    def is_beat(self) -> bool:
        """Whether it proves life."""
        return self.path is not RESULT_PATH

    def body(self, now_s: float) -> bytes:
        """Write the body as it leaves at this moment."""
        if self.path is RESULT_PATH:
            return self.members.encode()
        return f'{self.members},"timestamp":[{int(now_s)},{now_s % 1:.6f}]}}'.encode()


@dataclass(slots=True)
class Tally:
    """What a fleet counts about itself."""

    lost: Counter[str] = field(default_factory=Counter)
    """Runtimes that an answer of the server ended for good, by kind and cause."""
    refused: Counter[str] = field(default_factory=Counter)
    """Answers other than 2xx, by status and code."""
    not_acknowledged: Counter[str] = field(default_factory=Counter)
    """2xx answers with `acknowledged: false`, by code."""
    unbound: Counter[str] = field(default_factory=Counter)
    """Answers that a Ballerina client cannot bind to its record, by what is wrong: it uses nothing of them."""
    commands: Counter[str] = field(default_factory=Counter)
    """Commands carried out, by kind and action."""
    unseen: Counter[str] = field(default_factory=Counter)
    """Commands that arrived and that no runtime will ever act on, by reason."""
    full: int = 0
    delta: int = 0
    results: int = 0


class Runtime(abc.ABC):
    """One process, from its start until it ends; the same object goes on as the restarted process."""

    __slots__ = (
        "_delta", "_delta_hash", "_hash", "_token", "_token_until_s", "dice", "disabled", "home", "interval_s", "kind",
        "levels", "lost", "name", "runtime_id", "tally",
    )  # fmt: skip
    has_channel: ClassVar[bool] = False
    keeps_token: ClassVar[bool] = False
    """Whether it uses a token until shortly before its end, rather than mint one for each request."""

    def __init__(
        self, home: Home, runtime_id: str, name: str | None, interval_s: float, tally: Tally, dice: random.Random
    ) -> None:
        self.home = home
        self.kind: Kind = home.kind
        self.runtime_id = runtime_id
        self.name = name
        self.interval_s = interval_s
        self.tally = tally
        self.dice = dice
        self.lost: str | None = None
        """Why it will never beat again although its process lives."""
        self.start()

    def start(self) -> None:
        """Begin a process: what only memory held is gone."""
        self.lost = None
        self.disabled: frozenset[str] = frozenset()
        self.levels: dict[str, str] | None = None
        """Levels that differ from the program's own; None while none does."""
        self._hash = ""
        self._delta = self._delta_hash = ""
        self._token = ""
        self._token_until_s = 0.0

    # -- what a driver asks

    @abc.abstractmethod
    def first_beat_after_s(self) -> float:
        """Tell how long after its start a process beats first."""

    @abc.abstractmethod
    def beat(self, now: float) -> Send:
        """Make the beat that is due."""

    @abc.abstractmethod
    def answered(self, sent: Send, status: int, body: bytes, now: float) -> Sequence[Send]:
        """Hear an answer; gives what follows at once."""

    def unreachable(self, sent: Send, now: float) -> float | None:
        """Hear that no answer came. Gives the seconds until the same request is tried again, None for never."""
        del sent, now
        return None

    @abc.abstractmethod
    def next_beat_at(self, now: float) -> float:
        """Tell when the next round begins."""

    def token(self, now_s: float) -> str:
        """Give the token for a request."""
        assert self.home.secret is not None
        if not self.keeps_token:
            return self.home.secret.token(now_s)
        if now_s >= self._token_until_s:
            self._token = self.home.secret.token(now_s)
            self._token_until_s = now_s + LIFETIME_S - RENEW_S
        return self._token

    # -- messages

    @property
    def hash(self) -> str:
        """The hash of everything that a full heartbeat says."""
        if not self._hash:
            text = f"{self.runtime_id}{self.name}{self._artifacts()}{json.dumps(self._levels())}"
            self._hash = base64.b64encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode()
        return self._hash

    def changed(self) -> None:
        """Note that a full heartbeat would say something else now."""
        self._hash = ""

    def delta(self) -> Send:
        """Make a delta heartbeat."""
        if self._delta_hash != self.hash:
            self._delta_hash = self.hash
            self._delta = (
                f'{{"heartbeatVersion":"v1.0","runtimeId":"{self.runtime_id}","runtimeHash":"{self._delta_hash}"'
            )
        self.tally.delta += 1
        return Send(DELTA_PATH, self._delta, self._delta_hash)

    def full(self) -> Send:
        """Make a full heartbeat."""
        home = self.home
        members: Members = {
            "runtimeId": self.runtime_id,
            "runtime": self.name,
            "runtimeType": WIRE_TYPE[self.kind],
            "heartbeatVersion": "v1.0",
            "status": "RUNNING",
            "environment": home.environment,
            "project": home.project,
            "component": home.integration,
            **self._members(),
            "runtimeHash": self.hash,
        }
        self.tally.full += 1
        text = json.dumps(members, separators=(",", ":"))
        return Send(FULL_PATH, f'{text[:-1]},"artifacts":{self._artifacts()}', self.hash)

    def result(self, command_id: str, status: str, http_status: int, body: object) -> Send:
        """Make the result of a command."""
        self.tally.results += 1
        members = {
            "runtimeId": self.runtime_id,
            "commandId": command_id,
            "status": status,
            "httpStatus": http_status,
            "body": body,
        }
        return Send(RESULT_PATH, json.dumps(members))

    @abc.abstractmethod
    def _members(self) -> Members:
        """List what only this kind says."""

    def _artifacts(self) -> str:
        return self.home.artifacts_text(self.disabled)

    def _levels(self) -> dict[str, str]:
        return self.home.levels if self.levels is None else {**self.home.levels, **self.levels}

    # -- shared reactions

    def lose(self, cause: str) -> None:
        """Stop for good."""
        self.lost = cause
        self.tally.lost[f"{self.kind}: {cause}"] += 1

    def note_refusal(self, status: int, body: bytes) -> str:
        """Count an answer that is no 2xx."""
        code = str(read_loosely(body).get("code", "no code"))
        self.tally.refused[f"{status} {code}"] += 1
        return code

    def note_not_acknowledged(self, answer: Mapping[str, Any]) -> None:  # Any: JSON
        """Count a 2xx that does not count."""
        self.tally.not_acknowledged[str(answer.get("code") or answer.get("errors") or "no reason")[:120]] += 1

    def switch(self, name: str, *, enabled: bool) -> bool:
        """Start or stop a listener; False when there is none of this name or it is so already."""
        known = any(each["name"] == name for part in _SWITCHED for each in self.home.artifacts.get(part, ()))
        if not known or enabled == (name not in self.disabled):
            return False
        self.disabled = self.disabled - {name} if enabled else self.disabled | {name}
        self.changed()
        return True

    def set_level(self, logger: str, level: str | None) -> None:
        """Set a logger's level; None takes the program's own back."""
        levels = dict(self.levels or {})
        levels.pop(logger, None)
        if level is not None and self.home.levels.get(logger) != level:
            levels[logger] = level
        self.levels = levels or None
        self.changed()


_SWITCHED = ("listeners", "consumers", "schedules")
_read: dict[bytes, Members] = {}
_READ_MAX = 256


def read_loosely(body: bytes) -> Members:
    """Read an answer as clients without types do: what is no object is an empty one. Do not change what it gives."""
    known = _read.get(body)
    if known is not None:
        return known
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    if len(_read) >= _READ_MAX:
        _read.clear()
    _read[body] = document
    return document
