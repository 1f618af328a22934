"""The board of all runtimes: one small entry each, touched by every beat."""

from collections import deque
from collections.abc import Iterable

from pilothouse.base.instants import Instant
from pilothouse.domain import twins
from pilothouse.domain.liveness import (
    Departure,
    Hold,
    LivenessRules,
    Pulse,
    Status,
    Verdict,
    is_overdue,
    judge,
    next_interval_s,
    offline_after_s,
)
from pilothouse.domain.presence import PresenceRow
from pilothouse.domain.runtime import Notice
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.twins import Face, Faces
from pilothouse.presence.entry import Entry, Turn
from pilothouse.presence.pace import Pace
from pilothouse.presence.rota import Rota
from pilothouse.presence.tallies import Tallies

_CHANGED_FACES_MAX = 10_000


class Board:
    """Every runtime that is not retired.

    Bounded by the number of registered runtimes; an entry leaves when its runtime is retired or deleted.
    """

    def __init__(self, rules: LivenessRules, listening_since: Instant) -> None:
        self.rules = rules
        self.listening_since = listening_since
        self._by_identity: dict[tuple[str, str, str], Entry] = {}
        self._by_key: dict[int, Entry] = {}
        self._by_place: dict[tuple[str, str], set[int]] = {}
        """Keys by integration and environment; a place that has none any more leaves."""
        self._by_runtime_id: dict[str, tuple[int, ...]] | None = None
        """Made when first asked for: only collectors, which speak for many runtimes, need it."""
        self.hold: Hold | None = None
        """Set while so many are silent at once that nobody is called offline."""
        self.shared = False
        """Whether other processes may hear beats, too."""
        self.known_until: Instant | None = None
        """Up to when everything is known here that any replica heard; None while this process alone hears them."""
        self.lost_until: Instant = 0.0
        """When a replica was last found gone: what it had heard lately is lost with it."""
        self.replicas = 1
        """How many serve, this one included."""
        self.changed_here: set[int] | None = None
        """Keys that were put up or taken down since it was set: what was read before is older. None: nobody asks."""
        self.no_hold_before: Instant = 0.0
        self.rota = Rota()
        self.tallies = Tallies()
        """As of the last look (`watching.slices`); whoever is put up is counted by the next one."""
        self.pace = Pace(rules)
        self._settled = 0
        self._dirty: deque[int] = deque()
        """Keys of what must be flushed, in the order of their first change; who is gone meanwhile is passed over."""
        self._faces: dict[int, Faces] = {}
        """Of runtimes whose latest beats differ; above the limit no more are looked at."""

    def __len__(self) -> int:
        return len(self._by_key)

    def load(self, rows: Iterable[PresenceRow]) -> None:
        """Put up what the last run knew."""
        for row in rows:
            # Python runtimes tell their interval, and keep the pace that they were told last until they hear another.
            tells = row.runtime_type is RuntimeType.PY and row.interval_s is not None
            self.put(
                Entry(
                    **{name: getattr(row, name) for name in PresenceRow.__struct_fields__},
                    interval_is_reported=tells,
                    own_interval_s=row.interval_s if tells else None,
                )
            )

    def put(self, entry: Entry) -> None:
        """Put up a runtime, or replace what is known of it."""
        if entry.dirty:
            self._dirty.append(entry.runtime_key)
        self._by_identity[entry.integration_id, entry.environment_id, entry.runtime_id] = entry
        before = self._by_key.get(entry.runtime_key)
        if before is not None and before is not entry:
            self.tallies.note(before, None)
        self._by_key[entry.runtime_key] = entry
        self._by_place.setdefault((entry.integration_id, entry.environment_id), set()).add(entry.runtime_key)
        if self.changed_here is not None:
            self.changed_here.add(entry.runtime_key)
        self.rota.ask(entry.runtime_key)
        if self._by_runtime_id is not None:
            self._index(self._by_runtime_id, entry)

    def take_down(self, runtime_key: int) -> None:
        """Forget a runtime that was retired or deleted."""
        if self.changed_here is not None:
            self.changed_here.add(runtime_key)
        entry = self._by_key.pop(runtime_key, None)
        if entry is not None:
            self._faces.pop(runtime_key, None)
            self.rota.forget(runtime_key)
            self.tallies.note(entry, None)
            del self._by_identity[entry.integration_id, entry.environment_id, entry.runtime_id]
            place = (entry.integration_id, entry.environment_id)
            self._by_place[place].discard(runtime_key)
            if not self._by_place[place]:
                del self._by_place[place]
            if self._by_runtime_id is not None:
                left = tuple(key for key in self._by_runtime_id.pop(entry.runtime_id) if key != runtime_key)
                if left:
                    self._by_runtime_id[entry.runtime_id] = left

    def find(self, integration_id: str, environment_id: str, runtime_id: str) -> Entry | None:
        """Find a runtime by its identity, under its own integration and environment only."""
        return self._by_identity.get((integration_id, environment_id, runtime_id))

    def list_called(self, runtime_id: str) -> list[Entry]:
        """List the runtimes that bear an id, wherever they live."""
        if self._by_runtime_id is None:
            self._by_runtime_id = {}
            for entry in self._by_key.values():
                self._index(self._by_runtime_id, entry)
        return [self._by_key[key] for key in self._by_runtime_id.get(runtime_id, ())]

    @staticmethod
    def _index(index: dict[str, tuple[int, ...]], entry: Entry) -> None:
        known = index.get(entry.runtime_id, ())
        if entry.runtime_key not in known:
            index[entry.runtime_id] = (*known, entry.runtime_key)

    def find_key(self, runtime_key: int) -> Entry | None:
        """Find a runtime by its key."""
        return self._by_key.get(runtime_key)

    def see(self, entry: Entry, runtime_hash: str, address: str | None, now: Instant) -> None:
        """Look whether a beat is like the one before it, before it is noted."""
        is_like = runtime_hash == entry.runtime_hash and address == entry.address
        if is_like and entry.runtime_key not in self._faces:
            return
        face = Face(address, runtime_hash)
        faces = self._faces.get(entry.runtime_key)
        if faces is None:
            if len(self._faces) >= _CHANGED_FACES_MAX:
                return
            faces = twins.begin(Face(entry.address, entry.runtime_hash), entry.seen_at)
        faces = twins.note(faces, face, now)
        if len(faces.seen) > 1:
            self._faces[entry.runtime_key] = faces
        else:
            self._faces.pop(entry.runtime_key, None)

    def twins_of(self, runtime_key: int, now: Instant) -> Notice | None:
        """Warn when beats of two processes come under one id."""
        faces = self._faces.get(runtime_key)
        return None if faces is None else twins.notice_of(faces, now)

    def touch(self, entry: Entry, now: Instant, address: str | None) -> bool:
        """Note a beat. True when the runtime was not RUNNING as far as anyone was told: that must be announced."""
        before_at, before_s = entry.seen_at, entry.interval_s
        if not entry.interval_is_reported:
            entry.interval_s = next_interval_s(before_s, now - before_at, self.rules)
        elif before_s != entry.own_interval_s and entry.own_interval_s is not None:
            entry.interval_s = entry.own_interval_s  # unless this answer tells it another pace
        if before_at < self.listening_since or self.hold is not None or before_at < self.lost_until:
            self.note_settled(entry, now)
        if now > before_at or not self.shared:
            entry.seen_at = now
        self.note_heard(entry, before_at, before_s)
        entry.address = address
        entry.departure = None
        if not entry.dirty:
            entry.dirty = True
            self._dirty.append(entry.runtime_key)
        return entry.status is not Status.RUNNING

    def note_heard(self, entry: Entry, before_at: Instant, before_s: float | None) -> None:
        """Have a runtime looked at that was heard, unless all that changed is that it falls silent later.

        before_at, before_s: when it had been seen, and its interval
        """
        if (
            not entry.is_calm
            or entry.seen_at < before_at
            or (
                entry.interval_s != before_s
                and entry.seen_at + offline_after_s(entry.interval_s, self.rules) / 2
                < before_at + offline_after_s(before_s, self.rules) / 2
            )
        ):
            self.rota.ask(entry.runtime_key)

    def open_channel(self, entry: Entry, now: Instant) -> None:
        """Note that a runtime holds a channel from now on."""
        entry.channel_since = entry.channel_at = now
        entry.departure = None
        self.rota.ask(entry.runtime_key)
        if self.shared:  # another replica may see the channel before this one end, later than this
            entry.seen_at = max(entry.seen_at, now)
            self.mark_dirty(entry)

    def end_channel(self, entry: Entry, now: Instant, *, said_goodbye: bool) -> None:
        """Note that a runtime's channel ended: it comes back at once, or it is gone."""
        opened_at, entry.channel_since = entry.channel_since, None
        self.mark_dirty(entry)
        if not said_goodbye and opened_at is not None and entry.channel_at is not None and entry.channel_at > opened_at:
            return  # it holds a newer one at another replica
        entry.departure = Departure(now, said_goodbye)
        self.rota.ask(entry.runtime_key)

    def next_beat_s(self, entry: Entry) -> int | None:
        """Tell the pace that a runtime is to keep until its next beat; None: its own."""
        told_s = self.pace.next_beat_s(entry)
        if told_s is not None and entry.own_interval_s is not None:
            before_s, entry.interval_s = entry.interval_s, max(entry.own_interval_s, float(told_s))
            self.note_heard(entry, entry.seen_at, before_s)
        return told_s

    def list_all(self) -> list[Entry]:
        """List every runtime on the board, in no order."""
        return list(self._by_key.values())

    def list_keys(self) -> list[int]:
        """List the keys of all runtimes on the board, in no order."""
        return list(self._by_key)

    def list_in(self, integration_id: str, environment_id: str) -> list[Entry]:
        """List the runtimes of one integration in one environment."""
        return [self._by_key[key] for key in self._by_place.get((integration_id, environment_id), ())]

    def is_running(self, runtime_key: int, now: Instant) -> bool:
        """Tell whether a runtime runs; of one that is not known nothing is said."""
        entry = self._by_key.get(runtime_key)
        return entry is not None and self.judge(entry, now).status is Status.RUNNING

    def note_settled(self, entry: Entry, now: Instant) -> None:
        """Note that a runtime spoke of which nothing could be said: RUNNING was announced, no event tells that it is back."""
        if entry.seen_at < self.listening_since or (
            (self.hold is not None or entry.seen_at < self.lost_until)
            and is_overdue(entry.seen_at, entry.interval_s, now, self.rules)
        ):
            self._settled += 1

    def take_settled(self) -> int:
        """Tell how many runtimes of which nothing could be said have spoken since this was last asked."""
        settled, self._settled = self._settled, 0
        return settled

    def judged_at(self, now: Instant) -> Instant:
        """Tell which moment a verdict is about: not one of which another replica may know more."""
        return now if self.known_until is None or self.known_until > now else self.known_until

    def runs_for_sure(self, entry: Entry, judged_at: Instant) -> bool:
        """Tell in the common case without a verdict that a runtime runs: announced as running, and lately seen."""
        return (
            entry.status is Status.RUNNING
            and entry.seen_at >= self.listening_since
            and judged_at - entry.seen_at <= self.rules.offline_after_s
            and entry.departure is None
        )

    def judge(self, entry: Entry, now: Instant) -> Verdict:
        """Say whether a runtime is alive, now."""
        return judge(
            Pulse(
                seen_at=entry.seen_at,
                interval_s=entry.interval_s,
                address=entry.address,
                running_since=entry.running_since,
                was=entry.status,
                departure=entry.departure,
            ),
            listening_since=self.listening_since,
            lost_until=self.lost_until,
            now=self.judged_at(now),
            rules=self.rules,
            hold=self.hold,
        )

    def is_offline(self, runtime_key: int, now: Instant) -> bool:
        """Tell whether a runtime is offline; one that is not on the board is, or has just come to another replica."""
        entry = self._by_key.get(runtime_key)
        if entry is None:
            return not self.shared
        return self.judge(entry, now).status is Status.OFFLINE

    def is_succeeded_by(self, runtime_key: int, other_key: int) -> bool:
        """Tell whether another runtime came up after the last beat of this one, and runs."""
        entry, other = self._by_key.get(runtime_key), self._by_key.get(other_key)
        return (
            entry is not None
            and other is not None
            and other.status is Status.RUNNING
            and other.running_since > entry.seen_at
        )

    def announce(self, turn: Turn) -> None:
        """Remember that a verdict was announced."""
        entry = turn.entry
        if turn.verdict.status is Status.RUNNING:
            entry.running_since = turn.at
        entry.status = turn.verdict.status
        self.mark_dirty(entry)
        self.rota.ask(entry.runtime_key)

    def take_back(self, turn: Turn) -> None:
        """Forget that a verdict was announced, unless another one was since."""
        entry = turn.entry
        if entry.status is turn.verdict.status:
            entry.status = Status.OFFLINE if entry.status is Status.RUNNING else Status.RUNNING
            self.rota.ask(entry.runtime_key)

    def mark_dirty(self, entry: Entry) -> None:
        """Have an entry flushed."""
        if not entry.dirty:
            entry.dirty = True
            self._dirty.append(entry.runtime_key)

    @property
    def dirty_count(self) -> int:
        """How many must be flushed, at most."""
        return len(self._dirty)

    def take_dirty(self, at_most: int) -> list[Entry]:
        """List some of what changed since the last flush, the first first, and count it as flushed."""
        taken: list[Entry] = []
        for _ in range(min(at_most, len(self._dirty))):
            entry = self._by_key.get(self._dirty.popleft())
            if entry is not None and entry.dirty:
                entry.dirty = False
                taken.append(entry)
        return taken

    def offline_after_s(self, entry: Entry) -> float:
        """Tell how long a runtime may be silent."""
        return offline_after_s(entry.interval_s, self.rules)
