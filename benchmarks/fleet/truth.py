"""What is true of every process of the fleet, to hold the control plane's words against."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

FIRST_GAP_S: Final = 90.0
MISSED_BEATS: Final = 3
CHANNEL_GRACE_S: Final = 1.0
_SLACK_S: Final = 2.0
"""What clocks, sockets and our own loop may be late by."""


@dataclass(slots=True, eq=False)
class Life:
    """One identity (`runtimeId`) as it really fared. Times are the loop's; 0 is never."""

    runtime_id: str
    interval_s: float
    reports_interval: bool
    """Whether it tells its interval, so that the control plane need not learn it."""
    offline_after_s: float = 30.0
    """The silence that the control plane allows at least."""
    written_at: float = 0.0
    """When a beat was last written to a socket."""
    sent_at: float = 0.0
    """When the last beat that was acknowledged had been written."""
    acked_at: float = 0.0
    """When the last acknowledgement arrived."""
    acked: int = 0
    gap_s: float = 0.0
    """The longest time between two beats that were acknowledged."""
    first_acked_at: float = 0.0
    """When this process was first acknowledged."""
    ended_at: float = 0.0
    """When its process ended; 0 while it lives."""
    said_goodbye: bool = False
    had_channel: bool = False
    """Whether its channel was open when it ended."""
    channel_lost_at: float = 0.0
    """When the channel of a living process ended last."""
    replaced: bool = False
    """Whether a process with another identity took its name: it may be hidden."""

    def note_beat(self, sent_at: float, now: float) -> None:
        """Note an acknowledged beat."""
        gap_s = now - self.sent_at
        if self.acked and gap_s <= self.most_silence_s():  # a longer one is a failure, and no interval
            self.gap_s = max(self.gap_s, gap_s)
        self.sent_at, self.acked_at = sent_at, now
        self.acked += 1
        self.first_acked_at = self.first_acked_at or now

    def start_again(self) -> None:
        """Note that a process with this identity runs again."""
        self.ended_at = 0.0
        self.said_goodbye = self.had_channel = False
        self.acked_at = self.first_acked_at = (
            0.0  # what the control plane says before its first beat may be of the old process
        )

    def most_silence_s(self) -> float:
        """Tell how long it may be silent at most before it must be called offline."""
        if self.had_channel or self.said_goodbye:
            return CHANNEL_GRACE_S
        if self.reports_interval:
            return max(self.offline_after_s, MISSED_BEATS * self.interval_s)
        if self.acked <= 2:
            return max(FIRST_GAP_S, self.offline_after_s)
        return max(self.offline_after_s, MISSED_BEATS * max(self.gap_s, self.interval_s))

    def must_be_running(self, began: float, ended: float) -> bool:
        """Tell whether whoever looked between two instants had to see it running."""
        return (
            self.ended_at == 0.0
            and 0.0 < self.acked_at < began
            and ended - self.sent_at <= self.offline_after_s
            and not self.channel_lost_at >= self.sent_at > 0.0
        )

    def may_be_running(self, began: float) -> bool:
        """Tell whether whoever looked after an instant may have seen it running, or not known."""
        if not self.acked and not self.written_at:
            return False
        if self.ended_at == 0.0:
            return True
        if self.had_channel or self.said_goodbye:
            return began - self.ended_at <= CHANNEL_GRACE_S + _SLACK_S
        return began - min(self.ended_at, self.written_at) <= self.most_silence_s() + _SLACK_S


@dataclass(slots=True)
class Verdicts:
    """How the control plane's words and the truth compared."""

    false_offline: Counter[str] = field(default_factory=Counter)
    """Runtimes that had beaten in time and were called OFFLINE, by runtimeId."""
    late_offline: Counter[str] = field(default_factory=Counter)
    """Runtimes that were gone for longer than is allowed and were still called RUNNING."""
    missing: Counter[str] = field(default_factory=Counter)
    """Runtimes that were acknowledged and are not listed."""
    unknown_alive: int = 0
    """Rows of living runtimes that said UNKNOWN (a control plane that began to listen lately, or a held verdict)."""
    rows: int = 0
    walks: int = 0
    totals: int = 0
    totals_wrong: list[str] = field(default_factory=list)
    """Totals that lie outside of what can be true."""

    def judge_row(self, life: Life, status: str, began: float, ended: float) -> None:
        """Judge one row of a list that was read between two instants."""
        self.rows += 1
        if status == "OFFLINE" and life.must_be_running(began, ended):
            self.false_offline[life.runtime_id] += 1
        elif status == "RUNNING" and not life.may_be_running(began):
            self.late_offline[life.runtime_id] += 1
        elif status == "UNKNOWN" and life.must_be_running(began, ended):
            self.unknown_alive += 1

    def judge_walk(self, lives: dict[str, Life], seen: dict[str, Any], began: float) -> None:  # Any: a row
        """Judge what a whole walk through the list did not show."""
        self.walks += 1
        for runtime_id, life in lives.items():
            if runtime_id not in seen and 0.0 < life.acked_at < began and life.ended_at == 0.0:
                self.missing[runtime_id] += 1

    def judge_totals(self, lives: dict[str, Life], running: int, unknown: int, began: float, ended: float) -> None:
        """Hold a count of running runtimes against what must and what may be."""
        self.totals += 1
        least = sum(life.must_be_running(began, ended) for life in lives.values())
        most = sum(life.may_be_running(began) for life in lives.values())
        if running + unknown < least or running > most:
            self.totals_wrong.append(f"{running} running and {unknown} unknown, true are {least} to {most}")
