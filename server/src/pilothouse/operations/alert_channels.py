"""Channels: made, changed and deleted by who may manage alerts everywhere; what is secret leaves only towards the channel."""

import ipaddress
import secrets
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pilothouse.access.grants import EVERYWHERE, Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.alerts import ChannelKind
from pilothouse.operations.alert_checks import check_name
from pilothouse.operations.audit import audit
from pilothouse.storage import alert_channels, alert_outbox, alert_rules
from pilothouse.storage.alert_channels import ChannelRow, seal_key
from pilothouse.storage.sealing import Vault
from pilothouse.storage.unit import Connection, Transaction

CHANNELS_MAX: Final = 100
_ADDRESSES_MAX: Final = 50
_SECRET_LENGTH_MIN: Final = 16
_TEXT_MAX: Final = 2_000
_WITH_URL: Final = frozenset({ChannelKind.WEBHOOK, ChannelKind.SLACK, ChannelKind.TEAMS})
_PAGERDUTY: Final = "events.pagerduty.com"


class ChannelMaterial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that sending through a channel needs, in clear: sealed wherever it lies."""

    kind: ChannelKind
    url: str | None = None
    signing_secret: str | None = None
    routing_key: str | None = None
    to: tuple[str, ...] = ()


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


def open_material(vault: Vault, row: ChannelRow) -> ChannelMaterial:
    """Give what sending through a channel needs.

    Raises: CannotUnseal
    """
    return msgspec.json.decode(vault.open(row.sealed, key_id=seal_key(row.id)), type=ChannelMaterial)


def save(tx: Transaction, subject: Subject, vault: Vault, wish: ChannelWish, now: Instant) -> SavedChannel:
    """Make a channel, or change one.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict when there are too many
    """
    require(subject, Permission.ALERT_MGT_MANAGE, at=EVERYWHERE)
    before = None if wish.id is None else find(tx.connection, wish.id)
    known = None if before is None else open_material(vault, before)
    if known is not None and known.kind is not wish.kind:
        raise InvalidInput(
            f"The channel is of the kind {known.kind.value}.", field="kind", fix="Make another channel instead."
        )
    name = check_name(wish.name, "a channel")
    material, made = _material(wish, known)
    id_ = new_id() if before is None else before.id
    row = ChannelRow(
        id=id_,
        organization_id=subject.organization_id,
        name=name,
        kind=wish.kind.value,
        target=_target(material),
        sealed=vault.seal(msgspec.json.encode(material).decode(), key_id=seal_key(id_)),
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


def _material(wish: ChannelWish, known: ChannelMaterial | None) -> tuple[ChannelMaterial, str | None]:
    """Check what a channel of its kind needs, and make the signing secret that a new webhook was not given.

    Raises: InvalidInput
    """
    old = known or ChannelMaterial(kind=wish.kind)
    _refuse_foreign(wish)
    url = old.url if wish.url is None else wish.url.strip()
    if wish.kind in _WITH_URL:
        _check_url(url)
    if wish.kind is ChannelKind.WEBHOOK:
        made = None if wish.signing_secret or old.signing_secret else secrets.token_urlsafe(32)
        secret = wish.signing_secret or old.signing_secret or made
        if secret is not None and not _SECRET_LENGTH_MIN <= len(secret) <= _TEXT_MAX:
            raise InvalidInput(
                f"A signing secret has at least {_SECRET_LENGTH_MIN} characters.",
                field="signingSecret",
                fix="Leave it out to have one made.",
            )
        return ChannelMaterial(kind=wish.kind, url=url, signing_secret=secret), made
    if wish.kind is ChannelKind.EMAIL:
        return ChannelMaterial(kind=wish.kind, to=_check_addresses(old.to if wish.to is None else wish.to)), None
    if wish.kind is ChannelKind.PAGERDUTY:
        key = wish.routing_key or old.routing_key or ""
        if not key.isalnum() or len(key) > 100:  # noqa: PLR2004 - they have 32
            raise InvalidInput(
                "A routing key of PagerDuty has letters and digits only.",
                field="routingKey",
                fix="Copy the integration key of an Events API v2 integration.",
            )
        return ChannelMaterial(kind=wish.kind, routing_key=key), None
    return ChannelMaterial(kind=wish.kind, url=url), None


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


def _check_url(url: str | None) -> None:
    refused = InvalidInput(
        "The channel needs an https URL; http is for loopback only.",
        field="url",
        fix='Write it whole, such as "https://hooks.example.com/services/…".',
    )
    if not url or len(url) > _TEXT_MAX or not url.isprintable() or " " in url:
        raise refused
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise refused from None
    if not host or parts.username or parts.password:
        raise refused
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise refused


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_addresses(to: tuple[str, ...]) -> tuple[str, ...]:
    addresses = tuple(dict.fromkeys(address.strip() for address in to))
    refused = [
        address
        for address in addresses
        if address.count("@") != 1
        or not all(address.split("@"))
        or len(address) > 254  # noqa: PLR2004 - RFC 5321
        or not address.isprintable()
        or any(sign in address for sign in ' ,;<>"()')
    ]
    if not 1 <= len(addresses) <= _ADDRESSES_MAX or refused:
        told = f"'{refused[0][:60]}' is not an address." if refused else f"There are 1 to {_ADDRESSES_MAX} addresses."
        raise InvalidInput(told, field="to", fix='Write addresses such as "ops@example.com".')
    return addresses


def _target(material: ChannelMaterial) -> str:
    """Say of a channel what may be shown."""
    if material.kind is ChannelKind.EMAIL:
        return ", ".join(material.to)[:500]
    if material.kind is ChannelKind.PAGERDUTY:
        return _PAGERDUTY
    return urlsplit(material.url or "").netloc[:500]
