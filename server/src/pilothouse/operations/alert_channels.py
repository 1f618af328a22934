"""Channels: made, changed and deleted by who may manage alerts everywhere; what is secret leaves only towards the channel."""

import secrets
from typing import Final

import msgspec

from pilothouse.access.grants import EVERYWHERE, Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.notify.channels import (
    Channel,
    EmailChannel,
    PagerDutyChannel,
    SlackChannel,
    TeamsChannel,
    WebhookChannel,
    check_channel,
    target_of,
)
from pilothouse.operations.alert_checks import check_name
from pilothouse.operations.audit import audit
from pilothouse.reconcile.alerts import ChannelKind
from pilothouse.storage import alert_channels, alert_outbox, alert_rules
from pilothouse.storage.alert_channels import ChannelRow, seal_key
from pilothouse.storage.sealing import Vault
from pilothouse.storage.unit import Connection, Transaction

CHANNELS_MAX: Final = 100
_TARGET_MAX: Final = 500
_FIELDS: Final = {"url": "url", "signing_secret": "signingSecret", "routing_key": "routingKey", "to": "to"}
_WITH_URL: Final = frozenset({ChannelKind.WEBHOOK, ChannelKind.SLACK, ChannelKind.TEAMS})


class ChannelWish(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as somebody wants it; what is None stays as it is."""

    id: str | None = None
    name: str
    kind: ChannelKind
    url: str | None = None
    signing_secret: str | None = None
    routing_key: str | None = None
    to: tuple[str, ...] | None = None


class SavedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel, and the secret that was made for it: the only time that it is shown."""

    channel: ChannelRow
    signing_secret: str | None = None


def find(connection: Connection, channel_id: str) -> ChannelRow:
    """Find a channel.

    Raises: NotFound
    """
    found = alert_channels.find(connection, channel_id)
    if found is None:
        raise NotFound("There is no such channel.", field="id", fix="Look at the list of channels.")
    return found


def open_channel(vault: Vault, row: ChannelRow) -> Channel:
    """Give what sending through a channel needs.

    Raises: CannotUnseal
    """
    return msgspec.json.decode(vault.open(row.sealed, key_id=seal_key(row.id)), type=Channel)


def save(tx: Transaction, subject: Subject, vault: Vault, wish: ChannelWish, now: Instant) -> SavedChannel:
    """Make a channel, or change one.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict when there are too many, or one of that name
    """
    require(subject, Permission.ALERT_MGT_MANAGE, at=EVERYWHERE)
    before = None if wish.id is None else find(tx.connection, wish.id)
    if before is not None and before.kind != wish.kind.value:
        raise InvalidInput(
            f"The channel is of the kind {before.kind}.", field="kind", fix="Make another channel instead."
        )
    known = None if before is None else open_channel(vault, before)
    name = check_name(wish.name, "a channel")
    if (before is None or before.name != name) and alert_channels.is_named(tx.connection, name):
        raise Conflict(f"There is a channel {name} already.", field="name", fix="Change that one, or choose a name.")
    channel, made = _channel(wish, known)
    id_ = new_id() if before is None else before.id
    row = ChannelRow(
        id=id_,
        organization_id=subject.organization_id,
        name=name,
        kind=wish.kind.value,
        target=target_of(channel)[:_TARGET_MAX],
        sealed=vault.seal(msgspec.json.encode(channel).decode(), key_id=seal_key(id_)),
        created_at=now,
        created_by=subject.username,
    )
    told = {"name": name, "kind": wish.kind.value, "target": row.target}
    if before is None:
        if alert_channels.count(tx.connection) >= CHANNELS_MAX:
            raise Conflict(f"There are {CHANNELS_MAX} channels already.", fix="Delete those that nobody needs.")
        alert_channels.add(tx.connection, row)
        audit(tx, subject, "alert-channel.create", id_, now, name, after=told)
    else:
        alert_channels.change(tx.connection, row)
        old = {"name": before.name, "kind": before.kind, "target": before.target}
        audit(tx, subject, "alert-channel.change", id_, now, name, before=old, after=told)
    return SavedChannel(channel=find(tx.connection, id_), signing_secret=made)


def differences(connection: Connection, subject: Subject, vault: Vault, wish: ChannelWish) -> list[str]:
    """Tell which fields of a channel saving this would change: whether a secret is another one, and never the secret.

    Raises: NotPermitted, NotFound, InvalidInput
    """
    require(subject, Permission.ALERT_MGT_MANAGE, at=EVERYWHERE)
    if wish.id is None:
        raise InvalidInput("No channel is named.", field="id", fix="Give the id of the channel that would be changed.")
    row = find(connection, wish.id)
    if row.kind != wish.kind.value:
        return ["kind"]
    known = open_channel(vault, row)
    wanted, _ = _channel(wish, known)
    found = ["name"] if wish.name.strip() != row.name else []
    return found + [
        shown for name, shown in _FIELDS.items() if getattr(known, name, None) != getattr(wanted, name, None)
    ]


def delete(tx: Transaction, subject: Subject, channel_id: str, now: Instant) -> ChannelRow:
    """Delete a channel that no rule tells.

    Raises: NotPermitted, NotFound, Conflict
    """
    require(subject, Permission.ALERT_MGT_MANAGE, at=EVERYWHERE)
    found = find(tx.connection, channel_id)
    telling = alert_rules.names_of_rules_telling(tx.connection, channel_id)
    if telling:
        more = f" and {len(telling) - 3} more" if len(telling) > 3 else ""  # noqa: PLR2004 - three are enough to go on
        raise Conflict(
            f"Rules send to {found.name}: {', '.join(telling[:3])}{more}.",
            field="id",
            fix="Take the channel out of them first.",
        )
    alert_outbox.give_up_of_channel(tx.connection, channel_id, "The channel was deleted.")
    alert_channels.remove(tx.connection, channel_id)
    audit(
        tx,
        subject,
        "alert-channel.delete",
        channel_id,
        now,
        found.name,
        before={"kind": found.kind, "target": found.target},
    )
    return found


def begin_test(tx: Transaction, subject: Subject, channel_id: str, owner: str, lease_s: float, now: Instant) -> int:
    """Store a message that says that it is a test, in the hands of who sends it; tells its number.

    Raises: NotPermitted, NotFound
    """
    require(subject, Permission.ALERT_MGT_MANAGE, at=EVERYWHERE)
    found = find(tx.connection, channel_id)
    audit(tx, subject, "alert-channel.test", channel_id, now, found.name)
    return alert_outbox.add_test(tx.connection, channel_id, owner, now, lease_s)


def _channel(wish: ChannelWish, known: Channel | None) -> tuple[Channel, str | None]:
    """Make what a channel of its kind needs, and the signing secret that a new webhook was not given.

    Raises: InvalidInput
    """
    _refuse_foreign(wish)
    made = None
    url = wish.url.strip() if wish.url is not None else getattr(known, "url", "")
    if wish.kind is ChannelKind.WEBHOOK:
        secret = wish.signing_secret or getattr(known, "signing_secret", None)
        if secret is None:
            secret = made = secrets.token_urlsafe(32)
        channel: Channel = WebhookChannel(url=url, signing_secret=secret)
    elif wish.kind is ChannelKind.SLACK:
        channel = SlackChannel(url=url)
    elif wish.kind is ChannelKind.TEAMS:
        channel = TeamsChannel(url=url)
    elif wish.kind is ChannelKind.PAGERDUTY:
        channel = PagerDutyChannel(routing_key=wish.routing_key or getattr(known, "routing_key", ""))
    else:
        channel = EmailChannel(to=getattr(known, "to", ()) if wish.to is None else wish.to)
    check_channel(channel)
    return channel, made


def _refuse_foreign(wish: ChannelWish) -> None:
    """Refuse what a channel of this kind has no use for: somebody meant another kind."""
    for field, given, fits in (
        ("url", wish.url, wish.kind in _WITH_URL),
        ("signingSecret", wish.signing_secret, wish.kind is ChannelKind.WEBHOOK),
        ("routingKey", wish.routing_key, wish.kind is ChannelKind.PAGERDUTY),
        ("to", wish.to, wish.kind is ChannelKind.EMAIL),
    ):
        if given and not fits:
            raise InvalidInput(
                f"A channel of the kind {wish.kind.value} has no {field}.", field=field, fix="Leave it out."
            )
