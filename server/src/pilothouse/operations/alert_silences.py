"""Silences: times in which nobody is told, made by who may manage alerts in their place."""

from typing import Final

import msgspec

from pilothouse.access.grants import Subject, reach, require
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.operations import alert_rules
from pilothouse.operations.alert_rules import MANAGE, VIEW
from pilothouse.operations.audit import audit
from pilothouse.operations.explaining import PlaceNames, find_scope
from pilothouse.reconcile.alerts import Silence
from pilothouse.storage import alert_silences
from pilothouse.storage.alert_silences import SilenceRow
from pilothouse.storage.unit import Connection, Transaction

SILENCES_MAX: Final = 500
DAYS_MAX: Final = 366
_REASON_MAX: Final = 500


class SilenceWish(msgspec.Struct, frozen=True, kw_only=True):
    """A silence as somebody wants it."""

    rule_id: str | None = None
    where: PlaceNames = PlaceNames()
    reason: str
    from_at: Instant | None = None
    """None: from now on."""
    to_at: Instant


def add(tx: Transaction, subject: Subject, wish: SilenceWish, now: Instant) -> SilenceRow:
    """Begin a silence. One for a rule may lie in a part of the rule's place.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict when there are too many
    """
    place = find_scope(tx.connection, subject, wish.where).place
    if wish.rule_id is not None:
        rule = alert_rules.find(tx.connection, subject, wish.rule_id).rule
        if place == type(place)():
            place = rule.place
    require(subject, MANAGE, at=place)
    reason = wish.reason.strip()
    if not 1 <= len(reason) <= _REASON_MAX or not reason.isprintable():
        raise InvalidInput(
            f"The reason has 1 to {_REASON_MAX} printable characters.",
            field="reason",
            fix="Say why nobody needs to be told, for those who wonder later.",
        )
    from_at = now if wish.from_at is None else max(now, wish.from_at)
    if not from_at < wish.to_at <= from_at + DAYS_MAX * 86_400:
        raise InvalidInput(
            f"A silence ends after it begins, and within {DAYS_MAX} days.", field="to", fix="Name a later instant."
        )
    if alert_silences.count_now(tx.connection, now) >= SILENCES_MAX:
        raise Conflict(f"There are {SILENCES_MAX} silences already.", fix="End those that nobody needs.")
    silence = Silence(place=place, rule_id=wish.rule_id, from_at=from_at, to_at=wish.to_at)
    id_ = new_id()
    alert_silences.add(
        tx.connection, subject.organization_id, id_, silence, reason=reason, by=subject.username, now=now
    )
    after = {"rule": wish.rule_id, "from": to_rfc3339(from_at), "to": to_rfc3339(wish.to_at)}
    audit(tx, subject, "alert-silence.create", id_, now, reason, after=after, at=place)
    return find(tx.connection, subject, id_)


def end(tx: Transaction, subject: Subject, silence_id: str, now: Instant) -> SilenceRow:
    """End a silence; of one that has ended nothing changes.

    Raises: NotPermitted, NotFound
    """
    found = find(tx.connection, subject, silence_id)
    require(subject, MANAGE, at=found.silence.place)
    if found.silence.to_at > now:
        alert_silences.end(tx.connection, silence_id, now)
        audit(tx, subject, "alert-silence.end", silence_id, now, found.reason, at=found.silence.place)
    return find(tx.connection, subject, silence_id)


def find(connection: Connection, subject: Subject, silence_id: str) -> SilenceRow:
    """Find a silence that somebody may see.

    Raises: NotFound
    """
    found = alert_silences.find(connection, reach(subject, VIEW), silence_id)
    if found is None:
        raise NotFound("There is no such silence.", field="id", fix="Look at the list of silences.")
    return found
