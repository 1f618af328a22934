"""Resolvers about alerts: rules, what they found, silences, channels."""

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec
from ariadne import EnumType, MutationType, ObjectType, QueryType

from pilothouse.access.grants import EVERYWHERE, Place
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.alert_inputs import channel_wish, instant, rule_wish, silence_wish
from pilothouse.api.graphql.places import batch_of
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.errors import NotFound
from pilothouse.base.pages import Page, page_request
from pilothouse.operations import alert_channels, alert_checks, alert_rules, alert_silences
from pilothouse.operations.explaining import PlaceNames, find_scope
from pilothouse.reconcile.alerts import (
    AlertCondition,
    AlertSeverity,
    AlertState,
    ChannelKind,
    NotificationState,
    is_silenced,
)
from pilothouse.storage import alert_channels as channel_rows
from pilothouse.storage import alert_outbox, alerts
from pilothouse.storage import alert_rules as rule_rows
from pilothouse.storage import alert_silences as silence_rows
from pilothouse.storage.alert_channels import ChannelRow
from pilothouse.storage.alert_outbox import NotificationRow
from pilothouse.storage.alert_places import Named
from pilothouse.storage.alert_rules import ChannelName, RuleRow
from pilothouse.storage.alert_silences import SilenceRow
from pilothouse.storage.alerts import AlertRow, AlertScope
from pilothouse.storage.sealing import CannotUnseal
from pilothouse.storage.unit import Connection
from pilothouse.telemetry.model import Level

_VIEW = Permission.INTEGRATION_MGT_VIEW
_MANAGE = Permission.ALERT_MGT_MANAGE

query = QueryType()
mutation = MutationType()
rule_type = ObjectType("AlertRule")
alert_type = ObjectType("Alert")
notification_type = ObjectType("AlertNotification")
channel_type = ObjectType("AlertChannel")
bindables = (
    query,
    mutation,
    rule_type,
    alert_type,
    notification_type,
    channel_type,
    EnumType("AlertCondition", {member.name: member for member in AlertCondition}),
    EnumType("AlertSeverity", {member.name: member for member in AlertSeverity}),
    EnumType("AlertState", {member.name: member for member in AlertState}),
    EnumType("NotificationState", {member.name: member for member in NotificationState}),
    EnumType("AlertChannelKind", {member.name: member for member in ChannelKind}),
)


