"""What a run is given, and what one case works with."""

import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pilothouse_conformance import runtime as runtimes
from pilothouse_conformance.people import Console, Feed, Session
from pilothouse_conformance.runtime import Dialect, Runtime
from pilothouse_conformance.verdict import Failed, Skipped, demand
from pilothouse_conformance.wire import Address, Exchange, Json, Line, NoAnswer, Trust, items, members

T = TypeVar("T")
INTERVAL_S = 1.15
"""The cadence of runtimes whose interval a server must learn; shorter gaps are follow-ups of one beat."""
EPSILON_S = 0.6
"""How much later than promised a verdict may come."""
_TRAIL_KEPT = 6

_RUNTIME = """id runtimeId name version status statusReason offlineAfterSeconds lastHeartbeatAt registeredAt secretKeyId
  warnings { code message } project { handle } integration { handle } environment { handle }"""
_SECRET = "mutation ($input: GenerateSecretInput!) { generateSecret(input: $input) { keyId secret } }"  # noqa: S105 - a query
_DELETE = "mutation ($id: ID!) { deleteRuntime(id: $id) { deleted } }"
_REVOKE = "mutation ($keyId: String!) { revokeSecret(keyId: $keyId) { keyId } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator says of the server."""

    environment: str = "dev"
    """Handle of an environment that is not critical."""
    other_environment: str = "prod"
    offline_after_s: float = 30.0
    patience_s: float = 150.0
    """The longest that a case waits for one thing."""
    fault: str | None = None
    heal: str | None = None
    restart: str | None = None
    cleartext: Address | None = None
    mi_host: str | None = None
    mi_certificate: tuple[str, str] | None = None
    data: str | None = None
    """Where the server keeps its data, to look for clear text."""
    body_limit_bytes: int = 8 * 1024 * 1024
    bodies_limit_bytes: int | None = None
    """How much of bodies that are half-way in the server takes, all together."""


@dataclass(frozen=True, kw_only=True)
class World:
    """One run against one server."""

    runtimes_at: Address
    trust: Trust
    session: Session
    options: Options
    prefix: str = field(default_factory=lambda: f"cf{secrets.token_hex(3)}")
    """Begins every name that this run makes."""
    left_behind: list[str] = field(default_factory=list[str])

    @property
    def project(self) -> str:
        """The project that most cases work in, by its handle."""
        return f"{self.prefix}-cases"


