"""Notices for PagerDuty: an incident is triggered and resolved under one key.

Source: PagerDuty's reference of the Events API v2.
"""

import hashlib
from typing import Any, Final

import msgspec
from yarl import URL

from pilothouse.base.instants import to_rfc3339
from pilothouse.notify.channels import PagerDutyChannel
from pilothouse.notify.chat import lines_of, link_of
from pilothouse.notify.notice import Notice, NoticeKind, one_line, title_of
from pilothouse.notify.web import WebRequest

_SUMMARY_CHARS_MAX: Final = 1_024
_KEY_CHARS_MAX: Final = 255


def pagerduty_requests(channel: PagerDutyChannel, notice: Notice, url: URL) -> list[WebRequest]:
    """Write a notice as events: a test triggers an incident and resolves it at once, so that nobody is left with it."""
    match notice.kind:
        case NoticeKind.TEST:
            events = [_trigger(channel, notice), _resolve(channel, notice)]
        case NoticeKind.RESOLVED:
            events = [_resolve(channel, notice)]
        case NoticeKind.FIRING | NoticeKind.REMINDER:
            events = [_trigger(channel, notice)]
    headers = {"Content-Type": "application/json"}
    return [WebRequest(url=url, body=msgspec.json.encode(event), headers=headers) for event in events]


def _trigger(channel: PagerDutyChannel, notice: Notice) -> dict[str, Any]:  # Any: JSON values, here and below
    place, link = notice.place, link_of(notice)
    summary = one_line(f"{title_of(notice)}: {notice.message}", _SUMMARY_CHARS_MAX)
    return {
        **_event(channel, notice, "trigger"),
        "payload": {
            "summary": summary,
            "source": str(place) or "Pilothouse",
            "severity": notice.severity.value,
            "timestamp": to_rfc3339(notice.at),
            "component": place.integration,
            "group": place.project,
            "class": notice.rule,
            "custom_details": {
                "message": notice.message,
                "environment": place.environment,
                "runtime": place.runtime,
                "value": notice.value,
                "since": to_rfc3339(notice.since),
                "alerts": lines_of(notice),
            },
        },
        "client": "Pilothouse",
        **({} if link is None else {"client_url": link, "links": [{"href": link, "text": "Open in Pilothouse"}]}),
    }


def _resolve(channel: PagerDutyChannel, notice: Notice) -> dict[str, Any]:
    return _event(channel, notice, "resolve")


def _event(channel: PagerDutyChannel, notice: Notice, action: str) -> dict[str, Any]:
    key = notice.dedup_key
    if len(key) > _KEY_CHARS_MAX:
        key = hashlib.sha256(key.encode()).hexdigest()
    return {"routing_key": channel.routing_key, "event_action": action, "dedup_key": key}
