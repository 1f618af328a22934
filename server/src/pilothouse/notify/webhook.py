"""The JSON that receivers of one's own get, and its signature. docs/reference/webhooks.md tells receivers of it."""

import hashlib
import hmac
from typing import Any, Final

import msgspec

from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.notify.channels import WebhookChannel, read_url
from pilothouse.notify.notice import Notice, NoticeAlert, NoticePlace, title_of
from pilothouse.notify.web import WebRequest

VERSION: Final = 1
ALERTS_MAX: Final = 100
SIGNATURE_HEADER: Final = "X-Pilothouse-Signature"


def webhook_request(channel: WebhookChannel, notice: Notice, now: Instant) -> WebRequest:
    """Write a notice for a receiver, signed for this moment."""
    body = msgspec.json.encode(document_of(notice))
    return WebRequest(
        url=read_url(channel.url),
        body=body,
        headers={
            "Content-Type": "application/json",
            "Idempotency-Key": notice.id,
            SIGNATURE_HEADER: sign(channel.signing_secret, body, now),
        },
    )


def sign(secret: str, body: bytes, now: Instant) -> str:
    """Sign a body and the second in which it is sent, so that neither is of use for another request."""
    seconds = int(now)
    digest = hmac.digest(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hex()
    return f"t={seconds},v1={digest}"


def document_of(notice: Notice) -> dict[str, Any]:  # Any: JSON values
    """Write a notice as JSON."""
    return {
        "version": VERSION,
        "id": notice.id,
        "kind": notice.kind.value,
        "dedupKey": notice.dedup_key,
        "rule": notice.rule,
        "severity": notice.severity.value,
        "title": title_of(notice),
        "message": notice.message,
        "place": _place(notice.place),
        "value": notice.value,
        "since": to_rfc3339(notice.since),
        "at": to_rfc3339(notice.at),
        "link": notice.link,
        "alertCount": len(notice.alerts),
        "alerts": [_alert(alert) for alert in notice.alerts[:ALERTS_MAX]],
    }


def _alert(alert: NoticeAlert) -> dict[str, Any]:  # Any: JSON values
    return {
        "message": alert.message,
        "place": _place(alert.place),
        "value": alert.value,
        "since": to_rfc3339(alert.since),
        "resolvedAt": None if alert.resolved_at is None else to_rfc3339(alert.resolved_at),
    }


def _place(place: NoticePlace) -> dict[str, str | None]:
    return msgspec.structs.asdict(place)
