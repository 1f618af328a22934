"""What people, tokens and secrets did or tried: each record holds the digest of the one before, so that a removal shows."""

import hashlib
from enum import StrEnum, unique

import msgspec

from pilothouse.base.instants import Instant

CHAIN_BEGINS = ""
"""The digest that the first record is chained to."""


@unique
class Outcome(StrEnum):
    """What became of an action."""

    DONE = "done"
    REFUSED = "refused"
    """It was not permitted, or the sign-in was wrong."""


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did, or tried."""

    at: Instant
    organization_id: str
    actor: str
    """`user:<name>`, `secret:<key id>` or `console:local`."""
    actor_id: str | None = None
    via: str = ""
    """session · token · local · heartbeat"""
    credential_id: str | None = None
    """Id of the session or of the API token."""
    action: str
    """`<thing>.<verb>`, e.g. `project.delete`."""
    target: str
    outcome: Outcome = Outcome.DONE
    address: str | None = None
    detail: str = ""
    before: str | None = None
    """JSON object: what it was, as far as it changed; never a secret."""
    after: str | None = None
    project_id: str | None = None
    integration_id: str | None = None
    environment_id: str | None = None


class StoredRecord(AuditRecord, frozen=True, kw_only=True):
    """A record with its place in the chain."""

    number: int
    digest: str


def chain(previous: str, record: AuditRecord) -> str:
    """Make the digest of a record: SHA-256 over the digest of the one before and every field, in order.

    Instants count in whole milliseconds, as they are stored.
    """
    fields = [getattr(record, name) for name in AuditRecord.__struct_fields__ if name != "at"]
    text = msgspec.json.encode([previous, round(record.at * 1000), *fields])
    return hashlib.sha256(text).hexdigest()