class Stage:
    """What one case works with. Whatever it makes bears the run's prefix; runtimes and secrets are removed at its end."""

    def __init__(self, world: World, label: str) -> None:
        self.world = world
        self.options = world.options
        self._label = label
        self._lock = threading.Lock()
        self.trail: list[Exchange] = []
        self.console = Console(world.session, self._note)
        self._runtimes: list[Runtime] = []
        self._secrets: list[str] = []
        self._undone: list[Callable[[], object]] = []

    # what a case makes

    def name(self, what: str = "orders") -> str:
        """Name something that belongs to this case, as a person would write it."""
        return f"Case {self._label} {what}"

    def handle(self, what: str = "orders") -> str:
        """Give the handle that such a name comes to."""
        return handle_of(self.name(what))

    def secret(self, environment: str | None = None, **binding: str) -> str:
        """Generate a secret."""
        wish = {"environment": environment or self.options.environment, **binding}
        data = self.console.ask(_SECRET, input=wish)
        secret = data["generateSecret"]["secret"]
        self._secrets.append(data["generateSecret"]["keyId"])
        self.console.hide(secret.partition(".")[2])
        return secret

    def runtime(
        self,
        dialect: Dialect = runtimes.BI,
        *,
        secret: str | None = None,
        what: str = "orders",
        like: Runtime | None = None,
        **told: Json,
    ) -> Runtime:
        """Bring a runtime into being that has not yet sent a heartbeat; `like` another one it shares secret and place."""
        if like is not None:
            dialect, secret = like.dialect, secret or like.secret
            told = {"component": like.component, "project": like.project, "environment": like.environment, **told}
        if dialect.type == "MI" and "artifacts" not in told:
            told["artifacts"] = runtimes.mi_artifacts()
        members: dict[str, Json] = {
            "runtime_id": f"{self.world.prefix}-{self._label}-{secrets.token_hex(8)}",
            "environment": self.options.environment,
            "project": self.world.project,
            "component": self.name(what),
            **told,
        }
        line = Line(self.world.runtimes_at, self.world.trust, self._note)
        made = Runtime(line=line, secret=secret or self.secret(), dialect=dialect, **members)
        with self._lock:
            self._runtimes.append(made)
        return made

    def running(self, dialect: Dialect = runtimes.BI, **told: Json) -> Runtime:
        """Bring a runtime into being whose first full heartbeat was acknowledged."""
        made = self.runtime(dialect, **told)
        made.full().ok()
        return made

    def steady(self, dialect: Dialect = runtimes.BI, **told: Json) -> Runtime:
        """Bring a runtime into being whose interval the server has seen."""
        made = self.running(dialect, **told)
        time.sleep(INTERVAL_S)
        made.delta().ok()
        return made

    def integration(self, runtime_type: str = "BI", what: str = "orders") -> tuple[str, str]:
        """Create an integration of this case by hand; gives the handles of project and integration."""
        project, handle = self.world.project, self.handle(what)
        self.console.try_asking(  # refused where another case, or a heartbeat, made it already
            "mutation ($input: CreateProjectInput!) { createProject(input: $input) { handle } }",
            input={"displayName": project, "handle": project},
        )
        self.console.ask(
            "mutation ($input: CreateIntegrationInput!) { createIntegration(input: $input) { handle } }",
            input={"project": project, "displayName": handle, "handle": handle, "runtimeType": runtime_type},
        )
        return project, handle

    # what people see

    def rows(self, runtime: Runtime, fields: str = "", *, integration: str | None = None) -> list[Json]:
        """List the runtimes where this one says that it belongs."""
        found = self.console.ask(_runtimes(f"{_RUNTIME} {fields}"), filter=self._scope(runtime, integration))
        return found["runtimes"]["nodes"]

    def row(self, runtime: Runtime, fields: str = "", *, integration: str | None = None) -> Json:
        """Look a runtime up.

        Raises: Failed, when it is not listed
        """
        found = self.find(runtime, fields, integration=integration)
        if found is None:
            raise Failed(f"the runtime {runtime.runtime_id} is not listed")
        return found

    def find(self, runtime: Runtime, fields: str = "", *, integration: str | None = None) -> Json:
        """Look a runtime up; None when it is not listed."""
        rows = self.rows(runtime, fields, integration=integration)
        return next((row for row in rows if row["runtimeId"] == runtime.runtime_id), None)

    def secret_row(self, secret: str) -> Json:
        """Look a secret up in the list; None when it is not there."""
        query = """query ($filter: SecretFilter, $after: String) { secrets(filter: $filter, first: 200, after: $after) {
          nodes { keyId bound runtimeCount environment { handle } } pageInfo { endCursor hasNextPage } } }"""
        after: str | None = None
        while True:
            page = self.console.ask(query, filter=None, after=after)["secrets"]
            for node in page["nodes"]:
                if node["keyId"] == secret.partition(".")[0]:
                    return node
            if not page["pageInfo"]["hasNextPage"]:
                return None
            after = page["pageInfo"]["endCursor"]

    def feed(self, *, commands: bool = False) -> Feed:
        """Follow what changes in this run's environment, from this moment on."""
        scope = {"environment": self.options.environment}
        sequence = self.console.ask(_runtimes("id"), filter=scope)["runtimes"]["sequence"]
        return self.console.feed(commands=commands, after=sequence, **scope)

    # waiting

    def until(self, question: Callable[[], T], within_s: float, reason: str, *, every_s: float = 0.25) -> T:
        """Ask until the answer is true.

        Raises: Failed
        """
        until_s = time.monotonic() + within_s
        while not (answer := question()):
            if time.monotonic() > until_s:
                raise Failed(f"{reason} (waited {within_s:.0f} s)")
            time.sleep(every_s)
        return answer

    def fall_silent(self, runtime: Runtime, *others: Runtime) -> None:
        """Let runtimes be silent until the server calls each OFFLINE; it must do so as soon as it said it would.

        Raises: Failed
        """
        for one in (runtime, *others):
            allowed_s = self.row(one)["offlineAfterSeconds"]
            longest_s = max(self.options.offline_after_s, 3 * one.longest_gap_s) + EPSILON_S
            demand(allowed_s <= longest_s, f"{allowed_s:.1f} s of silence are allowed, more than {longest_s:.1f} s")
            time.sleep(max(0.0, allowed_s - one.silence_s()[0] + EPSILON_S))
            silence_s, _ = one.silence_s()
            row = self.row(one)
            told = f"{row['status']}: {row['statusReason']}"
            demand(row["status"] == "OFFLINE", f"after {silence_s:.1f} s of silence the runtime is {told}")

    def affordable(self, wait_s: float, what: str) -> None:
        """Go on when a wait is within the operator's patience.

        Raises: Skipped
        """
        if wait_s > self.options.patience_s:
            raise Skipped(
                f"{what} takes {wait_s:.0f} s on this server: give --patience {wait_s + 10:.0f}, or set the server to be quicker"
            )

    def at_end(self, undo: Callable[[], object]) -> None:
        """Have something undone at the end of the case, however it ends."""
        self._undone.append(undo)

    def close(self) -> None:
        """Remove what can be removed."""
        for undo in reversed(self._undone):
            undo()
        for runtime in self._runtimes:
            runtime.line.close()
        try:
            self._remove()
        except (Failed, NoAnswer, KeyError, TypeError) as error:
            self.world.left_behind.append(f"runtimes and secrets of case {self._label} ({error})")
        self.console.close()

    def _remove(self) -> None:
        ours = {one.runtime_id for one in self._runtimes}
        found: dict[str, str] = {}
        scopes = [{"secretKeyId": key_id} for key_id in self._secrets]
        places = {(handle_of(one.project), handle_of(one.component)) for one in self._runtimes}
        scopes += [{"project": project, "integration": integration} for project, integration in places]
        for scope in scopes:
            data, _ = self.console.try_asking(_runtimes("id runtimeId"), filter=scope)
            rows = items(members(members(data).get("runtimes")).get("nodes"))
            found |= {row["id"]: row["runtimeId"] for row in rows if row["runtimeId"] in ours}
        for key in found:
            _, refusal = self.console.try_asking(_DELETE, id=key)
            if refusal is not None:
                self.world.left_behind.append(f"runtime {found[key]} ({refusal.message[:100]})")
        for key_id in self._secrets:
            self.console.try_asking(_REVOKE, keyId=key_id)  # gone already where the case was about that

    def _scope(self, runtime: Runtime, integration: str | None) -> dict[str, str]:
        return {
            "environment": self.options.environment,
            "project": handle_of(runtime.project),
            "integration": integration or handle_of(runtime.component),
        }

    def _note(self, exchange: Exchange) -> None:
        with self._lock:
            self.trail.append(exchange)
            del self.trail[:-_TRAIL_KEPT]


def _runtimes(fields: str) -> str:
    return f"query ($filter: RuntimeFilter) {{ runtimes(filter: $filter, first: 100) {{ sequence nodes {{ {fields} }} }} }}"


def handle_of(name: str) -> str:
    """Work out the handle of a project or an integration from the name in a heartbeat."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower() if name.isascii() else name).strip("-")


def span_s(first: str, last: str) -> float:
    """Tell how long it is from one instant of the API to another: both by the server's clock."""
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
