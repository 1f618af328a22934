"""The mail server that notices are handed to, as a setting names it."""

from enum import StrEnum, unique
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.base.hosts import Address, read_host_name
from pilothouse.notify.mailboxes import is_mail_address

_PORTS: Final = {"smtp": 587, "smtps": 465}
_FORM: Final = "Write smtp://user:password@host:587 or smtps://user:password@host; a `@` in user or password as %40."


@unique
class Encryption(StrEnum):
    """When the line to a mail server is encrypted."""

    FROM_THE_START = "smtps"
    STARTTLS = "require"
    NEVER = "never"


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed in. Its repr tells no password."""

    host: str
    port: int
    encryption: Encryption
    sender: str
    """The address that notices come from."""
    user: str | None = None
    password: str = ""

    def __repr__(self) -> str:
        """Tell where it is, and no more."""
        return f"MailServer({self.host}:{self.port})"


def read_mail_server(url: str, sender: str) -> MailServer:
    """Read `smtp://user:password@host:587?starttls=require|never` or `smtps://…`; STARTTLS is required unless it is said.

    The message of an error never holds the URL: a password is in it.

    Raises: InvalidInput
    """
    if not is_mail_address(sender):
        raise InvalidInput("The sender of e-mail is one address.", field="from", fix="Write pilothouse@example.com.")
    try:
        parts = urlsplit(url)
        host = read_host_name(parts.hostname or "")
        port = parts.port or _PORTS[parts.scheme]
        options = dict(parse_qsl(parts.query, strict_parsing=True) if parts.query else [])
    except (ValueError, KeyError):
        raise _invalid("It is not the URL of a mail server.") from None
    if host is None or parts.path not in ("", "/") or parts.fragment:
        raise _invalid("It is not the URL of a mail server.")
    encryption = _encryption(parts.scheme, options)
    user = None if parts.username is None else unquote(parts.username)
    password = unquote(parts.password or "")
    spoken = f"{user or ''}{password}"
    if not (spoken.isprintable() and spoken.isascii()):
        raise _invalid("User and password are printable ASCII.")
    if user is not None and encryption is Encryption.NEVER and not _is_loopback(host):
        raise _invalid("A password is never sent over a line that is not encrypted.")
    return MailServer(host=str(host), port=port, encryption=encryption, sender=sender, user=user, password=password)


def _encryption(scheme: str, options: dict[str, str]) -> Encryption:
    wish = options.pop("starttls", None)
    if options:
        raise _invalid("It has one option, `starttls`.")
    if scheme == "smtps":
        if wish is not None:
            raise _invalid("smtps encrypts from the start: it has no `starttls`.")
        return Encryption.FROM_THE_START
    if wish not in (None, "require", "never"):
        raise _invalid("`starttls` is `require` or `never`.")
    return Encryption.NEVER if wish == "never" else Encryption.STARTTLS


def _is_loopback(host: str | Address) -> bool:
    return host == "localhost" if isinstance(host, str) else host.is_loopback


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, fix=_FORM)
