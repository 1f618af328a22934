"""Counting what is refused to whom, so that a flood of attempts costs no disk."""

from pilothouse.base.instants import Instant

RECORDED_MAX = 20
"""Refused attempts of one subject that are recorded in one window; the others are counted."""
WINDOW_S = 60.0
SUBJECTS_MAX = 10_000
"""Subjects remembered; the one seen longest ago goes first."""


class RefusedAttempts:
    """Tells of each refused attempt whether to record it, and how many were not recorded before it."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Instant, int, int]] = {}

    def note(self, subject_id: str, now: Instant) -> int | None:
        """Note an attempt: None when it is only counted, else how many were only counted since the last record."""
        since, recorded, unrecorded = self._seen.pop(subject_id, (now, 0, 0))
        if not 0.0 <= now - since < WINDOW_S:
            since, recorded = now, 0
        may_record = recorded < RECORDED_MAX
        self._seen[subject_id] = (since, recorded + 1, 0) if may_record else (since, recorded, unrecorded + 1)
        while len(self._seen) > SUBJECTS_MAX:
            del self._seen[next(iter(self._seen))]
        return unrecorded if may_record else None
