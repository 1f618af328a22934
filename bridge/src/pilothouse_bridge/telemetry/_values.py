"""Values of attributes: taken down at once, because the program may change them, and freed of secrets when they are sent."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

TEXT_LIMIT: Final = 8_192
ITEM_LIMIT: Final = 64
DEPTH_LIMIT: Final = 4
HIDDEN: Final = "[hidden]"
_INT_LIMIT: Final = 2**63
_SECRET_NAME: Final = re.compile(
    r"(?i)(^|[^a-z])(pass(word|wd|phrase)?|pwd|secrets?|tokens?|authorization|credentials?|cookies?|private.?key|api.?key|jwt)"
    r"($|[^a-z])|(password|secret|token|authorization|apikey|api_key|cookie|credential)$"
)
_SPOKEN_SECRET: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*")


def taken_down(value: object, depth: int = 0) -> object:
    """A copy made of text, numbers, lists and dicts, of bounded size; never raises."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return cut(str(value), TEXT_LIMIT)
    if isinstance(value, int):
        return int(value) if -_INT_LIMIT <= value < _INT_LIMIT else str(value)
    try:
        return _composite(value, depth)
    except Exception as error:  # noqa: BLE001 - the program's own __str__ and __iter__ run here
        return f"({type(value).__name__}: {type(error).__name__} while it was written)"


def _composite(value: object, depth: int) -> object:
    if isinstance(value, bytes | bytearray):
        return cut(bytes(value[:TEXT_LIMIT]).decode("utf-8", "replace"), TEXT_LIMIT)
    if depth < DEPTH_LIMIT:
        if isinstance(value, Mapping):
            members = list(cast("Mapping[object, object]", value).items())[:ITEM_LIMIT]
            return {str(key): taken_down(one, depth + 1) for key, one in members}
        if isinstance(value, list | tuple | set | frozenset):
            return [taken_down(one, depth + 1) for one in list(cast("list[object]", value))[:ITEM_LIMIT]]
    return cut(str(value), TEXT_LIMIT)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and how much is missing."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more)"


def size_of(value: object) -> int:
    """About how many bytes it takes."""
    if isinstance(value, str):
        return len(value) + 16
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return 16 + sum(len(key) + size_of(one) for key, one in members.items())
    if isinstance(value, list):
        return 16 + sum(size_of(one) for one in cast("list[object]", value))
    return 16


def is_secret_name(name: str) -> bool:
    """Whether what bears this name is not to be sent."""
    return _SECRET_NAME.search(name) is not None


def without_secrets(name: str, value: object) -> object:
    """The value as it may be sent."""
    if is_secret_name(name):
        return HIDDEN
    if isinstance(value, str):
        return text_without_secrets(value)
    if isinstance(value, dict):
        return {key: without_secrets(key, one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [without_secrets("", one) for one in cast("list[object]", value)]
    return value


def text_without_secrets(text: str) -> str:
    """The text without the credentials of an Authorization header."""
    if "earer" in text or "asic" in text or "EARER" in text or "ASIC" in text:
        return _SPOKEN_SECRET.sub(lambda match: f"{match[1]} {HIDDEN}", text)
    return text
