"""Values as people write them, checked: each failure names the field, the place where it was written, and the fix."""

import math
import re
from typing import cast

from pilothouse_bridge._sources import Found, Layer
from pilothouse_bridge.errors import FieldInvalidError

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def optional_text(found: Layer, field: str) -> str | None:
    """Text without the spaces around it; None where there is none.

    Raises: FieldInvalidError.
    """
    entry = found.get(field)
    if entry is None:
        return None
    if not isinstance(entry.value, str):
        kind = type(entry.value).__name__
        raise FieldInvalidError(field, entry.origin, f"must be text, not {kind}", f'write {field} = "..." with quotes')
    text = entry.value.strip()
    if re.fullmatch(r"<[^<>]*>", text):
        raise FieldInvalidError(
            field, entry.origin, "is still the placeholder of the snippet", f"put the real value in place of {text}"
        )
    return text or None


def boolean(found: Layer, field: str) -> bool:
    """True or false, from a place that holds text only also by the usual words.

    Raises: FieldInvalidError.
    """
    entry = found[field]
    value = _as_boolean(entry)
    if value is None:
        raise FieldInvalidError(field, entry.origin, "must be true or false", f"write {field} = true, without quotes")
    return value


def switch(found: Layer, field: str) -> bool | None:
    """True, false, or None for the word "auto".

    Raises: FieldInvalidError.
    """
    entry = found[field]
    if isinstance(entry.value, str) and entry.value.strip().lower() == "auto":
        return None
    value = _as_boolean(entry)
    if value is None:
        raise FieldInvalidError(field, entry.origin, 'must be true, false or "auto"', f"write {field} = true")
    return value


def number(found: Layer, field: str, least: float, most: float) -> float:
    """A number between two bounds, both allowed.

    Raises: FieldInvalidError.
    """
    entry = found[field]
    value = entry.value
    if entry.text_only:
        try:
            value = float(cast("str", value))
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FieldInvalidError(field, entry.origin, "must be a number", f"write {field} = {least:g}, without quotes")
    if not least <= value <= most:
        raise FieldInvalidError(
            field, entry.origin, f"must lie between {least:g} and {most:g}", "leave it out to have the default"
        )
    return float(value)


def _as_boolean(entry: Found) -> bool | None:
    if isinstance(entry.value, bool):
        return entry.value
    if entry.text_only:
        word = str(entry.value).lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    return None
