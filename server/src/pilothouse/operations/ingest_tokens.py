"""Ingest tokens: with one, a collector that is no runtime sends telemetry of the runtimes in one place."""

from collections.abc import Callable
from typing import Final

import msgspec

from pilothouse.access.grants import EVERYTHING, Place, Subject, reach
from pilothouse.access.permissions import Permission
from pilothouse.access.secrets import SecretReach, require_secrets, secret_reach
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.domain.events import Event, EventKind, NewEvent
from pilothouse.domain.tenancy import Environment, Integration, Organization
from pilothouse.operations.audit import audit
from pilothouse.operations.sessions import digest_of, new_token
from pilothouse.operations.tenancy import environment_not_found, integration_not_found, project_not_found
from pilothouse.operations.tokens import TokenState
from pilothouse.storage import ingest_tokens, tenancy
from pilothouse.storage.ingest_tokens import IngestTokenRow, PlacedIngestToken
from pilothouse.storage.unit import Store, Transaction

PREFIX: Final = "phi_"
HINT_LENGTH: Final = 10
"""Characters by which people tell their tokens apart: the prefix and six of 43."""
TOKEN_LENGTH: Final = 47
NAME_LENGTH_MAX: Final = 100
ACTIVE_MAX: Final = 1_000
"""Tokens of one environment that are good for something."""
REMEMBERED_S: Final = 10.0
"""So long a token that was looked up is believed without asking again, unless an event says otherwise."""
REMEMBERED_MAX: Final = 10_000
USE_NOTED_EVERY_S: Final = 60.0
"""The last use of a token is written this often at most."""
_ENDING: Final = frozenset(
    {
        EventKind.INGEST_TOKEN_REVOKED,
        EventKind.PROJECT_DELETED,
        EventKind.INTEGRATION_DELETED,
        EventKind.ENVIRONMENT_DELETED,
    }
)


class CollectorToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that is good now, and the place whose runtimes may be sent for with it."""

    id: str
    environment_id: str
    project_id: str | None
    """None: runtimes of all projects in the environment."""
    integration_id: str | None
    """None: runtimes of all integrations of the project."""


class CreatedIngestToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token: the only time that it is outside of who holds it."""

    token: str
    ingest_token: PlacedIngestToken


def state_of(token: IngestTokenRow, now: Instant) -> TokenState:
    """Tell what a token is good for at a moment."""
    if token.revoked_at is not None:
        return TokenState.REVOKED
    return TokenState.EXPIRED if token.expires_at is not None and token.expires_at <= now else TokenState.ACTIVE


class IngestTokenBook:
    """Ingest tokens that were looked up lately: most batches cost no statement."""

    def __init__(self, store: Store, follow: Callable[[Callable[[Event], None]], None]) -> None:
        self._store = store
        # By digest. Cap: REMEMBERED_MAX, the one read longest ago goes first.
        self._known: dict[str, tuple[IngestTokenRow, CollectorToken, Instant]] = {}
        self._generation = 0
        # By token id: when its use was written last, and what is still to be written. Cap: as _known.
        self._noted: dict[str, Instant] = {}
        self._uses: dict[str, Instant] = {}
        follow(self._hear)

    async def find(self, token: str, now: Instant) -> CollectorToken | None:
        """Find a token that is good now, and note its use; None for every other text.

        Raises: Unavailable
        """
        # What cannot be one costs no statement.
        if len(token) != TOKEN_LENGTH or not token.startswith(PREFIX):
            return None
        digest = digest_of(token)
        row, found, read_at = self._known.get(digest, (None, None, now))
        if row is None or not 0 <= now - read_at < REMEMBERED_S:
            row, found = await self._read(digest, now)
        if row is None or state_of(row, now) is not TokenState.ACTIVE:
            return None
        self._note_use(row.id, now)
        return found

    async def flush(self) -> None:
        """Write what is known of the last use of tokens; what cannot be written now is kept for the next time.

        Raises: Unavailable
        """
        if not self._uses:
            return
        uses, self._uses = self._uses, {}
        try:
            await self._store.write(lambda tx: ingest_tokens.note_use(tx.connection, uses))
        except Exception:
            self._uses = uses | self._uses
            raise

    async def _read(self, digest: str, now: Instant) -> tuple[IngestTokenRow | None, CollectorToken | None]:
        generation = self._generation
        row = await self._store.read(lambda connection: ingest_tokens.find_by_digest(connection, digest))
        # What nobody has is not remembered: guessing must not push out what collectors use.
        if row is None:
            return None, None
        found = CollectorToken(
            id=row.id,
            environment_id=row.environment_id,
            project_id=row.project_id,
            integration_id=row.integration_id,
        )
        if generation == self._generation:
            self._known.pop(digest, None)
            self._known[digest] = (row, found, now)
            while len(self._known) > REMEMBERED_MAX:
                del self._known[next(iter(self._known))]
        return row, found

    def _note_use(self, token_id: str, now: Instant) -> None:
        if now - self._noted.get(token_id, now - USE_NOTED_EVERY_S) < USE_NOTED_EVERY_S:
            return
        self._noted.pop(token_id, None)
        self._noted[token_id] = now
        self._uses[token_id] = now
        while len(self._noted) > REMEMBERED_MAX:
            del self._noted[next(iter(self._noted))]

    def _hear(self, event: Event) -> None:
        if event.kind in _ENDING:
            self._generation += 1
            self._known.clear()


