"""A control plane on its two ports, from start to stop."""

import datetime as dt
from collections.abc import Awaitable, Callable

import msgspec

from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.lock import lock_home
from pilothouse.app.people import ensure_administrator
from pilothouse.app.restoring import settle
from pilothouse.config import Settings
from pilothouse.protocol.exchange import Exchange, ExchangeSettings
from pilothouse.protocol.routes import FIGURED
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.certificates import CertificateSettings, ensure, fingerprint_sha256, present
from pilothouse.serving.settings import CarrierSettings, TlsFiles
from pilothouse.serving.signals import run_until_signalled

RUNTIMES = "runtimes"
CONSOLE = "console"
_LOOPBACK = "127.0.0.1"


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody who started a control plane wants to know."""

    plane: ControlPlane
    console_url: str
    runtime_url: str
    """As runtimes on this machine reach it."""
    certificate: TlsFiles
    certificate_is_ours: bool
    fingerprint: str
    first_password: str | None
    """The first administrator's password, if it was generated just now."""


async def run(
    settings: Settings,
    when_ready: Callable[[Started], Awaitable[None]],
    before_stop: Callable[[], Awaitable[None]],
) -> None:
    """Start, serve until a signal asks to stop, stop.

    Raises: CannotStart
    """
    lock_home(settings.home)
    if settings.database.is_embedded:
        settle(settings.database_path)
    certificate = tls_files(settings)
    plane = await open_control_plane(settings)
    try:
        first_password = await ensure_administrator(plane, settings.admin_password)
        await plane.start()
        carrier = await _carrier(plane, settings, certificate)

        async def ready() -> None:
            plane.runtime_port = carrier.ports[RUNTIMES]
            await when_ready(_started(plane, settings, carrier, certificate, first_password))

        async def let_go() -> None:
            plane.let_go()
            await before_stop()

        await run_until_signalled(carrier, ready, let_go)
    finally:
        await plane.stop()


def tls_files(settings: Settings) -> TlsFiles:
    """Find the certificate to serve with, making our own where none is given.

    Raises: CertificateUnusable
    """
    return ensure(_certificate_settings(settings), dt.datetime.now(dt.UTC))


def tls_files_present(settings: Settings) -> TlsFiles:
    """Find the certificate that the control plane of this home serves with, changing nothing.

    Raises: CertificateMissing
    """
    return present(_certificate_settings(settings))


def _certificate_settings(settings: Settings) -> CertificateSettings:
    return CertificateSettings(
        directory=settings.home / "tls",
        names=(settings.public_host,) if settings.public_host else (),
        certificate=settings.tls_certificate,
        key=settings.tls_key,
    )


async def _carrier(plane: ControlPlane, settings: Settings, certificate: TlsFiles) -> Carrier:
    carrier = Carrier(
        (
            Listener(
                name=RUNTIMES,
                app=Exchange(
                    plane.runtime_handler,
                    ExchangeSettings(),
                    plane.figures.count_refusal,
                    plane.figures.runtimes,
                    FIGURED,
                ),
                host=settings.host,
                port=settings.runtime_port,
                setting="PILOTHOUSE_RUNTIME_PORT",
                tls=certificate,
            ),
            Listener(
                name=CONSOLE,
                app=await plane.console_application(),
                host=settings.host if settings.console_tls else _LOOPBACK,
                port=settings.console_port,
                setting="PILOTHOUSE_CONSOLE_PORT",
                tls=certificate if settings.console_tls else None,
            ),
        ),
        CarrierSettings(),
    )
    for name in (RUNTIMES, CONSOLE):
        plane.figures.gauge(
            f"pilothouse_{name}_connections", f"Connections on the port for {name}.", _reading(carrier, name)
        )
    plane.figures.counter(
        "pilothouse_connections_evicted", "Connections that had to make room for others.", "port", carrier.evicted
    )
    return carrier


def _reading(carrier: Carrier, name: str) -> Callable[[], float]:
    return lambda: carrier.connections().get(name, 0)


def _started(
    plane: ControlPlane, settings: Settings, carrier: Carrier, certificate: TlsFiles, first_password: str | None
) -> Started:
    scheme = "https" if settings.console_tls else "http"
    return Started(
        plane=plane,
        console_url=f"{scheme}://{settings.public_host or 'localhost'}:{carrier.ports[CONSOLE]}",
        runtime_url=f"https://localhost:{carrier.ports[RUNTIMES]}",
        certificate=certificate,
        certificate_is_ours=settings.tls_certificate is None,
        fingerprint=fingerprint_sha256(certificate.certificate),
        first_password=first_password,
    )
