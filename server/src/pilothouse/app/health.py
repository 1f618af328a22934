"""What `/readyz` looks at: each part of a control plane, and when it is too bad for this process to get requests."""

import asyncio
import shutil
from functools import cache
from typing import TYPE_CHECKING, Final

from pilothouse.base.errors import PilothouseError
from pilothouse.observe.health import Health, Look, degraded, not_ready, ready
from pilothouse.storage import events, migrate
from pilothouse.storage.unit import QUEUE_MAX, Connection

if TYPE_CHECKING:
    from pilothouse.app.control_plane import ControlPlane

LOOK_EVERY_S: Final = 5.0
"""Unit: seconds between two looks when nobody asks; so exact is since when a part is as it is."""
READ_S: Final = 5.0
"""Unit: seconds. A database that takes longer to answer the smallest question answers nobody in time."""
WRITE_S: Final = 10.0
"""Unit: seconds. Everybody who changes something waits behind a write that takes longer."""
FOLLOW_DEGRADED_S: Final = 10.0
FOLLOW_NOT_READY_S: Final = 30.0
"""Unit: seconds. What others revoked meanwhile would still be taken here."""
WATCH_LATE_S: Final = 10.0
KNOWN_LATE_S: Final = 10.0
"""Unit: seconds. So much later than usual is a silence noticed; as long as it takes to find that a replica is gone."""
FREE_BYTES_MIN: Final = 1024 * 1024 * 1024
_QUEUE_FULL_SHARE: Final = 0.5


def health_of(plane: "ControlPlane") -> Health:
    """Put the looks together. What a part that is only degraded still does stands in its sentence."""
    health = Health(plane.clock.now)
    parts = _Parts(plane)
    health.part("database.read", parts.reading)
    health.part("database.write", parts.writing)
    health.part("schema", parts.schema)
    health.part("events", parts.events)
    health.part("presence", parts.presence)
    health.part("telemetry", parts.telemetry)
    health.part("alerts", parts.alerts)
    health.part("disk", parts.disk)
    return health


class _Parts:
    def __init__(self, plane: "ControlPlane") -> None:
        self._plane = plane
        self._revision: str | None = None

    async def reading(self) -> Look:
        plane = self._plane
        age_s = _rounded(plane.works.age_s("read"))
        began_s = plane.works.clock_s()
        try:
            async with asyncio.timeout(READ_S):
                self._revision = await plane.store.read(_probe)
        except TimeoutError:
            plane.works.failed("read", "timeout")
            return not_ready(f"The database did not answer within {READ_S:g} s.", last_ok_age_s=age_s)
        except PilothouseError as error:
            plane.works.failed("read", error.message)
            return not_ready(error.message, last_ok_age_s=age_s)
        plane.works.done("read")
        return ready("answers", took_ms=round((plane.works.clock_s() - began_s) * 1000, 1), last_ok_age_s=0.0)

    def writing(self) -> Look:
        store = self._plane.store
        age_s = None if store.committed_s is None else _rounded(self._plane.works.clock_s() - store.committed_s)
        figures = {
            "last_commit_age_s": age_s,
            "waiting": float(store.waiting),
            "under_way_s": _rounded(store.writing_s),
        }
        if store.last_failure is not None:
            return not_ready(store.last_failure, **figures)
        if store.writing_s > WRITE_S:
            return not_ready("The database has been taking a write for too long.", **figures)
        if store.waiting > QUEUE_MAX * _QUEUE_FULL_SHARE:
            return degraded("Writes come faster than the database takes them.", **figures)
        return ready("the last write was committed", **figures)

    def schema(self) -> Look:
        revision = self._revision or _newest()  # before the first read that goes well
        figures = {"revision": revision, "newest": _newest()}
        if revision == _newest():
            return ready("is this release's", **figures)
        if not migrate.is_known(revision):
            return degraded("A newer release has changed the schema; this one goes on with it.", **figures)
        return not_ready("The schema is older than this release: bring it up to date.", **figures)

    def events(self) -> Look:
        following = self._plane.following
        if following.position is None:
            return ready("this process writes alone")
        failing_s = following.failing_s()
        figures = {"held": float(following.held), "last_ok_age_s": _rounded(following.age_s())}
        if failing_s >= FOLLOW_NOT_READY_S:
            return not_ready("What other processes change is not heard here: " + following.failure, **figures)
        if failing_s >= FOLLOW_DEGRADED_S:
            return degraded("What other processes change comes late: " + following.failure, **figures)
        return ready("hears what other processes change", **figures)

    def presence(self) -> Look:
        plane, works = self._plane, self._plane.works
        age_s = _rounded(works.age_s("watch"))
        figures = {
            "runtimes": float(len(plane.board)),
            "looked_age_s": age_s,
            "flushed_age_s": _rounded(works.age_s("flush")),
        }
        if age_s is not None and age_s > WATCH_LATE_S:
            return degraded("Nobody has looked for a while who is alive: this process is starved.", **figures)
        if plane.replicas.is_shared:
            figures["replicas"] = float(plane.board.replicas)
            figures["known_age_s"] = _rounded(plane.replicas.known_age_s())
            figures["clock_offset_s"] = round(plane.replicas.offset_s, 3)
        if (figures.get("known_age_s") or 0.0) > KNOWN_LATE_S:
            return degraded(
                "What another replica heard is not known here, so that nobody is called offline.", **figures
            )
        if plane.board.hold is not None:
            return degraded(
                "So many runtimes fell silent at once that nobody is called offline: look at the network.", **figures
            )
        if works.failing_s("flush") > 0:
            return degraded("When runtimes were last seen is not stored: " + works.of("flush").cause, **figures)
        return ready("heartbeats are judged", **figures)

    def telemetry(self) -> Look:
        why = self._plane.intake.degraded
        figures = {"queue_bytes": float(self._plane.edge.telemetry.queue_bytes)}
        if why is not None:
            return degraded(
                "Logs, metrics and traces are not stored; senders keep theirs and come again: " + why, **figures
            )
        if self._plane.intake.split is not None:
            return degraded(self._plane.intake.split, **figures)
        return ready("telemetry is taken", **figures)

    def alerts(self) -> Look:
        works = self._plane.alerting.works
        failing = [name for name in ("judge", "send_due") if works.failing_s(name) > 0]
        figures = {"judged_age_s": _rounded(works.age_s("judge")), "sent_age_s": _rounded(works.age_s("send_due"))}
        if failing:
            return degraded("Alerts are late: " + works.of(failing[0]).cause, **figures)
        return ready("rules are judged and notices sent", **figures)

    def disk(self) -> Look:
        usage = shutil.disk_usage(self._plane.settings.home)
        figures = {"free_bytes": float(usage.free), "total_bytes": float(usage.total)}
        if usage.free < min(FREE_BYTES_MIN, usage.total * 0.05):
            return degraded("The disk of the home directory is nearly full.", **figures)
        return ready("there is room", **figures)


def _probe(connection: Connection) -> str | None:
    events.bounds(connection)
    return migrate.revision_of(connection)


@cache
def _newest() -> str:
    return migrate.newest()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
