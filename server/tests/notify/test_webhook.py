"""A webhook arrives signed and whole, over a line that is checked, where it may go and nowhere else."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from pilothouse.base.clock import FakeClock
from pilothouse.base.hosts import AllowList
from pilothouse.base.instants import to_datetime
from pilothouse.notify.channels import SlackChannel, WebhookChannel
from pilothouse.notify.errors import NotDelivered
from pilothouse.notify.notice import NoticeKind
from pilothouse.notify.postman import Postman
from pilothouse.notify.rules import NotifyRules
from receiving import SECRET, Receiver, group, notice, receiving

pytestmark = pytest.mark.anyio

LOOPBACK = AllowList.parse("127.0.0.0/8")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the product runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def postman(clock: FakeClock) -> AsyncIterator[Postman]:
    made = Postman(NotifyRules(allowed=LOOPBACK, whole_s=5.0), clock)
    yield made
    await made.close()


def to(receiver: Receiver, path: str = "/hook?key=s3cret-path") -> WebhookChannel:
    return WebhookChannel(url=f"http://127.0.0.1:{receiver.port}{path}", signing_secret=SECRET)


async def failed(postman: Postman, channel, told=None) -> NotDelivered:
    with pytest.raises(NotDelivered) as caught:
        await postman.send(channel, told or notice())
    reason = caught.value.reason
    assert reason.endswith(".")
    assert "s3cret" not in str(caught.value) + repr(caught.value)
    assert SECRET not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


async def test_a_notice_arrives_with_everything_in_it(postman, receiver, clock: FakeClock) -> None:
    await postman.send(to(receiver), notice(alerts=group(2)))
    (request,), (document,) = receiver.requests, receiver.documents
    assert (request.method, request.path_qs) == ("POST", "/hook?key=s3cret-path")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "n-1"
    assert request.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert document == {
        "version": 1,
        "id": "n-1",
        "kind": "firing",
        "dedupKey": "a-1",
        "rule": "Orders fail",
        "severity": "critical",
        "title": "Alert (critical): Orders fail · shop/orders in prod",
        "message": "12.5 % of the requests failed over 5 minutes.",
        "place": {"project": "shop", "integration": "orders", "environment": "prod", "runtime": None},
        "value": 0.125,
        "since": "2026-09-21T14:08:20.000Z",
        "at": "2026-09-21T14:13:20.000Z",
        "link": "https://pilothouse.example.com:9446/alerts?alert=a-1",
        "alertCount": 2,
        "alerts": [
            {
                "message": f"orders-{i} is offline.",
                "place": {"project": None, "integration": None, "environment": None, "runtime": f"orders-{i}"},
                "value": None,
                "since": "2026-09-21T14:08:20.000Z",
                "resolvedAt": None,
            }
            for i in range(2)
        ],
    }


async def test_its_signature_covers_body_and_time(postman, receiver, clock: FakeClock) -> None:
    await postman.send(to(receiver), notice())
    told = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", receiver.requests[0].headers["X-Pilothouse-Signature"])
    assert told is not None
    assert int(told[1]) == int(clock.now())
    signed = f"{told[1]}.".encode() + receiver.bodies[0]
    assert hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest() == told[2]
    assert hmac.new(SECRET.encode(), signed + b" ", hashlib.sha256).hexdigest() != told[2]


async def test_what_receivers_are_told_to_write_verifies_it(postman, receiver, clock: FakeClock) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "webhooks.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(code, names)  # noqa: S102 - the page's own lines
    await postman.send(to(receiver), notice())
    header, body = receiver.requests[0].headers["X-Pilothouse-Signature"], receiver.bodies[0]
    now = clock.now()
    assert names["is_from_pilothouse"](SECRET, header, body, now)
    assert not names["is_from_pilothouse"](SECRET + "x", header, body, now)
    assert not names["is_from_pilothouse"](SECRET, header, body + b" ", now)
    assert not names["is_from_pilothouse"](SECRET, header, body, now + 301)
    assert not names["is_from_pilothouse"](SECRET, header.replace("t=", "t=1"), body, now)


async def test_what_the_page_shows_is_what_is_sent(postman, receiver) -> None:
    import msgspec

    page = Path(__file__).parents[3] / "docs" / "reference" / "webhooks.md"
    (shown,) = re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    await postman.send(to(receiver), notice(alerts=group(1)))
    assert msgspec.json.decode(shown) == receiver.documents[0]


async def test_a_group_of_thousands_stays_a_small_body(postman, receiver) -> None:
    await postman.send(to(receiver), notice(alerts=group(5_000)))
    (document,) = receiver.documents
    assert (document["alertCount"], len(document["alerts"])) == (5_000, 100)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_delivered(postman, receiver, status: int) -> None:
    receiver.answers.append(web.Response(status=status))
    await postman.send(to(receiver), notice())
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("status", "retry"),
    [
        *((status, False) for status in (400, 401, 404, 410, 422)),
        *((status, True) for status in (408, 425, 429, 500, 502, 503, 599)),
    ],
)
async def test_a_status_says_whether_another_attempt_is_worth_it(postman, receiver, status: int, retry: bool) -> None:
    receiver.answers.append(web.Response(status=status, text="your key is s3cret"))
    error = await failed(postman, to(receiver))
    assert error.retry is retry
    assert str(status) in error.reason
    assert len(receiver.requests) == 1, "one attempt is one request"


@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("999999999999", 3_600.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        (format_datetime(to_datetime(1_790_000_090.0), usegmt=True), 90.0),
        (format_datetime(to_datetime(1_700_000_000.0), usegmt=True), 0.0),
    ],
)
async def test_retry_after_is_passed_on(postman, receiver, told: str, wait_s: float | None) -> None:
    receiver.answers.append(web.Response(status=503, headers={"Retry-After": told}))
    assert (await failed(postman, to(receiver))).retry_after_s == wait_s


async def test_a_redirect_is_not_followed(postman, receiver) -> None:
    async with receiving() as other:
        for status in (301, 302, 303, 307, 308):
            location = {"Location": f"http://127.0.0.1:{other.port}/elsewhere"}
            receiver.answers.append(web.Response(status=status, headers=location))
            error = await failed(postman, to(receiver))
            assert not error.retry
        assert other.requests == []


async def test_silence_ends_in_time(receiver, clock: FakeClock) -> None:
    receiver.silent = asyncio.Event()
    postman = Postman(NotifyRules(allowed=LOOPBACK, whole_s=0.3), clock)
    error = await failed(postman, to(receiver))
    assert error.retry
    assert "0.3 s" in error.reason
    await postman.close()


async def test_nobody_there_is_tried_again(postman, receiver) -> None:
    closed = receiver.port
    async with receiving() as other:
        closed = other.port
    error = await failed(postman, WebhookChannel(url=f"http://127.0.0.1:{closed}/s3cret", signing_secret=SECRET))
    assert error.retry
    assert str(closed) in error.reason


async def test_a_receiver_that_breaks_off_is_tried_again(postman) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    error = await failed(postman, WebhookChannel(url=f"http://127.0.0.1:{port}/", signing_secret=SECRET))
    assert error.retry
    server.close()
    await server.wait_closed()


async def test_tls_is_checked_against_the_file_of_authorities(authority, ca_file, clock: FakeClock) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    allowed = AllowList.parse("hooks.example.com")
    trusting = Postman(NotifyRules(allowed=allowed, ca_file=ca_file), clock, resolve=resolve)
    wary = Postman(NotifyRules(allowed=allowed), clock, resolve=resolve)
    async with receiving(authority.issue_cert("hooks.example.com")) as receiver:
        url = f"https://hooks.example.com:{receiver.port}/s3cret"
        channel = WebhookChannel(url=url, signing_secret=SECRET)
        await trusting.send(channel, notice())
        assert receiver.requests[0].headers["Host"] == f"hooks.example.com:{receiver.port}"
        error = await failed(wary, channel)
        assert "not trusted" in error.reason
        assert error.retry, "a certificate may be mended"
    async with receiving(authority.issue_cert("other.example.com")) as receiver:
        error = await failed(
            trusting,
            WebhookChannel(url=f"https://hooks.example.com:{receiver.port}/", signing_secret=SECRET),
        )
        assert "not trusted" in error.reason
        assert receiver.requests == []
    await trusting.close()
    await wary.close()


async def test_a_name_is_resolved_once_and_that_address_is_called(receiver, clock: FakeClock) -> None:
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["203.0.113.9"]

    postman = Postman(NotifyRules(allowed=LOOPBACK), clock, resolve=rebinding)
    await postman.send(WebhookChannel(url=f"http://localhost:{receiver.port}/", signing_secret=SECRET), notice())
    assert asked == ["localhost"]
    assert len(receiver.requests) == 1
    await postman.close()


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(receiver, clock: FakeClock) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    postman = Postman(NotifyRules(allowed=LOOPBACK), clock, resolve=resolve)
    await postman.send(WebhookChannel(url=f"http://localhost:{receiver.port}/", signing_secret=SECRET), notice())
    assert len(receiver.requests) == 1
    await postman.close()


@pytest.mark.parametrize(
    ("host", "resolved", "allow", "words"),
    [
        ("hooks.example.com", "127.0.0.1", "", "own machine"),
        ("hooks.example.com", "127.0.0.1", "*.example.com", "own machine"),
        ("hooks.example.com", "::1", "10.0.0.0/8", "own machine"),
        ("hooks.example.com", "::ffff:127.0.0.1", "", "own machine"),
        ("hooks.example.com", "64:ff9b::7f00:1", "", "own machine"),
        ("hooks.example.com", "10.1.2.3", "", "no public address"),
        ("hooks.example.com", "192.168.1.1", "10.0.0.0/8", "no public address"),
        ("hooks.example.com", "2002:a01:203::1", "", "no public address"),
        ("hooks.example.com", "100.64.0.1", "", "no public address"),
        ("hooks.example.com", "fd00::1", "", "no public address"),
        ("hooks.example.com", "169.254.169.254", "169.254.0.0/16", "never called"),
        ("hooks.example.com", "169.254.169.254", "hooks.example.com", "never called"),
        ("hooks.example.com", "fd00:ec2::254", "fd00::/8", "never called"),
        ("hooks.example.com", "fe80::1%lo", "fe80::/10", "never called"),
        ("hooks.example.com", "0.0.0.0", "0.0.0.0/0", "never called"),
        ("hooks.example.com", "224.0.0.1", "0.0.0.0/0", "never called"),
    ],
)
async def test_what_is_not_public_is_refused_unless_it_is_listed(
    clock: FakeClock, host: str, resolved: str, allow: str, words: str
) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return [resolved]

    postman = Postman(NotifyRules(allowed=AllowList.parse(allow)), clock, resolve=resolve)
    for channel in (
        WebhookChannel(url=f"https://{host}/s3cret", signing_secret=SECRET),
        SlackChannel(url=f"https://{host}/s3cret"),
    ):
        error = await failed(postman, channel)
        assert words in error.reason
        assert not error.retry
    await postman.close()


async def test_plain_http_goes_to_loopback_alone(clock: FakeClock) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["10.1.2.3"]

    postman = Postman(NotifyRules(allowed=AllowList.parse("10.0.0.0/8")), clock, resolve=resolve)
    error = await failed(postman, WebhookChannel(url="http://localhost:8080/", signing_secret=SECRET))
    assert "HTTPS alone" in error.reason
    error = await failed(postman, WebhookChannel(url="http://10.1.2.3/", signing_secret=SECRET))
    assert not error.retry
    await postman.close()


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
async def test_a_name_that_cannot_be_resolved_is_tried_again(clock: FakeClock, error: Exception) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise error

    postman = Postman(NotifyRules(), clock, resolve=resolve)
    refused = await failed(postman, WebhookChannel(url="https://hooks.example.com/", signing_secret=SECRET))
    assert refused.retry
    await postman.close()


async def test_a_proxy_of_the_environment_is_not_used(postman, receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await postman.send(to(receiver), notice(kind=NoticeKind.TEST))
    assert receiver.documents[0]["title"].startswith("Test: ")


async def test_after_closing_nothing_is_sent(receiver, clock: FakeClock) -> None:
    postman = Postman(NotifyRules(allowed=LOOPBACK), clock)
    await postman.close()
    assert (await failed(postman, to(receiver))).retry
    assert receiver.requests == []


async def test_only_so_many_attempts_are_under_way(receiver, clock: FakeClock) -> None:
    receiver.silent = asyncio.Event()
    postman = Postman(NotifyRules(allowed=LOOPBACK, at_once_max=2), clock)
    sending = [asyncio.ensure_future(postman.send(to(receiver), notice(id=f"n-{i}"))) for i in range(5)]
    while len(receiver.requests) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert len(receiver.requests) == 2
    receiver.silent.set()
    await asyncio.gather(*sending)
    assert len(receiver.requests) == 5
    await postman.close()