def create(
    tx: Transaction,
    subject: Subject,
    organization: Organization,
    *,
    name: str,
    environment_handle: str,
    project_handle: str | None,
    integration_handle: str | None,
    expires_at: Instant | None,
    now: Instant,
) -> CreatedIngestToken:
    """Make a token for an environment, for a project in it, or for an integration in it.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict when there are too many
    """
    environment, place = _find_place(tx, subject, environment_handle, project_handle, integration_handle)
    require_secrets(subject, place, critical=environment.critical)
    if ingest_tokens.count_active(tx.connection, environment.id, now) >= ACTIVE_MAX:
        raise Conflict(
            f"The environment {environment.handle} has {ACTIVE_MAX} ingest tokens already.",
            field="environment",
            fix="Revoke those that no collector uses.",
        )
    text = new_token(PREFIX)
    row = IngestTokenRow(
        id=new_id(),
        organization_id=organization.id,
        environment_id=environment.id,
        project_id=place.project_id,
        integration_id=place.integration_id,
        name=_check_name(name),
        digest=digest_of(text),
        hint=text[:HINT_LENGTH],
        created_at=now,
        created_by=subject.username,
        expires_at=_check_expiry(expires_at, now),
    )
    ingest_tokens.add(tx.connection, row)
    named = "/".join(part for part in (project_handle, integration_handle) if part)
    detail = f"{row.name} for {named + ' in ' if named else ''}{environment.handle}"
    _tell(tx, EventKind.INGEST_TOKEN_CREATED, place, now, detail)
    after = {"expiresAt": None if row.expires_at is None else to_rfc3339(row.expires_at)}
    audit(tx, subject, "ingest-token.create", row.id, now, detail=detail, after=after, at=place)
    return CreatedIngestToken(token=text, ingest_token=_read(tx, row.id))


def revoke(tx: Transaction, subject: Subject, token_id: str, now: Instant) -> PlacedIngestToken:
    """Revoke a token; one that is revoked stays as it is.

    Raises: NotFound
    """
    found = ingest_tokens.find(tx.connection, secret_reach(subject), token_id)
    if found is None:
        raise _not_found()
    if ingest_tokens.revoke(tx.connection, token_id, subject.username, now):
        token = found.token
        place = Place(
            project_id=token.project_id, integration_id=token.integration_id, environment_id=token.environment_id
        )
        _tell(tx, EventKind.INGEST_TOKEN_REVOKED, place, now, token.name)
        audit(tx, subject, "ingest-token.revoke", token_id, now, detail=token.name, at=place)
    return _read(tx, token_id)


def _find_place(
    tx: Transaction, subject: Subject, environment_handle: str, project_handle: str | None, integration: str | None
) -> tuple[Environment, Place]:
    if integration is not None and project_handle is None:
        raise InvalidInput(
            "An integration's handle is unique within its project, which is not named.",
            field="project",
            fix="Name the project beside the integration.",
        )
    environment = tenancy.find_environment(tx.connection, environment_handle, reach(subject, Permission.SIGNED_IN))
    if environment is None:
        raise environment_not_found(environment_handle)
    if project_handle is None:
        return environment, Place(environment_id=environment.id)
    if integration is None:
        project = tenancy.find_project(tx.connection, project_handle, reach(subject, Permission.PROJECT_MGT_VIEW))
        if project is None:
            raise project_not_found(project_handle)
        return environment, Place(project_id=project.id, environment_id=environment.id)
    found = _find_integration(tx, subject, project_handle, integration)
    return environment, Place(project_id=found.project_id, integration_id=found.id, environment_id=environment.id)


def _find_integration(tx: Transaction, subject: Subject, project: str, integration: str) -> Integration:
    seen = reach(subject, Permission.INTEGRATION_MGT_VIEW)
    found = tenancy.find_integration(tx.connection, project, integration, seen)
    if found is None:
        raise integration_not_found(project, integration)
    return found


def _check_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInput(
            f"An ingest token's name has 1 to {NAME_LENGTH_MAX} printable characters.",
            field="name",
            fix="Say what sends with it, for example `fluent-bit on node 3`.",
        )
    return name


def _check_expiry(expires_at: Instant | None, now: Instant) -> Instant | None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            f"An ingest token cannot expire in the past ({to_rfc3339(expires_at)}).",
            field="expiresAt",
            fix="Name an instant to come; to end a token now, revoke it.",
        )
    return expires_at


def _read(tx: Transaction, token_id: str) -> PlacedIngestToken:
    """Read how a token is now that it was changed; who changed it may see it."""
    found = ingest_tokens.find(tx.connection, SecretReach(all=EVERYTHING), token_id)
    if found is None:
        raise _not_found()
    return found


def _not_found() -> NotFound:
    return NotFound("There is no such ingest token.", field="id", fix="Look at the list of ingest tokens.")


def _tell(tx: Transaction, kind: EventKind, place: Place, now: Instant, detail: str) -> None:
    tx.emit(
        NewEvent(
            kind=kind,
            at=now,
            project_id=place.project_id,
            integration_id=place.integration_id,
            environment_id=place.environment_id,
            detail=detail,
        )
    )