@query.field("alertRules")
async def list_rules(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    search: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List rules by name."""
    request, page = info.context, page_request("alertRules", first, after)
    reach = request.reach(_VIEW)
    found = await request.services.store.read(lambda c: rule_rows.list_page(c, reach, search, page))
    return views.connection(found.map(lambda row: _rule(request, row)))


@query.field("alertRule")
async def one_rule(_: Any, info: Info, id: str) -> Row | None:
    """Show one rule."""
    request = info.context
    found = await request.services.store.read(lambda c: rule_rows.find(c, request.reach(_VIEW), id))
    return None if found is None else _rule(request, found)


@query.field("alerts")
async def list_alerts(
    _: Any, info: Info, filter: Row | None = None, first: int | None = None, after: str | None = None
) -> Row:
    """List alerts, newest first."""
    request, page, wanted = info.context, page_request("alerts", first, after), filter or {}
    since, until = instant(wanted.get("from"), "from"), instant(wanted.get("to"), "to")

    def read(connection: Connection) -> Page[AlertRow]:
        place = _scope(connection, request, wanted)
        if place is None:
            return Page(nodes=(), end_cursor=None, has_next=False, total=0)
        scope = AlertScope(
            states=tuple(wanted.get("states") or ()),
            rule_id=wanted.get("rule"),
            project_id=place.project_id,
            integration_id=place.integration_id,
            environment_id=place.environment_id,
            since=since,
            until=until,
        )
        return alerts.list_page(connection, request.reach(_VIEW), scope, page)

    return views.connection((await request.services.store.read(read)).map(_alert))


@query.field("alertChannels")
async def list_channels(_: Any, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List channels by name."""
    page = page_request("alertChannels", first, after)
    found = await info.context.services.store.read(lambda c: channel_rows.list_page(c, page))
    return views.connection(found.map(_channel))


@query.field("alertChannelDifferences")
async def list_differences(_: Any, info: Info, input: Row) -> list[str]:
    """Tell what saving a channel would change."""
    request, wish = info.context, channel_wish(input)
    vault = request.services.vault
    return await request.services.store.read(lambda c: alert_channels.differences(c, request.subject, vault, wish))


@query.field("alertSilences")
async def list_silences(
    _: Any, info: Info, include_ended: bool | None = None, first: int | None = None, after: str | None = None
) -> Row:
    """List silences, those that begin last first."""
    request, page = info.context, page_request("alertSilences", first, after)
    reach, ended = request.reach(_VIEW), bool(include_ended)
    found = await request.services.store.read(
        lambda c: silence_rows.list_page(c, reach, request.now, page, include_ended=ended)
    )
    return views.connection(found.map(_silence))


@mutation.field("saveAlertRule")
async def save_rule(_: Any, info: Info, input: Row) -> Row:
    """Make a rule, or change one."""
    request, wish = info.context, rule_wish(input)
    if wish.condition is AlertCondition.LOG_PATTERN:
        await alert_checks.check_pattern(request.services.telemetry, wish.pattern)
    row = await request.services.store.write(lambda tx: alert_rules.save(tx, request.subject, wish, request.now))
    request.services.alerting.wake()
    return _rule(request, row)


@mutation.field("deleteAlertRule")
async def delete_rule(_: Any, info: Info, id: str) -> Row:
    """Delete a rule."""
    request = info.context
    row = await request.services.store.write(lambda tx: alert_rules.delete(tx, request.subject, id, request.now))
    return _rule(request, row)


@mutation.field("saveAlertChannel")
async def save_channel(_: Any, info: Info, input: Row) -> Row:
    """Make a channel, or change one."""
    request, wish = info.context, channel_wish(input)
    saved = await request.services.store.write(
        lambda tx: alert_channels.save(tx, request.subject, request.services.vault, wish, request.now)
    )
    return {"channel": _channel(saved.channel), "signing_secret": saved.signing_secret}


@mutation.field("deleteAlertChannel")
async def delete_channel(_: Any, info: Info, id: str) -> Row:
    """Delete a channel."""
    request = info.context
    row = await request.services.store.write(lambda tx: alert_channels.delete(tx, request.subject, id, request.now))
    return _channel(row)


@mutation.field("testAlertChannel")
async def send_test(_: Any, info: Info, id: str) -> NotificationRow:
    """Send a test, and tell how that went."""
    return await info.context.services.alerting.sender.test(info.context.subject, id)


@mutation.field("silenceAlerts")
async def silence(_: Any, info: Info, input: Row) -> Row:
    """Begin a silence."""
    request, wish = info.context, silence_wish(input)
    row = await request.services.store.write(lambda tx: alert_silences.add(tx, request.subject, wish, request.now))
    return _silence(row)


@mutation.field("endAlertSilence")
async def end_silence(_: Any, info: Info, id: str) -> Row:
    """End a silence."""
    request = info.context
    row = await request.services.store.write(lambda tx: alert_silences.end(tx, request.subject, id, request.now))
    request.services.alerting.wake()
    return _silence(row)


@rule_type.field("channels")
async def channels_of_rule(row: Row, info: Info) -> list[ChannelName]:
    """Show the channels that a rule tells."""
    names = [await _channel_name(info.context, channel_id) for channel_id in row["channel_ids"]]
    return [name for name in names if name is not None]


@rule_type.field("firing")
async def firing_of_rule(row: Row, info: Info) -> int:
    """Count what fires of a rule, as far as the caller sees it."""
    request = info.context

    async def load(ids: Sequence[str]) -> dict[str, int]:
        reach = request.reach(_VIEW)
        return await request.services.store.read(lambda c: alerts.count_firing(c, reach, ids))

    return await batch_of(request, "firing", load).get(row["id"]) or 0


@channel_type.field("to")
def addresses_of_channel(shown: Row, info: Info) -> Sequence[str] | None:
    """Tell whom an e-mail channel reaches: of what is sealed, the part that is no secret."""
    row: ChannelRow = shown["row"]
    if row.kind != ChannelKind.EMAIL.value:
        return None
    with contextlib.suppress(CannotUnseal):  # under a key that is gone: it can be made anew, and deleted
        return getattr(alert_channels.open_channel(info.context.services.vault, row), "to", ())
    return None


@alert_type.field("runtime")
async def runtime_of_alert(row: Row, info: Info) -> RuntimeView | None:
    """Show the runtime that an alert is about, while it is there."""
    key = row["runtime_key"]
    found = None if key is None else await info.context.runtimes.get(key)
    # A database may give the key of a runtime that is gone to a later one.
    return None if found is None or found.registered_at > row["since"] else RuntimeView(info.context, found)


@alert_type.field("silenced")
async def silenced(row: Row, info: Info) -> bool:
    """Tell whether a silence covers an alert."""
    request = info.context
    if row["state"] is AlertState.RESOLVED:
        return False

    async def load(_: Sequence[str]) -> dict[str, Any]:  # Any: a list of silences
        return {"now": await request.services.store.read(lambda c: silence_rows.list_now(c, request.now))}

    found = await batch_of(request, "silences", load).get("now") or ()
    return is_silenced(found, row["rule"]["id"], row["place"], request.now)


@alert_type.field("notifications")
async def notifications_of_alert(row: Row, info: Info) -> list[NotificationRow]:
    """Show what was sent about an alert, newest first."""
    request = info.context

    async def load(numbers: Sequence[int]) -> dict[int, list[NotificationRow]]:
        return await request.services.store.read(lambda c: alert_outbox.list_of_alerts(c, numbers))

    return await batch_of(request, "notifications", load).get(row["number"]) or []


@notification_type.field("channel")
async def channel_of_notification(row: NotificationRow, info: Info) -> ChannelName | None:
    """Show the channel of a message, while it is there."""
    return None if row.channel_id is None else await _channel_name(info.context, row.channel_id)


@notification_type.field("kind")
def kind_of_notification(row: NotificationRow, _: Info) -> str:
    """Tell why it was sent."""
    return row.kind.value


async def _channel_name(request: GraphQLRequest, channel_id: str) -> ChannelName | None:
    async def load(ids: Sequence[str]) -> dict[str, ChannelName]:
        return await request.services.store.read(lambda c: rule_rows.channel_names(c, ids))

    return await batch_of(request, "alert-channels", load).get(channel_id)


def _scope(connection: Connection, request: GraphQLRequest, wanted: Row) -> Place | None:
    """Find the place of a filter; what one may not see matches nothing."""
    names = PlaceNames(**{name: wanted.get(name) for name in PlaceNames.__struct_fields__})
    if names == PlaceNames():
        return EVERYWHERE
    try:
        return find_scope(connection, request.subject, names).place
    except NotFound:
        return None


def _rule(request: GraphQLRequest, row: RuleRow) -> Row:
    rule = row.rule
    return {
        **msgspec.structs.asdict(rule),
        **_place(row.names),
        "levels": [Level[name] for name in rule.levels] or None,
        "trouble": row.trouble,
        "last_judged_at": row.judged_at,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "built_in": row.built_in is not None,
        "editable": request.reach(_MANAGE).covers(rule.place),
    }


def _alert(row: AlertRow) -> Row:
    return {
        **msgspec.structs.asdict(row.alert),
        **_place(row.names),
        "place": row.alert.place,
        "id": row.id,
        "number": row.number,
        "rule": {"id": row.rule_id, "name": row.rule_name},
        "severity": row.severity,
    }


def _channel(row: ChannelRow) -> Row:
    shown = {name: getattr(row, name) for name in ChannelRow.__struct_fields__ if name != "sealed"}
    return {**shown, "kind": ChannelKind(row.kind), "row": row}


def _silence(row: SilenceRow) -> Row:
    rule_id = row.silence.rule_id
    return {
        **_place(row.names),
        "id": row.id,
        "rule": None if rule_id is None else {"id": rule_id, "name": row.rule_name},
        "reason": row.reason,
        "from": row.silence.from_at,
        "to": row.silence.to_at,
        "created_by": row.created_by,
    }


def _place(names: Named) -> Row:
    return {
        "project": _reference(names.project_handle, names.project_display_name),
        "integration": _reference(names.integration_handle, names.integration_display_name),
        "environment": None
        if names.environment_handle is None
        else {
            "handle": names.environment_handle,
            "display_name": names.environment_display_name,
            "critical": names.environment_critical,
        },
    }


def _reference(handle: str | None, display_name: str | None) -> Row | None:
    return None if handle is None else {"handle": handle, "display_name": display_name}
