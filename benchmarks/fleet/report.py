"""What a run came to, as a table for people and as JSON."""

import json
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .changes import Outcome
from .driver import Figures
from .runtimes import Tally
from .truth import Verdicts

if TYPE_CHECKING:
    from .run import Plan


@dataclass(slots=True, kw_only=True)
class Report:
    """All that was counted."""

    plan: "Plan"
    tally: Tally
    figures: Figures
    verdicts: Verdicts
    chaos: Counter[str]
    changes: Outcome
    took_s: float
    beats: int
    cpu_s: float
    own_cpu_s: float
    rss_mb: float
    sql: int
    database_mb: tuple[float, float]
    slowest_api_s: float
    connections: int
    up: int
    is_ours: bool

    @property
    def is_good(self) -> bool:
        """Whether nobody was lost, nothing was thrown away by an answer of the server, and no verdict was false."""
        verdicts = self.verdicts
        return not (
            self.tally.lost
            or self.tally.unbound
            or self.unseen
            or verdicts.false_offline
            or verdicts.late_offline
            or verdicts.missing
            or verdicts.totals_wrong
        )

    @property
    def unseen(self) -> int:
        """Count the commands that arrived for nothing. A build that ignores commands is asked once, to find that out."""
        return sum(count for reason, count in self.tally.unseen.items() if "this build ignores" not in reason)

    def values(self) -> dict[str, Any]:  # Any: numbers, texts, counters
        """Give everything by name."""
        tally, figures, verdicts = self.tally, self.figures, self.verdicts
        return {
            "runtimes": self.plan.runtimes,
            "up at the end": self.up,
            "seconds measured": round(self.took_s, 1),
            "interval s": self.plan.interval_s,
            "beats acknowledged": self.beats,
            "beats per s": round(self.beats / self.took_s, 1),
            "**lost for good**": dict(tally.lost),
            "**false OFFLINE**": len(verdicts.false_offline),
            "**gone and still RUNNING**": len(verdicts.late_offline),
            "**acknowledged and not listed**": len(verdicts.missing),
            "**totals that cannot be**": verdicts.totals_wrong[:3],
            "**commands unseen**": dict(tally.unseen),
            "**answers that do not bind**": dict(tally.unbound),
            "refused": dict(tally.refused),
            "not acknowledged": dict(tally.not_acknowledged),
            "without an answer": dict(figures.failures),
            "without an answer while starting": dict(figures.failures_starting),
            "UNKNOWN though alive (rows)": verdicts.unknown_alive,
            "rows judged": f"{verdicts.rows} in {verdicts.walks} walks, {verdicts.totals} totals",
            "ends and starts": dict(self.chaos),
            "commands carried out": dict(tally.commands),
            "results posted": tally.results,
            "changes of desired states": dict(self.changes.counts),
            "change until all are so ms p50/p99/max": latencies(array("d", self.changes.took_s)),
            "channels": dict(figures.channels),
            "delta ms p50/p99/max": latencies(figures.deltas_s),
            "full ms p50/p99/max": latencies(figures.fulls_s),
            "deltas, fulls (whole run)": [tally.delta, tally.full],
            "server CPU % of a core": round(100 * self.cpu_s / self.took_s, 1) if self.is_ours else None,
            "server CPU us per beat": round(self.cpu_s / max(1, self.beats) * 1e6, 1) if self.is_ours else None,
            "server RSS MB, largest": round(self.rss_mb, 1) if self.is_ours else None,
            "SQL statements per beat": round(self.sql / max(1, self.beats), 4) if self.is_ours else None,
            "database MB, its log MB": [round(size, 2) for size in self.database_mb] if self.is_ours else None,
            "slowest API call ms": round(self.slowest_api_s * 1000, 1),
            "fleet CPU % of a core": round(100 * self.own_cpu_s / self.took_s, 1),
            "fleet's own lateness ms, worst": round(figures.late_s * 1000, 1),
            "connections opened": self.connections,
        }

    def text(self) -> str:
        """Write a table."""
        lines = ["| | |", "|---|---|"]
        for name, value in self.values().items():
            if isinstance(value, dict):
                shown = ", ".join(f"{key}: {count}" for key, count in value.items()) or "none"
            elif isinstance(value, list):
                shown = " / ".join(map(str, value)) or "none"
            else:
                shown = "not measured" if value is None else str(value)
            lines.append(f"| {name} | {shown} |")
        lines.append(f"| **verdict** | {'good' if self.is_good else 'NOT good'} |")
        return "\n".join(lines)

    def json(self) -> str:
        """Write JSON."""
        return json.dumps({name.strip("*"): value for name, value in self.values().items()} | {"good": self.is_good})


def latencies(taken_s: "array[float]") -> list[float]:
    """Give median, 99th percentile and maximum, in milliseconds; empty when nothing was taken."""
    if not taken_s:
        return []
    ordered = sorted(taken_s)
    last = len(ordered) - 1
    return [round(ordered[int(last * share)] * 1000, 2) for share in (0.5, 0.99, 1.0)]
