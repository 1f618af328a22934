"""Rules, channels and silences as they come from outside."""

from datetime import datetime

from pilothouse.api.graphql.views import Row
from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import Instant
from pilothouse.operations.alert_channels import ChannelWish
from pilothouse.operations.alert_rules import RuleWish
from pilothouse.operations.alert_silences import SilenceWish
from pilothouse.operations.explaining import PlaceNames

_AS_GIVEN = ("id", "name", "condition", "severity", "enabled", "critical_only", "threshold", "percentile")
_ALSO = ("window_s", "pattern", "for_s", "remind_s")


def rule_wish(given: Row) -> RuleWish:
    """Read a rule."""
    return RuleWish(
        **{name: given[name] for name in (*_AS_GIVEN, *_ALSO) if given.get(name) is not None},
        where=_where(given),
        levels=tuple(level.name for level in given.get("levels") or ()),
        channel_ids=tuple(given["channels"]),
    )


def channel_wish(given: Row) -> ChannelWish:
    """Read a channel."""
    to = given.get("to")
    return ChannelWish(
        id=given.get("id"),
        name=given["name"],
        kind=given["kind"],
        url=given.get("url"),
        signing_secret=given.get("signing_secret"),
        routing_key=given.get("routing_key"),
        to=None if to is None else tuple(to),
    )


def silence_wish(given: Row) -> SilenceWish:
    """Read a silence.

    Raises: InvalidInput
    """
    to_at = instant(given["to"], "to")
    if to_at is None:
        raise InvalidInput("A silence ends.", field="to", fix="Name an instant.")
    return SilenceWish(
        rule_id=given.get("rule"),
        where=_where(given),
        reason=given["reason"],
        from_at=instant(given.get("from"), "from"),
        to_at=to_at,
    )


def instant(value: object, field: str) -> Instant | None:
    """Read a DateTime.

    Raises: InvalidInput
    """
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        if read is not None and read.tzinfo is not None:
            return read.timestamp()
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"'{str(value)[:40]}' is not an instant.",
        field=field,
        fix='Write RFC 3339 with an offset, such as "2030-01-31T12:00:00Z".',
    )


def _where(given: Row) -> PlaceNames:
    return PlaceNames(**{name: given.get(name) for name in PlaceNames.__struct_fields__})
