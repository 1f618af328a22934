"""What people are told: one alert, or several of one rule that belong together."""

from enum import StrEnum, unique

import msgspec

from pilothouse.base.instants import Instant


@unique
class NoticeKind(StrEnum):
    """Why somebody is told."""

    FIRING = "firing"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    TEST = "test"


@unique
class NoticeSeverity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class NoticePlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where it happened, by the handles that people know; None where it concerns all of them."""

    project: str | None = None
    integration: str | None = None
    environment: str | None = None
    runtime: str | None = None
    """Its name, or its id."""

    def __str__(self) -> str:
        """Write it for people, wide to narrow; empty for everywhere."""
        named = "/".join(part for part in (self.project, self.integration) if part)
        where = " in ".join(part for part in (named, self.environment) if part)
        return ", ".join(part for part in (where, f"runtime {self.runtime}" if self.runtime else "") if part)


class NoticeAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a group."""

    message: str
    """One sentence with the figure that was measured."""
    place: NoticePlace = NoticePlace()
    value: float | None = None
    since: Instant
    resolved_at: Instant | None = None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    id: str
    """Of this notice: the same at every attempt to deliver it, another for every other notice."""
    kind: NoticeKind
    rule: str
    """The rule's name."""
    severity: NoticeSeverity
    message: str
    """One sentence about all of it."""
    place: NoticePlace = NoticePlace()
    value: float | None = None
    since: Instant
    at: Instant
    """When it was written."""
    link: str | None = None
    """The console's page about it."""
    dedup_key: str
    """The same from an alert's first notice to its last, so that receivers can put them together."""
    alerts: tuple[NoticeAlert, ...] = ()
    """What the group holds; channels show the first so many."""


_WORDS = {
    NoticeKind.FIRING: "Alert",
    NoticeKind.REMINDER: "Still firing",
    NoticeKind.RESOLVED: "Resolved",
    NoticeKind.TEST: "Test",
}


def title_of(notice: Notice) -> str:
    """Write a headline: what it is, how bad, which rule, where."""
    severity = f" ({notice.severity.value})" if notice.kind in (NoticeKind.FIRING, NoticeKind.REMINDER) else ""
    where = str(notice.place)
    return one_line(f"{_WORDS[notice.kind]}{severity}: {notice.rule}{f' · {where}' if where else ''}", 200)


def one_line(text: str, chars_max: int) -> str:
    """Make one printable line of a text from elsewhere, cut to a length."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= chars_max else f"{line[: chars_max - 1]}…"


def figure(value: float) -> str:
    """Write a figure as people read it."""
    return f"{value:.6g}"
