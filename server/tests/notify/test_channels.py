"""A channel is checked as it comes from outside, and never writes its secrets out."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.base.errors import InvalidInput
from pilothouse.notify.channels import (
    Channel,
    EmailChannel,
    PagerDutyChannel,
    SlackChannel,
    TeamsChannel,
    WebhookChannel,
    check_channel,
    read_url,
    target_of,
)

SECRET = "whsec-0123456789abcdef"
KEY = "0123456789abcdef0123456789abcdef"
CHANNELS: list[Channel] = [
    WebhookChannel(url="https://hooks.example.com/s3cret", signing_secret=SECRET),
    SlackChannel(url="https://hooks.slack.example/services/s3cret"),
    TeamsChannel(url="https://prod.example:443/workflows?sig=s3cret"),
    PagerDutyChannel(routing_key=KEY),
    EmailChannel(to=("ops@example.com", "o'neil+alerts@mail.example.org")),
]


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_goes_through_storage_and_says_nothing_secret(channel: Channel) -> None:
    check_channel(channel)
    assert msgspec.json.decode(msgspec.json.encode(channel), type=Channel) == channel
    for told in (repr(channel), str(channel), f"{channel!r}", target_of(channel), repr([channel])):
        assert "s3cret" not in told
        assert SECRET not in told
        assert KEY not in told


def test_the_target_is_a_host_or_addresses() -> None:
    assert [target_of(channel) for channel in CHANNELS] == [
        "hooks.example.com",
        "hooks.slack.example",
        "prod.example",
        "PagerDuty",
        "ops@example.com, o'neil+alerts@mail.example.org",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com:8443/a?b=c",
        "https://10.0.0.1/",
        "https://[::1]:8443/",
        "http://localhost:8080/",
        "http://127.0.0.1/",
        "http://[::1]:8080/",
        "https://bücher.example/",
    ],
)
def test_https_anywhere_and_http_on_loopback_are_urls(url: str) -> None:
    assert read_url(url).raw_host


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@hooks.example.com/",
        "https://user:password@hooks.example.com/",
        "http://hooks.example.com/",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nX: y",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://exa_mple..com/",
        "https://example.com/" + "a" * 2_000,
    ],
)
def test_other_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_url(url)
    assert caught.value.field == "url"
    assert "password" not in caught.value.message or "user or password" in caught.value.message


@given(st.text(max_size=80))
def test_no_text_is_more_than_refused(text: str) -> None:
    for made in (text, f"https://{text}", f"https://{text}/x", f"https://a.example/{text}"):
        try:
            url = read_url(made)
        except InvalidInput:
            continue
        assert url.scheme == "https"
        assert url.user is None


@pytest.mark.parametrize(
    ("to", "fine"),
    [
        ((), False),
        (("ops@example.com",), True),
        (("ops@localhost",), True),
        (("ops",), False),
        (("ops@",), False),
        (("@example.com",), False),
        (("ops@example.com\r\nBcc: all@example.com",), False),
        (("ops@example.com\n",), False),
        (("Ops <ops@example.com>",), False),
        (("a@example.com,b@example.com",), False),
        (("ops@-example.com",), False),
        (("öps@example.com",), False),
        (("ops@example.com", "OPS@example.com"), False),
        (tuple(f"ops{i}@example.com" for i in range(50)), True),
        (tuple(f"ops{i}@example.com" for i in range(51)), False),
        (("a" * 65 + "@example.com",), False),
    ],
)
def test_recipients_are_addresses_and_nothing_else(to: tuple[str, ...], fine: bool) -> None:
    if fine:
        check_channel(EmailChannel(to=to))
        return
    with pytest.raises(InvalidInput) as caught:
        check_channel(EmailChannel(to=to))
    assert caught.value.field == "to"
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("secret", ["", "short", "x" * 257, "with blanks in the middle", "ünïcödé-ünïcödé-ünïcödé"])
def test_a_signing_secret_is_long_enough(secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_channel(WebhookChannel(url="https://hooks.example.com/", signing_secret=secret))
    assert caught.value.field == "signingSecret"


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "0123456789abcdef 123456789abcdef", "0123456789abcdef\n"])
def test_a_routing_key_is_one(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_channel(PagerDutyChannel(routing_key=key))
    assert caught.value.field == "routingKey"
