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
    mass_share: float = 0.15
    """When more than this share of the live runtimes is overdue at once, nobody is called offline for a while."""
    mass_count: int = 10
    """So many must be overdue at least: two of three nodes on a laptop are no mass."""
    hold_s: float = 180.0
    """How long the verdict is held at most; then silence is what it is."""
    return_within_s: float = 0.7
    """After its channel broke, a runtime has so long to come back by channel or heartbeat."""
    beats_per_s_max: float = 3_000.0
    """Heartbeats that the server asks for at most; Python runtimes are told a slower pace when there would be more."""


class Departure(msgspec.Struct, frozen=True):
    """The end of a runtime's channel."""

    at: Instant
    said_goodbye: bool


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a runtime's heartbeats."""

    seen_at: Instant
    interval_s: float | None
    """As reported, or the longest lately observed; None before it is known."""
    address: str | None
    running_since: Instant
    was: Status
    """The last verdict that was announced, kept over restarts of ours."""
    departure: Departure | None = None
    """Set while its channel ended after its last beat."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """So many fell silent at once that the network or this server is to be doubted before all of them are."""

    since: Instant
    silent: int
    live: int
    """How many were live before, the silent ones included."""


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


def has_left(departure: Departure, now: Instant, rules: LivenessRules) -> bool:
    """Tell whether a runtime whose channel ended had its time to come back."""
    return departure.said_goodbye or now - departure.at >= rules.return_within_s


def is_overdue(pulse_seen_at: Instant, interval_s: float | None, now: Instant, rules: LivenessRules) -> bool:
    """Tell whether half of the silence that is allowed has passed: too early for a verdict, early enough to count."""
    return now - pulse_seen_at > offline_after_s(interval_s, rules) / 2


def is_mass_silence(silent: int, live: int, rules: LivenessRules) -> bool:
    """Tell whether so many are overdue at once that it is hardly each one's own end (Eureka guards itself alike)."""
    return silent >= rules.mass_count and silent > rules.mass_share * live


def judge(
    pulse: Pulse,
    *,
    listening_since: Instant,
    now: Instant,
    rules: LivenessRules,
    hold: Hold | None = None,
    lost_until: Instant = 0.0,
) -> Verdict:
    """Say whether a runtime is alive, and why.

    lost_until: what was heard lately before then may be lost, with a replica that ended
    """
    allowed_s = offline_after_s(pulse.interval_s, rules)
    silence_s = now - pulse.seen_at
    if pulse.departure is not None and has_left(pulse.departure, now, rules):
        if hold is not None and pulse.was is Status.RUNNING and not pulse.departure.said_goodbye:
            return Verdict(status=Status.UNKNOWN, reason=_held_reason(hold, now, rules), since=pulse.departure.at)
        return Verdict(status=Status.OFFLINE, reason=_left_reason(pulse), since=pulse.departure.at)
    if pulse.was is not Status.OFFLINE and pulse.seen_at < listening_since and now - listening_since <= allowed_s:
        return Verdict(
            status=Status.UNKNOWN,
            reason=(
                f"The control plane began to listen {_span(now - listening_since)} ago and has not heard from it since; "
                f"it says offline after {_span(allowed_s)} of silence."
            ),
            since=listening_since,
        )
    if silence_s > allowed_s and pulse.was is Status.RUNNING:
        is_lost = pulse.seen_at < lost_until and now - lost_until <= allowed_s
        if hold is not None or is_lost:
            reason = _lost_reason(now - lost_until, allowed_s) if hold is None else _held_reason(hold, now, rules)
            return Verdict(status=Status.UNKNOWN, reason=reason, since=pulse.seen_at)
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


def _held_reason(hold: Hold, now: Instant, rules: LivenessRules) -> str:
    left_s = max(0.0, hold.since + rules.hold_s - now)
    return (
        f"{hold.silent} of {hold.live} live runtimes fell silent at once: rather the network or this control plane than "
        f"all of them. Nobody is called offline for another {_span(left_s)}, unless the others come back."
    )


def _lost_reason(ago_s: float, allowed_s: float) -> str:
    return (
        f"A replica of the control plane ended {_span(max(0.0, ago_s))} ago, and what it heard last is lost; "
        f"offline after {_span(allowed_s)} of silence since then."
    )


def _left_reason(pulse: Pulse) -> str:
    source = f" from {pulse.address}" if pulse.address else ""
    if pulse.departure is not None and pulse.departure.said_goodbye:
        return f"It said goodbye{source}: its process ended in order."
    return f"Its channel{source} broke and it did not come back: the process died, or lost its network."


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
