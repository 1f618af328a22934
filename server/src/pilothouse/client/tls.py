"""Whom a connection trusts: the machine's authorities, a file of them, or one certificate that a person looked at."""

import hashlib
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from pilothouse.client.errors import CredentialsUnsafe, Misused, Unreachable

_CONNECT_S = 10.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
HTTPS_PORT = 443


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this very machine."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def checked_url(text: str) -> str:
    """Bring a control plane's address into one form: scheme, host and port, and nothing else.

    Raises: Misused
    """
    url = (text if "://" in text else f"https://{text}").rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in {"https", "http"} or not host:
        raise Misused(f"'{text}' is no address of a control plane.", fix="Write it as https://host:9446.")
    if parts.path or parts.query or parts.fragment or parts.username or parts.password:
        raise Misused(f"'{text}' is more than an address.", fix="Give scheme, host and port alone: https://host:9446.")
    if parts.scheme == "http" and not is_loopback(url):
        raise Misused(
            f"'{text}' is not encrypted: everybody on the way could read the credentials.",
            fix="Use https. Plain HTTP is for this machine alone.",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")


def context_for(ca_file: Path | None, pinned_pem: str | None) -> ssl.SSLContext:
    """Make what a connection is checked with. A certificate that was looked at, or a file, replaces the machine's authorities.

    Raises: CredentialsUnsafe
    """
    if ca_file is None and pinned_pem is None:
        return ssl.create_default_context()
    try:
        file = None if ca_file is None else str(ca_file)
        context = ssl.create_default_context(cafile=file, cadata=pinned_pem if file is None else None)
    except (OSError, ssl.SSLError, ValueError) as error:
        where = ca_file or "the certificate that was kept at sign-in"
        raise CredentialsUnsafe(
            f"{where} cannot be read as certificates: {error}", fix="Give a PEM file of certificates as --ca-file."
        ) from error
    # A certificate that is no authority may still be the one to trust: it, and no other.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def certificate_of(url: str) -> str:
    """Fetch the certificate that a server shows, trusting nothing: PEM, to be looked at by a person.

    Raises: Unreachable
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, parts.port or HTTPS_PORT), _CONNECT_S) as raw,
            context.wrap_socket(raw, server_hostname=host) as wrapped,
        ):
            shown = wrapped.getpeercert(binary_form=True)
    except OSError as error:
        raise Unreachable(f"{url} cannot be reached: {error}", fix="Check the address and that it runs.") from error
    return ssl.DER_cert_to_PEM_cert(shown or b"")


def fingerprint(pem: str) -> str:
    """Tell the SHA-256 fingerprint of a certificate, as `pilothouse tls show` does."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
