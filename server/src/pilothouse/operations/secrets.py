"""Generating and revoking secrets, and the snippet that carries one to a runtime."""

import msgspec

from pilothouse.access.grants import Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import InvalidInput, NotFound
from pilothouse.base.ids import new_key_id, new_key_material
from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
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
    environment = tenancy.find_environment(tx.connection, environment_handle)
    if environment is None:
        raise environment_not_found(environment_handle)
    _require_secrets_of(subject, critical=environment.critical)
    integration = _find_integration(tx, project_handle, integration_handle)
    key_id, material = new_key_id(), new_key_material()
    while secrets.find(tx.connection, key_id) is not None:  # 32 bits: a collision is rare, not impossible
        key_id = new_key_id()
    secrets.add(
        tx.connection,
        key_id=key_id,
        organization_id=organization.id,
        environment_id=environment.id,
        integration_id=None if integration is None else integration.id,
        sealed_material=vault.seal(material, key_id=key_id),
        created_at=now,
        created_by=subject.username,
    )
    tx.emit(NewEvent(kind=EventKind.SECRET_GENERATED, at=now, key_id=key_id, environment_id=environment.id))
    audit(tx, subject, "secret.generate", key_id, now, detail=f"for the environment {environment.handle}")
    secret = f"{key_id}.{material}"
    return GeneratedSecret(
        key_id=key_id,
        secret=secret,
        config_toml=render_snippet(environment.handle, project_handle, integration_handle, secret),
        environment=environment,
    )


def revoke(tx: Transaction, subject: Subject, key_id: str, *, now: Instant) -> int:
    """Revoke a secret, destroying its material; returns how many runtimes used it last.

    Raises: NotPermitted, NotFound
    """
    found = secrets.find(tx.connection, key_id)
    if found is None or found[1] is None:
        raise NotFound(
            f"There is no secret with the key id '{key_id[:16]}'.",
            field="keyId",
            fix="It may be revoked already: look at the list of secrets.",
        )
    environment = tenancy.find_environment(tx.connection, found[0].environment_handle)
    _require_secrets_of(subject, critical=environment is None or environment.critical)
    count = secrets.count_runtimes(tx.connection, key_id)
    secrets.revoke(tx.connection, key_id, now)
    tx.emit(NewEvent(kind=EventKind.SECRET_REVOKED, at=now, key_id=key_id))
    audit(tx, subject, "secret.revoke", key_id, now, detail=f"{count} runtimes used it last")
    return count


def render_snippet(environment: str, project: str | None, integration: str | None, secret: str) -> str:
    """Write the Config.toml table; what is not known stands in angle brackets. All names are handles or Base64: no quoting."""
    return _SNIPPET.format(
        environment=environment,
        project=project or "<project>",
        integration=integration or "<integration>",
        secret=secret,
    )


def _require_secrets_of(subject: Subject, *, critical: bool) -> None:
    wider = () if critical else (Permission.ENVIRONMENT_MGT_MANAGE_NONPROD,)
    require(subject, Permission.ENVIRONMENT_MGT_MANAGE, *wider)


def _find_integration(tx: Transaction, project: str | None, integration: str | None) -> Integration | None:
    if project is None or integration is None:
        return None
    found = tenancy.find_integration(tx.connection, project, integration)
    if found is None:
        raise integration_not_found(project, integration)
    return found
