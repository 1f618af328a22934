"""The figures about ourselves that are read off the parts of a control plane when somebody asks for them."""

import platform
from typing import TYPE_CHECKING, Final

from pilothouse import __version__
from pilothouse.base.errors import PilothouseError
from pilothouse.domain.commands import CommandState
from pilothouse.observe.health import State
from pilothouse.observe.traffic import histogram
from pilothouse.presence import counting
from pilothouse.storage import counts
from pilothouse.storage.counts import Counts
from pilothouse.storage.unit import connections

if TYPE_CHECKING:
    from pilothouse.app.control_plane import ControlPlane

COUNTED_EVERY_S: Final = 10.0
"""Unit: seconds. Rows are counted no oftener, however often somebody asks."""
_STATES: Final = {State.READY: 0, State.DEGRADED: 1, State.NOT_READY: 2}


class OwnFigures:
    """What a control plane tells of itself beside what its edges count."""

    def __init__(self, plane: "ControlPlane") -> None:
        self._plane = plane
        self._counted_s = -COUNTED_EVERY_S
        self._counts = Counts(commands={}, alerts={}, notices={})

    async def refresh(self) -> None:
        """Count rows anew, where that was long ago; what cannot be counted stays as it was."""
        now_s = self._plane.works.clock_s()
        if now_s - self._counted_s < COUNTED_EVERY_S:
            return
        self._counted_s = now_s
        try:
            self._counts = await self._plane.store.read(counts.count_by_state)
        except PilothouseError:
            self._plane.works.failed("count", "the database cannot be read")

    def show(self) -> None:
        """Show everything."""
        self._show_process()
        self._show_fleet()
        self._show_database()
        self._show_alerts()

    def _show_process(self) -> None:
        plane, figures = self._plane, self._plane.figures
        figures.refresh = self.refresh
        figures.labelled(
            "pilothouse_build_info",
            "1, with the release and the Python that runs it.",
            ("version", "python"),
            lambda: {(__version__, platform.python_version()): 1},
        )
        figures.labelled(
            "pilothouse_part_state",
            "What /readyz says of each part: 0 ready, 1 degraded, 2 not ready.",
            ("part",),
            lambda: {(name,): _STATES[part.look.state] for name, part in plane.health.parts.items()},
        )
        figures.counter(
            "pilothouse_work_failures",
            "Failures of work that comes round again and again; it is tried again.",
            "work",
            lambda: {
                **{name: work.failures for name, work in plane.works.items()},
                **{f"alerts.{name}": work.failures for name, work in plane.alerting.works.items()},
            },
        )
        figures.gauge(
            "pilothouse_loop_late_seconds",
            "How much later than wanted the last look at the runtimes came: what every request waits for its turn.",
            lambda: plane.late_s,
        )

    def _show_fleet(self) -> None:
        plane, figures = self._plane, self._plane.figures

        def by_status() -> dict[tuple[str, ...], float]:
            found = counting.counts(plane.board, plane.clock.now())
            return {("RUNNING",): found.running, ("OFFLINE",): found.offline, ("UNKNOWN",): found.unknown}

        figures.labelled("pilothouse_runtimes", "Runtimes on the board, by status.", ("status",), by_status)
        figures.gauge(
            "pilothouse_verdicts_held",
            "1 while so many runtimes are silent at once that nobody is called offline.",
            lambda: plane.board.hold is not None,
        )
        figures.gauge("pilothouse_channels", "Runtimes that hold a channel.", lambda: len(plane.desk))
        figures.gauge(
            "pilothouse_runtimes_to_look_at",
            "Runtimes with open commands, or with somebody who waits for them.",
            lambda: len(plane.agenda),
        )
        figures.labelled(
            "pilothouse_commands",
            "Commands in the database, by state; those that ended go with their retention.",
            ("state",),
            lambda: {(state.value,): self._counts.commands.get(state.value, 0) for state in CommandState},
        )
        figures.counter("pilothouse_events", "Events, by kind, of all processes.", "kind", lambda: plane.happened)
        figures.gauge("pilothouse_replicas", "Processes that serve this database.", lambda: plane.board.replicas)
        figures.gauge(
            "pilothouse_presence_known_age_seconds",
            "How long ago the moment is about which verdicts are given; 0 where one process hears all.",
            lambda: plane.replicas.known_age_s() or 0.0,
        )
        figures.gauge(
            "pilothouse_clock_offset_seconds",
            "How far this machine's clock is behind the database's.",
            lambda: plane.replicas.offset_s,
        )
        figures.gauge("pilothouse_events_held", "Events that wait for a missing number.", lambda: plane.following.held)
        figures.gauge(
            "pilothouse_events_followed_age_seconds",
            "Since the last look at what other processes wrote that went well; 0 where this process writes alone.",
            lambda: plane.following.age_s() or 0.0,
        )
        figures.gauge(
            "pilothouse_subscription_events_waiting",
            "Events that wait for the slowest subscription.",
            lambda: plane.bus.waiting,
        )

    def _show_database(self) -> None:
        plane, figures, statements = self._plane, self._plane.figures, self._plane.statements

        def in_pools() -> dict[tuple[str, ...], float]:
            found: dict[tuple[str, ...], float] = {}
            for access, engine in (("read", plane.store.reader_engine), ("write", plane.store.writer_engine)):
                used, most = connections(engine)
                found |= {(access, "in_use"): used, (access, "max"): most}
            return found

        figures.labelled(
            "pilothouse_database_connections",
            "Connections of the pools: in use, and at most.",
            ("access", "state"),
            in_pools,
        )
        figures.labelled(
            "pilothouse_database_waiting",
            "Questions and writes that wait for their turn.",
            ("access",),
            lambda: {("read",): plane.store.waiting_reads, ("write",): plane.store.waiting},
        )
        figures.gauge(
            "pilothouse_database_commit_age_seconds",
            "Since the last commit; -1 before the first.",
            lambda: -1.0 if plane.store.committed_s is None else plane.works.clock_s() - plane.store.committed_s,
        )
        figures.family(
            "pilothouse_database_statement_seconds",
            lambda: histogram(
                "pilothouse_database_statement_seconds",
                "Seconds of statements, to their first row, and of commits.",
                ("access",),
                statements.durations,
            ),
        )
        figures.counter(
            "pilothouse_database_slow_statements",
            "Statements slower than PILOTHOUSE_SLOW_STATEMENT_MS.",
            "access",
            lambda: statements.slow,
        )

    def _show_alerts(self) -> None:
        plane, figures = self._plane, self._plane.figures
        figures.labelled(
            "pilothouse_alerts",
            "Alerts in the database, by state.",
            ("state",),
            lambda: {(state,): count for state, count in self._counts.alerts.items()},
        )
        figures.labelled(
            "pilothouse_notices",
            "Notices of alerts in the outbox, by state.",
            ("state",),
            lambda: {(state,): count for state, count in self._counts.notices.items()},
        )
        figures.counters(
            "pilothouse_notice_attempts",
            "Attempts to send a notice, by kind of channel: sent, again (tried later), given_up.",
            ("channel", "outcome"),
            lambda: plane.alerting.sender.attempts,
        )
