"""Reading OpenTelemetry's JSON whatever its octets."""

from typing import TypeVar

import msgspec

from pilothouse.telemetry.otlp.errors import OtlpUnreadable

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    """Read JSON; text in it that is not UTF-8 becomes U+FFFD.

    Raises: OtlpUnreadable
    """
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
