"""A secret's life, as people decide it: generated, rotated, given an end, revoked, restored."""

import msgspec

from pilothouse.access.grants import EVERYTHING, Place, Subject, reach
from pilothouse.access.permissions import Permission
from pilothouse.access.secrets import SecretReach, require_secrets, secret_reach
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_key_id, new_key_material
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.secrets import SecretFacts, SecretRow, SecretState, check_expiry, check_grace, check_overlap
from pilothouse.domain.tenancy import Environment, Integration, Organization
from pilothouse.operations.audit import audit
from pilothouse.operations.tenancy import environment_not_found, integration_not_found
from pilothouse.storage import secrets, tenancy
from pilothouse.storage.sealing import Vault
from pilothouse.storage.unit import Transaction

# contracts/config/snippet.toml: exactly this table, so that it works for a Ballerina integration too.
_SNIPPET = """\
[wso2.icp.runtime.bridge]
environment = "{environment}"
project = "{project}"
integration = "{integration}"
runtime = "<unique-runtime-name>"
secret = "{secret}"
# serverUrl = "https://<hostname>:9445"
"""


class GeneratedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret: the only time that its material is outside of the vault."""

    key_id: str
    secret: str
    config_toml: str
    environment: Environment


class RotatedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret, and the one that it replaces."""

    generated: GeneratedSecret
    old: SecretRow


class RevokedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """What a revocation does."""

    key_id: str
    runtime_count: int
    """Runtimes that used it last."""
    effective_at: Instant
    """When it is revoked for good."""


def generate(
    tx: Transaction,
    subject: Subject,
    organization: Organization,
    vault: Vault,
    *,
    environment_handle: str,
    project_handle: str | None,
    integration_handle: str | None,
    now: Instant,
    expires_at: Instant | None = None,
) -> GeneratedSecret:
    """Generate a secret for an environment, bound to an integration at once if one is named.

    Raises: NotPermitted, NotFound, InvalidInput
    """
    if (project_handle is None) != (integration_handle is None):
        missing = "project" if project_handle is None else "integration"
        raise InvalidInput(
            "A secret is bound to an integration of a project: name both or neither.",
            field=missing,
            fix=f"Name the {missing} too, or leave both out for a secret that its first heartbeat binds.",
        )
    seen = reach(subject, Permission.SIGNED_IN)
    environment = tenancy.find_environment(tx.connection, environment_handle, seen)
    if environment is None:
        raise environment_not_found(environment_handle)
    integration = _find_integration(tx, subject, project_handle, integration_handle)
    require_secrets(subject, _place(environment, integration), critical=environment.critical)
    return _make(
        tx,
        subject,
        organization.id,
        vault,
        environment,
        integration,
        now=now,
        expires_at=check_expiry(expires_at, now),
    )


def rotate(
    tx: Transaction, subject: Subject, vault: Vault, key_id: str, *, overlap_s: int | None, now: Instant
) -> RotatedSecret:
    """Generate a second secret for the same binding; the old one ends when the overlap does, or earlier if it was to.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict when it is not bound, revoked, or replaced already
    """
    overlap_s = check_overlap(overlap_s)
    facts, environment = _find(tx, subject, key_id)
    if facts.life.state_at(now) in (SecretState.REVOKING, SecretState.REVOKED):
        raise _revoked(key_id, fix="Generate a new secret; one that is being revoked can be restored first.")
    if facts.binding is None:
        raise Conflict(
            f"The secret {key_id} is not bound to an integration yet: there is nothing that a second one could take over.",
            field="keyId",
            fix="Generate a new secret and revoke this one.",
        )
    replaced_by = _row(tx, key_id).rotated_by
    if replaced_by is not None and _is_alive(tx, replaced_by, now):
        raise Conflict(
            f"The secret {key_id} is replaced by {replaced_by} already.",
            field="keyId",
            fix=f"Put {replaced_by} to use, or rotate that one; if its material was lost, revoke it first.",
        )
    integration = tenancy.find_integration(
        tx.connection, facts.binding.project_handle, facts.binding.integration_handle
    )
    made = _make(tx, subject, facts.organization_id, vault, environment, integration, now=now, rotates=key_id)
    ends_at = _ms(now + overlap_s)
    if facts.life.expires_at is not None:
        ends_at = min(ends_at, facts.life.expires_at)
    secrets.set_expiry(tx.connection, key_id, ends_at)
    detail = f"replaced by {made.key_id}, expires at {to_rfc3339(ends_at)}"
    _tell(tx, EventKind.SECRET_ROTATED, key_id, _place_of(facts), now, detail)
    audit(tx, subject, "secret.rotate", key_id, now, detail=detail, at=_place_of(facts))
    return RotatedSecret(generated=made, old=_row(tx, key_id))


