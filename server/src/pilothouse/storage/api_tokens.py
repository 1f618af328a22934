"""API tokens; of each only the digest is stored."""

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, insert, or_, select, true, update

from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.storage.tables import api_tokens, users


class ApiTokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """An API token."""

    id: str
    user_id: str
    name: str
    digest: str
    hint: str
    permissions: str | None
    """JSON list of permissions; None: all that its owner holds."""
    created_at: Instant
    created_by: str
    expires_at: Instant | None = None
    last_used_at: Instant | None = None
    last_used_address: str | None = None
    revoked_at: Instant | None = None
    revoked_by: str | None = None


class OwnedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token with whose it is."""

    token: ApiTokenRow
    username: str
    display_name: str
    kind: str
    organization_id: str
    disabled_at: Instant | None


_COLUMNS = [api_tokens.c[name] for name in ApiTokenRow.__struct_fields__]
_OWNER = [users.c[name] for name in ("username", "display_name", "kind", "organization_id", "disabled_at")]


def add(connection: Connection, token: ApiTokenRow) -> None:
    """Store a token."""
    connection.execute(
        insert(api_tokens).values({name: getattr(token, name) for name in ApiTokenRow.__struct_fields__})
    )


def find(connection: Connection, token_id: str) -> OwnedToken | None:
    """Find a token by id, in whatever state."""
    return _first(connection, api_tokens.c.id == token_id)


def find_by_digest(connection: Connection, digest: str) -> OwnedToken | None:
    """Find a token by its digest, in whatever state."""
    return _first(connection, api_tokens.c.digest == digest)


def count_active(connection: Connection, user_id: str, now: Instant) -> int:
    """Count a user's tokens that are good for something."""
    wanted = and_(api_tokens.c.user_id == user_id, _active(now))
    return connection.execute(select(func.count()).select_from(api_tokens).where(wanted)).scalar_one()


def list_of(
    connection: Connection, user_id: str, now: Instant, request: PageRequest, *, include_ended: bool
) -> Page[OwnedToken]:
    """List a user's tokens, newest first."""
    c = api_tokens.c
    wanted = and_(c.user_id == user_id, true() if include_ended else _active(now))
    statement = _owned().where(wanted)
    if request.after is not None:
        at, token_id = request.after_instant()
        statement = statement.where(or_(c.created_at < at, and_(c.created_at == at, c.id > token_id)))
    rows = connection.execute(statement.order_by(c.created_at.desc(), c.id).limit(request.first + 1)).mappings()
    return page_of(
        "apiTokens",
        [_read(row) for row in rows],
        request,
        connection.execute(select(func.count()).select_from(api_tokens).where(wanted)).scalar_one(),
        lambda row: (str(round(row.token.created_at * 1000)), row.token.id),
    )


def revoke(connection: Connection, token_id: str, by: str, now: Instant) -> bool:
    """Revoke a token; False when it was revoked."""
    c = api_tokens.c
    statement = update(api_tokens).where(c.id == token_id, c.revoked_at.is_(None)).values(revoked_at=now, revoked_by=by)
    return connection.execute(statement).rowcount == 1


def note_use(connection: Connection, token_id: str, at: Instant, address: str | None) -> None:
    """Remember when and from where a token was used last."""
    connection.execute(
        update(api_tokens).where(api_tokens.c.id == token_id).values(last_used_at=at, last_used_address=address)
    )


def _active(now: Instant) -> ColumnElement[bool]:
    c = api_tokens.c
    return and_(c.revoked_at.is_(None), or_(c.expires_at.is_(None), c.expires_at > now))


def _owned():  # noqa: ANN202 - a statement over two tables
    return select(*_COLUMNS, *_OWNER).join(users, users.c.id == api_tokens.c.user_id)


def _first(connection: Connection, wanted: ColumnElement[bool]) -> OwnedToken | None:
    row = connection.execute(_owned().where(wanted)).mappings().first()
    return None if row is None else _read(row)


def _read(row: RowMapping) -> OwnedToken:
    token = ApiTokenRow(**{name: row[name] for name in ApiTokenRow.__struct_fields__})
    return OwnedToken(token=token, **{column.name: row[column.name] for column in _OWNER})
