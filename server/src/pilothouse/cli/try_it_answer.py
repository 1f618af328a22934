"""What `pilothouse try` writes: the service's body as it came, and beside it status, headers, time and trace."""

import base64
import re
import sys
from typing import Any, Final

from pilothouse.cli.output import Form, Output, clean
from pilothouse.client.errors import Failed

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

_FAILED_FROM: Final = 400
_CHARSET: Final = re.compile(r"charset=\"?([A-Za-z0-9._-]{1,40})")
_CUT: Final = {
    "SIZE": "it is larger than what the control plane reads",
    "TIME": "the service had not ended it when the time was over",
    "CONNECTION": "the connection ended before it did",
}


def write_answer(out: Output, answer: Json) -> None:
    """Write what a service answered.

    Raises: Failed if it answered that it did not do it, or its answer is not whole
    """
    if out.form is Form.TABLE:
        out.note(f"{answer['status']} {answer['reason']}".rstrip())
        for header in answer["headers"]:
            out.note(f"{header['name']}: {header['value']}")
        trace = f", trace {answer['traceId']}" if answer["traceId"] else ""
        out.note(f"\N{BLACK RIGHT-POINTING SMALL TRIANGLE} {answer['wholeMs']:g} ms, by {answer['address']}{trace}")
        _write_body(out, answer)
    else:
        out.data(answer)
    _judge(answer)


def write_text(out: Output, text: str) -> None:
    """Write text of several lines, with nothing in it that could steer a terminal."""
    out.console.file.write("".join(f"{_shown(line)}\n" for line in text.splitlines()))
    out.console.file.flush()


def _write_body(out: Output, answer: Json) -> None:
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.write(_octets(answer))
        sys.stdout.buffer.flush()
    elif answer["bodyIsBase64"]:
        out.note(f"The body is no text, {answer['sizeBytes']} octets: let `> FILE` take it.")
    else:
        write_text(out, answer["body"])


def _octets(answer: Json) -> bytes:
    """Give the body as it came: what was read as text is written in the same charset."""
    if answer["bodyIsBase64"]:
        return base64.b64decode(answer["body"])
    types = [each["value"] for each in answer["headers"] if each["name"].lower() == "content-type"]
    named = _CHARSET.search(types[0]) if types else None
    try:
        return str(answer["body"]).encode(named[1] if named else "utf-8")
    except (LookupError, UnicodeEncodeError):
        return str(answer["body"]).encode()


def _shown(line: str) -> str:
    return "\t".join(clean(part) for part in line.split("\t"))


def _judge(answer: Json) -> None:
    fix = f"What it led to: `pilothouse traces show {answer['traceId']}`." if answer["traceId"] else ""
    if answer["status"] >= _FAILED_FROM:
        raise Failed(f"The service answered {answer['status']} {answer['reason']}".rstrip() + ".", fix=fix)
    if answer["cut"] is not None:
        raise Failed(f"The body is not whole: {_CUT.get(answer['cut'], answer['cut'])}.", fix=fix)
