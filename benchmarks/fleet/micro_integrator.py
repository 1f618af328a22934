"""Micro Integrator runtimes: M, which ignores commands, and M+, which knows the tunnel.

Both stop their heartbeats for good on 400, 401 and 409, and send a delta first, always.
"""

import json
import random
from collections.abc import Sequence
from typing import ClassVar, Final

from .homes import Home, Kind, Members
from .runtimes import DELTA_PATH, FATAL_TO_MICRO_INTEGRATOR, Runtime, Send, Tally, read_loosely

BOOT_S: Final = 5.0
"""From the start of the process to its first beat."""
_BUSY_CHANGES: Final = 0.5
"""How often a busy message store has another size at the next beat."""


class MicroIntegrator(Runtime):
    """M and M+ (by kind)."""

    keeps_token: ClassVar[bool] = True
    __slots__ = ("_hint_s", "_store_size", "is_busy")

    def __init__(
        self, home: Home, runtime_id: str, name: str | None, interval_s: float, tally: Tally, dice: random.Random
    ) -> None:
        self.is_busy = False
        """Whether its message store is in use: its size is part of the hash."""
        super().__init__(home, runtime_id, name, interval_s, tally, dice)

    def start(self) -> None:
        """Begin a process."""
        super().start()
        self._hint_s = 0.0
        self._store_size = 0

    def first_beat_after_s(self) -> float:
        """Wait for Synapse."""
        return BOOT_S

    def beat(self, now: float) -> Send:
        """Send a delta, always."""
        del now
        if self.is_busy and self.dice.random() < _BUSY_CHANGES:
            self._store_size = self.dice.randrange(10_000)
            self.changed()
        return self.delta()

    def answered(self, sent: Send, status: int, body: bytes, now: float) -> Sequence[Send]:
        """Stop for good, send a full heartbeat in the same round, or use the answer."""
        del now
        is_success = 200 <= status < 300
        code = "" if is_success else self.note_refusal(status, body)
        if not sent.is_beat:
            return ()
        if status in FATAL_TO_MICRO_INTEGRATOR:
            self.lose(f"{status} {code}")
            return ()
        answer = read_loosely(body)  # whatever the status: only the three above are looked at
        if is_success and answer.get("acknowledged") is not True:
            self.note_not_acknowledged(answer)
        commands = answer.get("commands") or []
        if sent.path is DELTA_PATH and answer.get("fullHeartbeatRequired") is True:
            if commands:
                self.tally.unseen[f"{self.kind}: in a delta's answer that demands a full heartbeat"] += len(commands)
            return (self.full(),)
        if self.kind is Kind.MI:
            if commands:
                self.tally.unseen["mi: this build ignores commands"] += len(commands)
            return ()
        hint = answer.get("nextHeartbeatInSeconds")
        self._hint_s = hint if isinstance(hint, int | float) and 0 < hint < self.interval_s else 0.0
        return [each for command in commands for each in self._carry_out(command)]

    def next_beat_at(self, now: float) -> float:
        """Count from the end of the last round."""
        wait_s, self._hint_s = self._hint_s or self.interval_s, 0.0
        return now + wait_s + 0.05 * self.dice.random()

    def _carry_out(self, command: Members) -> Sequence[Send]:
        assert self.home.secret is not None
        if command.get("action") != "MI_MGMT":
            self.tally.unseen[f"{self.kind}: unknown action"] += 1
            return ()
        if "signature" in command and not self.home.secret.has_signed(command):
            self.tally.unseen[f"{self.kind}: wrong signature"] += 1
            return ()
        self.tally.commands[f"{self.kind} MI_MGMT"] += 1
        params = json.loads(command["payload"])["params"]
        if params.get("method") == "GET" and str(params.get("path", "")).startswith("/management/logging"):
            body: object = {
                "count": 1,
                "list": [{"loggerName": "rootLogger", "componentName": "root", "level": "INFO"}],
            }
        else:
            body = {"message": "done"}
        return (self.result(command["commandId"], "COMPLETED", 200, body),)

    def _artifacts(self) -> str:
        text = super()._artifacts()
        return text if self._store_size == 0 else text.replace('"size":0', f'"size":{self._store_size}', 1)

    def _members(self) -> Members:
        return {
            "version": "4.4.0",
            "runtimeHostname": "localhost",
            "runtimePort": "9164",
            "nodeInfo": {
                "platformName": "WSO2 Micro Integrator",
                "platformVersion": "4.4.0",
                "platformHome": "/opt/mi",
                "osName": "Linux",
                "osVersion": "6.8.0",
                "osArch": "amd64",
                "javaVersion": "17.0.12",
                "javaVendor": "Eclipse Adoptium",
                "totalMemory": 1_073_741_824,
                "freeMemory": 536_870_912 + self.dice.randrange(1_000_000),
                "maxMemory": 2_147_483_648,
                "usedMemory": 536_870_912,
            },
        }
