"""A command and its result, as they stand on the wire, and what makes a command genuine.

Source: contracts/commands/README.md and its golden commands in v1.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final, cast

RESULT_PATH: Final = "/icp/commandResult"
CHANNEL_PATH: Final = "/icp/channel/"
_LINE_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Command:
    """A step that the server wants done; the texts are those that were signed, to the letter."""

    command_id: str
    runtime_id: str
    action: str
    name: str = ""
    package: str = ""
    payload: str = ""
    signature: str = ""

    def __str__(self) -> str:
        return printable(f"{self.action} {self.name} ({self.command_id})")


@dataclass(frozen=True)
class Result:
    """What came of a command."""

    command_id: str
    succeeded: bool
    http_status: int
    body: dict[str, object]


def read_command(item: object) -> Command | None:
    """A command of an answer or an event; None when it has no name to answer under."""
    members = cast("dict[str, object]", item) if isinstance(item, dict) else {}
    command_id, action = members.get("commandId"), members.get("action")
    if not isinstance(command_id, str) or not isinstance(action, str) or not command_id:
        return None
    target = members.get("targetArtifact")
    artifact = cast("dict[str, object]", target) if isinstance(target, dict) else {}
    return Command(
        command_id,
        _text(members.get("runtimeId")),
        action,
        _text(artifact.get("name")),
        _text(artifact.get("package")),
        _text(members.get("payload")),
        _text(members.get("signature")),
    )


def signature(key: bytes, command: Command) -> str:
    """Base64 of HMAC-SHA256 over what the command says.

    Raises: UnicodeEncodeError for text that has no UTF-8 form, which no server can have signed.
    """
    parts = (
        "v1",
        command.runtime_id,
        command.command_id,
        command.action,
        command.name,
        command.package,
        command.payload,
    )
    said = b"".join(b"%d:%b" % (len(octets), octets) for octets in (part.encode() for part in parts))
    return base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode("ascii")


def is_genuine(key: bytes, runtime_id: str, command: Command) -> bool:
    """Whether the holder of the secret gave this very command to this very runtime."""
    try:
        expected = signature(key, command).encode("ascii")
        given = command.signature.encode()
    except UnicodeEncodeError:
        return False
    return hmac.compare_digest(expected, given) and command.runtime_id == runtime_id


def encode_result(runtime_id: str, result: Result) -> bytes:
    """The message that tells what came of a command."""
    members = {
        "runtimeId": runtime_id,
        "commandId": result.command_id,
        "status": "COMPLETED" if result.succeeded else "FAILED",
        "httpStatus": result.http_status,
        "body": result.body,
    }
    # Escaped: names of loggers and files may hold lone surrogates, which have no UTF-8 form.
    return json.dumps(members, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def printable(text: str) -> str:
    """One line of at most 500 characters: what a server says ends in the program's log."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text[:2000]).split())
    return line if len(line) <= _LINE_LIMIT else f"{line[: _LINE_LIMIT - 1]}…"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
