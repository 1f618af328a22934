"""The certificate of the ports: one of our own at the first start, or the user's, checked before anything listens.

Our own one lasts 825 days, the most that Apple's systems accept from any server certificate, and is renewed a month
before its end. It is no authority (CA:FALSE): who trusts it trusts these names and nothing else.
"""

import datetime as dt
import ipaddress
import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pilothouse.serving.errors import (
    CertificateExpired,
    CertificateKeyMismatch,
    CertificateMissing,
    CertificateUnusable,
)
from pilothouse.serving.settings import TlsFiles

_log = structlog.get_logger(__name__)

LIFETIME: Final = dt.timedelta(days=825)
RENEW_BEFORE: Final = dt.timedelta(days=30)
_CLOCK_SLACK: Final = dt.timedelta(hours=1)
"""A peer whose clock is a little behind must not find the certificate in its future."""
MARK: Final = "Pilothouse self-signed"
"""The organisation in certificates that we made; only those are ever replaced."""
_COMMON_NAME_LENGTH: Final = 64


class CertificateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the certificate comes from."""

    directory: Path
    """Where our own certificate and key are kept."""
    names: tuple[str, ...] = ()
    """More names and addresses by which runtimes and people reach this machine."""
    certificate: Path | None = None
    """A certificate chain of your own, PEM; used as it is."""
    key: Path | None = None
    """The key of that certificate, PEM without a passphrase."""


def ensure(settings: CertificateSettings, now: dt.datetime) -> TlsFiles:
    """Give the files to serve with: the user's, or ours, made or renewed where that is due.

    Raises: CertificateUnusable.
    """
    if settings.certificate is not None or settings.key is not None:
        if settings.certificate is None or settings.key is None:
            given = settings.certificate or settings.key or settings.directory
            raise CertificateUnusable(
                path=given, reason="one of certificate and key is given without the other", fix="Give both, or neither."
            )
        files = TlsFiles(settings.certificate, settings.key)
        check(files, now)
        return files
    files = TlsFiles(settings.directory / "certificate.pem", settings.directory / "key.pem")
    names = wanted_names(settings.names)
    reason = _why_anew(files, names, now)
    if reason is not None:
        _create(files, names, now)
        _log.info("certificate_created", reason=reason, path=str(files.certificate), names=list(names))
    check(files, now)
    return files


def present(settings: CertificateSettings) -> TlsFiles:
    """Find the files that a control plane here serves with, changing nothing.

    Raises: CertificateMissing.
    """
    files = (
        TlsFiles(settings.certificate, settings.key)
        if settings.certificate is not None and settings.key is not None
        else TlsFiles(settings.directory / "certificate.pem", settings.directory / "key.pem")
    )
    if not files.certificate.is_file():
        raise CertificateMissing(
            path=files.certificate,
            reason="there is no certificate; it is made at a control plane's first start",
            fix="Start the control plane first, or name its home directory with --home.",
        )
    return files


def wanted_names(more: Sequence[str]) -> tuple[str, ...]:
    """Collect the names that our own certificate is for."""
    host = socket.gethostname()
    return tuple(dict.fromkeys(name for name in ("localhost", host, "127.0.0.1", "::1", *more) if name))


def check(files: TlsFiles, now: dt.datetime | None = None) -> None:
    """Say clearly what is wrong with a certificate and its key, if anything is.

    Raises: CertificateMissing, CertificateExpired, CertificateKeyMismatch, CertificateUnusable.
    """
    certificate = load(files.certificate)
    try:
        key = serialization.load_pem_private_key(_read(files.key), None)
    except (ValueError, TypeError) as error:
        raise CertificateUnusable(
            path=files.key, reason="is no PEM key without a passphrase", fix="Give the key as PEM, decrypted."
        ) from error
    if key.public_key() != certificate.public_key():
        raise CertificateKeyMismatch(
            path=files.key,
            reason=f"does not belong to {files.certificate}",
            fix="Give the key that the certificate was made with; the server's certificate comes first in the chain.",
        )
    if now is None:
        return
    if now >= certificate.not_valid_after_utc:
        raise CertificateExpired(
            path=files.certificate,
            reason=f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}",
            fix="Renew the certificate.",
        )
    if now < certificate.not_valid_before_utc:
        raise CertificateExpired(
            path=files.certificate,
            reason=f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            fix="Check this machine's clock, or wait.",
        )


def load(path: Path) -> x509.Certificate:
    """Read the first certificate of a PEM file."""
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError as error:
        raise CertificateUnusable(path=path, reason="is no PEM certificate", fix="Give a PEM file.") from error


def fingerprint_sha256(path: Path) -> str:
    """Give the SHA-256 fingerprint of a certificate, as browsers show it."""
    return load(path).fingerprint(hashes.SHA256()).hex(":").upper()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateMissing(
            path=path,
            reason=error.strerror or "cannot be read",
            fix="Check the path, and that the user who runs the control plane may read it.",
        ) from error


def _why_anew(files: TlsFiles, names: Sequence[str], now: dt.datetime) -> str | None:
    """Say why our own certificate has to be made; None when it serves."""
    if not files.certificate.exists():
        # The key is written first: a key alone is what a stop between the two leaves behind.
        return "first start"
    certificate = load(files.certificate)
    organisations = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if [each.value for each in organisations] != [MARK]:
        return None
    try:
        check(files)
    except CertificateUnusable:
        return "key does not serve"
    if certificate.not_valid_after_utc - now < RENEW_BEFORE:
        return "renewal"
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if set(alternative) != set(_general_names(names)):
        return "names changed"
    return None


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name.encode("idna").decode("ascii") if not name.isascii() else name))
    return found


def _create(files: TlsFiles, names: Sequence[str], now: dt.datetime) -> None:
    """Make a key and a certificate, and put both in place."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, MARK),
            x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:_COMMON_NAME_LENGTH] or "localhost"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now - _CLOCK_SLACK + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    files.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    files.key.parent.chmod(0o700)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_whole(files.key, secret, 0o600)
    _write_whole(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _write_whole(path: Path, content: bytes, mode: int) -> None:
    """Write a file so that it is there whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
