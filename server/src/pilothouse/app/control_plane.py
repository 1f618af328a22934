"""One control plane: its parts, put together, with the periodic work that keeps them honest."""

import asyncio
import contextlib
from collections import Counter
from functools import partial

import structlog

from pilothouse.api.answering import Answering
from pilothouse.api.application import build
from pilothouse.api.console import Console
from pilothouse.api.rest_addresses import NoTokensInAddresses
from pilothouse.app import bundled
from pilothouse.app.alerting import alerting
from pilothouse.app.announcing import Announcing
from pilothouse.app.database import begin, bring_up_to_date, key_of
from pilothouse.app.health import LOOK_EVERY_S, health_of
from pilothouse.app.home_id import SORT as HOME
from pilothouse.app.own_figures import OwnFigures
from pilothouse.app.periodic import repeat
from pilothouse.app.services import services_of
from pilothouse.app.telemetry import RETAIN_EVERY_S, Telemetry
from pilothouse.app.trying import try_it_client
from pilothouse.app.upkeep import Upkeep
from pilothouse.app.user_stores import user_stores
from pilothouse.base.clock import AgreedClock, Clock, SystemClock
from pilothouse.base.errors import PilothouseError
from pilothouse.config import Settings
from pilothouse.domain.commands import CommandRules
from pilothouse.domain.events import Event, EventKind
from pilothouse.domain.liveness import LivenessRules
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.tenancy import DEFAULT_ORGANIZATION_HANDLE, Organization
from pilothouse.identity.passwords import Passwords
from pilothouse.management.client import ManagementClient
from pilothouse.management.policy import AllowList
from pilothouse.management.rules import ManagementRules
from pilothouse.management.worker import ManagementWorker
from pilothouse.observe.figures import Figures
from pilothouse.observe.refusals import RefusalBook
from pilothouse.observe.works import Works
from pilothouse.operations import outcomes
from pilothouse.operations.bus import Bus
from pilothouse.operations.following import Following
from pilothouse.operations.hearing import silence_of
from pilothouse.operations.ingest_tokens import IngestTokenBook
from pilothouse.operations.replicas import FLUSH_EVERY_S as FLUSH_SHARED_EVERY_S
from pilothouse.operations.replicas import Replicas
from pilothouse.operations.tellings import Tellings
from pilothouse.operations.tokens import TokenBook
from pilothouse.presence import Agenda, Board, watching
from pilothouse.protocol.channel import ChannelDesk
from pilothouse.protocol.exchange import Handler
from pilothouse.protocol.handing_over import HandingOver
from pilothouse.protocol.keyring import Keyring
from pilothouse.protocol.refusing import Refuser
from pilothouse.protocol.routes import RuntimeEdge
from pilothouse.protocol.telemetry_routes import TelemetryEdge
from pilothouse.protocol.token import TokenReader, TokenRules
from pilothouse.storage import commands, desired, presence, tenancy
from pilothouse.storage.sealing import Vault
from pilothouse.storage.slow import Statements
from pilothouse.storage.unit import Store
from pilothouse.telemetry.stores.embedded.footing import Footing

WATCH_EVERY_S = 0.5
ANNOUNCED_AT_ONCE = 500
"""Verdicts of one transaction: between two of them, whoever beats has its answer, and other writers their turn."""
STEER_EVERY_S = 0.5
EXPIRE_EVERY_S = 2.0
FLUSH_EVERY_S = 5.0
"""What is lost of *last seen* when the process is killed, at most; where several serve one database, `FLUSH_SHARED_EVERY_S`."""
LOOK_FOR_CHORES_EVERY_S = 300.0
"""So often each process looks whether what one of them does for all is due."""
STALL_S = 5.0
"""When the watch comes this late, the process did not listen meanwhile (suspended, starved): nobody is judged by that time."""

_log = structlog.get_logger(__name__)


