"""What the board says at one moment, taken once for all rules that look at runtimes."""

import asyncio
from collections import defaultdict
from typing import Final

import msgspec

from pilothouse.access.places import Place
from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Hold, Status, Verdict
from pilothouse.operations.alert_judging import Found
from pilothouse.presence.board import Board
from pilothouse.presence.entry import Counts, Entry
from pilothouse.reconcile.alerts import AlertCondition, Measurement, Rule

MASS = "mass-silence"
_AT_ONCE: Final = 1_000
"""Runtimes of a slice: 1 to 3 ms of the loop's time."""


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """The runtimes that do not run, and how many do."""

    offline: tuple[tuple[Entry, Verdict], ...]
    unknown: tuple[Entry, ...]
    counts: dict[Place, Counts]
    """By integration and environment."""
    hold: Hold | None
    board: Board


async def look(board: Board, now: Instant) -> Fleet:
    """Judge every runtime once, a slice of them at a time: between two slices whoever beats has its answer."""
    offline: list[tuple[Entry, Verdict]] = []
    unknown: list[Entry] = []
    tally: defaultdict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    keys = board.list_keys()
    for start in range(0, len(keys), _AT_ONCE):
        if start:
            await asyncio.sleep(0)
        judged_at = board.judged_at(now)
        for key in keys[start : start + _AT_ONCE]:
            entry = board.find_key(key)
            if entry is None:
                continue  # it was retired meanwhile
            numbers = tally[entry.project_id, entry.integration_id, entry.environment_id]
            if board.runs_for_sure(entry, judged_at):
                numbers[0] += 1
                continue
            verdict = board.judge(entry, now)
            if verdict.status is Status.RUNNING:
                numbers[0] += 1
            elif verdict.status is Status.OFFLINE:
                numbers[1] += 1
                offline.append((entry, verdict))
            else:
                numbers[2] += 1
                unknown.append(entry)
    counts = {
        Place(project_id=ids[0], integration_id=ids[1], environment_id=ids[2]): Counts(
            running=numbers[0], offline=numbers[1], unknown=numbers[2]
        )
        for ids, numbers in tally.items()
    }
    return Fleet(offline=tuple(offline), unknown=tuple(unknown), counts=counts, hold=board.hold, board=board)


def measure(rule: Rule, fleet: Fleet, names: dict[int, str], subjects: frozenset[str]) -> Found:
    """Tell what a rule that looks at runtimes finds.

    subjects: what is open of it
    """
    if rule.condition is AlertCondition.REPLICAS_BELOW:
        return Found(measurements=_replicas(rule, fleet))
    return Found(measurements=[*_offline(rule, fleet, names, subjects), *_held(rule, fleet, subjects)])


def subject_of(runtime_key: int) -> str:
    """Name a runtime as the subject of an alert."""
    return f"runtime:{runtime_key}"


def place_of(entry: Entry) -> Place:
    """Tell where a runtime lives."""
    return Place(project_id=entry.project_id, integration_id=entry.integration_id, environment_id=entry.environment_id)


def place_subject(place: Place) -> str:
    """Name an integration in an environment as the subject of an alert."""
    return f"place:{place.integration_id}:{place.environment_id}"


def _offline(rule: Rule, fleet: Fleet, names: dict[int, str], subjects: frozenset[str]) -> list[Measurement]:
    found: list[Measurement] = []
    for entry, verdict in fleet.offline:
        place = place_of(entry)
        if rule.watches(place):
            name = names.get(entry.runtime_key, entry.runtime_id)
            found.append(
                Measurement(
                    subject=subject_of(entry.runtime_key),
                    holds=True,
                    message=f"The runtime {name} is offline: {_lower(verdict.reason)}",
                    place=place,
                    runtime_key=entry.runtime_key,
                )
            )
    found += [
        Measurement(subject=subject_of(entry.runtime_key), holds=None)
        for entry in fleet.unknown
        if rule.watches(place_of(entry))
    ]
    silent = {measurement.subject for measurement in found}
    for subject in subjects - silent:
        key = subject.removeprefix("runtime:")
        entry = fleet.board.find_key(int(key)) if key.isdecimal() else None
        if entry is not None:
            name = names.get(entry.runtime_key, entry.runtime_id)
            watched = rule.watches(place_of(entry))
            message = (
                f"The runtime {name} runs again." if watched else f"The environment of {name} is not critical any more."
            )
            found.append(Measurement(subject=subject, holds=False, message=message))
    return found


def _held(rule: Rule, fleet: Fleet, subjects: frozenset[str]) -> list[Measurement]:
    """Say once that verdicts are held, instead of many times what cannot be told."""
    hold = fleet.hold
    silent = sum(rule.watches(place_of(entry)) for entry in fleet.unknown) if hold is not None else 0
    if hold is not None and silent:
        message = (
            f"{hold.silent} of {hold.live} live runtimes fell silent at once: rather the network or this control plane than "
            f"all of them. Of {silent} that this rule watches nobody says meanwhile whether they are offline."
        )
        return [Measurement(subject=MASS, holds=True, message=message, value=float(silent), place=rule.place)]
    if MASS not in subjects:
        return []
    return [Measurement(subject=MASS, holds=False, message="Runtimes are judged each by itself again.")]


def _replicas(rule: Rule, fleet: Fleet) -> list[Measurement]:
    wanted = rule.threshold or 0
    places = {place: counts for place, counts in fleet.counts.items() if rule.watches(place)}
    if rule.place.integration_id is not None and rule.place.environment_id is not None:
        places.setdefault(rule.place, Counts())
    found: list[Measurement] = []
    for place, counts in places.items():
        too_few: bool | None = counts.running < wanted
        if too_few and counts.running + counts.unknown >= wanted:
            too_few = None  # it may be that they run
        found.append(
            Measurement(
                subject=place_subject(place),
                holds=too_few,
                message=f"{counts.running} of {wanted:g} runtimes run.",
                value=float(counts.running),
                place=place,
            )
        )
    return found


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
