"""How log lines are written: for people, for programs, for spreadsheets."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum, unique
from typing import Any, Final

import msgspec
from rich.table import Table
from rich.text import Text

from pilothouse.cli.output import Output, clean
from pilothouse.cli.scopes import handle_of, owner_of, runtime_of

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_STYLES: Final[Mapping[str, str]] = {
    "TRACE": "dim",
    "DEBUG": "dim",
    "INFO": "green",
    "WARN": "yellow",
    "ERROR": "red",
    "FATAL": "bold red",
}
_CSV: Final[tuple[tuple[str, Callable[[Json], object]], ...]] = (
    ("at", lambda line: line["at"]),
    ("level", lambda line: line["level"]),
    ("project", lambda line: handle_of(line["origin"], "project")),
    ("integration", lambda line: handle_of(line["origin"], "integration")),
    ("environment", lambda line: handle_of(line["origin"], "environment")),
    ("runtimeId", lambda line: line["origin"]["runtimeId"]),
    ("logger", lambda line: line["logger"]),
    ("message", lambda line: line["message"]),
    ("traceId", lambda line: line["traceId"]),
    ("spanId", lambda line: line["spanId"]),
    ("attributes", lambda line: msgspec.json.encode(attributes_of(line)).decode()),
)


@unique
class LogForm(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def attributes_of(line: Json) -> dict[str, str]:
    """Give a line's attributes by name."""
    return {each["key"]: each["value"] for each in line["attributes"]}


class Writer:
    """Writes lines as they come, oldest first."""

    def __init__(self, out: Output, form: LogForm, *, wide: bool = False) -> None:
        self._out = out
        self._form = form
        self._wide = wide
        self._began = False
        self._spreadsheet = io.StringIO()
        self._rows = csv.writer(self._spreadsheet, lineterminator="\n")

    @property
    def is_one_document(self) -> bool:
        """Whether all lines are one thing: an array, a table."""
        return not self._out.quiet and self._form in {LogForm.TABLE, LogForm.JSON}

    def listed(self, lines: Iterable[Json]) -> None:
        """Write all lines of an answer."""
        found = list(lines)
        if not self.is_one_document:
            for line in found:
                self.line(line)
            if not found and self._form is LogForm.CSV and not self._out.quiet:
                self._row([name for name, _ in _CSV])
        elif self._form is LogForm.JSON:
            self._out.data(found)
        else:
            self._table(found)
        if not found and self._form in {LogForm.TEXT, LogForm.TABLE}:
            self._out.note("There are none.")

    def line(self, line: Json) -> None:
        """Write one line of a stream; a table is written as text then, and JSON an object a line."""
        if self._out.quiet:
            self._out.line(line["id"])
        elif self._form in {LogForm.JSON, LogForm.JSONL}:
            self._raw(msgspec.json.encode(line).decode() + "\n")
        elif self._form is LogForm.CSV:
            if not self._began:
                self._row([name for name, _ in _CSV])
                self._began = True
            self._row([value(line) for _, value in _CSV])
        else:
            self._out.console.print(as_text(line, wide=self._wide))
        self._out.console.file.flush()

    def separator(self) -> None:
        """Part groups of lines, for people."""
        if self._form in {LogForm.TEXT, LogForm.TABLE} and not self._out.quiet:
            self._out.console.print(Text("--", style="dim"))

    def _row(self, values: Sequence[object]) -> None:
        self._rows.writerow(values)
        self._raw(self._spreadsheet.getvalue())
        self._spreadsheet.seek(0)
        self._spreadsheet.truncate()

    def _raw(self, text: str) -> None:
        self._out.console.file.write(text)

    def _table(self, lines: list[Json]) -> None:
        if not lines:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("AT", "LEVEL", "WHERE", "RUNTIME", "LOGGER", "MESSAGE"):
            table.add_column(heading, overflow="fold", no_wrap=heading in {"AT", "LEVEL"})
        for line in lines:
            origin = line["origin"]
            first = line["message"].partition("\n")[0]
            told = (owner_of(origin), runtime_of(origin), line["logger"] or "", first)
            table.add_row(line["at"], _level(line), *(Text(clean(each)) for each in told))
        self._out.console.print(table, soft_wrap=False)


def _level(line: Json) -> Text:
    return Text(line["level"].ljust(5), style=_STYLES.get(line["level"], ""))


def as_text(line: Json, *, wide: bool) -> Text:
    """Write a line for a terminal: when, how grave, where, who, what; the message's further lines stand beneath it.

    A line that is shown for what it stands beside, `matched: False`, is dimmed and begins with a blank, one that was looked
    for with `>`.
    """
    matched = line.get("matched")
    first, *rest = line["message"].split("\n")
    mark = "" if matched is None else "> " if matched else "  "
    text = Text(f"{mark}{line['at']} ") + _level(line)
    text.append(f" {clean(owner_of(line['origin']))}", style="cyan")
    if line["logger"]:
        text.append(f" {clean(line['logger'])}", style="magenta")
    text.append(f"  {clean(first.expandtabs(4))}")
    if wide:
        named = {"runtime": runtime_of(line["origin"]), "traceId": line["traceId"], "spanId": line["spanId"]}
        for key, value in ({**named, **attributes_of(line)}).items():
            if value and "\n" not in value:
                text.append(f" {clean(key)}={clean(value)}", style="dim")
            elif value:
                rest = [*rest, f"{key}:", *value.split("\n")]
    for further in rest:
        text.append(f"\n    {clean(further.rstrip(chr(13)).expandtabs(4))}")
    if matched is False:
        text.stylize("dim")
    return text
