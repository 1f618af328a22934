"""Ingest tokens; of each only the digest is stored."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, func, insert, or_, select, true, update

from pilothouse.access.grants import Reach
from pilothouse.access.secrets import SecretReach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.storage.columns import Rows
from pilothouse.storage.ingest_tables import ingest_tokens
from pilothouse.storage.scope import within
from pilothouse.storage.tables import environments, integrations, projects

_NOTE_USE = (
    update(ingest_tokens)
    .where(ingest_tokens.c.id == bindparam("of_id"))
    .values(last_used_at=bindparam("to_last_used_at"))
)


class IngestTokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """An ingest token."""

    id: str
    organization_id: str
    environment_id: str
    project_id: str | None
    integration_id: str | None
    name: str
    digest: str
    hint: str
    created_at: Instant
    created_by: str
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    revoked_at: Instant | None = None
    revoked_by: str | None = None


class PlacedIngestToken(msgspec.Struct, frozen=True, kw_only=True):
    """An ingest token with the names of the place that it is for."""

    token: IngestTokenRow
    environment_handle: str
    environment_display_name: str
    environment_critical: bool
    project_handle: str | None
    project_display_name: str | None
    integration_handle: str | None
    integration_display_name: str | None


_c = ingest_tokens.c
_COLUMNS = [_c[name] for name in IngestTokenRow.__struct_fields__]
_NAMES = [
    column.label(f"{table.name[:-1]}_{column.name}")
    for table in (environments, projects, integrations)
    for column in (table.c.handle, table.c.display_name)
]


def add(connection: Connection, token: IngestTokenRow) -> None:
    """Store a token."""
    connection.execute(
        insert(ingest_tokens).values({name: getattr(token, name) for name in IngestTokenRow.__struct_fields__})
    )


def find_by_digest(connection: Connection, digest: str) -> IngestTokenRow | None:
    """Find a token by its digest, in whatever state."""
    row = connection.execute(select(*_COLUMNS).where(_c.digest == digest)).mappings().first()
    return None if row is None else IngestTokenRow(**row)


def find(connection: Connection, reach: SecretReach, token_id: str) -> PlacedIngestToken | None:
    """Find a token by id, in whatever state, if somebody manages it."""
    row = connection.execute(_rows().where(_c.id == token_id, _managed(reach))).mappings().first()
    return None if row is None else _read(row)


def count_active(connection: Connection, environment_id: str, now: Instant) -> int:
    """Count an environment's tokens that are good for something."""
    wanted = and_(_c.environment_id == environment_id, _active(now))
    return connection.execute(select(func.count()).select_from(ingest_tokens).where(wanted)).scalar_one()


def list_rows(
    connection: Connection,
    reach: SecretReach,
    *,
    environment: str | None,
    now: Instant,
    request: PageRequest,
    include_ended: bool,
) -> Page[PlacedIngestToken]:
    """List the tokens that somebody manages, newest first."""
    wanted = and_(
        _managed(reach),
        true() if environment is None else environments.c.handle == environment,
        true() if include_ended else _active(now),
    )
    statement = _rows().where(wanted)
    if request.after is not None:
        at, token_id = request.after_instant()
        statement = statement.where(or_(_c.created_at < at, and_(_c.created_at == at, _c.id > token_id)))
    rows = connection.execute(statement.order_by(_c.created_at.desc(), _c.id).limit(request.first + 1)).mappings()
    return page_of(
        "ingestTokens",
        [_read(row) for row in rows],
        request,
        connection.execute(select(func.count()).select_from(_rows().where(wanted).subquery())).scalar_one(),
        lambda row: (str(round(row.token.created_at * 1000)), row.token.id),
    )


def revoke(connection: Connection, token_id: str, by: str, now: Instant) -> bool:
    """Revoke a token; False when it was revoked."""
    statement = (
        update(ingest_tokens).where(_c.id == token_id, _c.revoked_at.is_(None)).values(revoked_at=now, revoked_by=by)
    )
    return connection.execute(statement).rowcount == 1


def note_use(connection: Connection, used: Mapping[str, Instant]) -> None:
    """Remember when tokens were last used."""
    if used:
        rows = [{"of_id": token_id, "to_last_used_at": at} for token_id, at in used.items()]
        connection.execute(_NOTE_USE, rows)


def _active(now: Instant) -> ColumnElement[bool]:
    return and_(_c.revoked_at.is_(None), or_(_c.expires_at.is_(None), _c.expires_at > now))


def _managed(reach: SecretReach) -> ColumnElement[bool]:
    """Make SecretReach.holds a condition."""

    def inside(part: Reach) -> ColumnElement[bool]:
        return within(part, project=_c.project_id, integration=_c.integration_id, environment=_c.environment_id)

    return or_(
        inside(reach.all),
        and_(environments.c.critical.is_(False), inside(reach.noncritical)),
        and_(_c.integration_id.is_not(None), inside(reach.bound)),
    )


def _rows() -> Rows:
    return (
        select(*_COLUMNS, *_NAMES, environments.c.critical.label("environment_critical"))
        .select_from(ingest_tokens)
        .join(environments, environments.c.id == _c.environment_id)
        .outerjoin(projects, projects.c.id == _c.project_id)
        .outerjoin(integrations, integrations.c.id == _c.integration_id)
    )


def _read(row: RowMapping) -> PlacedIngestToken:
    token = IngestTokenRow(**{name: row[name] for name in IngestTokenRow.__struct_fields__})
    names = PlacedIngestToken.__struct_fields__[1:]
    return PlacedIngestToken(token=token, **{name: row[name] for name in names})
