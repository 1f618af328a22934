"""What a run came to, for people and for machines."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree as ET

from pilothouse_conformance import __version__
from pilothouse_conformance.verdict import Outcome, Verdict
from pilothouse_conformance.world import World

_MARKS = {Outcome.PASSED: "ok", Outcome.FAILED: "FAILED", Outcome.SKIPPED: "skipped"}
_TITLE_WIDTH = 110
_EXCHANGE_LINES = 24


def line(verdict: Verdict) -> str:
    """Give one line on a verdict, as it is told while the run goes on."""
    return f"{verdict.label:>4}  {_MARKS[verdict.outcome]:<8}{verdict.took_s:6.1f} s  {_short(verdict.title)}"


def table(verdicts: Sequence[Verdict]) -> str:
    """Give the table, by sections."""
    lines: list[str] = []
    for section in dict.fromkeys(verdict.section for verdict in verdicts):
        inside = [verdict for verdict in verdicts if verdict.section == section]
        lines += ["", f"{section}: {count(inside)}"]
        width = max(len(verdict.label) for verdict in inside)
        for verdict in inside:
            lines.append(f"  {verdict.label:>{width}}  {_MARKS[verdict.outcome]:<8} {_short(verdict.title)}")
            if verdict.reason:
                lines.append(f"  {'':>{width}}           {verdict.reason}")
    return "\n".join(lines)


def details(verdicts: Sequence[Verdict]) -> str:
    """Show what was sent and answered before each failure."""
    lines: list[str] = []
    for verdict in verdicts:
        if verdict.outcome is Outcome.FAILED:
            lines += ["", f"---- {verdict.label}: {verdict.reason}"]
            for exchange in verdict.exchanges[-1:]:
                lines += [_clip(exchange.request, ">"), _clip(exchange.answer, "<")]
    return "\n".join(lines)


def count(verdicts: Sequence[Verdict]) -> str:
    """Say how many passed."""
    passed, failed, skipped = (
        sum(verdict.outcome is outcome for verdict in verdicts)
        for outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED)
    )
    more = [f"{number} {word}" for number, word in ((failed, "failed"), (skipped, "skipped")) if number]
    return ", ".join([f"{passed} of {len(verdicts)} passed", *more])


def write_json(path: str, world: World, verdicts: Sequence[Verdict], took_s: float) -> None:
    """Write everything for machines."""
    report = {
        "suite": __version__,
        "runtimes": world.runtimes_at.origin,
        "console": world.session.address.origin,
        "prefix": world.prefix,
        "tookSeconds": round(took_s, 1),
        "summary": {outcome.value: sum(verdict.outcome is outcome for verdict in verdicts) for outcome in Outcome},
        "leftBehind": sorted(world.left_behind),
        "cases": [
            {
                "case": verdict.label,
                "section": verdict.section,
                "title": verdict.title,
                "outcome": verdict.outcome.value,
                "reason": verdict.reason,
                "tookSeconds": round(verdict.took_s, 2),
                "exchanges": [asdict(exchange) for exchange in verdict.exchanges],
            }
            for verdict in verdicts
        ],
    }
    Path(path).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_junit(path: str, verdicts: Sequence[Verdict]) -> None:
    """Write JUnit's XML, a suite a section."""
    root = ET.Element("testsuites", name="pilothouse-conformance")
    for section in dict.fromkeys(verdict.section for verdict in verdicts):
        inside = [verdict for verdict in verdicts if verdict.section == section]
        suite = ET.SubElement(root, "testsuite", name=section, tests=str(len(inside)))
        for outcome, attribute in ((Outcome.FAILED, "failures"), (Outcome.SKIPPED, "skipped")):
            suite.set(attribute, str(sum(verdict.outcome is outcome for verdict in inside)))
        for verdict in inside:
            name = f"{verdict.label}: {verdict.title}"
            case = ET.SubElement(suite, "testcase", classname=section, name=name, time=f"{verdict.took_s:.2f}")
            if verdict.outcome is not Outcome.PASSED:
                tag = "failure" if verdict.outcome is Outcome.FAILED else "skipped"
                told = ET.SubElement(case, tag, message=_xml(verdict.reason))
                told.text = _xml("\n\n".join(f"{each.request}\n\n{each.answer}" for each in verdict.exchanges))
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _short(text: str) -> str:
    return text if len(text) <= _TITLE_WIDTH else f"{text[: _TITLE_WIDTH - 1]}…"


def _clip(text: str, mark: str) -> str:
    lines = text.splitlines()
    more = [f"… {len(lines) - _EXCHANGE_LINES} lines more"] if len(lines) > _EXCHANGE_LINES else []
    return "\n".join(f"{mark} {_short_line(each)}" for each in [*lines[:_EXCHANGE_LINES], *more])


def _short_line(text: str) -> str:
    return text if len(text) <= 2_000 else f"{text[:2_000]}…"  # noqa: PLR2004 - a screenful


def _xml(text: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(letter for letter in text if letter >= " " or letter in "\n\t")
