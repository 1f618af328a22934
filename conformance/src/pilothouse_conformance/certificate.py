"""A self-signed certificate for one hour, made with nothing but the standard library: ECDSA over P-256, X.509 in DER.

It secures the fake of MI's management API during a run and nothing else; its arithmetic is not in constant time.
Source: SEC 1 (EC keys and ECDSA), SEC 2 section 2.4.2 (P-256), RFC 5280 (certificates), RFC 5915 (keys).
"""

import base64
import hashlib
import ipaddress
import secrets
import time
from datetime import UTC, datetime

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_A = _P - 3
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_SIZE = 32
_ECDSA_SHA256 = bytes.fromhex("06082a8648ce3d040302")
_EC_KEY = bytes.fromhex("06072a8648ce3d0201")
_CURVE = bytes.fromhex("06082a8648ce3d030107")
_COMMON_NAME = bytes.fromhex("0603550403")
_ALTERNATIVE_NAMES = bytes.fromhex("0603551d11")
_LASTS_S = 3_600

_Point = tuple[int, int] | None


def self_signed(host: str) -> str:
    """Make key and certificate for a host name or address, in one PEM text."""
    private = secrets.randbelow(_N - 1) + 1
    public = b"\x04" + b"".join(part.to_bytes(_SIZE) for part in _times(private, _G) or (0, 0))
    algorithm = _sequence(_ECDSA_SHA256)
    name = _sequence(_der(0x31, _sequence(_COMMON_NAME, _der(0x0C, b"conformance fake"))))
    now = time.time()
    body = _sequence(
        _der(0xA0, _der(0x02, b"\x02")),
        _integer(secrets.randbits(63) + 1),
        algorithm,
        name,
        _sequence(_time(now - 3_600), _time(now + _LASTS_S)),
        name,
        _sequence(_sequence(_EC_KEY, _CURVE), _bits(public)),
        _der(0xA3, _sequence(_sequence(_ALTERNATIVE_NAMES, _der(0x04, _sequence(_subject(host)))))),
    )
    certificate = _sequence(body, algorithm, _bits(_sign(private, body)))
    key = _sequence(
        _der(0x02, b"\x01"), _der(0x04, private.to_bytes(_SIZE)), _der(0xA0, _CURVE), _der(0xA1, _bits(public))
    )
    return _pem("EC PRIVATE" + " KEY", key) + _pem("CERTIFICATE", certificate)


def _sign(private: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest())
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        point = _times(nonce, _G)
        r = point[0] % _N if point else 0
        s = pow(nonce, -1, _N) * (digest + r * private) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


def _times(factor: int, point: _Point) -> _Point:
    total: _Point = None
    while factor:
        if factor & 1:
            total = _plus(total, point)
        point, factor = _plus(point, point), factor >> 1
    return total


def _plus(left: _Point, right: _Point) -> _Point:
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    rise, run = (3 * x1 * x1 + _A, 2 * y1) if left == right else (y2 - y1, x2 - x1)
    slope = rise * pow(run, -1, _P) % _P
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P


def _subject(host: str) -> bytes:
    try:
        return _der(0x87, ipaddress.ip_address(host).packed)
    except ValueError:
        return _der(0x82, host.encode("idna"))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - DER's short form
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _bits(content: bytes) -> bytes:
    return _der(0x03, b"\x00" + content)


def _time(at: float) -> bytes:
    return _der(0x17, datetime.fromtimestamp(at, UTC).strftime("%y%m%d%H%M%SZ").encode())


def _pem(kind: str, content: bytes) -> str:
    text = base64.b64encode(content).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"
