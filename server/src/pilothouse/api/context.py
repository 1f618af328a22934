"""What the people's edge is made of, and what one request carries."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from pilothouse.access.grants import Subject
from pilothouse.alerting.worker import Alerting
from pilothouse.api.installation import Installation
from pilothouse.base.clock import Clock
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import CommandRules
from pilothouse.domain.tenancy import Organization
from pilothouse.identity.passwords import Passwords
from pilothouse.identity.throttle import Throttle
from pilothouse.observe.figures import Figures
from pilothouse.observe.health import Health
from pilothouse.observe.refusals import RefusalBook
from pilothouse.operations.access_book import AccessBook
from pilothouse.operations.bus import Bus
from pilothouse.operations.sessions import Superseded
from pilothouse.operations.sign_in import FrontDoor
from pilothouse.operations.tokens import TokenBook
from pilothouse.presence import Agenda, Board, Entry
from pilothouse.storage.sealing import Vault
from pilothouse.storage.sessions import SessionRow
from pilothouse.storage.unit import Store
from pilothouse.telemetry.intake import Intake
from pilothouse.telemetry.store import TelemetryStore
from pilothouse.try_it.client import TryItClient


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may set about the people's edge."""

    secure_cookies: bool = True
    """False only when the console is served over plain HTTP on loopback."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose `X-Forwarded-For` is believed."""
    metrics_token: str | None = None
    """Bearer token that lets other machines read /metrics; without it only loopback may."""
    query_length_max: int = 65_536
    """Units: characters of a GraphQL query."""
    query_depth_max: int = 14
    """Fields within fields."""
    query_cost_max: int = 200_000
    """Fields that a query may ask for in the worst case, pages multiplied."""
    body_limit_bytes: int = 262_144
    """Largest body of any request here."""
    streams_max: int = 1_000
    """Subscriptions at the same time."""
    introspection: bool = True
    """Whether the schema tells itself to who is signed in."""
    graphiql: bool = False
    """Whether the page to write queries on is served."""
    persisted_only: bool = False
    """Whether only the queries of the console's manifest are run."""
    console_folder: Path | None = None
    """Where the console's build lies, with its manifest of queries."""
    connection_init_s: float = 10.0
    """Units: seconds from a WebSocket's opening until it has said who it is."""
    connections_per_subject_max: int = 50
    """WebSockets of one person or token at the same time."""
    operations_per_connection_max: int = 100
    """Operations under way over one WebSocket."""
    telemetry_store: str = "embedded"
    """Which store keeps telemetry, by the name that its setting has."""


class Services(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything that requests on this edge work with; made once, by the composition root."""

    store: Store
    access: AccessBook
    board: Board
    agenda: Agenda
    telemetry: TelemetryStore
    intake: Intake
    alerting: Alerting
    """Through which telemetry comes in; it knows what was lost on the way."""
    command_rules: CommandRules
    is_anything_desired: Callable[[Entry], bool]
    """Whether anything is desired where a runtime lives."""
    bus: Bus
    vault: Vault
    passwords: Passwords
    throttle: Throttle
    door: FrontDoor
    tokens: TokenBook
    superseded: Superseded
    try_it: TryItClient
    refusals: RefusalBook
    figures: Figures
    health: Health
    clock: Clock
    organization: Organization
    settings: ApiSettings
    schema_path: Path
    version: str
    installation: Installation
    is_serving: Callable[[str], bool]
    """Whether a process that serves the database is there, by its id."""
    runtime_port: Callable[[], int]
    """The port that runtimes reach; it is open before anybody asks."""
    hostname: str
    hostname_is_given: bool
    """Whether an operator chose the name, so that runtimes elsewhere must be told."""
    started_at: Instant

    def runtime_url(self) -> str:
        """Tell the URL that runtimes elsewhere use."""
        return f"https://{self.hostname}:{self.runtime_port()}"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sent this request, with the session that proved it."""

    subject: Subject
    session_id: str | None
    """None: an API token proved it."""
    session: SessionRow | None = None
