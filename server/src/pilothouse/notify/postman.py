"""Sends one notice through one channel, once: who tries again, when, and how often is decided elsewhere."""

import asyncio
from typing import Final, final

from yarl import URL

from pilothouse.base.clock import Clock
from pilothouse.base.errors import InvalidInput
from pilothouse.notify.channels import (
    Channel,
    EmailChannel,
    PagerDutyChannel,
    SlackChannel,
    TeamsChannel,
    WebhookChannel,
    check_channel,
)
from pilothouse.notify.chat import slack_request, teams_request
from pilothouse.notify.errors import NotDelivered
from pilothouse.notify.mail import compose
from pilothouse.notify.notice import Notice
from pilothouse.notify.pagerduty import pagerduty_requests
from pilothouse.notify.rules import PAGERDUTY_URL, NotifyRules, trusted
from pilothouse.notify.smtp import MailRoom
from pilothouse.notify.web import Resolve, Web, WebRequest
from pilothouse.notify.webhook import webhook_request

_NO_MAIL: Final = "No mail server is set: PILOTHOUSE_SMTP_URL and PILOTHOUSE_SMTP_FROM."


@final
class Postman:
    """Tells people; one for the whole control plane. To be used within one event loop.

    pagerduty_url: where events for PagerDuty go
    resolve: how hosts are looked up, instead of the system's resolver
    Raises: CannotStart if the file of authorities cannot be read
    """

    def __init__(
        self,
        rules: NotifyRules,
        clock: Clock,
        *,
        pagerduty_url: str = PAGERDUTY_URL,
        resolve: Resolve | None = None,
    ) -> None:
        tls = trusted(rules.ca_file)
        self._clock = clock
        self._pagerduty_url = URL(pagerduty_url)
        self._web = Web(rules.allowed, tls, clock, connect_s=rules.connect_s, whole_s=rules.whole_s, resolve=resolve)
        self._mail = rules.mail
        self._mail_room = None if rules.mail is None else MailRoom(rules.mail, tls, rules.mail_s)
        self._places = asyncio.Semaphore(rules.at_once_max)
        self._is_closed = False

    async def send(self, channel: Channel, notice: Notice) -> None:
        """Make one attempt.

        Raises: NotDelivered
        """
        if self._is_closed:
            raise NotDelivered("The control plane is shutting down.", retry=True)
        try:
            check_channel(channel)
        except InvalidInput as error:
            raise NotDelivered(error.message, retry=False) from None
        async with self._places:
            if isinstance(channel, EmailChannel):
                await self._send_mail(channel, notice)
                return
            for request in self._requests(channel, notice):
                await self._web.post(request)

    async def close(self) -> None:
        """Cut off what is under way and take no more."""
        self._is_closed = True
        if self._mail_room is not None:
            self._mail_room.close()
        await self._web.close()

    def _requests(
        self, channel: WebhookChannel | SlackChannel | TeamsChannel | PagerDutyChannel, notice: Notice
    ) -> list[WebRequest]:
        match channel:
            case WebhookChannel():
                return [webhook_request(channel, notice, self._clock.now())]
            case SlackChannel():
                return [slack_request(channel, notice)]
            case TeamsChannel():
                return [teams_request(channel, notice)]
            case PagerDutyChannel():
                return pagerduty_requests(channel, notice, self._pagerduty_url)

    async def _send_mail(self, channel: EmailChannel, notice: Notice) -> None:
        if self._mail is None or self._mail_room is None:
            raise NotDelivered(_NO_MAIL, retry=False)
        await self._mail_room.send(compose(channel, notice, self._mail.sender), channel.to)
