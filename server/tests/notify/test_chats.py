"""Slack, Teams and PagerDuty get what their documents ask for. The receivers here are stand-ins on loopback."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pilothouse.base.clock import FakeClock
from pilothouse.base.hosts import AllowList
from pilothouse.notify.channels import Channel, PagerDutyChannel, SlackChannel, TeamsChannel
from pilothouse.notify.errors import NotDelivered
from pilothouse.notify.notice import NoticeKind, NoticePlace, NoticeSeverity
from pilothouse.notify.postman import Postman
from pilothouse.notify.rules import NotifyRules
from receiving import Receiver, group, notice, receiving

pytestmark = pytest.mark.anyio

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
NASTY = "<!channel> & <https://evil.example|click> *bold* [link](https://evil.example)\n\x00\u202enext"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the product runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def stand_in() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def postman(clock: FakeClock, stand_in: Receiver) -> AsyncIterator[Postman]:
    rules = NotifyRules(allowed=AllowList.parse("127.0.0.0/8"), whole_s=5.0)
    made = Postman(rules, clock, pagerduty_url=f"http://127.0.0.1:{stand_in.port}/v2/enqueue")
    yield made
    await made.close()


def slack(stand_in: Receiver) -> SlackChannel:
    return SlackChannel(url=f"http://127.0.0.1:{stand_in.port}/services/T0/B0/s3cret")


def teams(stand_in: Receiver) -> TeamsChannel:
    return TeamsChannel(url=f"http://127.0.0.1:{stand_in.port}/workflows/1?sig=s3cret")


def texts(value: object) -> list[str]:
    """Every text of a JSON document that is shown."""
    if isinstance(value, dict):
        return [
            text
            for name, each in value.items()
            for text in ([each] if name == "text" and isinstance(each, str) else texts(each))
        ]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


async def test_slack_gets_blocks_and_a_text_for_what_shows_none(postman, stand_in) -> None:
    await postman.send(slack(stand_in), notice(alerts=group(12)))
    (document,) = stand_in.documents
    assert stand_in.requests[0].path == "/services/T0/B0/s3cret"
    assert document["text"].startswith("Alert (critical): Orders fail · shop/orders in prod: 12.5 %")
    kinds = [block["type"] for block in document["blocks"]]
    assert kinds == ["header", "section", "section", "context", "actions"]
    lines = document["blocks"][2]["text"]["text"].split("\n")
    assert len(lines) == 11
    assert lines[-1] == "• and 2 more"
    assert document["blocks"][-1]["elements"][0]["url"] == "https://pilothouse.example.com:9446/alerts?alert=a-1"


async def test_in_slack_what_comes_from_elsewhere_is_neither_link_nor_mention(postman, stand_in) -> None:
    await postman.send(slack(stand_in), notice(rule=NASTY, message=NASTY, place=NoticePlace(project=NASTY)))
    (document,) = stand_in.documents
    header, *rest = texts(document["blocks"])
    assert "\n" not in header
    for text in [document["text"], *rest]:
        assert "<" not in text
        assert ">" not in text
    assert "&lt;!channel&gt; &amp; " in document["text"]


async def test_slack_s_limits_are_kept(postman, stand_in) -> None:
    told = notice(rule="r" * 500, message="m" * 10_000, alerts=group(3))
    await postman.send(slack(stand_in), told)
    (document,) = stand_in.documents
    assert len(document["blocks"][0]["text"]["text"]) == 150
    assert all(len(text) <= 3_000 for text in texts(document["blocks"]))


async def test_teams_gets_an_adaptive_card(postman, stand_in) -> None:
    await postman.send(teams(stand_in), notice(alerts=group(2)))
    (document,) = stand_in.documents
    assert stand_in.requests[0].query["sig"] == "s3cret"
    (attachment,) = document["attachments"]
    assert (document["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}, "Markdown is none there"
    shown = texts(card["body"])
    assert shown[0] == "Alert (critical): Orders fail · shop/orders in prod"
    assert shown[2:4] == ["• runtime orders-0: orders-0 is offline.", "• runtime orders-1: orders-1 is offline."]
    assert card["body"][0]["inlines"][0]["color"] == "Attention"
    assert card["actions"][0]["url"] == "https://pilothouse.example.com:9446/alerts?alert=a-1"


async def test_a_card_stays_below_what_teams_takes(postman, stand_in) -> None:
    await postman.send(teams(stand_in), notice(rule="r" * 500, message="é" * 10_000, alerts=group(5_000)))
    assert len(stand_in.bodies[0]) < 28_000


@pytest.mark.parametrize("link", [None, "javascript:alert(1)", "https://a\nb"])
async def test_what_is_no_link_is_no_button(postman, stand_in, link: str | None) -> None:
    await postman.send(slack(stand_in), notice(link=link))
    await postman.send(teams(stand_in), notice(link=link))
    blocks, card = stand_in.documents
    assert "actions" not in {block["type"] for block in blocks["blocks"]}
    assert "actions" not in card["attachments"][0]["content"]


async def test_pagerduty_is_triggered_and_resolved_under_one_key(postman, stand_in) -> None:
    channel = PagerDutyChannel(routing_key=ROUTING_KEY)
    for kind in (NoticeKind.FIRING, NoticeKind.REMINDER, NoticeKind.RESOLVED):
        await postman.send(channel, notice(kind=kind, id=kind.value))
    events = stand_in.documents
    assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve"]
    assert {event["dedup_key"] for event in events} == {"a-1"}
    assert {event["routing_key"] for event in events} == {ROUTING_KEY}
    payload = events[0]["payload"]
    assert payload["severity"] == "critical"
    assert payload["source"] == "shop/orders in prod"
    assert payload["summary"].endswith("12.5 % of the requests failed over 5 minutes.")
    assert (payload["component"], payload["group"], payload["class"]) == ("orders", "shop", "Orders fail")
    assert events[0]["links"] == [
        {"href": "https://pilothouse.example.com:9446/alerts?alert=a-1", "text": "Open in Pilothouse"}
    ]
    assert "payload" not in events[2]


async def test_a_test_leaves_no_incident_behind(postman, stand_in) -> None:
    told = notice(kind=NoticeKind.TEST, severity=NoticeSeverity.INFO, dedup_key="test-1")
    await postman.send(PagerDutyChannel(routing_key=ROUTING_KEY), told)
    assert [event["event_action"] for event in stand_in.documents] == ["trigger", "resolve"]


async def test_pagerduty_s_limits_are_kept(postman, stand_in) -> None:
    long = notice(message="m" * 5_000, dedup_key="k" * 300)
    await postman.send(PagerDutyChannel(routing_key=ROUTING_KEY), long)
    await postman.send(PagerDutyChannel(routing_key=ROUTING_KEY), notice(kind=NoticeKind.RESOLVED, dedup_key="k" * 300))
    trigger, resolve = stand_in.documents
    assert len(trigger["payload"]["summary"]) == 1_024
    assert len(trigger["dedup_key"]) <= 255
    assert trigger["dedup_key"] == resolve["dedup_key"]


async def test_a_refusal_tells_no_key(postman, stand_in) -> None:
    channels: list[Channel] = [PagerDutyChannel(routing_key=ROUTING_KEY), slack(stand_in), teams(stand_in)]
    for channel in channels:
        stand_in.answers.append(web.Response(status=400, text=f"invalid key {ROUTING_KEY} s3cret"))
        with pytest.raises(NotDelivered) as caught:
            await postman.send(channel, notice())
        assert not caught.value.retry
        assert ROUTING_KEY not in caught.value.reason
        assert "s3cret" not in caught.value.reason
