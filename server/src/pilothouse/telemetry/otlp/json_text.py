"""Reading OpenTelemetry's JSON whatever its octets."""

import re
from typing import Final, TypeVar

import msgspec

from pilothouse.telemetry.otlp.effort import OBJECTS_MAX
from pilothouse.telemetry.otlp.errors import OtlpTooMuch, OtlpUnreadable

T = TypeVar("T")
_AN_OBJECT: Final = re.compile(rb"[\[,:]\s*\{")
"""Where one begins; in text there may be braces as many as one likes."""


def decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """Read JSON; text in it that is not UTF-8 becomes U+FFFD.

    Raises: OtlpTooMuch, OtlpUnreadable
    """
    if raw.count(b"{") > OBJECTS_MAX and len(_AN_OBJECT.findall(raw)) > OBJECTS_MAX:
        raise OtlpTooMuch(f"{OBJECTS_MAX} objects of JSON")
    try:
        try:
            return decoder.decode(raw)
        except (UnicodeDecodeError, msgspec.DecodeError):
            mended = raw.decode("utf-8", "replace").encode()
            if mended == raw:
                raise
            return decoder.decode(mended)
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        raise OtlpUnreadable(str(error)[:200]) from None
    except RecursionError:
        raise OtlpUnreadable("values lie too deep within one another") from None