class ControlPlane:
    """The parts of a running control plane, and its periodic work."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        vault: Vault,
        passwords: Passwords,
        telemetry: Footing | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.runtime_port = settings.runtime_port
        """The port that runtimes reach; known for good once it is open."""
        self.figures = Figures()
        self.bus = Bus(self._count_lost)
        self.following = Following(self.bus, settings.looks_for_events_every_s)
        self.store = Store(settings.database, self.following.committed)
        self.statements = Statements.of(settings.slow_statement_ms, self.store.reader_engine, self.store.writer_engine)
        self.works = Works()
        """How the periodic work goes."""
        self.late_s = 0.0
        """How much later than wanted the last look at the runtimes came."""
        self.happened: Counter[str] = Counter()
        """Events by kind."""
        self.vault = vault
        self.board = Board(
            LivenessRules(offline_after_s=settings.offline_after_s, beats_per_s_max=settings.beats_per_s_max),
            clock.now(),
        )
        self.replicas = Replicas(
            self.store,
            self.board,
            clock,
            every_s=0.0 if settings.database.is_embedded else settings.looks_for_events_every_s,
            key_number=vault.number,
        )
        self.refusals = RefusalBook(is_shared=self.replicas.is_shared)
        self.telemetry_parts = Telemetry(settings, self.store, self.board, clock, telemetry)
        self.telemetry = self.telemetry_parts.store
        self.intake = self.telemetry_parts.intake
        self.tellings = Tellings(
            self.store,
            self.replicas.id,
            {"refusals": self.refusals, "telemetry": self.intake, HOME: self.telemetry_parts.homes},
        )
        self.alerting = alerting(
            settings,
            store=self.store,
            board=self.board,
            telemetry=self.telemetry,
            intake=self.intake,
            vault=vault,
            clock=clock,
        )
        self.passwords = passwords
        self.user_stores = user_stores(settings)
        self.try_it = try_it_client(settings, lambda: self.runtime_port)
        self.keyring = Keyring(self.store, vault, self.silence_s)
        self.tokens = TokenBook(self.store, self.bus.follow)
        self.ingest_tokens = IngestTokenBook(self.store, self.bus.follow)
        self.agenda = Agenda()
        self.command_rules = CommandRules(waits_s=settings.waits_s, write_deadline_s=settings.write_deadline_s)
        self.desk = ChannelDesk(
            self.board,
            clock,
            opened=self._channel_opened,
            ended=self._channel_ended,
            usable_until=self.keyring.usable_until,
        )
        self.handing_over = HandingOver(
            self.store, self.board, self.agenda, self.keyring, self.desk, clock, self.command_rules, vault=vault
        )
        self.management = ManagementWorker(
            self.store,
            self.board,
            self.agenda,
            vault,
            ManagementClient(
                ManagementRules(
                    allowed=AllowList.parse(settings.mi_allow),
                    ca_file=settings.mi_ca_file,
                    insecure=settings.mi_insecure,
                ),
                clock,
            ),
            clock,
            rules=self.command_rules,
            issuer=settings.token_issuer,
            audiences=_audiences(settings),
        )
        self.announcing = Announcing(self.store, self.replicas, self.board, self.agenda, self.bus)
        self.upkeep = Upkeep(
            settings=settings,
            clock=clock,
            store=self.store,
            board=self.board,
            figures=self.figures,
            keyring=self.keyring,
            tokens=self.tokens,
            ingest_tokens=self.ingest_tokens,
            telemetry=self.telemetry_parts,
            replicas=self.replicas,
            tellings=self.tellings,
        )
        self._places: set[tuple[str, str]] = set()
        """Integrations and environments in which something is desired; an entry stays until the next start."""
        for follower in (
            self.keyring.follow,
            self.telemetry_parts.origins.follow,  # before the board forgets who goes
            self._follow,
            self.alerting.follow,
        ):
            self.bus.follow(follower)
        self.replicas.follow_retired(self.agenda.drop)
        self._work: list[asyncio.Task[None]] = []
        self._watched_at = clock.now()
        self._watching_soon: asyncio.TimerHandle | None = None
        tokens = TokenReader(
            TokenRules(
                issuer=settings.token_issuer,
                audiences=frozenset(_audiences(settings)),
                skew_s=settings.token_skew_s,
            )
        )
        telemetry_edge = TelemetryEdge(
            intake=self.intake, keyring=self.keyring, tokens=tokens, ingest_tokens=self.ingest_tokens, clock=clock
        )
        self.telemetry_parts.show(self.figures, telemetry_edge)
        self.edge = RuntimeEdge(
            store=self.store,
            board=self.board,
            agenda=self.agenda,
            keyring=self.keyring,
            vault=vault,
            tokens=tokens,
            refuser=Refuser(tokens=tokens, refusals=self.refusals, figures=self.figures, clock=clock),
            clock=clock,
            figures=self.figures,
            desk=self.desk,
            handing_over=self.handing_over,
            telemetry=telemetry_edge,
            announce=self.announcing.announce,
            command_rules=self.command_rules,
            may_create=settings.heartbeats_create,
            is_anything_desired=lambda entry: (entry.integration_id, entry.environment_id) in self._places,
            look_up=self.replicas.look_up if self.replicas.is_shared else None,
        )
        self.health = health_of(self)
        OwnFigures(self).show()

    def silence_s(self) -> float:
        """Tell for how long nothing was heard of what other processes change."""
        return silence_of(self.following)

    @property
    def runtime_handler(self) -> Handler:
        """What answers on the runtimes' port."""
        return self.edge.handle

    async def console_application(self) -> Answering:
        """Make what answers on the console's port."""
        application = build(services_of(self, await self.organization()), Console(bundled.console_folder()))
        application.add_middleware(NoTokensInAddresses)
        return Answering(application, self.figures.people)

    async def start(self) -> None:
        """Read what the last run knew, and begin the periodic work."""
        await self.following.begin(self.store)
        if self.replicas.is_shared:
            await self.replicas.begin()
        else:
            self.board.load(await self.store.read(lambda connection: list(presence.list_all(connection))))
            self.board.listening_since = self.clock.now()
        self.agenda.load(await self.store.read(commands.list_agenda))
        await self.telemetry_parts.begin()
        for place in await self.store.read(desired.list_places):
            self._places.add((place.integration_id, place.environment_id))
        self._watched_at = self.clock.now()
        watching = repeat(self.watch, WATCH_EVERY_S, self.works, self._came_late)
        self._work.append(asyncio.create_task(watching, name="pilothouse-watch"))
        for job, every_s in (
            (self.steer, STEER_EVERY_S),
            (self.expire, EXPIRE_EVERY_S),
            (self.flush, FLUSH_SHARED_EVERY_S if self.replicas.is_shared else FLUSH_EVERY_S),
            (self.upkeep.tidy_for_all, LOOK_FOR_CHORES_EVERY_S),
            (self.upkeep.retain_for_all, RETAIN_EVERY_S),
            (self.health.look, LOOK_EVERY_S),
        ):
            self._work.append(asyncio.create_task(repeat(job, every_s, self.works), name=f"pilothouse-{job.__name__}"))
        self._work.append(asyncio.create_task(self.handing_over.push_wanted(), name="pilothouse-push"))
        self._work.append(asyncio.create_task(self.management.run(), name="pilothouse-management"))
        self._work.append(asyncio.create_task(self.following.run(self.store), name="pilothouse-following"))
        self._work.append(asyncio.create_task(self.alerting.run(), name="pilothouse-alerting"))

    def let_go(self) -> None:
        """End the streams that people and runtimes follow: a stop does not wait for them, and nobody is judged by it.

        They come back to the next start.
        """
        self.bus.close()
        self.desk.close_all()

    async def stop(self) -> None:
        """End the periodic work, keep what presence knows, close the database."""
        if self._watching_soon is not None:
            self._watching_soon.cancel()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, self.announcing.close(), return_exceptions=True)
        self.edge.refuser.tell_left_out(is_end=True)
        await self.handing_over.close()
        await self.management.close()
        await self.alerting.close()
        await self.try_it.close()
        with contextlib.suppress(PilothouseError):
            await self.flush(is_end=True)
        self.passwords.close()
        await self.user_stores.close()
        await self.telemetry_parts.close()
        await asyncio.to_thread(self.store.close)

    async def steer(self) -> None:
        """Ping channels, and see to commands whose time has come without waiting for a heartbeat."""
        now = self.clock.now()
        self.desk.tick()
        for key in self.agenda.due(now):
            self._hand_over_soon(key)
        self.agenda.sweep(now)
        self.handing_over.sweep(now)
        self.edge.refuser.tell_left_out()

    async def expire(self) -> None:
        """End the commands whose deadline has passed, and set the pace of heartbeats."""
        await watching.set_pace(self.board)
        if len(self.agenda):
            now = self.clock.now()
            if await self.store.read(lambda connection: commands.list_overdue(connection, now, 1)):
                await self.store.write(lambda tx: outcomes.expire_overdue(tx, now))

    def _hand_over_soon(self, runtime_key: int) -> None:
        entry = self.board.find_key(runtime_key)
        if entry is None:
            return
        if entry.runtime_type is RuntimeType.MI:
            if self.board.is_running(runtime_key, self.clock.now()):  # else it is told when it is back
                self.management.wake(runtime_key)
        else:
            self.handing_over.push(runtime_key)

    def _follow(self, event: Event) -> None:
        """Keep what memory holds in step with what was committed."""
        self.happened[event.kind.value] += 1
        now = self.clock.now()
        if event.kind is EventKind.COMMAND_QUEUED and event.runtime_key is not None:
            self.agenda.look_at(event.runtime_key, now)
            self._hand_over_soon(event.runtime_key)
        elif event.kind is EventKind.DESIRED_CHANGED and event.integration_id and event.environment_id:
            self._places.add((event.integration_id, event.environment_id))
            for entry in self.board.list_in(event.integration_id, event.environment_id):
                self.agenda.look_at(entry.runtime_key, now)
        elif event.kind is EventKind.RUNTIME_REMOVED and event.runtime_key is not None:
            self.board.take_down(event.runtime_key)
            self.agenda.drop(event.runtime_key)
            self.desk.close(event.runtime_key)
        elif event.kind is EventKind.SECRET_REVOKED and event.key_id is not None:
            self.desk.close_of(event.key_id)

    def _channel_opened(self, runtime_key: int) -> None:
        if runtime_key in self.agenda:
            self.handing_over.push(runtime_key)

    def _channel_ended(self) -> None:
        """Look who is left as soon as those whose channels ended had their time to come back."""
        if self._watching_soon is None or self._watching_soon.when() < asyncio.get_running_loop().time():
            delay_s = self.board.rules.return_within_s + 0.05
            self._watching_soon = asyncio.get_running_loop().call_later(delay_s, self._watch_now)

    def _watch_now(self) -> None:
        self.announcing.begin(self._watch_once())

    async def _watch_once(self) -> None:
        try:
            await self.watch()
        except PilothouseError as error:
            _log.error("work.failed", work="watch", cause=error.message, fix=error.fix)

    async def watch(self) -> None:
        """Announce the runtimes that fell silent or came back."""
        now = self.clock.now()
        if now - self._watched_at > STALL_S:
            _log.warning("watch.stalled", seconds=round(now - self._watched_at, 1))
            self.board.listening_since = now
        try:
            await self.replicas.look()
            self.telemetry_parts.note_others(self.replicas.host, self.replicas.others)
            await watching.go_round(self.board, self.clock.now())
        finally:
            now = self._watched_at = self.clock.now()  # while a database was waited for, runtimes were listened to
        if watching.watch_for_mass_silence(self.board, now):
            self.announcing.tell_of_the_hold()
            await watching.go_round(self.board, now)
        elif self.board.take_settled():
            self.bus.publish_unknown()
        while turns := watching.turns(self.board, now, ANNOUNCED_AT_ONCE):
            for turn in turns:
                self.board.announce(turn)
            if not await self.announcing.write(turns):
                return
            now = self._watched_at = self.clock.now()

    async def flush(self, *, is_end: bool = False) -> None:
        """Store what memory knows and the database does not; with others that serve it, also that this one is there, or ends."""
        await self.upkeep.flush(is_end=is_end)

    async def tidy(self) -> None:
        """Forget what is past its time."""
        await self.upkeep.tidy()

    def _count_lost(self) -> None:
        self.figures.events_lost += 1

    def _came_late(self, by_s: float) -> None:
        self.late_s = by_s

    async def organization(self) -> Organization:
        """Find the organization; there is one by default."""
        found = await self.store.read(
            lambda connection: tenancy.find_organization(connection, DEFAULT_ORGANIZATION_HANDLE)
        )
        if found is None:
            raise PilothouseError("The default organization is missing from the database.")
        return found


def _audiences(settings: Settings) -> tuple[str, ...]:
    return tuple(part.strip() for part in settings.token_audience.split(",") if part.strip())


async def open_control_plane(
    settings: Settings,
    clock: Clock | None = None,
    passwords: Passwords | None = None,
    telemetry: Footing | None = None,
) -> ControlPlane:
    """Bring the database to this release's schema, seed an empty one, and put the parts together.

    telemetry: the embedded telemetry store's footing, where another process of this machine has it
    Raises: CannotStart, StorageUnavailable
    """
    clock = clock or (SystemClock() if settings.database.is_embedded else AgreedClock(SystemClock()))
    await asyncio.to_thread(bring_up_to_date, settings.database)
    keys = await asyncio.to_thread(key_of, settings)
    plane = ControlPlane(settings, clock, Vault(keys), passwords or Passwords(), telemetry)
    try:
        await plane.store.write(partial(begin, keys=keys, now=clock.now()))
    except BaseException:
        await plane.stop()
        raise
    return plane
