"""Queries that are known by their digest: the console's, written down when it is built.

The manifest lies beside the console's files: `persisted.json`, an object of SHA-256 digests (hex) and query texts.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec
import structlog

from pilothouse.base.errors import InvalidInput, NotFound, NotPermitted

_log = structlog.get_logger(__name__)

MANIFEST: Final = "persisted.json"
_VERSION: Final = 1


class PersistedQueryNotFound(NotFound):
    """No query is known by this digest."""

    code = "PERSISTED_QUERY_NOT_FOUND"


class PersistedQueryMismatch(InvalidInput):
    """The digest is not the one of the query that came with it."""

    code = "PERSISTED_QUERY_MISMATCH"


class PersistedQueryOnly(NotPermitted):
    """Only queries from the console's manifest are run here."""

    code = "PERSISTED_QUERY_ONLY"


class Reference(msgspec.Struct, frozen=True):
    """How a request names a query by its digest."""

    version: int
    sha256Hash: str  # noqa: N815 - the clients' word


def digest_of(query: str) -> str:
    """Tell the digest by which a query is known."""
    return hashlib.sha256(query.encode("utf-8", "surrogatepass")).hexdigest()


class PersistedQueries:
    """The manifest, read when it is first asked for."""

    def __init__(self, console_folder: Path | None) -> None:
        self._folder = console_folder

    @cached_property
    def by_digest(self) -> Mapping[str, str]:
        """The query texts by digest; empty where there is no manifest, or none that can be read."""
        if self._folder is None or not (path := self._folder / MANIFEST).is_file():
            return {}
        try:
            known = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.error("persisted.unreadable", reason=str(error), fix="Build the console again.")
            return {}
        wrong = [digest for digest, query in known.items() if digest_of(query) != digest]
        if wrong:
            _log.error("persisted.wrong_digests", count=len(wrong), fix="Build the console again.")
        return {digest: query for digest, query in known.items() if digest not in wrong}

    def resolve(self, query: str | None, reference: Reference | None) -> tuple[str, bool]:
        """Find the text of a query, and whether the manifest holds it.

        Raises: InvalidInput, PersistedQueryNotFound, PersistedQueryMismatch
        """
        if reference is None:
            if query is None:
                raise InvalidInput("There is no query.", field="query", fix="Send the operation as `query`.")
            return query, self._holds(query)
        if reference.version != _VERSION:
            raise InvalidInput(
                f"Version {reference.version} of persisted queries is not known.",
                field="extensions.persistedQuery.version",
                fix=f"Send version {_VERSION}.",
            )
        digest = reference.sha256Hash.lower()
        if query and digest_of(query) != digest:
            raise PersistedQueryMismatch(
                field="extensions.persistedQuery.sha256Hash",
                fix="Send the SHA-256 of the very text in `query`, in hex.",
            )
        known = self.by_digest.get(digest)
        if known is None and not query:
            raise PersistedQueryNotFound(
                field="extensions.persistedQuery.sha256Hash", fix="Send the text along in `query`."
            )
        return known or query or "", known is not None

    def _holds(self, query: str) -> bool:
        return bool(self.by_digest) and digest_of(query) in self.by_digest
