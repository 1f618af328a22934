"""What `pilothouse try` sends: path, headers and body, from what was typed."""

import base64
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from pilothouse.client.errors import Misused
from pilothouse.client.openapi import Operation

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

_NOT_SENT_AS_IT_IS: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|[^!\"$-~]")
_JSON_TYPE: Final = re.compile(r"[/+]json\b", re.IGNORECASE)


def encoded_path(path: str) -> str:
    """Encode what may not stand in an address, and leave what is encoded already."""
    return _NOT_SENT_AS_IT_IS.sub(lambda found: quote(found[0], safe="", errors="surrogateescape"), path)


def content_of(asked: Operation | None, headers: Sequence[str], data: str | None) -> Json:
    """Make headers and body: the body has a type unless one is given, the operation's where its definition tells.

    Raises: Misused
    """
    told = [_header(each) for each in headers]
    if data is None:
        return {"headers": told}
    body = _bytes(data)
    if not any(each["name"].lower() == "content-type" for each in told):
        types = [] if asked is None else [each.type for each in asked.bodies]
        told.insert(0, {"name": "Content-Type", "value": _type(body, types)})
    text = _text(body)
    return {"headers": told, **({"bodyBase64": base64.b64encode(body).decode()} if text is None else {"body": text})}


def _header(given: str) -> Json:
    name, colon, value = given.partition(":")
    if not colon or not name.strip():
        raise Misused(f"--header: '{given}' is no header.", fix="Write `Name: value`.")
    return {"name": name.strip(), "value": value.strip()}


def _bytes(data: str) -> bytes:
    try:
        if data == "-":
            return sys.stdin.buffer.read()
        return Path(data[1:]).read_bytes() if data.startswith("@") else data.encode(errors="surrogateescape")
    except OSError as error:
        raise Misused(f"--data: {data[1:]} cannot be read: {error.strerror}.", fix="Name a file.") from error


def _type(body: bytes, types: Sequence[str]) -> str:
    """Tell the type of a body: JSON where it is some, else the first that the operation takes, else text or octets."""
    if _is_json(body):
        return next((each for each in types if _JSON_TYPE.search(each)), types[0] if types else "application/json")
    other = next((each for each in types if not _JSON_TYPE.search(each)), None)
    return other or ("application/octet-stream" if _text(body) is None else "text/plain; charset=utf-8")


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
