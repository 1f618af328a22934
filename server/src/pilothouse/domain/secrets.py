"""Secrets: what a runtime signs its tokens with, and how long it may. The material itself never travels in these.

A secret ends in one of two ways, and both are judged by this server's clock at every heartbeat:

    ACTIVE ── EXPIRING ── EXPIRED            its `expires_at` comes; moving it brings the secret back
       └───────┴──────────┴── REVOKING ── REVOKED     somebody revokes it; `restore` works while it is REVOKING
"""

import math
from enum import StrEnum, unique

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.domain.runtime import Notice
from pilothouse.domain.runtime_type import RuntimeType

_DAY_S = 86_400
EXPIRY_WARNED_S = 7 * _DAY_S
"""How long before its end a secret is called EXPIRING and its runtimes carry a warning."""
GRACE_MAX_S = 30 * _DAY_S
OVERLAP_DEFAULT_S = 7 * _DAY_S
OVERLAP_MAX_S = 90 * _DAY_S


@unique
class SecretState(StrEnum):
    """Where a secret is in its life; computed when read."""

    ACTIVE = "ACTIVE"
    EXPIRING = "EXPIRING"
    EXPIRED = "EXPIRED"
    REVOKING = "REVOKING"
    REVOKED = "REVOKED"


class SecretLife(msgspec.Struct, frozen=True, kw_only=True):
    """The instants that decide whether a secret may be used."""

    expires_at: Instant | None = None
    revoked_from: Instant | None = None
    """From then on it is revoked for good; until then it is being revoked. None while nobody revoked it."""
    revoked_at: Instant | None = None
    """When its material was destroyed."""

    @property
    def usable_until(self) -> Instant:
        """The instant from which on no heartbeat is accepted: minus infinity once it is being revoked, infinity for never."""
        if self.revoked_from is not None or self.revoked_at is not None:
            return -math.inf
        return math.inf if self.expires_at is None else self.expires_at

    def state_at(self, now: Instant) -> SecretState:
        """Tell the state. Who revokes an expired secret wants to hear that it is revoked: revocation goes first."""
        if self.revoked_at is not None:
            return SecretState.REVOKED
        if self.revoked_from is not None:
            return SecretState.REVOKED if now >= self.revoked_from else SecretState.REVOKING
        if self.expires_at is None or now < self.expires_at - EXPIRY_WARNED_S:
            return SecretState.ACTIVE
        return SecretState.EXPIRED if now >= self.expires_at else SecretState.EXPIRING


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """The integration that a secret speaks for."""

    project_id: str
    integration_id: str
    project_handle: str
    integration_handle: str
    runtime_type: RuntimeType


class SecretFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as the protocol's edge knows it, without its material."""

    key_id: str
    organization_id: str
    environment_id: str
    environment_handle: str
    binding: Binding | None
    created_by: str
    life: SecretLife


class SecretRow(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as a list shows it."""

    key_id: str
    environment_handle: str
    environment_display_name: str
    environment_critical: bool
    project_handle: str | None
    project_display_name: str | None
    integration_handle: str | None
    integration_display_name: str | None
    created_at: Instant
    created_by: str
    bound_at: Instant | None
    last_used_at: Instant | None
    runtime_count: int
    expires_at: Instant | None
    revoked_from: Instant | None
    revoked_at: Instant | None
    revoked_by: str | None
    rotates: str | None
    """Key id of the secret that it replaces."""
    rotated_by: str | None
    """Key id of the newest secret that replaces it."""

    @property
    def bound(self) -> bool:
        """Whether it speaks for one integration only."""
        return self.integration_handle is not None

    @property
    def life(self) -> SecretLife:
        """The instants that decide whether it may be used."""
        return SecretLife(expires_at=self.expires_at, revoked_from=self.revoked_from, revoked_at=self.revoked_at)


def check_grace(seconds: int | None) -> int:
    """Check a grace period as it came from outside; none is 0.

    Raises: InvalidInput
    """
    return _check_seconds(0 if seconds is None else seconds, GRACE_MAX_S, "graceSeconds", "grace period")


def check_overlap(seconds: int | None) -> int:
    """Check an overlap as it came from outside; none is the default.

    Raises: InvalidInput
    """
    return _check_seconds(OVERLAP_DEFAULT_S if seconds is None else seconds, OVERLAP_MAX_S, "overlapSeconds", "overlap")


def check_expiry(expires_at: Instant | None, now: Instant) -> Instant | None:
    """Check an instant of expiry as it came from outside.

    Raises: InvalidInput when it is not to come
    """
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            f"A secret cannot expire in the past ({to_rfc3339(expires_at)}).",
            field="expiresAt",
            fix="Name an instant to come; to end a secret now, revoke it.",
        )
    return expires_at


def expiry_notice(key_id: str, expires_at: Instant | None, now: Instant) -> Notice | None:
    """Warn of a runtime whose secret ends soon, or has ended and will be missed at its next heartbeat."""
    if expires_at is None or now < expires_at - EXPIRY_WARNED_S:
        return None
    ended = now >= expires_at
    return Notice(
        code="SECRET_EXPIRED" if ended else "SECRET_EXPIRING",
        message=f"Its secret {key_id} {'expired' if ended else 'expires'} at {to_rfc3339(expires_at)}.",
        fix="Rotate the secret and put the new one into the runtime's Config.toml, or move its expiry.",
    )


def _check_seconds(seconds: int, most_s: int, field: str, what: str) -> int:
    if not 0 <= seconds <= most_s:
        raise InvalidInput(
            f"A secret's {what} is 0 to {most_s} seconds ({most_s // _DAY_S} days), not {seconds}.",
            field=field,
            fix=f"Ask for 0 to {most_s} seconds.",
        )
    return seconds
