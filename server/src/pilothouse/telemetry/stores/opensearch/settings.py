"""Where the cluster is and how to get in."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from pilothouse.base.errors import CannotStart


class OpenSearchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where telemetry goes instead of the disk of the control plane."""

    urls: tuple[str, ...]
    """Nodes of one cluster, any of which can be asked."""
    username: str = ""
    password: str = ""
    api_key: str = ""
    """Sent as `Authorization: ApiKey …` in the place of name and password."""
    ca_file: Path | None = None
    """PEM file with the one authority that the cluster is trusted by; None trusts the system's."""
    insecure: bool = False
    """Whether a certificate is believed that nobody vouches for."""
    prefix: str = "pilothouse"
    """Begin of the names of all indices and templates."""
    wso2: bool = False
    """Whether the indices are read too that WSO2's Fluent Bit set-up fills."""
    connections: int = 20


def read_urls(told: str) -> tuple[str, ...]:
    """Read addresses that are separated by commas.

    Raises: CannotStart
    """
    urls = tuple(part.strip().rstrip("/") for part in told.split(",") if part.strip())
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
            raise CannotStart(
                "PILOTHOUSE_OPENSEARCH_URL is not an address such as https://search.example.com:9200.",
                fix="Name and password have settings of their own; several nodes are separated by commas.",
            )
    if not urls:
        raise CannotStart(
            "PILOTHOUSE_TELEMETRY_STORE is `opensearch`, but PILOTHOUSE_OPENSEARCH_URL is not set.",
            fix="Set it to the cluster's address, such as https://search.example.com:9200.",
        )
    return urls
