"""What people, tokens and secrets did or tried: each record holds the digest of the one before, so that a removal shows."""

import base64
import hashlib
from collections.abc import Sequence
from enum import StrEnum, unique
from typing import Any, Final

import msgspec

from pilothouse.base.instants import Instant

CHAIN_BEGINS = ""
"""The digest that the first record is chained to."""
VERSION = "1"
"""Stands in front of every digest: a later release may chain more fields and still verify what this one wrote."""
CHAINED: tuple[str, ...] = (
    "organization_id",
    "actor",
    "actor_id",
    "via",
    "credential_id",
    "action",
    "target",
    "outcome",
    "address",
    "detail",
    "before",
    "after",
    "project_id",
    "integration_id",
    "environment_id",
)
"""The fields that version 1 covers beside number and instant, in its order; never changed."""


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
    """`user:<name>`, `secret:<key id>`, `console:local` or `housekeeping`."""
    actor_id: str | None = None
    via: str = "local"
    """session · token · local (this machine, or the server by itself) · heartbeat"""
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


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the chain: what the record after it is chained to, and what an operator may pin elsewhere."""

    number: int = 0
    digest: str = CHAIN_BEGINS


BEGINNING = Link()


def chain(previous: str, number: int, at: Instant, fields: Sequence[str | None]) -> str:
    """Make the digest of a record: its version, and SHA-256 over the digest before, number, instant and every field.

    What is digested is one JSON array: strings are quoted and nothing is null, so that no two records read alike.
    Instants count in whole milliseconds, as they are stored.

    fields: the values of `CHAINED`, in its order
    """
    text = msgspec.json.encode([VERSION, previous, number, round(at * 1000), *fields])
    digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode("ascii").rstrip("=")
    return f"{VERSION}.{digest}"


def chained_fields(record: AuditRecord) -> list[str | None]:
    """List what a record puts into its digest."""
    return [getattr(record, name) for name in CHAINED]


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """Where the chain does not hold."""

    at: int
    """The record that does not fit, or after which some are missing."""
    message: str


FORGET: Final = "audit.forget"
"""The action by which retention says where the chain begins since it deleted what came before."""


def forgotten(link: Link) -> str:
    """Say in a record, as JSON, where retention cut; the anchor is believed because the chain repeats it."""
    return msgspec.json.encode(link, order="sorted").decode()


class Walk:
    """Goes along the chain, record by record, from its beginning or from where retention cut."""

    def __init__(self, anchor: Link = BEGINNING) -> None:
        self.anchor = anchor
        self.reached = anchor
        """How far it went and everything fitted."""
        self.checked = 0
        self.found: Break | None = None
        self._vouched = anchor == BEGINNING
        self._word = forgotten(anchor)
        self._may_be_older = anchor.digest == CHAIN_BEGINS
        """Records from before there was a chain come first, and prove nothing."""

    def step(self, number: int, digest: str, at: Instant, fields: Sequence[Any]) -> bool:  # Any: str | None, as stored
        """Look at the next record; False when it does not fit, and then `found` says why."""
        reached = self.reached
        if self._may_be_older and not digest and not fields[_VIA]:
            self.reached = Link(number=number)
            return True
        if number != reached.number + 1:
            return self._stop(
                reached.number, f"After number {reached.number} records are missing: {number} comes next."
            )
        if digest != chain(reached.digest, number, at, fields):
            return self._stop(
                number, f"Record {number} is not as it was written, or what came before it was changed or removed."
            )
        if not self._vouched and fields[_ACTION] == FORGET and fields[_AFTER] == self._word:
            self._vouched = True
        self._may_be_older = False
        self.reached = Link(number=number, digest=digest)
        self.checked += 1
        return True

    def finish(self, last_given: int) -> None:
        """Look at the end: every number that was ever given out has its record.

        last_given: the highest number that the database remembers to have given
        """
        if self.found is not None:
            return
        if not self._vouched:
            self._stop(
                self.anchor.number, f"No record says that retention deleted what came up to {self.anchor.number}."
            )
        elif last_given > self.reached.number:
            missing = last_given - self.reached.number
            self._stop(self.reached.number, f"The newest records are missing: {missing} after {self.reached.number}.")

    def _stop(self, at: int, message: str) -> bool:
        self.found = Break(at=at, message=message)
        return False


_VIA, _ACTION, _AFTER = (CHAINED.index(name) for name in ("via", "action", "after"))
