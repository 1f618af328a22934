"""Writing a notice out of what lies in the outbox."""

from collections.abc import Callable

from pilothouse.base.instants import Instant
from pilothouse.notify.notice import Notice, NoticeAlert, NoticeKind, NoticePlace, NoticeSeverity
from pilothouse.reconcile.alerts import AlertSeverity, ChannelKind
from pilothouse.reconcile.alerts import NoticeKind as Kind
from pilothouse.storage.alert_outbox import ToSend
from pilothouse.storage.alerts import AlertRow


def notice_of(to_send: ToSend, channel: ChannelKind, link: Callable[[str], str | None], now: Instant) -> Notice | None:
    """Write what is to be said; None when nothing is left of what it was about.

    link: gives the address of an alert's page
    """
    row = to_send.notification
    if row.kind is Kind.TEST:
        return Notice(
            id=row.id,
            kind=NoticeKind.TEST,
            rule="Test",
            severity=NoticeSeverity.INFO,
            message="This is a test: messages of alerts reach you here.",
            since=row.created_at,
            at=now,
            link=link(""),
            dedup_key=row.id,
        )
    if not to_send.alerts:
        return None
    first = to_send.alerts[0]
    alone = row.alert_count == 1
    return Notice(
        id=row.id,
        kind=NoticeKind(row.kind.value),
        rule=first.rule_name,
        severity=NoticeSeverity(_worst(to_send).value.lower()),
        message=first.alert.message if alone else _several(to_send),
        place=_place(first) if alone else NoticePlace(),
        value=first.alert.value if alone else None,
        since=min(alert.alert.since for alert in to_send.alerts),
        at=now,
        link=link(first.id if alone else ""),
        # To PagerDuty each alert goes by itself and ends by itself; elsewhere what a rule says belongs together.
        dedup_key=first.id if channel is ChannelKind.PAGERDUTY else first.rule_id,
        alerts=tuple(
            NoticeAlert(
                message=each.alert.message,
                place=_place(each),
                value=each.alert.value,
                since=each.alert.since,
                resolved_at=each.alert.resolved_at,
            )
            for each in to_send.alerts
        ),
    )


def _several(to_send: ToSend) -> str:
    row = to_send.notification
    said = {Kind.FIRING: "began", Kind.REMINDER: "go on", Kind.RESOLVED: "ended"}.get(row.kind, "changed")
    shown = len(to_send.alerts)
    more = f" The first {shown} are named." if shown < row.alert_count else ""
    return f"{row.alert_count} alerts of this rule {said}.{more}"


def _worst(to_send: ToSend) -> AlertSeverity:
    order = list(AlertSeverity)
    return max((each.severity for each in to_send.alerts), key=order.index)


def _place(row: AlertRow) -> NoticePlace:
    return NoticePlace(
        project=row.names.project_handle,
        integration=row.names.integration_handle,
        environment=row.names.environment_handle,
        runtime=row.runtime_name or row.runtime_id,
    )
