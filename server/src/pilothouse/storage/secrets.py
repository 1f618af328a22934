"""Secrets: sealed material, binding, last use, revocation."""

from collections.abc import Mapping

from sqlalchemy import Connection, and_, func, insert, select, true, update

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.secrets import Binding, SecretFacts, SecretRow
from pilothouse.storage.columns import Rows
from pilothouse.storage.scope import within
from pilothouse.storage.tables import environments, integrations, projects, runtimes, secrets


def add(
    connection: Connection,
    *,
    key_id: str,
    organization_id: str,
    environment_id: str,
    integration_id: str | None,
    sealed_material: bytes,
    created_at: Instant,
    created_by: str,
) -> None:
    """Store a secret."""
    connection.execute(
        insert(secrets).values(
            key_id=key_id,
            organization_id=organization_id,
            environment_id=environment_id,
            integration_id=integration_id,
            sealed_material=sealed_material,
            created_at=created_at,
            created_by=created_by,
            bound_at=None if integration_id is None else created_at,
        )
    )


def find(connection: Connection, key_id: str) -> tuple[SecretFacts, bytes | None] | None:
    """Find a secret with its sealed material; the material is None once it is revoked."""
    statement = (
        select(
            secrets.c.key_id,
            secrets.c.organization_id,
            secrets.c.environment_id,
            environments.c.handle.label("environment_handle"),
            secrets.c.created_by,
            secrets.c.sealed_material,
            secrets.c.integration_id,
            integrations.c.project_id,
            projects.c.handle.label("project_handle"),
            integrations.c.handle.label("integration_handle"),
            integrations.c.runtime_type,
        )
        .join(environments, environments.c.id == secrets.c.environment_id)
        .outerjoin(integrations, integrations.c.id == secrets.c.integration_id)
        .outerjoin(projects, projects.c.id == integrations.c.project_id)
        .where(secrets.c.key_id == key_id)
    )
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    facts = SecretFacts(
        key_id=row["key_id"],
        organization_id=row["organization_id"],
        environment_id=row["environment_id"],
        environment_handle=row["environment_handle"],
        created_by=row["created_by"],
        binding=None
        if row["integration_id"] is None
        else Binding(
            project_id=row["project_id"],
            integration_id=row["integration_id"],
            project_handle=row["project_handle"],
            integration_handle=row["integration_handle"],
            runtime_type=RuntimeType(row["runtime_type"]),
        ),
    )
    return facts, row["sealed_material"]


def bind(connection: Connection, key_id: str, integration_id: str, at: Instant) -> bool:
    """Bind a secret to an integration, once; False when it was bound already."""
    statement = (
        update(secrets)
        .where(secrets.c.key_id == key_id, secrets.c.integration_id.is_(None))
        .values(integration_id=integration_id, bound_at=at)
    )
    return connection.execute(statement).rowcount == 1


def note_use(connection: Connection, used: Mapping[str, Instant]) -> None:
    """Remember when secrets were last used."""
    if not used:
        return
    for key_id, at in used.items():
        connection.execute(update(secrets).where(secrets.c.key_id == key_id).values(last_used_at=at))


def revoke(connection: Connection, key_id: str, at: Instant) -> None:
    """Destroy a secret's material; the record of who made it stays."""
    connection.execute(update(secrets).where(secrets.c.key_id == key_id).values(sealed_material=None, revoked_at=at))


def count_runtimes(connection: Connection, key_id: str) -> int:
    """Count the runtimes that used a secret last."""
    statement = (
        select(func.count()).select_from(runtimes).where(runtimes.c.key_id == key_id, runtimes.c.retired_at.is_(None))
    )
    return connection.execute(statement).scalar_one()


def list_rows(
    connection: Connection,
    reach: Reach,
    *,
    environment: str | None,
    project: str | None,
    integration: str | None,
    request: PageRequest,
) -> Page[SecretRow]:
    """List secrets that are not revoked, newest first."""
    wanted = and_(
        within(reach),
        secrets.c.revoked_at.is_(None),
        true() if environment is None else environments.c.handle == environment,
        true() if project is None else projects.c.handle == project,
        true() if integration is None else integrations.c.handle == integration,
    )
    statement = _rows().where(wanted)
    if request.after is not None:
        at, key_id = int(request.after[0]) / 1000, request.after[1]
        older = secrets.c.created_at < at
        same = and_(secrets.c.created_at == at, secrets.c.key_id > key_id)
        statement = statement.where(older | same)
    rows = connection.execute(
        statement.order_by(secrets.c.created_at.desc(), secrets.c.key_id).limit(request.first + 1)
    ).mappings()
    total = connection.execute(select(func.count()).select_from(_rows().where(wanted).subquery())).scalar_one()
    return page_of(
        "secrets",
        [SecretRow(**row) for row in rows],
        request,
        total,
        lambda row: (str(round(row.created_at * 1000)), row.key_id),
    )


def _rows() -> Rows:
    used_by = (
        select(func.count())
        .select_from(runtimes)
        .where(runtimes.c.key_id == secrets.c.key_id, runtimes.c.retired_at.is_(None))
        .scalar_subquery()
        .label("runtime_count")
    )
    return (
        select(
            secrets.c.key_id,
            environments.c.handle.label("environment_handle"),
            environments.c.display_name.label("environment_display_name"),
            environments.c.critical.label("environment_critical"),
            projects.c.handle.label("project_handle"),
            projects.c.display_name.label("project_display_name"),
            integrations.c.handle.label("integration_handle"),
            integrations.c.display_name.label("integration_display_name"),
            secrets.c.created_at,
            secrets.c.created_by,
            secrets.c.bound_at,
            secrets.c.last_used_at,
            used_by,
        )
        .join(environments, environments.c.id == secrets.c.environment_id)
        .outerjoin(integrations, integrations.c.id == secrets.c.integration_id)
        .outerjoin(projects, projects.c.id == integrations.c.project_id)
    )
