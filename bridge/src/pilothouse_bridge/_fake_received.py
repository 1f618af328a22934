"""What ``testing.FakePilothouse`` gives out: heartbeats and results as they arrived."""

from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class ReceivedBeat:
    """A heartbeat as it arrived; ``at_s`` is ``time.monotonic()``."""

    path: str
    body: dict[str, Any]  # JSON: tests look into it as they like
    claims: dict[str, Any]  # JSON, as above
    key_id: str
    at_s: float

    @property
    def is_full(self) -> bool:
        """Whether it tells everything."""
        return self.path == "/icp/heartbeat"

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Services by name, as they stand on the wire."""
        return {service["name"]: service for service in self.body.get("artifacts", {}).get("services", [])}

    @property
    def listeners(self) -> dict[str, dict[str, Any]]:
        """Listeners by name, as they stand on the wire."""
        return {listener["name"]: listener for listener in self.body.get("artifacts", {}).get("listeners", [])}

    @property
    def consumers(self) -> dict[str, dict[str, Any]]:
        """Consumers by name, as they stand on the wire."""
        return {consumer["name"]: consumer for consumer in self.body.get("artifacts", {}).get("consumers", [])}

    @property
    def schedules(self) -> dict[str, dict[str, Any]]:
        """Schedules by name, as they stand on the wire."""
        return {schedule["name"]: schedule for schedule in self.body.get("artifacts", {}).get("schedules", [])}


@dataclass(frozen=True, slots=True)
class ReceivedResult:
    """What came of a command, as it arrived; ``at_s`` is ``time.monotonic()``."""

    message: dict[str, Any]  # JSON: tests look into it as they like
    key_id: str
    at_s: float

    @property
    def command_id(self) -> str:
        """Of which command."""
        return str(self.message["commandId"])

    @property
    def succeeded(self) -> bool:
        """Whether it was carried out."""
        return self.message["status"] == "COMPLETED"

    @property
    def body(self) -> dict[str, Any]:
        """Outcome or failure, as it stands on the wire."""
        return cast("dict[str, Any]", self.message["body"])

    @property
    def outcome(self) -> str | None:
        """``started``, ``stopped``, ``gated`` and so on; None for a failure."""
        return self.body.get("outcome")

    @property
    def code(self) -> str | None:
        """The code of a failure; None for a success."""
        return self.body.get("code")
