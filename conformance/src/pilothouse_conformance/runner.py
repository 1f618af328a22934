"""Runs cases: those that wait first, the rest beside them, those that disturb others at the end and one by one."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pilothouse_conformance import goldens
from pilothouse_conformance.catalogue import Case
from pilothouse_conformance.goldens import Golden
from pilothouse_conformance.verdict import Failed, Outcome, Skipped, Verdict
from pilothouse_conformance.wire import NoAnswer
from pilothouse_conformance.world import Stage, World

_EXCHANGES_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    label: str
    section: str
    title: str
    run: Callable[[Stage], None]


def run(
    world: World,
    cases: Sequence[Case],
    messages: Sequence[Golden],
    *,
    jobs: int,
    tell: Callable[[Verdict], None],
) -> list[Verdict]:
    """Judge a server; verdicts are told as they come, and given in order."""
    waiting = [_job_of(case) for case in cases if case.slow and not case.alone]
    quick = [_job_of(case) for case in cases if not case.slow and not case.alone]
    replays = [_replay_of(message) for message in messages]
    alone = [_job_of(case) for case in cases if case.alone]

    def judged(job: _Job) -> Verdict:
        verdict = judge(world, job)
        tell(verdict)
        return verdict

    # Those that wait need a thread and nothing else: they do not take one from the others.
    with ThreadPoolExecutor(jobs) as workers, ThreadPoolExecutor(len(waiting) or 1) as sleepers:
        found = [sleepers.submit(judged, job) for job in waiting]
        found += [workers.submit(judged, job) for job in [*quick, *replays]]
        verdicts = {verdict.label: verdict for verdict in (future.result() for future in found)}
    for job in sorted(alone, key=lambda job: int(job.label) == _LAST):
        verdicts[job.label] = judged(job)
    return [verdicts[label] for label in [*(case.label for case in cases), *(job.label for job in replays)]]


_LAST = 28
"""The restart: after it nothing is known of who is alive for a while."""


def judge(world: World, job: _Job) -> Verdict:
    """Run one case."""
    began = time.monotonic()
    stage = Stage(world, job.label)
    outcome, reason = Outcome.PASSED, ""
    try:
        job.run(stage)
    except Skipped as skipped:
        outcome, reason = Outcome.SKIPPED, str(skipped)
    except (Failed, NoAnswer) as failed:
        outcome, reason = Outcome.FAILED, str(failed)
    except Exception as error:  # noqa: BLE001 - an answer of a shape that no case thought of is the server's failure
        outcome, reason = Outcome.FAILED, f"an answer could not be read: {type(error).__name__}: {error}"
    exchanges = tuple(stage.trail[-_EXCHANGES_SHOWN:]) if outcome is Outcome.FAILED else ()
    took_s = time.monotonic() - began
    stage.close()
    return Verdict(
        label=job.label,
        section=job.section,
        title=job.title,
        outcome=outcome,
        reason=reason,
        exchanges=exchanges,
        took_s=took_s,
    )


def _job_of(case: Case) -> _Job:
    return _Job(label=case.label, section=case.section, title=case.title, run=case.run)


def _replay_of(message: Golden) -> _Job:
    def replay(stage: Stage) -> None:
        goldens.replay(stage, message)

    return _Job(label=message.label, section=goldens.SECTION, title=message.title, run=replay)
