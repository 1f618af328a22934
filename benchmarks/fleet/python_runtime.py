"""Python runtimes: they retry whatever is said, obey the cadence, answer commands, and may hold a channel."""

import json
import random
from collections.abc import Sequence
from typing import ClassVar, Final

from .homes import Home, Members
from .runtimes import FULL_PATH, Runtime, Send, Tally, read_loosely

CAPABILITIES: Final = (
    "START",
    "STOP",
    "SET_LOGGER_LEVEL",
    "RESET_LOGGER_LEVEL",
    "LIST_LOGGERS",
    "TRIGGER",
)
_REMEMBERED: Final = 1_000
"""Commands whose results are kept, to post them again."""
_REJECTED_CAP_S: Final = 60.0
_UNREACHABLE_CAP_S: Final = 30.0
_CADENCE_S: Final = (1.0, 300.0)


class PythonRuntime(Runtime):
    """PY, as the contract has it."""

    __slots__ = ("_cadence_s", "_failures", "_known_hash", "_results", "_retry_s", "wants_channel")
    has_channel: ClassVar[bool] = True
    keeps_token: ClassVar[bool] = True

    def __init__(
        self, home: Home, runtime_id: str, name: str | None, interval_s: float, tally: Tally, dice: random.Random
    ) -> None:
        self.wants_channel = False
        super().__init__(home, runtime_id, name, interval_s, tally, dice)

    def start(self) -> None:
        """Begin a process."""
        super().start()
        self._known_hash = ""
        self._cadence_s: float | None = None
        self._failures = 0
        self._retry_s: float | None = None
        self._results: dict[str, Send] = {}

    @property
    def is_known(self) -> bool:
        """Whether a full heartbeat of this process was acknowledged."""
        return bool(self._known_hash)

    def first_beat_after_s(self) -> float:
        """Beat at once."""
        return 0.0

    def beat(self, now: float) -> Send:
        """Send a full heartbeat when the server does not know what it would say, else a delta."""
        del now
        return self.delta() if self._known_hash == self.hash else self.full()

    def answered(self, sent: Send, status: int, body: bytes, now: float) -> Sequence[Send]:
        """Use an answer, or come back later and later."""
        if not sent.is_beat:
            if not 200 <= status < 300:
                self.note_refusal(status, body)
            return ()
        if not 200 <= status < 300:
            self.note_refusal(status, body)
            self._failures += 1
            cap_s = _REJECTED_CAP_S if status < 500 else _UNREACHABLE_CAP_S
            self._retry_s = min(cap_s, self.interval_s * 2.0 ** min(self._failures - 1, 10))
            return ()
        answer = read_loosely(body)
        if answer.get("acknowledged") is not True:
            self.note_not_acknowledged(answer)
            return ()
        self._failures, self._retry_s = 0, None
        hint = answer.get("nextHeartbeatInSeconds")
        low_s, high_s = _CADENCE_S
        self._cadence_s = hint if isinstance(hint, int | float) and low_s <= hint <= high_s else None
        follow: list[Send] = []
        if sent.path is FULL_PATH:
            self._known_hash = sent.hash
        elif answer.get("fullHeartbeatRequired") is True:
            self._known_hash = ""
            follow.append(self.full())
        for command in answer.get("commands") or ():
            follow += self.carry_out(command, now)
        return follow

    def unreachable(self, sent: Send, now: float) -> float | None:
        """Come back with full jitter."""
        self._failures += 1
        ceiling_s = min(_UNREACHABLE_CAP_S, 2.0 ** min(self._failures, 10))
        self._retry_s = max(0.1, ceiling_s * self.dice.random())
        return super().unreachable(sent, now)

    def next_beat_at(self, now: float) -> float:
        """Keep the cadence, with a jitter of five percent."""
        wait_s = self._retry_s if self._retry_s is not None else self._cadence_s or self.interval_s
        self._retry_s = None
        return now + wait_s * (0.95 + 0.1 * self.dice.random())

    def carry_out(self, command: Members, now: float) -> list[Send]:
        """Do what a command says, once; gives the full heartbeat that shows it, and the result."""
        del now
        assert self.home.secret is not None
        command_id = str(command.get("commandId"))
        if command_id in self._results:
            self.tally.commands[f"{self.kind} offered again"] += 1
            return [self._results[command_id]]
        if not self.home.secret.has_signed(command):
            self.tally.unseen[f"{self.kind}: unsigned or wrongly signed"] += 1
            return [self._remember(command_id, self._failed(command_id, 403, "SIGNATURE_WRONG"))]
        self.tally.commands[f"{self.kind} {command['action']}"] += 1
        before = self.hash
        result = self._remember(command_id, self._act(command_id, command))
        return [self.full(), result] if self.hash != before else [result]

    def _act(self, command_id: str, command: Members) -> Send:
        action, name = command["action"], command["targetArtifact"]["name"]
        try:
            payload = json.loads(command.get("payload") or "{}")
        except ValueError:
            return self._failed(command_id, 400, "BAD_PAYLOAD")
        if action in {"START", "STOP"}:
            done = self.switch(name, enabled=action == "START")
            outcome = {"START": "started", "STOP": "stopped"}[action] if done else "unchanged"
            return self._completed(command_id, outcome)
        if action in {"SET_LOGGER_LEVEL", "RESET_LOGGER_LEVEL"}:
            is_set = action == "SET_LOGGER_LEVEL"
            self.set_level(payload["componentName"], payload["logLevel"] if is_set else None)
            return self._completed(command_id, "set" if is_set else "reset")
        if action == "TRIGGER":
            return self._completed(command_id, "triggered")
        if action == "LIST_LOGGERS":
            loggers = [
                {"logger": logger, "level": level, "effectiveLevel": level, "handlers": [], "programLevel": level}
                for logger, level in self._levels().items()
            ]
            return self._completed(command_id, "listed", loggers=loggers, total=len(loggers))
        return self._failed(command_id, 501, "UNKNOWN_ACTION")

    def _completed(self, command_id: str, outcome: str, **more: object) -> Send:
        body = {"outcome": outcome, "message": f"It is {outcome}.", **more}
        return self.result(command_id, "COMPLETED", 200, body)

    def _failed(self, command_id: str, http_status: int, code: str) -> Send:
        return self.result(command_id, "FAILED", http_status, {"code": code, "message": code, "fix": ""})

    def _remember(self, command_id: str, result: Send) -> Send:
        if len(self._results) >= _REMEMBERED:
            self._results.pop(next(iter(self._results)))
        self._results[command_id] = result
        return result

    def _members(self) -> Members:
        return {
            "version": "1.4.0",
            "heartbeatIntervalSeconds": self.interval_s,
            "capabilities": [*CAPABILITIES, *(("channel",) if self.wants_channel else ())],
            "nodeInfo": {
                "platformName": "cpython",
                "platformVersion": "3.11.7",
                "platformHome": "/opt/program/venv",
                "osName": "Linux",
                "osVersion": "6.8.0",
                "osArch": "x86_64",
                "hostname": f"host-{self.runtime_id[:8]}",
                "processId": 4211,
            },
            "logLevels": self._levels(),
        }