def set_expiry(
    tx: Transaction, subject: Subject, key_id: str, expires_at: Instant | None, *, now: Instant
) -> SecretRow:
    """Set, move or (with None) remove the instant from which on a secret is refused; an expired one may live on by it.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict when it is revoked
    """
    facts, _ = _find(tx, subject, key_id)
    if facts.life.state_at(now) is SecretState.REVOKED:
        raise _revoked(key_id, fix="Generate a new secret.")
    secrets.set_expiry(tx.connection, key_id, check_expiry(expires_at, now))
    detail = "never expires" if expires_at is None else f"expires at {to_rfc3339(expires_at)}"
    _tell(tx, EventKind.SECRET_CHANGED, key_id, _place_of(facts), now, detail)
    audit(tx, subject, "secret.set-expiry", key_id, now, detail=detail, at=_place_of(facts))
    return _row(tx, key_id)


def revoke(
    tx: Transaction, subject: Subject, key_id: str, *, now: Instant, grace_s: int | None = None
) -> RevokedSecret:
    """Revoke a secret: at once, destroying its material, or with a grace period in which it is refused and can be restored.

    One that is being revoked may be given another grace period, or none.
    Raises: NotPermitted, NotFound, InvalidInput
    """
    grace_s = check_grace(grace_s)
    facts, _ = _find(tx, subject, key_id)
    if facts.life.state_at(now) is SecretState.REVOKED:
        raise _not_found(key_id, fix="It is revoked already: look at the list of secrets.")
    count = secrets.count_runtimes(tx.connection, key_id)
    effective_at = _ms(now + grace_s)
    secrets.set_revocation(tx.connection, key_id, effective_at, subject.username)
    if grace_s == 0:
        secrets.destroy(tx.connection, key_id, now)
    until = f", with grace until {to_rfc3339(effective_at)}" if grace_s else ""
    detail = f"{count} runtimes used it last{until}"
    _tell(tx, EventKind.SECRET_REVOKED, key_id, _place_of(facts), now, detail)
    audit(tx, subject, "secret.revoke", key_id, now, detail=detail, at=_place_of(facts))
    return RevokedSecret(key_id=key_id, runtime_count=count, effective_at=effective_at)


def restore(tx: Transaction, subject: Subject, key_id: str, *, now: Instant) -> SecretRow:
    """Take back a revocation whose grace period is not over.

    Raises: NotPermitted, NotFound, Conflict when it is not being revoked
    """
    facts, _ = _find(tx, subject, key_id)
    state = facts.life.state_at(now)
    if state is SecretState.REVOKED:
        raise _revoked(key_id, fix="Generate a new secret: the material of this one is gone.")
    if state is not SecretState.REVOKING:
        raise Conflict(f"The secret {key_id} is not being revoked.", field="keyId", fix="Nothing is to be restored.")
    secrets.set_revocation(tx.connection, key_id, None, None)
    _tell(tx, EventKind.SECRET_CHANGED, key_id, _place_of(facts), now, "restored")
    audit(tx, subject, "secret.restore", key_id, now, at=_place_of(facts))
    return _row(tx, key_id)


def render_snippet(environment: str, project: str | None, integration: str | None, secret: str) -> str:
    """Write the Config.toml table; what is not known stands in angle brackets. All names are handles or Base64: no quoting."""
    return _SNIPPET.format(
        environment=environment,
        project=project or "<project>",
        integration=integration or "<integration>",
        secret=secret,
    )


