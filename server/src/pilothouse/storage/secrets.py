"""Secrets: sealed material, binding, last use, and the instants of their end."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, func, insert, or_, select, true, update

from pilothouse.access.grants import Reach
from pilothouse.access.secrets import SecretReach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.secrets import Binding, SecretFacts, SecretLife, SecretRow
from pilothouse.storage.columns import Rows
from pilothouse.storage.many import in_batches
from pilothouse.storage.scope import within
from pilothouse.storage.tables import environments, integrations, projects, runtimes, secrets

_NOTE_USE = (
    update(secrets).where(secrets.c.key_id == bindparam("of_key_id")).values(last_used_at=bindparam("to_used_at"))
)

_BY_KEY_IDS = (
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
        secrets.c.expires_at,
        secrets.c.revoked_from,
        secrets.c.revoked_at,
    )
    .join(environments, environments.c.id == secrets.c.environment_id)
    .outerjoin(integrations, integrations.c.id == secrets.c.integration_id)
    .outerjoin(projects, projects.c.id == integrations.c.project_id)
    .where(secrets.c.key_id.in_(bindparam("key_ids", expanding=True)))
)


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
    expires_at: Instant | None = None,
    rotates: str | None = None,
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
            expires_at=expires_at,
            rotates=rotates,
        )
    )


def find(connection: Connection, key_id: str) -> tuple[SecretFacts, bytes | None] | None:
    """Find a secret with its sealed material; the material is None once it was destroyed."""
    return find_all(connection, [key_id]).get(key_id)


def find_all(connection: Connection, key_ids: Sequence[str]) -> dict[str, tuple[SecretFacts, bytes | None]]:
    """Find secrets, by key id, with their sealed materials; a material is None once it was destroyed."""
    return {
        row["key_id"]: (_facts(row), row["sealed_material"])
        for some in in_batches(key_ids)
        for row in connection.execute(_BY_KEY_IDS, {"key_ids": some}).mappings()
    }


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
    connection.execute(_NOTE_USE, [{"of_key_id": key_id, "to_used_at": at} for key_id, at in used.items()])


def set_revocation(connection: Connection, key_id: str, revoked_from: Instant | None, by: str | None) -> None:
    """Set from when on a secret is revoked for good, or take that back with None; its material is not touched."""
    statement = update(secrets).where(secrets.c.key_id == key_id)
    connection.execute(statement.values(revoked_from=revoked_from, revoked_by=by))


def destroy(connection: Connection, key_id: str, at: Instant) -> None:
    """Destroy a secret's material; the record of who made and who ended it stays."""
    connection.execute(update(secrets).where(secrets.c.key_id == key_id).values(sealed_material=None, revoked_at=at))


def list_to_destroy(connection: Connection, now: Instant) -> Sequence[tuple[str, str]]:
    """List secrets whose grace period is over while their material is still there: key id and organization."""
    c = secrets.c
    statement = select(c.key_id, c.organization_id).where(c.revoked_from <= now, c.revoked_at.is_(None))
    return [(row.key_id, row.organization_id) for row in connection.execute(statement.order_by(c.key_id))]


def set_expiry(connection: Connection, key_id: str, expires_at: Instant | None) -> None:
    """Set from when on a secret is refused; None for never."""
    connection.execute(update(secrets).where(secrets.c.key_id == key_id).values(expires_at=expires_at))


def list_sealed(connection: Connection, after: str, limit: int) -> Sequence[tuple[str, bytes]]:
    """List key ids with sealed materials that exist, by key id."""
    statement = select(secrets.c.key_id, secrets.c.sealed_material).where(
        secrets.c.key_id > after, secrets.c.sealed_material.is_not(None)
    )
    return [(row.key_id, row.sealed_material) for row in connection.execute(statement.order_by("key_id").limit(limit))]


