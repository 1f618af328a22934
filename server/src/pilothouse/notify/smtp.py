"""Handing mail to a server, in threads of its own: the standard library's client waits for every answer."""

import asyncio
import base64
import smtplib
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import EmailMessage
from typing import Final, final

from pilothouse.base.hosts import shown
from pilothouse.notify.errors import NotDelivered
from pilothouse.notify.mail_server import Encryption, MailServer
from pilothouse.notify.notice import one_line

THREADS: Final = 4
_STEP_S: Final = 10.0
"""For one answer of the server."""
_FAREWELL_S: Final = 1.0
_ANSWER_CHARS_MAX: Final = 150


@final
class MailRoom:
    """Sends mail through one server."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext, whole_s: float) -> None:
        self._server = server
        self._tls = tls
        self._whole_s = whole_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pilothouse-mail")

    async def send(self, message: EmailMessage, to: Sequence[str]) -> None:
        """Hand in one message.

        Raises: NotDelivered
        """
        attempt = _Attempt(self._server, self._tls, message, to)
        try:
            under_way = asyncio.get_running_loop().run_in_executor(self._threads, attempt.run)
        except RuntimeError:
            raise NotDelivered("The control plane is shutting down.", retry=True) from None
        try:
            async with asyncio.timeout(self._whole_s):
                await under_way
        except TimeoutError:
            if attempt.is_taken:
                return
            raise NotDelivered(
                f"The mail server {self._server.host} did not take it within {self._whole_s:g} s.", retry=True
            ) from None
        finally:
            attempt.cut()

    def close(self) -> None:
        """Take no more; what waits for the server is bounded and ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


@final
class _Attempt:
    """One conversation with the server."""

    def __init__(self, server: MailServer, tls: ssl.SSLContext, message: EmailMessage, to: Sequence[str]) -> None:
        self._server = server
        self._tls = tls
        self._message = message
        self._to = list(to)
        self._line: smtplib.SMTP | None = None
        self._is_cut = False
        self.is_taken = False
        """Whether the server took the message, for those of its recipients that it takes mail for."""
        self._where = f"The mail server {shown(server.host)}"

    def cut(self) -> None:
        """End the conversation from outside: whoever waited has been told that it failed, or is done."""
        self._is_cut = True
        opened = None if self._line is None else self._line.sock
        if opened is not None:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Talk to the server.

        Raises: NotDelivered
        """
        try:
            refused = self._deliver()
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refused(error.recipients, told=0) from None
        except smtplib.SMTPException as error:
            raise self._of_server(error) from None
        except (OSError, ValueError) as error:
            raise self._of_line(error) from None
        if refused:
            raise self._refused(refused, told=len(self._to) - len(refused))

    def _deliver(self) -> dict[str, tuple[int, bytes]]:
        self._line = line = self._open()
        try:
            if self._server.encryption is Encryption.STARTTLS:
                line.starttls(context=self._tls)
            if self._server.user is not None:
                line.login(self._server.user, self._server.password)
            if self._is_cut:
                raise smtplib.SMTPServerDisconnected
            refused = line.send_message(self._message, self._server.sender, self._to)
            self.is_taken = True
            # The farewell is a courtesy: however it goes, the message was taken, and is not to be sent again.
            with suppress(smtplib.SMTPException, OSError, ValueError):
                if line.sock is not None:
                    line.sock.settimeout(_FAREWELL_S)
                line.quit()
        finally:
            line.close()
        return refused

    def _open(self) -> smtplib.SMTP:
        host, port, name = self._server.host, self._server.port, _own_name()
        if self._server.encryption is Encryption.FROM_THE_START:
            return smtplib.SMTP_SSL(host, port, local_hostname=name, timeout=_STEP_S, context=self._tls)
        return smtplib.SMTP(host, port, local_hostname=name, timeout=_STEP_S)

    def _of_server(self, error: smtplib.SMTPException) -> NotDelivered:
        """Say what an answer of the server means; permanent ones begin with a 5."""
        match error:
            case smtplib.SMTPAuthenticationError(smtp_code=code):
                reason, retry = f"does not take user and password ({code})", not _is_permanent(code)
            case smtplib.SMTPNotSupportedError():
                reason, retry = f"does not offer what is needed: {self._needs()}", False
            case smtplib.SMTPResponseException(smtp_code=code, smtp_error=text):
                reason, retry = f"answered {self._answer(code, text)}", not _is_permanent(code)
            case _:
                reason, retry = "ended the conversation", True
        return NotDelivered(f"{self._where} {reason}.", retry=retry)

    def _of_line(self, error: OSError | ValueError) -> NotDelivered:
        """Say what a line that broke means: all of it may pass."""
        match error:
            case ssl.SSLCertVerificationError(verify_message=message):
                reason = f"has a certificate that is not trusted: {one_line(message.rstrip('.'), _ANSWER_CHARS_MAX)}"
            case ssl.SSLError():
                reason = "does not speak TLS as it should"
            case TimeoutError():
                reason = "does not answer"
            case OSError(strerror=words):
                told = one_line((words or "no connection").lower(), _ANSWER_CHARS_MAX)
                reason = f"cannot be reached on port {self._server.port}: {told}"
            case _:
                reason = "does not speak SMTP as it should"
        return NotDelivered(f"{self._where} {reason}.", retry=True)

    def _refused(self, refused: dict[str, tuple[int, bytes]], *, told: int) -> NotDelivered:
        """Say whom the server does not take mail for. Once somebody was told, nobody is told again."""
        address, (code, text) = next(iter(refused.items()))
        others = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        rest = f"; the other {told} were told" if told else ""
        reason = f"{self._where} does not take mail for {address}{others}: {self._answer(code, text)}{rest}."
        return NotDelivered(reason, retry=not told and not all(_is_permanent(each) for each, _ in refused.values()))

    def _answer(self, code: int, text: bytes | str) -> str:
        """Show what the server said, unless it repeats what is secret."""
        said = text.decode(errors="replace") if isinstance(text, bytes) else text
        password = self._server.password
        plain = f"\0{self._server.user or ''}\0{password}"
        coded = [base64.b64encode(each.encode()).decode() for each in (password, plain)]
        if password and any(secret in said for secret in (password, *coded)):
            return str(code)
        return one_line(f"{code} {said}", _ANSWER_CHARS_MAX).rstrip(".")

    def _needs(self) -> str:
        needs = ["STARTTLS"] if self._server.encryption is Encryption.STARTTLS else []
        return " and ".join([*needs, *(["a way to sign in"] if self._server.user is not None else [])]) or "plain mail"


def _is_permanent(code: int) -> bool:
    return 500 <= code < 600  # noqa: PLR2004 - SMTP's permanent answers


def _own_name() -> str:
    """Say who greets, without asking a name server, which may take its time."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