def _make(
    tx: Transaction,
    subject: Subject,
    organization_id: str,
    vault: Vault,
    environment: Environment,
    integration: Integration | None,
    *,
    now: Instant,
    expires_at: Instant | None = None,
    rotates: str | None = None,
) -> GeneratedSecret:
    key_id, material = new_key_id(), new_key_material()
    while secrets.find(tx.connection, key_id) is not None:  # 32 bits: a collision is rare, not impossible
        key_id = new_key_id()
    secrets.add(
        tx.connection,
        key_id=key_id,
        organization_id=organization_id,
        environment_id=environment.id,
        integration_id=None if integration is None else integration.id,
        sealed_material=vault.seal(material, key_id=key_id),
        created_at=now,
        created_by=subject.username,
        expires_at=expires_at,
        rotates=rotates,
    )
    place = _place(environment, integration)
    _tell(tx, EventKind.SECRET_GENERATED, key_id, place, now)
    audit(tx, subject, "secret.generate", key_id, now, detail=f"for the environment {environment.handle}", at=place)
    secret = f"{key_id}.{material}"
    project, name = (None, None) if integration is None else (integration.project_handle, integration.handle)
    return GeneratedSecret(
        key_id=key_id,
        secret=secret,
        config_toml=render_snippet(environment.handle, project, name, secret),
        environment=environment,
    )


def _find(tx: Transaction, subject: Subject, key_id: str) -> tuple[SecretFacts, Environment]:
    """Find a secret that the subject manages, whatever its state: to others it is not there.

    Raises: NotFound
    """
    found = secrets.find(tx.connection, key_id)
    environment = None if found is None else tenancy.find_environment(tx.connection, found[0].environment_handle)
    if found is None or environment is None:
        raise _not_found(key_id, fix="Look at the list of secrets.")
    if not secret_reach(subject).holds(_place_of(found[0]), critical=environment.critical):
        raise _not_found(key_id, fix="Look at the list of secrets.")
    return found[0], environment


def _row(tx: Transaction, key_id: str) -> SecretRow:
    """Read how a secret is now that it was changed; who changed it may see it."""
    found = secrets.find_row(tx.connection, SecretReach(all=EVERYTHING), key_id)
    if found is None:
        raise _not_found(key_id, fix="Look at the list of secrets.")
    return found


def _is_alive(tx: Transaction, key_id: str, now: Instant) -> bool:
    return _row(tx, key_id).life.state_at(now) not in (SecretState.EXPIRED, SecretState.REVOKED)


def _not_found(key_id: str, *, fix: str) -> NotFound:
    return NotFound(f"There is no secret with the key id '{key_id[:16]}'.", field="keyId", fix=fix)


def _revoked(key_id: str, *, fix: str) -> Conflict:
    return Conflict(f"The secret {key_id} is revoked or being revoked.", field="keyId", fix=fix)


def _ms(instant: Instant) -> Instant:
    """Cut an instant to what is stored of it, so that what is told and what is kept are one."""
    return round(instant * 1000) / 1000


def _place_of(facts: SecretFacts) -> Place:
    binding = facts.binding
    return Place(
        project_id=binding and binding.project_id,
        integration_id=binding and binding.integration_id,
        environment_id=facts.environment_id,
    )


def _tell(tx: Transaction, kind: EventKind, key_id: str, place: Place, now: Instant, detail: str = "") -> None:
    tx.emit(
        NewEvent(
            kind=kind,
            at=now,
            key_id=key_id,
            project_id=place.project_id,
            integration_id=place.integration_id,
            environment_id=place.environment_id,
            detail=detail,
        )
    )


def _place(environment: Environment, integration: Integration | None) -> Place:
    return Place(
        project_id=integration and integration.project_id,
        integration_id=integration and integration.id,
        environment_id=environment.id,
    )


def _find_integration(
    tx: Transaction, subject: Subject, project: str | None, integration: str | None
) -> Integration | None:
    if project is None or integration is None:
        return None
    found = tenancy.find_integration(
        tx.connection, project, integration, reach(subject, Permission.INTEGRATION_MGT_VIEW)
    )
    if found is None:
        raise integration_not_found(project, integration)
    return found
