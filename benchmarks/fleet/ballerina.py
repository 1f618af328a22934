"""Ballerina runtimes: B, whose first heartbeat decides, and B+, which retries it and knows the tunnel.

Answers are bound to a record: one wrong member, or one command with an unknown action, and nothing of the answer is used.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from .homes import Kind, Members
from .runtimes import Runtime, Send, read_loosely

_ACTIONS: Final = {
    Kind.BI: frozenset({"START", "STOP", "SET_LOGGER_LEVEL"}),
    Kind.BI_PLUS: frozenset({"START", "STOP", "SET_LOGGER_LEVEL", "WORKFLOW_MGMT"}),
}
_STATUSES: Final = frozenset({"PENDING", "SENT", "ACKNOWLEDGED", "FAILED", "COMPLETED"})
_LEVELS: Final = frozenset({"DEBUG", "INFO", "WARN", "ERROR"})
_LEVEL_MEMBERS: Final = frozenset({"componentName", "componentPackage", "logLevel"})
IN_CALL_RETRIES_S: Final = (5.0, 10.0)
_JITTER_S: Final = 0.2


class Unbound(Exception):
    """An answer does not fit the client's record."""


def bind(answer: Members, actions: frozenset[str]) -> Members:
    """Bind an answer as the client's record does.

    Raises: Unbound
    """
    if not isinstance(answer.get("acknowledged"), bool):
        raise Unbound("acknowledged")
    _expect(answer, "fullHeartbeatRequired", bool)
    for name in ("supportedHeartbeatFields", "errors"):
        if not all(isinstance(each, str) for each in _expect(answer, name, list) or ()):
            raise Unbound(name)
    hint = _expect(answer, "nextHeartbeatInSeconds", int)
    if isinstance(hint, bool):
        raise Unbound("nextHeartbeatInSeconds")
    for command in _expect(answer, "commands", list) or ():
        _bind_command(command, actions)
    return answer


def _expect(answer: Members, name: str, kind: type) -> Any:  # Any: as the member is
    """Read an optional member, which may be absent but never null or of another type."""
    if name not in answer:
        return None
    if not isinstance(answer[name], kind):
        raise Unbound(name)
    return answer[name]


def _bind_command(command: object, actions: frozenset[str]) -> None:
    if not isinstance(command, dict):
        raise Unbound("commands")
    target, issued = command.get("targetArtifact"), command.get("issuedAt")
    if command.get("action") not in actions:
        raise Unbound(f"action {command.get('action')}")
    if command.get("status") not in _STATUSES:
        raise Unbound("command status")
    if not all(isinstance(command.get(name), str) for name in ("commandId", "runtimeId")):
        raise Unbound("command id")
    if not isinstance(target, dict) or not all(isinstance(target.get(name), str) for name in ("name", "package")):
        raise Unbound("targetArtifact")
    if not isinstance(issued, list) or len(issued) != 2 or not isinstance(issued[0], int):
        raise Unbound("issuedAt")
    if not isinstance(command.get("payload", ""), str):
        raise Unbound("payload")


