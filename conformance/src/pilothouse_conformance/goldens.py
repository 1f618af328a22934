"""Golden heartbeats: messages that stand in files, sent as they are, and the answers that they must get."""

import json
from dataclasses import dataclass
from pathlib import Path

from pilothouse_conformance.beats import Beat
from pilothouse_conformance.runtime import DELTA, FULL
from pilothouse_conformance.verdict import demand
from pilothouse_conformance.wire import Json, members
from pilothouse_conformance.world import Stage

SECTION = "Golden heartbeats"
_TYPES = ("BI", "MI", "PY")
_KNOWN_S = 400
"""Statuses below this are answers to heartbeats that were understood."""


@dataclass(frozen=True, slots=True)
class Golden:
    """One message with the answer it must get."""

    label: str
    message: dict[str, Json]
    partner: dict[str, Json] | None = None
    """For a delta: the full heartbeat whose hash it bears."""

    @property
    def title(self) -> str:
        """What the message is."""
        return str(self.message.get("about", self.label)).removesuffix(".")


def read(folder: str) -> list[Golden]:
    """Read the messages of a folder.

    Raises: ValueError, OSError
    """
    messages = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(folder).glob("*.json"))}
    if not messages:
        raise ValueError(f"there are no golden messages (*.json) in {folder}")
    fulls = [message for message in messages.values() if message["path"] == FULL and "body" in message]
    return [Golden(label, message, _partner(message, fulls)) for label, message in messages.items()]


def replay(stage: Stage, golden: Golden) -> None:
    """Send one message as it stands, under a secret that is bound, so that its own names need not be ours."""
    body = golden.message.get("body")
    source = members((golden.partner or golden.message).get("body"))
    runtime_type = source.get("runtimeType")
    project, integration = stage.integration(runtime_type if runtime_type in _TYPES else "PY", "messages")
    secret = stage.secret(_environment(stage, source.get("environment")), project=project, integration=integration)
    runtime = stage.runtime(secret=secret, project=project, component=integration)
    runtime.runtime_id = str(source.get("runtimeId"))  # so that it is found when it is removed
    if golden.partner is not None:
        runtime.post(FULL, source).ok()
    text: str | None = golden.message.get("bodyText")
    beat = runtime.post(golden.message["path"], body if text is None else text.encode())
    expected = golden.message["expect"]
    if expected["status"] >= _KNOWN_S:
        beat.refused(expected["status"])
        demand(beat.body["code"] == expected["code"], f"the code is {beat.body['code']}, not {expected['code']}")
        return
    demand(beat.status == expected["status"], f"it was answered {beat.status} instead of {expected['status']}")
    _demand_subset(beat, expected.get("body", {}))
    if golden.message["path"] == DELTA:
        beat.ok(wants_full=False)


def _demand_subset(beat: Beat, expected: dict[str, Json]) -> None:
    for name, value in expected.items():
        demand(beat.body.get(name) == value, f"{name} is {beat.body.get(name)}, not {value}")


def _partner(message: dict[str, Json], fulls: list[dict[str, Json]]) -> dict[str, Json] | None:
    """Find the full heartbeat with a delta's hash."""
    told = members(message.get("body")).get("runtimeHash") if message["path"] == DELTA else None
    return next((full for full in fulls if told and full["body"].get("runtimeHash") == told), None)


def _environment(stage: Stage, told: Json) -> str:
    """Find the environment that a message means, by handle or by name; the first one when it names none."""
    found = stage.console.ask("{ environments(first: 100) { nodes { handle displayName } } }")["environments"]["nodes"]
    wanted = str(told).replace("\x00", "").lower()
    for each in found:
        if wanted in (each["handle"].lower(), each["displayName"].lower()):
            return each["handle"]
    return stage.options.environment