def reseal(connection: Connection, sealed: Mapping[str, bytes]) -> None:
    """Put other sealed forms of the same materials in their places."""
    if sealed:
        statement = update(secrets).where(secrets.c.key_id == bindparam("of")).values(sealed_material=bindparam("form"))
        connection.execute(statement, [{"of": key_id, "form": form} for key_id, form in sealed.items()])


def count_runtimes(connection: Connection, key_id: str) -> int:
    """Count the runtimes that used a secret last."""
    statement = (
        select(func.count()).select_from(runtimes).where(runtimes.c.key_id == key_id, runtimes.c.retired_at.is_(None))
    )
    return connection.execute(statement).scalar_one()


def list_runtimes(
    connection: Connection, reach: Reach, key_ids: Sequence[str]
) -> Sequence[tuple[str, int, str | None, str]]:
    """List the runtimes that used secrets last: the secret's key id, then the runtime's key, name and id."""
    c = runtimes.c
    seen = within(reach, project=integrations.c.project_id, integration=c.integration_id, environment=c.environment_id)
    statement = (
        select(c.key_id, c.key, c.name, c.id)
        .join(integrations, integrations.c.id == c.integration_id)
        .where(seen, c.key_id.in_(key_ids), c.retired_at.is_(None))
    )
    return [(row.key_id, row.key, row.name, row.id) for row in connection.execute(statement)]


def find_row(connection: Connection, reach: SecretReach, key_id: str) -> SecretRow | None:
    """Find a secret as a list shows it, a revoked one too."""
    row = connection.execute(_rows().where(_seen(reach), secrets.c.key_id == key_id)).mappings().first()
    return None if row is None else SecretRow(**row)


def list_rows(
    connection: Connection,
    reach: SecretReach,
    *,
    environment: str | None,
    project: str | None,
    integration: str | None,
    now: Instant,
    request: PageRequest,
) -> Page[SecretRow]:
    """List secrets that are not revoked for good, newest first."""
    wanted = and_(
        _seen(reach),
        _not_revoked(now),
        true() if environment is None else environments.c.handle == environment,
        true() if project is None else projects.c.handle == project,
        true() if integration is None else integrations.c.handle == integration,
    )
    statement = _rows().where(wanted)
    if request.after is not None:
        at, key_id = request.after_instant()
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


def _facts(row: RowMapping) -> SecretFacts:
    return SecretFacts(
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
        life=SecretLife(expires_at=row["expires_at"], revoked_from=row["revoked_from"], revoked_at=row["revoked_at"]),
    )


def _seen(reach: SecretReach) -> ColumnElement[bool]:
    """Make SecretReach.holds a condition."""

    def inside(part: Reach) -> ColumnElement[bool]:
        c = secrets.c
        return within(
            part, project=integrations.c.project_id, integration=c.integration_id, environment=c.environment_id
        )

    return or_(
        inside(reach.all),
        and_(environments.c.critical.is_(False), inside(reach.noncritical)),
        and_(secrets.c.integration_id.is_not(None), inside(reach.bound)),
    )


def _not_revoked(now: Instant) -> ColumnElement[bool]:
    """Leave out what is revoked by now, whether its material was destroyed yet or not."""
    return and_(secrets.c.revoked_at.is_(None), or_(secrets.c.revoked_from.is_(None), secrets.c.revoked_from > now))


def _rows() -> Rows:
    newer = secrets.alias("newer")
    rotated_by = (
        select(newer.c.key_id)
        .where(newer.c.rotates == secrets.c.key_id)
        .order_by(newer.c.created_at.desc(), newer.c.key_id)
        .limit(1)
        .scalar_subquery()
        .label("rotated_by")
    )
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
            secrets.c.expires_at,
            secrets.c.revoked_from,
            secrets.c.revoked_at,
            secrets.c.revoked_by,
            secrets.c.rotates,
            rotated_by,
        )
        .join(environments, environments.c.id == secrets.c.environment_id)
        .outerjoin(integrations, integrations.c.id == secrets.c.integration_id)
        .outerjoin(projects, projects.c.id == integrations.c.project_id)
    )
