"""Alerts, put together from the settings and from what rules look at."""

import datetime as dt
from collections.abc import Callable, Sequence
from urllib.parse import quote

from pilothouse.alerting.expiring import Certificate
from pilothouse.alerting.sending import Sender
from pilothouse.alerting.worker import JUDGING, Alerting, Sources
from pilothouse.base.clock import Clock
from pilothouse.base.hosts import AllowList
from pilothouse.config import Settings
from pilothouse.notify.mail_server import read_mail_server
from pilothouse.notify.postman import Postman
from pilothouse.notify.rules import NotifyRules
from pilothouse.operations.chores import Claim
from pilothouse.presence import Board
from pilothouse.serving.certificates import CertificateSettings, load, present
from pilothouse.serving.errors import CertificateUnusable
from pilothouse.storage.sealing import Vault
from pilothouse.storage.unit import Store
from pilothouse.telemetry.intake import Intake
from pilothouse.telemetry.store import TelemetryStore


def alerting(
    settings: Settings,
    *,
    store: Store,
    board: Board,
    telemetry: TelemetryStore,
    intake: Intake,
    vault: Vault,
    clock: Clock,
) -> Alerting:
    """Put the parts together.

    Raises: CannotStart
    """
    sources = Sources(
        board=board, telemetry=telemetry, losses=intake.losses, certificates=lambda: certificates(settings)
    )
    sender = Sender(store, vault, Postman(notify_rules(settings), clock), clock, _link(settings))
    claim = Claim(store, JUDGING, clock.now, is_alone=settings.looks_for_events_every_s <= 0)
    return Alerting(store, sources, sender, clock, claim)


def notify_rules(settings: Settings) -> NotifyRules:
    """Read what the operator set about telling people."""
    return NotifyRules(
        allowed=AllowList.parse(settings.notify_allow),
        ca_file=settings.notify_ca_file,
        mail=None if settings.smtp_url is None else read_mail_server(settings.smtp_url, settings.smtp_from),
    )


def certificates(settings: Settings) -> Sequence[Certificate]:
    """Tell when the certificate that is shown to runtimes and people ends, as its file is now."""
    try:
        files = present(
            CertificateSettings(
                directory=settings.home / "tls", certificate=settings.tls_certificate, key=settings.tls_key
            )
        )
        found = load(files.certificate)
    except (CertificateUnusable, OSError):
        return ()  # without one nothing is served at all
    return (Certificate(name=files.certificate.name, expires_at=_instant(found.not_valid_after_utc)),)


def _instant(at: dt.datetime) -> float:
    return at.timestamp()


def _link(settings: Settings) -> Callable[[str], str | None]:
    """Give the address of an alert in the console, of all without an id; none unless told by which name people reach it."""
    scheme = "https" if settings.console_tls else "http"
    if not settings.public_host:
        return lambda _: None
    base = f"{scheme}://{settings.public_host}:{settings.console_port}/alerts"
    return lambda alert_id: f"{base}?alert={quote(alert_id, safe='')}" if alert_id else base
