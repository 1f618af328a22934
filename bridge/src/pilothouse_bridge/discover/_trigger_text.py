"""When a job runs, in words that people read."""

from datetime import datetime, timedelta
from typing import Any, Final

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_LONGEST: Final = 200


def trigger_text(trigger: Any) -> str:
    """``cron: 0 3 * * * (Europe/Paris)``, ``every 30 s``, ``once at 2027-01-31 03:00:00 UTC``; others by their own text."""
    describe = _KINDS.get(type(trigger).__name__)
    try:
        text = str(trigger) if describe is None else describe(trigger)
    except (AttributeError, KeyError, TypeError, ValueError):  # a class of the program that bears the same name
        text = str(trigger)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _cron(trigger: Any) -> str:
    fields = {field.name: str(field) for field in trigger.fields}
    text = " ".join(fields[name] for name in ("minute", "hour", "day", "month", "day_of_week"))
    # Five fields are what people know; a sixth in front is the second.
    prefix = "cron: " if fields["second"] == "0" else f"cron with seconds: {fields['second']} "
    more = "".join(f", {name} {fields[name]}" for name in ("week", "year") if fields[name] != "*")
    return f"{prefix}{text}{more} ({trigger.timezone}){_jitter(trigger)}"


def _interval(trigger: Any) -> str:
    return f"every {_duration(trigger.interval)}{_jitter(trigger)}"


def _once(trigger: Any) -> str:
    at: datetime = trigger.run_date
    return f"once at {at:%Y-%m-%d %H:%M:%S %Z}"


def _calendar(trigger: Any) -> str:
    parts = [
        f"{count} {unit if count > 1 else unit[:-1]}"
        for unit in ("years", "months", "weeks", "days")
        if (count := getattr(trigger, unit))
    ]
    hour, minute, second = trigger._time.hour, trigger._time.minute, trigger._time.second  # noqa: SLF001
    at = f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")
    return f"every {' '.join(parts)} at {at} ({trigger.timezone}){_jitter(trigger)}"


def _all_of(trigger: Any) -> str:
    return " and ".join(trigger_text(one) for one in trigger.triggers) + _jitter(trigger)


def _any_of(trigger: Any) -> str:
    return " or ".join(trigger_text(one) for one in trigger.triggers) + _jitter(trigger)


def _duration(interval: timedelta) -> str:
    seconds = interval.total_seconds()
    whole, rest = int(seconds), seconds % 1
    parts: list[str] = []
    for unit, size in _UNITS:
        count, whole = divmod(whole, size)
        if unit == "s" and (rest or not (count or parts)):
            parts.append(f"{count + rest:g} s")
        elif count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


def _jitter(trigger: Any) -> str:
    jitter: float | None = getattr(trigger, "jitter", None)
    return f", up to {jitter:g} s later" if jitter else ""


_KINDS: Final = {
    "CronTrigger": _cron,
    "IntervalTrigger": _interval,
    "DateTrigger": _once,
    "CalendarIntervalTrigger": _calendar,
    "AndTrigger": _all_of,
    "OrTrigger": _any_of,
}
