"""Is a runtime alive? Judged when read, from the server's own time.

Three silences are told apart: the runtime's (OFFLINE), ours (UNKNOWN: we began to listen too recently), and none (RUNNING).
Source: reference/runtime-protocol.md sections 4.4 and 9 (26), ADR 0004.
"""

from enum import StrEnum, unique

import msgspec

from pilothouse.base.instants import Instant

_SMALLEST_GAP_S = 1.0
"""Beats closer than this are follow-ups of one beat (a full one after a delta), not an interval."""
_GAP_MEMORY = 0.95
"""How much of the longest gap seen is kept at each beat: a slow sender is not forgotten for a few quick beats."""
_GAP_MAX_S = 3600.0


@unique
class Status(StrEnum):
    """What can be said of a runtime."""

    RUNNING = "RUNNING"
    OFFLINE = "OFFLINE"
    UNKNOWN = "UNKNOWN"


class LivenessRules(msgspec.Struct, frozen=True, kw_only=True):
    """When silence means that a runtime is offline."""

    offline_after_s: float = 30.0
    """Shortest silence that counts, however quick the beats."""
    missed_beats: int = 3
    """So many intervals of silence count, if that is longer."""
    first_gap_s: float = 90.0
    """Silence allowed before the runtime's interval is known: after its very first beat."""


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a runtime's heartbeats."""

    seen_at: Instant
    interval_s: float | None
    """As reported, or the longest lately observed; None before it is known."""
    address: str | None
    running_since: Instant
    was: Status
    """The last verdict that was announced, kept over restarts of ours."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A status with its reason, and since when."""

    status: Status
    reason: str
    since: Instant


def offline_after_s(interval_s: float | None, rules: LivenessRules) -> float:
    """Tell how long a silence may last."""
    if interval_s is None:
        return max(rules.offline_after_s, rules.first_gap_s)
    return max(rules.offline_after_s, rules.missed_beats * interval_s)


def judge(pulse: Pulse, *, listening_since: Instant, now: Instant, rules: LivenessRules) -> Verdict:
    """Say whether a runtime is alive, and why."""
    allowed_s = offline_after_s(pulse.interval_s, rules)
    silence_s = now - pulse.seen_at
    if pulse.was is not Status.OFFLINE and pulse.seen_at < listening_since and now - listening_since <= allowed_s:
        return Verdict(
            status=Status.UNKNOWN,
            reason=(
                f"The control plane began to listen {_span(now - listening_since)} ago and has not heard from it since; "
                f"it says offline after {_span(allowed_s)} of silence."
            ),
            since=listening_since,
        )
    if silence_s > allowed_s or (pulse.was is Status.OFFLINE and pulse.seen_at < listening_since):
        return Verdict(status=Status.OFFLINE, reason=_offline_reason(pulse, allowed_s), since=pulse.seen_at)
    return Verdict(status=Status.RUNNING, reason="Its heartbeats arrive in time.", since=pulse.running_since)


def next_interval_s(interval_s: float | None, gap_s: float, rules: LivenessRules) -> float | None:
    """Learn a runtime's interval from the gap between two of its beats.

    A gap that was long enough to count as offline is a failure and not an interval.
    """
    if gap_s < _SMALLEST_GAP_S or gap_s > min(_GAP_MAX_S, offline_after_s(interval_s, rules)):
        return interval_s
    return gap_s if interval_s is None else max(gap_s, interval_s * _GAP_MEMORY)


def _offline_reason(pulse: Pulse, allowed_s: float) -> str:
    source = f" from {pulse.address}" if pulse.address else ""
    if pulse.interval_s is None:
        return f"Its heartbeats stopped after the first{source}; offline after {_span(allowed_s)} of silence."
    return (
        f"No heartbeat{source} since; one is expected every {_span(pulse.interval_s)}, "
        f"offline after {_span(allowed_s)} of silence. The process ended, or it cannot reach this server."
    )


def _span(seconds: float) -> str:
    if seconds < 10:  # noqa: PLR2004 - below ten seconds the tenth matters
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if seconds < 120:  # noqa: PLR2004 - up to two minutes are said in seconds
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
