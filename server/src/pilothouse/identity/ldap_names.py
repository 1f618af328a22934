"""Names in filters and in distinguished names: written so that they stay values, and read back. Pure.

Source: RFC 4514 (distinguished names), RFC 4515 (filters).
"""

import re
import string
from typing import Final

_PLAIN: Final = frozenset((string.ascii_letters + string.digits).encode())
_ESCAPED: Final = re.compile(rb"\\([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
_RDN_END: Final = re.compile(r"(?<!\\)(?:\\\\)*[,;+]")


def escaped(value: str) -> str:
    r"""Write a value for a filter or a DN: every octet but letters and digits as `\xx`, which both of them read alike.

    Raises: UnicodeEncodeError for half of a surrogate pair
    """
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in value.encode())


def filled(template: str, *values: str) -> str:
    """Put values in the place of `{0}`, `{1}` …; escaped, so that none of them can hold another's place."""
    for place, value in enumerate(values):
        template = template.replace(f"{{{place}}}", escaped(value))
    return template


def name_of(dn: str) -> str:
    """Give the value of a DN's first part: `operators` of `cn=operators,ou=groups,dc=example`."""
    _, _, value = _parts(dn)[0].partition("=")
    return _unescaped(value.strip())


def is_below(dn: str, base: str) -> bool:
    """Tell whether an entry stands below a base."""
    parts, above = _comparable(dn), _comparable(base)
    return len(parts) > len(above) and parts[-len(above) :] == above


def _comparable(dn: str) -> list[str]:
    return [
        f"{kind.strip()}={_unescaped(value.strip())}".lower()
        for kind, _, value in (part.partition("=") for part in _parts(dn))
    ]


def _parts(dn: str) -> list[str]:
    parts: list[str] = []
    begin = 0
    for end in _RDN_END.finditer(dn):
        parts.append(dn[begin : end.end() - 1])
        begin = end.end()
    return [*parts, dn[begin:]]


def _unescaped(value: str) -> str:
    """Take the escapes out; octets that are no text are shown as a question mark in a diamond."""
    octets = _ESCAPED.sub(
        lambda found: bytes([int(found[1], 16)]) if found[1] else found[2], value.encode(errors="replace")
    )
    return octets.decode(errors="replace")
