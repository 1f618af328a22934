"""One control plane: its parts, put together, with the periodic work that keeps them honest."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import structlog
from starlette.applications import Starlette

from pilothouse import __version__
from pilothouse.api.application import build
from pilothouse.api.console import Console
from pilothouse.api.context import ApiSettings, Services
from pilothouse.app import bundled
from pilothouse.base.clock import Clock, SystemClock
from pilothouse.base.errors import PilothouseError
from pilothouse.base.ids import new_id
from pilothouse.config import Settings
from pilothouse.domain.liveness import LivenessRules
from pilothouse.domain.tenancy import DEFAULT_ORGANIZATION_HANDLE, Environment, Organization
from pilothouse.identity.passwords import Passwords
from pilothouse.identity.throttle import Throttle
from pilothouse.observe.figures import Figures
from pilothouse.observe.refusals import RefusalBook
from pilothouse.operations import housekeeping, liveness
from pilothouse.operations.bus import Bus
from pilothouse.presence import Board, Turn
from pilothouse.protocol.exchange import Handler
from pilothouse.protocol.keyring import Keyring
from pilothouse.protocol.routes import RuntimeEdge
from pilothouse.protocol.token import TokenReader, TokenRules
from pilothouse.storage import migrate, presence, tenancy
from pilothouse.storage.engine import open_writer
from pilothouse.storage.sealing import Vault, load_or_create_key
from pilothouse.storage.unit import Store, Transaction

WATCH_EVERY_S = 0.5
FLUSH_EVERY_S = 5.0
"""What is lost of *last seen* when the process is killed, at most."""
HOUSEKEEPING_EVERY_S = 3600.0
STALL_S = 5.0
"""When the watch comes this late, the process did not listen meanwhile (suspended, starved): nobody is judged by that time."""

_log = structlog.get_logger(__name__)


class ControlPlane:
    """The parts of a running control plane, and its periodic work."""

    def __init__(self, settings: Settings, clock: Clock, vault: Vault, passwords: Passwords) -> None:
        self.settings = settings
        self.clock = clock
        self.runtime_port = settings.runtime_port
        """The port that runtimes reach; known for good once it is open."""
        self.figures = Figures()
        self.bus = Bus(self._count_lost)
        self.store = Store(settings.database_path, self.bus.publish)
        self.vault = vault
        self.board = Board(LivenessRules(offline_after_s=settings.offline_after_s), clock.now())
        self.refusals = RefusalBook()
        self.passwords = passwords
        self.keyring = Keyring(self.store, vault)
        self.bus.follow(self.keyring.follow)
        self._work: list[asyncio.Task[None]] = []
        self._announcing: set[asyncio.Task[None]] = set()
        self._watched_at = clock.now()
        self.edge = RuntimeEdge(
            store=self.store,
            board=self.board,
            keyring=self.keyring,
            tokens=TokenReader(
                TokenRules(
                    issuer=settings.token_issuer,
                    audiences=frozenset(part.strip() for part in settings.token_audience.split(",") if part.strip()),
                    skew_s=settings.token_skew_s,
                )
            ),
            refusals=self.refusals,
            figures=self.figures,
            clock=clock,
            announce=self.announce,
        )
        self.figures.gauge("pilothouse_runtimes", "Runtimes on the board.", lambda: len(self.board))
        self.figures.gauge(
            "pilothouse_verdicts_held",
            "1 while so many runtimes are silent at once that nobody is called offline.",
            lambda: self.board.hold is not None,
        )
        self.figures.gauge(
            "pilothouse_writes_waiting", "Writes that wait for the database.", lambda: self.store.waiting
        )

    @property
    def runtime_handler(self) -> Handler:
        """What answers on the runtimes' port."""
        return self.edge.handle

    async def console_application(self) -> Starlette:
        """Make what answers on the console's port."""
        return build(await self._services(), Console(bundled.console_folder()))

    async def start(self) -> None:
        """Read what the last run knew, and begin the periodic work."""
        self.board.load(await self.store.read(lambda connection: list(presence.list_all(connection))))
        self.board.listening_since = self._watched_at = self.clock.now()
        for job, every_s in (
            (self.watch, WATCH_EVERY_S),
            (self.flush, FLUSH_EVERY_S),
            (self.tidy, HOUSEKEEPING_EVERY_S),
        ):
            self._work.append(asyncio.create_task(_repeat(job, every_s), name=f"pilothouse-{job.__name__}"))

    def let_go(self) -> None:
        """End the streams that people follow, so that a stop does not wait for them; they come back to the next start."""
        self.bus.close()

    async def stop(self) -> None:
        """End the periodic work, keep what presence knows, close the database."""
        for task in [*self._work, *self._announcing]:
            task.cancel()
        await asyncio.gather(*self._work, *self._announcing, return_exceptions=True)
        with contextlib.suppress(PilothouseError):
            await self.flush()
        self.passwords.close()
        await asyncio.to_thread(self.store.close)

    async def watch(self) -> None:
        """Announce the runtimes that fell silent or came back."""
        now = self.clock.now()
        if now - self._watched_at > STALL_S:
            _log.warning("watch.stalled", seconds=round(now - self._watched_at, 1))
            self.board.listening_since = now
        self._watched_at = now
        if self.board.watch_for_mass_silence(now):
            self._tell_of_the_hold()
        elif self.board.take_settled():
            self.bus.publish_unknown()
        turns = self.board.turns(now)
        for turn in turns:
            self.board.announce(turn)
        if turns:
            await self._write_turns(turns)

    def _tell_of_the_hold(self) -> None:
        hold = self.board.hold
        if hold is None:
            _log.info("liveness.hold_ended")
        else:
            _log.warning(
                "liveness.held",
                silent=hold.silent,
                live=hold.live,
                fix="Look at the network between the runtimes and this server; nobody is called offline meanwhile.",
            )
        self.bus.publish_unknown()

    async def flush(self) -> None:
        """Store what the board knows and the database does not."""
        rows, used = self.board.take_dirty(), self.keyring.take_used()
        if not rows and not used:
            return
        try:
            await self.store.write(partial(liveness.keep, rows=rows, secrets_used=used))
        except PilothouseError:
            self.figures.flush_failures += 1
            self.board.mark_dirty(rows)
            self.keyring.give_back(used)
            raise

    async def tidy(self) -> None:
        """Forget what is past its time."""
        now = self.clock.now()
        forgotten = await self.store.write(lambda tx: housekeeping.forget(tx, housekeeping.Retention(), now))
        if any(msgspec.structs.astuple(forgotten)):
            _log.info("housekeeping.forgot", **msgspec.structs.asdict(forgotten))

    def announce(self, turns: Sequence[Turn]) -> None:
        """Announce runtimes that came back by a heartbeat; the heartbeat does not wait for it."""
        task = asyncio.get_running_loop().create_task(self._write_turns(turns))
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)

    async def _write_turns(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            _log.info(
                "runtime.status",
                runtime=turn.entry.runtime_id,
                status=turn.verdict.status.value,
                reason=turn.verdict.reason,
            )
        try:
            retired = await self.store.write(
                partial(liveness.announce, turns=turns, succeeded=self.board.is_succeeded_by)
            )
        except PilothouseError as error:
            _log.error("runtime.status_not_stored", cause=error.message, fix=error.fix)
            self.bus.publish_unknown()
            return
        for key in retired:
            self.board.take_down(key)

    def _count_lost(self) -> None:
        self.figures.events_lost += 1

    async def organization(self) -> Organization:
        """Find the organization; there is one by default."""
        found = await self.store.read(
            lambda connection: tenancy.find_organization(connection, DEFAULT_ORGANIZATION_HANDLE)
        )
        if found is None:
            raise PilothouseError("The default organization is missing from the database.")
        return found

    async def _services(self) -> Services:
        settings = self.settings
        return Services(
            store=self.store,
            board=self.board,
            bus=self.bus,
            vault=self.vault,
            passwords=self.passwords,
            throttle=Throttle(),
            refusals=self.refusals,
            figures=self.figures,
            clock=self.clock,
            organization=await self.organization(),
            settings=ApiSettings(secure_cookies=settings.console_tls, metrics_token=settings.metrics_token),
            schema_path=bundled.schema_path(),
            version=__version__,
            runtime_port=lambda: self.runtime_port,
            hostname=settings.hostname,
            hostname_is_given=bool(settings.public_host),
            started_at=self.clock.now(),
        )


async def open_control_plane(
    settings: Settings, clock: Clock | None = None, passwords: Passwords | None = None
) -> ControlPlane:
    """Bring the database to this release's schema, seed an empty one, and put the parts together.

    Raises: CannotStart, StorageUnavailable
    """
    clock = clock or SystemClock()
    vault = Vault(load_or_create_key(settings.secret_key_path))
    await asyncio.to_thread(_migrate, settings.database_path)
    plane = ControlPlane(settings, clock, vault, passwords or Passwords())
    await plane.store.write(partial(seed, now=clock.now()))
    return plane


def seed(tx: Transaction, now: float) -> None:
    """Put the organization and its first two environments into an empty database."""
    if tenancy.find_organization(tx.connection, DEFAULT_ORGANIZATION_HANDLE) is not None:
        return
    organization = Organization(id=new_id(), handle=DEFAULT_ORGANIZATION_HANDLE, display_name="Default organization")
    tenancy.add_organization(tx.connection, organization)
    for handle, name, critical, after_s in (("dev", "Development", False, 0.0), ("prod", "Production", True, 0.001)):
        environment = Environment(
            id=new_id(), handle=handle, display_name=name, critical=critical, created_at=now + after_s
        )
        tenancy.add_environment(tx.connection, organization.id, environment)


def _migrate(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = open_writer(path)
    try:
        migrate.upgrade(engine)
    finally:
        engine.dispose()
    path.chmod(0o600)


async def _repeat(job: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Do a job again and again; a failure is logged and does not end it."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await job()
        except PilothouseError as error:
            _log.error("work.failed", work=job.__name__, cause=error.message, fix=error.fix)
        except Exception:  # noqa: BLE001 - an edge: the work goes on
            _log.exception("work.failed", work=job.__name__)
