"""What tests of alerts do again and again, and a postman that only writes down what it was given."""

from datetime import UTC, datetime

from argon2 import PasswordHasher
from pilothouse.alerting.sending import Sender
from pilothouse.alerting.worker import ON_TELEMETRY, QUICK, Alerting
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.identity.passwords import Passwords
from pilothouse.notify.channels import Channel
from pilothouse.notify.errors import NotDelivered
from pilothouse.notify.notice import Notice

SAVE = """mutation ($input: AlertRuleInput!) {
  saveAlertRule(input: $input) { id name condition threshold percentile windowS trouble firing channels { name } }
}"""
CHANNEL = """mutation ($input: AlertChannelInput!) {
  saveAlertChannel(input: $input) { channel { id name kind target } signingSecret }
}"""
ALERTS = """query ($filter: AlertFilter) {
  alerts(filter: $filter) {
    totalCount
    nodes {
      id state message silenced value since firedAt resolvedAt severity
      rule { name } project { handle } integration { handle } environment { handle } runtime { runtimeId name }
      notifications { kind state attempts reason channel { name kind } }
    }
  }
}"""
SILENCE = "mutation ($input: AlertSilenceInput!) { silenceAlerts(input: $input) { id from to reason } }"


class RecordingPostman:
    """A stand-in for the real postman: keeps what it is given, and fails when it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[Channel, Notice]] = []
        self.tried: list[Notice] = []
        self.failures: list[Exception] = []

    @property
    def said(self) -> list[str]:
        return [notice.kind.value for _, notice in self.sent]

    def fail(self, times: int, *, retry: bool = True) -> None:
        self.failures += [NotDelivered("The receiver answered 503.", retry=retry) for _ in range(times)]

    async def send(self, channel: Channel, notice: Notice) -> None:
        self.tried.append(notice)
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((channel, notice))

    async def close(self) -> None:
        pass


class Alerts:
    """What a test does with alerts."""

    def __init__(self, plane: ControlPlane, admin, clock: FakeClock, postman: RecordingPostman) -> None:
        self.plane, self.admin, self.clock, self.postman = plane, admin, clock, postman

    async def channel(self, kind: str = "WEBHOOK", **more) -> str:
        given = {"name": "operators", "kind": kind, **more}
        if kind in {"WEBHOOK", "SLACK", "TEAMS"}:
            given.setdefault("url", "https://hooks.example.com/services/T1")
        data = await self.admin.ask(CHANNEL, input=given)
        return data["saveAlertChannel"]["channel"]["id"]

    async def rule(self, condition: str = "RUNTIME_OFFLINE", **more) -> str:
        given = {"name": "offline", "condition": condition, "channels": [], **more}
        return (await self.admin.ask(SAVE, input=given))["saveAlertRule"]["id"]

    async def look(self) -> list[dict]:
        """Judge everything once, and list what there is."""
        await self.plane.watch()
        await self.plane.alerting.judge(QUICK)
        await self.plane.alerting.judge(ON_TELEMETRY)
        return await self.list()

    async def list(self, **wanted) -> list[dict]:
        return (await self.admin.ask(ALERTS, filter=wanted))["alerts"]["nodes"]

    async def send(self) -> None:
        """Let the time of gathering pass, and send."""
        self.clock.advance(2.5)
        await self.plane.alerting.sender.send_due()

    async def silent_runtime(self, runtime) -> None:
        """Let a runtime beat twice, so that its interval is known, and fall silent."""
        await self.beats(runtime)
        await self.pass_time(40)

    async def beats(self, *runtimes) -> None:
        for runtime in runtimes:
            await runtime.full()
        await self.pass_time(8)
        for runtime in runtimes:
            await runtime.delta()
        await self.plane.watch()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass in steps so small that the control plane does not take itself for one that slept."""
        for _ in range(round(seconds / 4)):
            self.clock.advance(4)
            await self.plane.watch()


def quick_passwords() -> Passwords:
    """Argon2 with the least memory."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def sender_of(plane: ControlPlane, postman: RecordingPostman) -> Sender:
    """Another process that sends out of the same outbox."""
    return Sender(plane.store, plane.vault, postman, plane.clock, lambda _: None)


def another(plane: ControlPlane, postman: RecordingPostman) -> Alerting:
    """Another process that judges the same rules."""
    return Alerting(plane.store, plane.alerting._sources, sender_of(plane, postman), plane.clock)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
