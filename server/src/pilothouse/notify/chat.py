"""Notices for chats: Slack's blocks, Teams' adaptive cards. What comes from elsewhere stays text in both.

Source: Slack's reference of Block Kit and of formatting (escape &, < and >); the schema of Adaptive Cards 1.4, in which a
RichTextBlock, unlike a TextBlock, knows no Markdown.
"""

from typing import Any, Final

import msgspec

from pilothouse.base.instants import to_rfc3339
from pilothouse.notify.channels import SlackChannel, TeamsChannel, read_url
from pilothouse.notify.notice import Notice, NoticeKind, NoticeSeverity, figure, one_line, title_of
from pilothouse.notify.web import WebRequest

ALERTS_MAX: Final = 10
"""Lines about single alerts; the rest is counted."""
_HEADER_CHARS_MAX: Final = 150
_MESSAGE_CHARS_MAX: Final = 1_000
_LINE_CHARS_MAX: Final = 200
_LINK_TEXT: Final = "Open in Pilothouse"
Json = dict[str, Any]
"""A JSON object. Any: JSON values."""


def slack_request(channel: SlackChannel, notice: Notice) -> WebRequest:
    """Write a notice for an incoming webhook of Slack."""
    title = title_of(notice)
    lines = "\n".join(f"• {_escape(line)}" for line in lines_of(notice))
    blocks: list[Json] = [
        {"type": "header", "text": {"type": "plain_text", "text": one_line(title, _HEADER_CHARS_MAX), "emoji": False}},
        _section(_escape(one_line(notice.message, _MESSAGE_CHARS_MAX))),
        *([_section(lines)] if lines else []),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": _escape(" · ".join(_facts(notice)))}]},
    ]
    if (link := link_of(notice)) is not None:
        button = {"type": "button", "text": {"type": "plain_text", "text": _LINK_TEXT}, "url": link}
        blocks.append({"type": "actions", "elements": [button]})
    fallback = _escape(f"{title}: {one_line(notice.message, _MESSAGE_CHARS_MAX)}")
    return _request(channel.url, {"text": fallback, "blocks": blocks})


def teams_request(channel: TeamsChannel, notice: Notice) -> WebRequest:
    """Write a notice for a workflow of Teams that takes an adaptive card."""
    title = title_of(notice)
    body = [
        _rich({"text": title, "weight": "Bolder", "size": "Medium", "color": _color(notice)}),
        _rich({"text": one_line(notice.message, _MESSAGE_CHARS_MAX)}),
        *(_rich({"text": f"• {line}"}) for line in lines_of(notice)),
        _rich({"text": " · ".join(_facts(notice)), "isSubtle": True, "size": "Small"}),
    ]
    card: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": title,
        "body": body,
    }
    if (link := link_of(notice)) is not None:
        card["actions"] = [{"type": "Action.OpenUrl", "title": _LINK_TEXT, "url": link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return _request(channel.url, {"type": "message", "attachments": [attachment]})


def lines_of(notice: Notice, most: int = ALERTS_MAX) -> list[str]:
    """Write a line for each alert of a group, and one for those that are left out."""
    if len(notice.alerts) <= 1:
        return []
    lines = [
        one_line(f"{alert.place}: {alert.message}" if str(alert.place) else alert.message, _LINE_CHARS_MAX)
        for alert in notice.alerts[:most]
    ]
    left_out = len(notice.alerts) - len(lines)
    return [*lines, f"and {left_out} more"] if left_out else lines


def link_of(notice: Notice) -> str | None:
    """Give the link if it is one that a browser may open."""
    link = notice.link
    if link is None or not link.startswith(("https://", "http://")) or not link.isprintable():
        return None
    return link


def _facts(notice: Notice) -> list[str]:
    facts = [f"severity {notice.severity.value}", f"since {to_rfc3339(notice.since)}"]
    if notice.value is not None:
        facts.append(f"value {figure(notice.value)}")
    return facts


def _color(notice: Notice) -> str:
    if notice.kind is NoticeKind.RESOLVED:
        return "Good"
    return {NoticeSeverity.CRITICAL: "Attention", NoticeSeverity.WARNING: "Warning"}.get(notice.severity, "Accent")


def _section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _rich(run: Json) -> Json:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run}]}


def _escape(text: str) -> str:
    """Take from a text what Slack reads as a link, a mention or a character's name."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _request(url: str, document: Json) -> WebRequest:
    return WebRequest(
        url=read_url(url), body=msgspec.json.encode(document), headers={"Content-Type": "application/json"}
    )
