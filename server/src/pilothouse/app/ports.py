"""Where a control plane serves, and with which certificate: what is known before its parts are loaded."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from pilothouse.config import Settings
from pilothouse.serving.certificates import CertificateSettings, ensure, fingerprint_sha256, present
from pilothouse.serving.settings import TlsFiles

RUNTIMES: Final = "runtimes"
CONSOLE: Final = "console"
SETTINGS: Final = {RUNTIMES: "PILOTHOUSE_RUNTIME_PORT", CONSOLE: "PILOTHOUSE_CONSOLE_PORT"}
"""What chooses the port, by the listener's name."""
_LOOPBACK: Final = "127.0.0.1"


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody who started a control plane wants to know."""

    home: Path
    console_url: str
    runtime_url: str
    """As runtimes on this machine reach it."""
    certificate: TlsFiles
    certificate_is_ours: bool
    fingerprint: str
    first_password: str | None
    """The first administrator's password, if it was generated just now."""


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


def console_host(settings: Settings) -> str:
    """Tell the address that the console's port listens on: plain HTTP never leaves the machine."""
    return settings.host if settings.console_tls else _LOOPBACK


def serving(settings: Settings, ports: Mapping[str, int], certificate: TlsFiles, first_password: str | None) -> Serving:
    """Tell what is served where, once the ports are open."""
    scheme = "https" if settings.console_tls else "http"
    return Serving(
        home=settings.home,
        console_url=f"{scheme}://{settings.public_host or 'localhost'}:{ports[CONSOLE]}",
        runtime_url=f"https://localhost:{ports[RUNTIMES]}",
        certificate=certificate,
        certificate_is_ours=settings.tls_certificate is None,
        fingerprint=fingerprint_sha256(certificate.certificate),
        first_password=first_password,
    )