class Ballerina(Runtime):
    """B and B+ (by kind)."""

    __slots__ = ("_attempt", "_begun_at", "_fields", "_hint_at", "_is_up", "_offers", "_wants_full")

    def start(self) -> None:
        """Begin a process, which knows nothing of what the server supports."""
        super().start()
        self._is_up = False
        self._wants_full = True
        self._fields: list[str] = []
        """As last advertised; what a full heartbeat offers is what was advertised when it is made."""
        self._offers: list[str] = []
        self._attempt = 0
        self._begun_at = 0.0
        self._hint_at: float | None = None

    def first_beat_after_s(self) -> float:
        """Beat at once."""
        return 0.0

    def beat(self, now: float) -> Send:
        """Send a full heartbeat when one is wanted, else a delta."""
        if self._begun_at == 0.0:
            self._begun_at = now
        self._attempt = 0
        if not self._wants_full:
            return self.delta()
        self._offers = self._fields
        return self.full()

    def answered(self, sent: Send, status: int, body: bytes, now: float) -> Sequence[Send]:
        """Use an answer, whole or not at all."""
        if not sent.is_beat:
            if not 200 <= status < 300:
                self.note_refusal(status, body)
            return ()
        if not 200 <= status < 300:
            self._fail(f"{status} {self.note_refusal(status, body)}")
            return ()
        answer = read_loosely(body)
        commands = answer.get("commands")
        try:
            bind(answer, _ACTIONS[self.kind])
        except Unbound as error:
            self.tally.unbound[str(error)] += 1
            self._unseen(commands, "answer does not bind")
            self._fail(f"answer does not bind: {error}")
            return ()
        if not answer["acknowledged"]:
            self.note_not_acknowledged(answer)
            self._unseen(commands, "not acknowledged")
            self._fail("not acknowledged")
            return ()
        self._is_up = True
        fields = answer.get("supportedHeartbeatFields", [])
        self._wants_full = answer.get("fullHeartbeatRequired", False) or fields != self._fields
        self._fields = fields
        self._take_hint(answer, now)
        return [each for command in commands or () for each in self._carry_out(command, now)]

    def unreachable(self, sent: Send, now: float) -> float | None:
        """Try twice more within the call, then give the beat up."""
        if self._attempt < len(IN_CALL_RETRIES_S):
            self._attempt += 1
            return IN_CALL_RETRIES_S[self._attempt - 1]
        if sent.is_beat:
            self._fail("unreachable")
        return super().unreachable(sent, now)

    def next_beat_at(self, now: float) -> float:
        """Keep to the job's own ticks; one that is missed is skipped. B+ comes sooner when it was asked to."""
        ticks = int((now - self._begun_at) / self.interval_s) + 1
        tick_at = self._begun_at + ticks * self.interval_s
        if self._hint_at is not None and now <= self._hint_at < tick_at:
            return self._hint_at
        return tick_at + _JITTER_S * self.dice.random()

    def _fail(self, cause: str) -> None:
        if not self._is_up and self.kind is Kind.BI:
            self.lose(f"first heartbeat failed ({cause})")

    def _take_hint(self, answer: Members, now: float) -> None:
        hint = answer.get("nextHeartbeatInSeconds", 0) if self.kind is Kind.BI_PLUS else 0
        self._hint_at = now + hint if 0 < hint < self.interval_s else None

    def _unseen(self, commands: object, reason: str) -> None:
        if isinstance(commands, list) and commands:
            self.tally.unseen[f"{self.kind}: {reason}"] += len(commands)

    def _carry_out(self, command: Members, now: float) -> Sequence[Send]:
        assert self.home.secret is not None
        action, target, payload = command["action"], command["targetArtifact"]["name"], command.get("payload")
        if self.kind is Kind.BI_PLUS and "signature" in command and not self.home.secret.has_signed(command):
            self.tally.unseen[f"{self.kind}: wrong signature"] += 1
            return ()
        self.tally.commands[f"{self.kind} {action}"] += 1
        if action == "WORKFLOW_MGMT":
            self._hint_at = now
            return (self.result(command["commandId"], "COMPLETED", 200, {"items": []}),)
        if action in {"START", "STOP"}:
            if not self.switch(target, enabled=action == "START"):
                self.tally.commands[f"{self.kind} {action} without effect"] += 1
        elif not self._set_level(payload):
            self.tally.commands[f"{self.kind} {action} with a payload that does not bind"] += 1
        return ()

    def _set_level(self, payload: object) -> bool:
        try:
            members = json.loads(str(payload))
        except ValueError:
            return False
        if not isinstance(members, dict) or members.keys() - _LEVEL_MEMBERS or members.get("logLevel") not in _LEVELS:
            return False
        package = members.get("componentPackage")
        name = members.get("componentName")
        if not isinstance(name, str) or not isinstance(package, str | None):
            return False
        self.set_level(f"{package}:{name}" if package else name, members["logLevel"])
        return True

    def _members(self) -> Members:
        members: Members = {
            "nodeInfo": {
                "platformName": "ballerina",
                "platformVersion": "Ballerina 2201.13.2 (Swan Lake Update  Update 13)",
                "ballerinaHome": "/opt/ballerina/distributions/ballerina-2201.13.2",
                "osName": "Linux",
                "osVersion": "6.8.0",
            },
            "logLevels": self._levels(),
        }
        if self.kind is Kind.BI_PLUS:
            members["capabilities"] = ["workflowCommands"]
        if "tryItHost" in self._offers:
            members["tryItHost"] = "localhost"
        if "openApiDefinitions" in self._offers:
            members["openApiDefinitions"] = {
                f"{self.home.integration}_openapi.json": {"openapi": "3.0.1", "info": {"title": self.home.integration}}
            }
        return members
