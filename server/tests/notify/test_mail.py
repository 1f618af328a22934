"""E-mail reaches a real server over every kind of line, once, with nothing smuggled in and no password told."""

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import InvalidInput
from pilothouse.notify.channels import EmailChannel
from pilothouse.notify.errors import NotDelivered
from pilothouse.notify.mail_server import Encryption, MailServer, read_mail_server
from pilothouse.notify.notice import NoticeKind, NoticePlace
from pilothouse.notify.postman import Postman
from pilothouse.notify.rules import NotifyRules
from receiving import group, notice

pytestmark = pytest.mark.anyio

SENDER = "pilothouse@example.com"
PASSWORD = "p@ss:w0rd/s3cret"
TO = EmailChannel(to=("ops@example.com", "night@example.com"))


@dataclass
class MailServerOfTests:
    """What it took, and what it refuses."""

    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    answer: str = "250 taken"
    delay: asyncio.Event | None = None
    rude: asyncio.Event | None = None
    """It does not answer a farewell before this is set."""
    farewell: str = "221 bye"
    port: int = 0

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # noqa: N802 - aiosmtpd's name
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, _server, _session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.delay is not None:
            await self.delay.wait()
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(envelope.rcpt_tos)
        return self.answer

    async def handle_QUIT(self, _server, _session, _envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if self.rude is not None:
            await self.rude.wait()
        return self.farewell

    def authenticate(self, _server, _session, _envelope, _mechanism, data) -> AuthResult:
        self.users.append(data.login.decode())
        return AuthResult(success=data.password.decode() == PASSWORD, handled=False)


@asynccontextmanager
async def serving(
    certificate: trustme.LeafCert | None = None, *, starttls: bool = False, auth: bool = False
) -> AsyncIterator[MailServerOfTests]:
    tests, tls = MailServerOfTests(), None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(tls)

    def protocol() -> SMTP:
        return SMTP(
            tests,
            hostname="mail.example.com",
            tls_context=tls if starttls else None,
            require_starttls=starttls,
            authenticator=tests.authenticate if auth else None,
            auth_required=auth and starttls,
            auth_require_tls=starttls,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=None if starttls else tls)
    tests.port = server.sockets[0].getsockname()[1]
    try:
        yield tests
    finally:
        for waited in (tests.delay, tests.rude):
            if waited is not None:
                waited.set()
        server.close()


@asynccontextmanager
async def postman_for(url: str, clock: FakeClock, **rules) -> AsyncIterator[Postman]:
    made = Postman(NotifyRules(mail=read_mail_server(url, SENDER), **rules), clock)
    yield made
    await made.close()


async def failed(postman: Postman, channel: EmailChannel = TO) -> NotDelivered:
    with pytest.raises(NotDelivered) as caught:
        await postman.send(channel, notice())
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


async def test_a_message_has_a_text_and_a_page(clock: FakeClock) -> None:
    async with serving() as server, postman_for(f"smtp://127.0.0.1:{server.port}?starttls=never", clock) as postman:
        await postman.send(TO, notice(alerts=group(60), place=NoticePlace(project="<b>shop</b>")))
    (message,), (recipients,) = server.messages, server.recipients
    assert recipients == ["ops@example.com", "night@example.com"]
    assert message["From"] == f"Pilothouse <{SENDER}>"
    assert message["To"] == "ops@example.com, night@example.com"
    assert message["Subject"] == "Alert (critical): Orders fail · <b>shop</b>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    plain, page = message.get_body(("plain",)).get_content(), message.get_body(("html",)).get_content()
    assert plain.startswith("12.5 % of the requests failed over 5 minutes.")
    assert "- and 10 more" in plain
    assert "Link: https://pilothouse.example.com:9446/alerts?alert=a-1" in plain
    assert "&lt;b&gt;shop&lt;/b&gt;" in page
    assert "<b>" not in page
    assert 'href="https://pilothouse.example.com:9446/alerts?alert=a-1"' in page


async def test_attempts_bear_one_id_and_an_alert_s_messages_one_thread(clock: FakeClock) -> None:
    async with serving() as server, postman_for(f"smtp://127.0.0.1:{server.port}?starttls=never", clock) as postman:
        await postman.send(TO, notice())
        await postman.send(TO, notice())
        await postman.send(TO, notice(id="n-2", kind=NoticeKind.RESOLVED))
        await postman.send(TO, notice(id="n-3", dedup_key="a-2"))
    ids = [message["Message-ID"] for message in server.messages]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    threads = [message["References"] for message in server.messages]
    assert threads[0] == threads[1] == threads[2] != threads[3]
    assert all(each.endswith("@example.com>") for each in ids + threads)


async def test_no_header_is_smuggled_in(clock: FakeClock) -> None:
    nasty = "Orders\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script>\x00\u202e"
    told = notice(
        id=nasty,
        rule=nasty,
        message=nasty,
        place=NoticePlace(project=nasty, runtime=nasty),
        dedup_key=nasty,
        link=nasty,
    )
    async with serving() as server, postman_for(f"smtp://127.0.0.1:{server.port}?starttls=never", clock) as postman:
        await postman.send(TO, told)
    (message,), (recipients,) = server.messages, server.recipients
    assert recipients == list(TO.to)
    assert message["Bcc"] is None
    assert {name for name in message if not name.startswith("X-")} == {
        *("From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted"),
        *("MIME-Version", "Content-Type"),
    }
    assert "<script>" not in message.get_body(("html",)).get_content()


async def test_starttls_comes_before_the_password(authority, ca_file, clock: FakeClock) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    url = "smtp://pilot%40example.com:p%40ss%3Aw0rd%2Fs3cret@127.0.0.1:{}?starttls=require"
    async with (
        serving(certificate, starttls=True, auth=True) as server,
        postman_for(url.format(server.port), clock, ca_file=ca_file) as postman,
        postman_for(url.format(server.port), clock) as wary,
        postman_for(url.format(server.port).replace("w0rd", "wrong"), clock, ca_file=ca_file) as mistaken,
    ):
        await postman.send(TO, notice())
        assert server.users == ["pilot@example.com"]
        error = await failed(wary)
        assert "not trusted" in error.reason
        assert server.users == ["pilot@example.com"], "nobody was told the password"
        error = await failed(mistaken)
        assert "user and password (535)" in error.reason
        assert not error.retry
    assert len(server.messages) == 1


async def test_a_server_without_starttls_gets_nothing(clock: FakeClock) -> None:
    async with serving() as server, postman_for(f"smtp://127.0.0.1:{server.port}", clock) as postman:
        error = await failed(postman)
    assert "STARTTLS" in error.reason
    assert not error.retry
    assert server.messages == []


async def test_smtps_is_encrypted_from_the_start(authority, ca_file, clock: FakeClock) -> None:
    async with (
        serving(authority.issue_cert("127.0.0.1"), auth=True) as server,
        postman_for(f"smtps://u:p%40ss%3Aw0rd%2Fs3cret@127.0.0.1:{server.port}", clock, ca_file=ca_file) as postman,
        postman_for(f"smtps://u:x@127.0.0.1:{server.port}", clock) as wary,
    ):
        await postman.send(TO, notice())
        assert "not trusted" in (await failed(wary)).reason
    assert len(server.messages) == 1


async def test_a_certificate_of_another_host_is_not_taken(authority, ca_file, clock: FakeClock) -> None:
    async with (
        serving(authority.issue_cert("mail.example.com")) as server,
        postman_for(f"smtps://127.0.0.1:{server.port}", clock, ca_file=ca_file) as postman,
    ):
        assert "not trusted" in (await failed(postman)).reason
    assert server.messages == []


@pytest.mark.parametrize(
    ("answer", "retry"), [("451 try later", True), ("550 no", False), ("554 it is spam, s3cret", False)]
)
async def test_the_server_s_answer_says_whether_another_attempt_is_worth_it(
    clock: FakeClock, answer: str, retry: bool
) -> None:
    async with serving() as server, postman_for(f"smtp://127.0.0.1:{server.port}?starttls=never", clock) as postman:
        server.answer = answer
        with pytest.raises(NotDelivered) as caught:
            await postman.send(TO, notice())
    assert caught.value.retry is retry
    assert answer in caught.value.reason


async def test_a_server_that_repeats_the_password_is_not_quoted(authority, ca_file, clock: FakeClock) -> None:
    async with (
        serving(authority.issue_cert("127.0.0.1"), auth=True) as server,
        postman_for(f"smtps://u:p%40ss%3Aw0rd%2Fs3cret@127.0.0.1:{server.port}", clock, ca_file=ca_file) as postman,
    ):
        server.answer = f"554 bad {PASSWORD}"
        assert "554" in (await failed(postman)).reason


async def test_whom_the_server_does_not_know_is_named(clock: FakeClock) -> None:
    async with serving() as server, postman_for(f"smtp://127.0.0.1:{server.port}?starttls=never", clock) as postman:
        server.refused = {"night@example.com": "550 5.1.1 unknown"}
        error = await failed(postman)
        assert error.reason.endswith(
            "does not take mail for night@example.com: 550 5.1.1 unknown; the other 1 were told."
        )
        assert not error.retry, "nobody is told twice"
        assert server.recipients == [["ops@example.com"]]
        server.refused = dict.fromkeys(TO.to, "450 busy")
        error = await failed(postman)
        assert error.retry
        server.refused = dict.fromkeys(TO.to, "550 unknown")
        assert not (await failed(postman)).retry


async def test_a_server_that_is_silent_holds_nobody_up(clock: FakeClock) -> None:
    async with (
        serving() as server,
        postman_for(f"smtp://127.0.0.1:{server.port}?starttls=never", clock, mail_s=0.5) as postman,
    ):
        server.delay = asyncio.Event()
        error = await failed(postman)
        assert "0.5 s" in error.reason
        assert error.retry


@pytest.mark.parametrize(("mail_s", "farewell"), [(30.0, "221 bye"), (0.5, "221 bye"), (30.0, "421 too long")])
async def test_a_message_that_was_taken_is_delivered_however_the_farewell_goes(
    clock: FakeClock, mail_s: float, farewell: str
) -> None:
    async with (
        serving() as server,
        postman_for(f"smtp://127.0.0.1:{server.port}?starttls=never", clock, mail_s=mail_s) as postman,
    ):
        server.farewell = farewell
        server.rude = asyncio.Event() if farewell == "221 bye" else None
        await postman.send(TO, notice())
    assert len(server.messages) == 1


async def test_nobody_there_is_tried_again(clock: FakeClock) -> None:
    async with serving() as server:
        port = server.port
    async with postman_for(f"smtp://127.0.0.1:{port}", clock) as postman:
        error = await failed(postman)
    assert error.retry
    assert str(port) in error.reason


async def test_what_speaks_no_smtp_is_told(clock: FakeClock) -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with postman_for(f"smtp://127.0.0.1:{port}?starttls=never", clock) as postman:
        assert (await failed(postman)).retry
    async with postman_for(f"smtps://127.0.0.1:{port}", clock) as postman:
        assert "TLS" in (await failed(postman)).reason
    server.close()
    await server.wait_closed()


async def test_without_a_server_no_mail_is_sent(clock: FakeClock) -> None:
    postman = Postman(NotifyRules(), clock)
    error = await failed(postman)
    assert "PILOTHOUSE_SMTP_URL" in error.reason
    assert not error.retry
    await postman.close()


def test_the_url_of_a_mail_server_is_read() -> None:
    assert read_mail_server("smtp://u:p@mail.example.com", SENDER) == MailServer(
        host="mail.example.com", port=587, encryption=Encryption.STARTTLS, sender=SENDER, user="u", password="p"
    )
    assert read_mail_server("smtps://mail.example.com", SENDER).port == 465
    assert read_mail_server("smtp://localhost:25?starttls=never", SENDER).encryption is Encryption.NEVER
    assert read_mail_server("smtp://u:p%40s3cret@localhost:25?starttls=never", SENDER).password == "p@s3cret"
    assert "s3cret" not in repr(read_mail_server("smtp://u:p%40s3cret@mail.example.com", SENDER))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com",
        "http://u:s3cret@mail.example.com",
        "smtp://",
        "smtp://u:s3cret@mail.example.com:99999",
        "smtp://u:s3cret@mail.example.com:x",
        "smtp://u:s3cret@mail.example.com/inbox",
        "smtp://u:s3cret@mail.example.com#x",
        "smtp://u:s3cret@mail.example.com?starttls=maybe",
        "smtp://u:s3cret@mail.example.com?tls=no",
        "smtp://u:s3cret@mail.example.com?starttls=never",
        "smtps://u:s3cret@mail.example.com?starttls=require",
        "smtp://u:s3cret%0d%0aRSET@mail.example.com",
        "smtp://u:s3cr%C3%A9t-s3cret@mail.example.com",
        "smtp://u:s3cret@[::1",
        "smtp://u:s3cret@0x7f.1",
    ],
)
def test_what_is_no_mail_server_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_mail_server(url, SENDER)
    assert "s3cret" not in caught.value.message + caught.value.fix
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("sender", ["", "Pilothouse <a@example.com>", "a@example.com\r\nBcc: b@example.com"])
def test_the_sender_is_one_address(sender: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_mail_server("smtp://mail.example.com", sender)
    assert caught.value.field == "from"


def test_the_library_s_error_that_names_the_recipients_is_understood() -> None:
    assert smtplib.SMTPRecipientsRefused({"a": (550, b"no")}).recipients == {"a": (550, b"no")}
