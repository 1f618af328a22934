"""Answers of the telemetry intake, as OpenTelemetry's protocol wants them: in protobuf or JSON, as was asked.

Source: OpenTelemetry, "OTLP Specification", section "OTLP/HTTP Response"; google.rpc.Status.
"""

import math
import zlib
from typing import Final

import msgspec

from pilothouse.base.errors import PilothouseError, Refused, StorageFull
from pilothouse.domain.refusals import KeyExpired, KeyRevoked, KeyRevoking, KeyUnknown
from pilothouse.protocol.exchange import Outbound
from pilothouse.protocol.token import TokenError
from pilothouse.telemetry.errors import StoreBusy
from pilothouse.telemetry.intake import Refusals
from pilothouse.telemetry.otlp.errors import OtlpTooMuch, OtlpUnreadable

_RETRY_AFTER_S: Final = 5
_RETRY_WHEN_FULL_S: Final = 60
_PROTOBUF: Final = (("content-type", "application/x-protobuf"),)
_REASON_CHARACTERS_MAX: Final = 500
_GZIP_MEMBERS_MAX: Final = 256
"""Packed pieces one behind the other; each costs a copy of all that follow, even when it is empty."""


class IngestTokenRefused(Refused):
    """There is no such ingest token, or it expired or was revoked."""

    code = "INGEST_TOKEN_REFUSED"


class SecretNotBound(Refused):
    """The secret belongs to no integration yet: its runtime has not sent a heartbeat."""

    code = "SECRET_NOT_BOUND"


class Packed(Refused):
    """The body does not unpack."""

    code = "BODY_NOT_UNPACKABLE"


class UnpackedTooLarge(Refused):
    """The body is larger than allowed once it is unpacked."""

    code = "BODY_TOO_LARGE"


class MediaTypeUnknown(Refused):
    """The body is neither protobuf nor JSON, or is packed in another way than gzip."""

    code = "MEDIA_TYPE_UNKNOWN"


_STATUS: Final[dict[type[PilothouseError], tuple[int, int]]] = {
    TokenError: (401, 16),
    IngestTokenRefused: (401, 16),
    KeyUnknown: (401, 16),
    KeyRevoked: (401, 16),
    KeyRevoking: (401, 16),
    KeyExpired: (401, 16),
    SecretNotBound: (503, 14),
    OtlpUnreadable: (400, 3),
    Packed: (400, 3),
    UnpackedTooLarge: (413, 11),
    OtlpTooMuch: (413, 11),
    MediaTypeUnknown: (415, 3),
    StoreBusy: (429, 8),
}
"""HTTP status and gRPC code; what is not here is our own trouble."""
_OURS: Final = (503, 14)


def taken(refusals: Refusals, sort: str, *, json: bool) -> Outbound:
    """Say what was taken, and what of it was not."""
    count, reason = refusals.records, refusals.reason[:_REASON_CHARACTERS_MAX]
    if json:
        member = {"logs": "rejectedLogRecords", "metrics": "rejectedDataPoints", "traces": "rejectedSpans"}[sort]
        partial = {"partialSuccess": {member: str(count), "errorMessage": reason}} if count else {}
        return Outbound(200, msgspec.json.encode(partial))
    body = _field(1, _varint(1 << 3) + _varint(count) + _field(2, reason.encode())) if count else b""
    return Outbound(200, body, _PROTOBUF)


def refused(error: PilothouseError, *, json: bool) -> Outbound:
    """Say why nothing was taken; whoever may come again is told when."""
    status, grpc = _OURS
    for kind in type(error).__mro__:
        if kind in _STATUS:
            status, grpc = _STATUS[kind]
            break
    headers: tuple[tuple[str, str], ...] = ()
    if status in {429, 503}:
        headers = (("retry-after", str(_wait_s(error))),)
    elif status == 401:  # noqa: PLR2004 - HTTP's number
        headers = (("www-authenticate", "Bearer"),)
    told = f"{error.code}: {error.message} {error.fix}".rstrip()
    if json:
        return Outbound(status, msgspec.json.encode({"code": grpc, "message": told}), headers)
    return Outbound(status, _varint(1 << 3) + _varint(grpc) + _field(2, told.encode()), _PROTOBUF + headers)


def _wait_s(error: PilothouseError) -> int:
    if isinstance(error, StoreBusy):
        return max(1, math.ceil(error.wait_s))
    return _RETRY_WHEN_FULL_S if isinstance(error, StorageFull) else _RETRY_AFTER_S


def _field(number: int, octets: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(octets)) + octets


def _varint(number: int) -> bytes:
    octets = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits an octet
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def gunzip(body: bytes, limit_bytes: int) -> bytes:
    """Unpack, never more than is allowed.

    Raises: UnpackedTooLarge, Packed
    """
    parts: list[bytes] = []
    left = limit_bytes
    for _ in range(_GZIP_MEMBERS_MAX):
        if not body:
            break
        unpacker = zlib.decompressobj(wbits=31)
        try:
            part = unpacker.decompress(body, left + 1)
        except zlib.error as error:
            raise Packed(f"The body does not unpack: {error}.", fix="Look at the exporter or at a proxy.") from None
        left -= len(part)
        if left < 0:
            raise UnpackedTooLarge(
                f"The body is larger than {limit_bytes} bytes once it is unpacked.", fix="Send smaller batches."
            )
        if not unpacker.eof:
            raise Packed("The body ends before its end.", fix="Look at the exporter or at a proxy.")
        parts.append(part)
        body = unpacker.unused_data
    if body:
        raise Packed("The body is packed in too many pieces.", fix="Pack it as one.")
    return parts[0] if len(parts) == 1 else b"".join(parts)
