"""Run again, alone, what failed in the whole run: CI's machine is small, and a test that fails for want of time tells nothing of the code.

Nothing is hidden: what passes only now is named, many failures are never looked at twice, and a run that did not come to
its end is none. Told the status with which the whole run ended.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

FAILED = Path(".pytest_cache") / "v" / "cache" / "lastfailed"
"""Where pytest notes what failed, be it in the test, in what it needs before, or in what is undone after it."""
MOST = 15
"""More than so many have a cause in common."""
_WORST = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}


@dataclass(eq=False)  # pytest puts its plugins into sets
class Alone:
    """A pytest plugin: what became of each test that ran."""

    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    took_s: dict[str, float] = field(default_factory=dict[str, float])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of a test's three parts."""
        outcome = "error" if report.failed and report.when != "call" else report.outcome
        before = self.outcomes.get(report.nodeid, "passed")
        self.outcomes[report.nodeid] = max(before, outcome, key=_WORST.__getitem__)
        self.took_s[report.nodeid] = self.took_s.get(report.nodeid, 0) + report.duration

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be read is an error of its own."""
        if report.failed:
            self.outcomes[report.nodeid] = "error"


def without_group(name: str) -> str:
    """A test's name without what xdist adds to it (`@group`) where tests keep together.

    Names of files and parameters may hold an `@` too: the added one stands behind both.
    """
    head, at, group = name.rpartition("@")
    is_group = at and "::" in head and not any(mark in group for mark in ("]", "/", "::"))
    return head if is_group else name


def table(failed: Iterable[str], outcomes: Mapping[str, str], took_s: Mapping[str, float]) -> Iterator[str]:
    """A line for each test: what became of it alone, in how many seconds."""
    yield f"{'ALONE':<8} {'SECONDS':>8}  TEST"
    for name in failed:
        seconds = f"{took_s[name]:.1f}" if name in took_s else "-"
        yield f"{outcomes.get(name, 'not run'):<8} {seconds:>8}  {name}"


def main(status: int) -> int:
    """Return 0 when everything that failed passes alone, else what the whole run ended with."""
    if status != pytest.ExitCode.TESTS_FAILED:
        print(f"The run did not come to its end (status {status}): nothing is tried again.")
        return status
    noted = json.loads(FAILED.read_text(encoding="utf-8")) if FAILED.exists() else {}
    failed = sorted({without_group(name) for name in noted})
    if not 0 < len(failed) <= MOST:
        print(f"{len(failed)} tests failed: from 1 to {MOST} are tried again.")
        return status
    print(f"Trying {len(failed)} again, alone.", flush=True)
    # As with `python -m pytest`, which is how the whole run was started.
    sys.path[0] = str(Path.cwd())
    alone = Alone()
    pytest.main(["-q", "-n", "0", "-p", "no:randomly", *failed], plugins=[alone])
    print("", *table(failed, alone.outcomes, alone.took_s), "", sep="\n")
    unsteady = [name for name in failed if alone.outcomes.get(name) in {"passed", "skipped"}]
    if unsteady:
        print(f"UNSTEADY: {len(unsteady)} failed beside others and did not fail alone.")
    return 0 if len(unsteady) == len(failed) else status


if __name__ == "__main__":
    ended = main(int(sys.argv[1]))
    sys.stdout.flush()
    # A thread that a failed test left behind must not hold CI.
    os._exit(ended)
