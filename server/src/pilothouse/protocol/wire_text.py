"""The bytes of a body to text that can be decoded: clean of what no database takes, and mended where that is harmless.

All of it is linear in the body's length and runs in the interpreter's own loops, so that the largest body that the port
takes costs milliseconds, whatever is in it.

Source: contracts/README.md.
"""

import json
import math
import re
from typing import Final, NoReturn

from pilothouse.protocol.wire_values import INTEGER_MAX

MENDED_BYTES_MAX: Final = 1024 * 1024
"""Numbers beyond every range are mended in documents up to this size; a larger one that holds such a number is refused."""

_ESCAPED_BACKSLASH: Final = "\\\\"
_ESCAPE_CUT: Final = re.compile(r"\\u[0-9A-Fa-f]{0,3}\\u0000")
"""Another escape that is not at its end when that of NUL begins."""
_ESCAPED_NUL: Final = "\\u0000"
_HIGH: Final = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE: Final = re.compile(rf"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}")


def read_body(body: bytes) -> str:
    """Decode all of a body, since the JSON decoder does not look into what it skips, and remove NUL characters.

    Raises: UnicodeDecodeError
    """
    text = body.decode()
    if _ESCAPED_NUL not in text:
        return text
    # Between escaped backslashes every other backslash begins an escape: what looks like one there is one.
    parts = text.split(_ESCAPED_BACKSLASH)
    if any(_ESCAPE_CUT.search(part) for part in parts):
        return text  # that is no JSON, and must not become some
    return _ESCAPED_BACKSLASH.join([part.replace(_ESCAPED_NUL, "") for part in parts])


def replace_lone_surrogates(text: str) -> str:
    """Replace escapes of half a character by `?`; no decoder takes them."""
    return _ESCAPED_BACKSLASH.join([_LONE_SURROGATE.sub("?", part) for part in text.split(_ESCAPED_BACKSLASH)])


def drop_endless_numbers(text: str) -> bytes:
    """Rewrite JSON that is well formed, but holds a number beyond every range: null stands for it then.

    Raises: ValueError, RecursionError
    """
    if len(text) > MENDED_BYTES_MAX:
        raise ValueError(MENDED_BYTES_MAX)
    document = json.loads(text, parse_int=_integer_or_none, parse_float=_float_or_none, parse_constant=_no_constant)
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _integer_or_none(digits: str) -> int | None:
    return int(digits) if len(digits) < len(str(INTEGER_MAX)) else None


def _float_or_none(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
