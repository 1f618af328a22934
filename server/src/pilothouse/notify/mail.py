"""Notices as e-mail: text and HTML, threaded by the alert that they tell of. No header holds a line's end from elsewhere."""

import hashlib
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final

from pilothouse.base.instants import to_datetime, to_rfc3339
from pilothouse.notify.channels import EmailChannel
from pilothouse.notify.chat import lines_of, link_of
from pilothouse.notify.notice import Notice, figure, one_line, title_of

ALERTS_MAX: Final = 50
_SUBJECT_CHARS_MAX: Final = 160
_MESSAGE_CHARS_MAX: Final = 2_000


def compose(channel: EmailChannel, notice: Notice, sender: str) -> EmailMessage:
    """Write a message. Its Message-ID is the same at every attempt; all messages about one alert refer to one id."""
    message = EmailMessage(policy=SMTP)
    message["From"] = f"Pilothouse <{sender}>"
    message["To"] = ", ".join(channel.to)
    message["Subject"] = one_line(title_of(notice), _SUBJECT_CHARS_MAX)
    message["Date"] = format_datetime(to_datetime(notice.at))
    domain = sender.rpartition("@")[2]
    message["Message-ID"] = f"<{_digest(notice.dedup_key, notice.id)}@{domain}>"
    message["References"] = f"<{_digest(notice.dedup_key)}@{domain}>"
    # Nobody's absence is to be told to a program.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(_text(notice))
    message.add_alternative(_html(notice), subtype="html")
    return message


def _text(notice: Notice) -> str:
    parts = [one_line(notice.message, _MESSAGE_CHARS_MAX), ""]
    if lines := lines_of(notice, ALERTS_MAX):
        parts += [*(f"- {line}" for line in lines), ""]
    parts += [f"{name}: {value}" for name, value in _facts(notice)]
    return "\n".join(parts) + "\n"


def _html(notice: Notice) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in lines_of(notice, ALERTS_MAX))
    rows = "".join(
        f'<tr><th align="left">{escape(name)}</th><td>{_cell(name, value)}</td></tr>' for name, value in _facts(notice)
    )
    return (
        '<!doctype html><html><head><meta charset="utf-8"></head><body>'
        f"<h2>{escape(title_of(notice))}</h2><p>{escape(one_line(notice.message, _MESSAGE_CHARS_MAX))}</p>"
        f"{f'<ul>{lines}</ul>' if lines else ''}<table>{rows}</table></body></html>"
    )


def _cell(name: str, value: str) -> str:
    shown = escape(value)
    return f'<a href="{shown}">{shown}</a>' if name == "Link" else shown


def _facts(notice: Notice) -> list[tuple[str, str]]:
    where, link = str(notice.place), link_of(notice)
    found = [
        ("Rule", notice.rule),
        ("Severity", notice.severity.value),
        ("Where", where),
        ("Value", "" if notice.value is None else figure(notice.value)),
        ("Since", to_rfc3339(notice.since)),
        ("Link", link or ""),
    ]
    return [(name, one_line(value, _MESSAGE_CHARS_MAX)) for name, value in found if value]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]
