"""What a command prints: tables for people, JSON and YAML of one stable shape for programs."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum, unique
from typing import Any, TextIO, cast

import msgspec
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""
Column = tuple[str, str | Callable[[Json], object]]
"""A heading, and where the value is found: `environment.handle`, or a function of the row."""

NOTHING = "-"
_ELSEWHERE_COLUMNS = 100_000
"""Where nobody's terminal limits a line, nothing is cut."""
_GOOD = frozenset({"RUNNING", "CONFIRMED", "ACTIVE", "ENABLED", "IN_SYNC", "DONE"})
_BAD = frozenset({"OFFLINE", "FAILED", "EXPIRED", "REVOKED", "STALLED", "REFUSED", "DISABLED"})
_WAITING = frozenset({"UNKNOWN", "QUEUED", "DELIVERED", "CHANGING", "EXPIRING", "REVOKING", "SUPERSEDED"})


@unique
class Form(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def clean(text: str) -> str:
    """Take out what could steer a terminal: names and sentences come from elsewhere."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)


def look_up(row: Json, where: str | Callable[[Json], object]) -> object:
    """Find a value in a row."""
    if callable(where):
        return where(row)
    found: Any = row  # Any: JSON values
    for step in where.split("."):
        found = cast("Json", found).get(step) if isinstance(found, dict) else None
    return found


def said(value: object) -> str:
    """Write a value for people."""
    match value:
        case None | "":
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            parts = cast("Sequence[object]", value)
            return ", ".join(said(part) for part in parts) or NOTHING
        case dict():
            named = cast("Json", value)
            telling = (named.get(name) for name in ("name", "username", "handle", "id"))
            return said(next((each for each in telling if each), None))
        case _:
            return clean(str(value))


def console_for(stream: TextIO, *, color: bool = True) -> Console:
    """Make what writes to a stream: in colours on a terminal unless told otherwise, and never cut elsewhere."""
    width = None if stream.isatty() else _ELSEWHERE_COLUMNS
    plain = not color or bool(os.environ.get("NO_COLOR"))
    return Console(file=stream, highlight=False, soft_wrap=True, width=width, no_color=plain)


class Output:
    """Where a command's results go."""

    def __init__(self, form: Form = Form.TABLE, *, quiet: bool = False, color: bool = True) -> None:
        self.form = form
        self.quiet = quiet
        self.console = console_for(sys.stdout, color=color)
        self.errors = console_for(sys.stderr, color=color)

    @property
    def is_for_people(self) -> bool:
        """Whether sentences are welcome on the standard output."""
        return self.form is Form.TABLE and not self.quiet

    def items(
        self, rows: Iterable[Json], columns: Sequence[Column], name: str | Callable[[Json], object] = "id"
    ) -> None:
        """Write a list; quiet writes what names each, one a line."""
        found = list(rows)
        if self.quiet:
            for row in found:
                self.line(said(look_up(row, name)))
        elif self.form is not Form.TABLE:
            self.data(found)
        elif found:
            table = Table(box=None, pad_edge=False, header_style="bold")
            for heading, _ in columns:
                table.add_column(heading.upper(), overflow="fold")
            for row in found:
                table.add_row(*(_styled(said(look_up(row, where))) for _, where in columns))
            self.console.print(table, soft_wrap=False)
        else:
            self.errors.print("There are none.", style="dim")

    def item(self, row: Json, columns: Sequence[Column], name: str = "id") -> None:
        """Write one thing, a field a line."""
        if self.quiet:
            self.line(said(look_up(row, name)))
        elif self.form is not Form.TABLE:
            self.data(row)
        else:
            width = max(len(heading) for heading, _ in columns) + 2
            for heading, where in columns:
                self.console.print(Text(heading.ljust(width), style="bold") + _styled(said(look_up(row, where))))

    def done(self, row: Json, sentence: str, name: str = "id") -> None:
        """Write the result of a change: a sentence for people, the thing itself for programs."""
        if self.form is not Form.TABLE and not self.quiet:
            self.data(row)
        elif self.quiet:
            self.line(said(look_up(row, name)))
        else:
            self.line(sentence)

    def data(self, value: object) -> None:
        """Write JSON or YAML."""
        if self.form is Form.YAML:
            text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
        else:
            text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
        self.console.file.write(text)
        self.console.file.flush()

    def record(self, value: object, sentence: str) -> None:
        """Write one of a stream: a line of JSON, a document of YAML, or a sentence."""
        match self.form:
            case Form.JSON:
                self.console.file.write(msgspec.json.encode(value).decode() + "\n")
            case Form.YAML:
                self.console.file.write("---\n")
                yaml.safe_dump(value, self.console.file, sort_keys=False, allow_unicode=True)
            case Form.TABLE:
                self.line(sentence)
        self.console.file.flush()

    def line(self, text: str) -> None:
        """Write a line."""
        self.console.print(Text(clean(text)))

    def note(self, text: str) -> None:
        """Tell something beside the result, unless quiet was asked for."""
        if not self.quiet:
            self.errors.print(Text(clean(text)))


def _styled(text: str) -> Text:
    style = "green" if text in _GOOD else "red" if text in _BAD else "yellow" if text in _WAITING else ""
    return Text(text, style=style)
