"""Ways to people, with everything that is needed to go them. Some of it is secret: no channel writes itself out."""

import re
from typing import Final, TypeAlias

import msgspec
from yarl import URL

from pilothouse.base.errors import InvalidInput
from pilothouse.base.hosts import read_host_name
from pilothouse.notify.mailboxes import is_mail_address

URL_CHARS_MAX: Final = 2_000
RECIPIENTS_MAX: Final = 50
SECRET_CHARS_MIN: Final = 16
SECRET_CHARS_MAX: Final = 256
_ROUTING_KEY: Final = re.compile(r"[A-Za-z0-9]{16,64}", re.ASCII)
_SECRET: Final = re.compile(r"[!-~]+", re.ASCII)


class _Channel(msgspec.Struct, frozen=True, kw_only=True):
    def __repr__(self) -> str:
        """Tell the kind alone."""
        return f"{type(self).__name__}(…)"


class WebhookChannel(_Channel, frozen=True, kw_only=True, tag="webhook"):
    """A receiver of one's own, which gets JSON that is signed."""

    url: str
    signing_secret: str


class SlackChannel(_Channel, frozen=True, kw_only=True, tag="slack"):
    """An incoming webhook of Slack, or of what speaks its language."""

    url: str


class TeamsChannel(_Channel, frozen=True, kw_only=True, tag="teams"):
    """A workflow of Microsoft Teams that takes an adaptive card."""

    url: str


class PagerDutyChannel(_Channel, frozen=True, kw_only=True, tag="pagerduty"):
    """A service of PagerDuty with an Events API v2 integration."""

    routing_key: str


class EmailChannel(_Channel, frozen=True, kw_only=True, tag="email"):
    """People with mailboxes."""

    to: tuple[str, ...]


Channel: TypeAlias = WebhookChannel | SlackChannel | TeamsChannel | PagerDutyChannel | EmailChannel


def target_of(channel: Channel) -> str:
    """Tell where a channel leads without telling anything secret: the paths of such URLs are."""
    match channel:
        case EmailChannel():
            return ", ".join(channel.to)
        case PagerDutyChannel():
            return "PagerDuty"
        case _:
            return URL(channel.url).raw_host or ""


def check_channel(channel: Channel) -> None:
    """Check a channel as it came from outside. Whether its host may be called is judged when it is.

    Raises: InvalidInput
    """
    match channel:
        case EmailChannel():
            _check_recipients(channel.to)
        case PagerDutyChannel():
            if not _ROUTING_KEY.fullmatch(channel.routing_key):
                raise InvalidInput(
                    "This is not the routing key of an Events API v2 integration.",
                    field="routingKey",
                    fix="Copy the integration key, 32 letters and digits, from the service's page in PagerDuty.",
                )
        case _:
            read_url(channel.url)
    if isinstance(channel, WebhookChannel) and not (
        SECRET_CHARS_MIN <= len(channel.signing_secret) <= SECRET_CHARS_MAX
        and _SECRET.fullmatch(channel.signing_secret)
    ):
        raise InvalidInput(
            f"A signing secret has {SECRET_CHARS_MIN} to {SECRET_CHARS_MAX} printable ASCII characters without blanks.",
            field="signingSecret",
            fix="Leave it out to have one made.",
        )


def read_url(text: str) -> URL:
    """Read the address of a receiver: HTTPS, or HTTP to a host that is loopback by its name.

    Raises: InvalidInput
    """
    try:
        url = URL(text) if len(text) <= URL_CHARS_MAX and text.isprintable() and " " not in text else URL()
        named = None if url.raw_host is None or not url.port else read_host_name(url.raw_host)
    except ValueError:
        url, named = URL(), None
    if named is None or url.scheme not in ("https", "http"):
        raise InvalidInput("This is not the URL of a receiver.", field="url", fix="Write https://host/path.")
    if url.user is not None or url.password is not None:
        raise InvalidInput(
            "A receiver's URL names no user or password.",
            field="url",
            fix="Put what is secret into the path or the query.",
        )
    is_loopback = named == "localhost" if isinstance(named, str) else named.is_loopback
    if url.scheme == "http" and not is_loopback:
        raise InvalidInput(
            "Notices are sent over HTTPS; plain HTTP only to loopback.", field="url", fix="Write https://host/path."
        )
    return url.with_fragment(None)


def _check_recipients(to: tuple[str, ...]) -> None:
    if not 1 <= len(to) <= RECIPIENTS_MAX or len({each.lower() for each in to}) != len(to):
        raise InvalidInput(
            f"An e-mail channel has 1 to {RECIPIENTS_MAX} different addresses.",
            field="to",
            fix="Name whoever is to be told, each once.",
        )
    for address in to:
        if not is_mail_address(address):
            shown = "".join(sign if sign.isprintable() else "?" for sign in address[:80])
            raise InvalidInput(
                f"'{shown}' is not an e-mail address.", field="to", fix="Write somebody@example.com, without a name."
            )
