"""What becomes of sealed material without anybody's word on the single secret: destroyed in its time, sealed anew."""

from pilothouse.access.grants import Subject
from pilothouse.base.instants import Instant
from pilothouse.domain.audit import AuditRecord
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.operations import sealed_payloads
from pilothouse.operations.audit import audit
from pilothouse.storage import alert_channels, secrets
from pilothouse.storage import audit as records
from pilothouse.storage.sealing import Vault
from pilothouse.storage.unit import Connection, Transaction

_AT_ONCE = 1_000
"""Secrets read and written by one statement."""


def destroy_revoked(tx: Transaction, now: Instant) -> int:
    """Destroy the material of secrets whose grace period is over; they are refused since it was, by the clock."""
    ended = secrets.list_to_destroy(tx.connection, now)
    for key_id, organization_id in ended:
        secrets.destroy(tx.connection, key_id, now)
        tx.emit(NewEvent(kind=EventKind.SECRET_CHANGED, at=now, key_id=key_id, detail="its material was destroyed"))
        records.append(
            tx.connection,
            AuditRecord(
                at=now, organization_id=organization_id, actor="housekeeping", action="secret.destroy", target=key_id
            ),
        )
    return len(ended)


def reseal(tx: Transaction, subject: Subject, vault: Vault, *, now: Instant) -> int:
    """Seal every material with the key that seals now; returns how many were sealed with another one.

    Raises: CannotUnseal when one opens with none of the vault's keys; then nothing is changed
    """
    count, after = 0, ""
    while rows := secrets.list_sealed(tx.connection, after, _AT_ONCE):
        after = rows[-1][0]
        old = [(key_id, sealed) for key_id, sealed in rows if not vault.is_current(sealed)]
        secrets.reseal(
            tx.connection,
            {key_id: vault.seal(vault.open(sealed, key_id=key_id), key_id=key_id) for key_id, sealed in old},
        )
        count += len(old)
    count += _reseal_channels(tx, vault) + sealed_payloads.reseal(tx, vault)
    audit(tx, subject, "secret.rotate-key", "", now, detail=f"{count} secrets were sealed anew")
    return count


def check(connection: Connection, vault: Vault) -> int:
    """Open every material and forget it again; returns how many there are.

    Raises: CannotUnseal when one opens with none of the vault's keys
    """
    count, after = 0, ""
    while rows := secrets.list_sealed(connection, after, _AT_ONCE):
        after = rows[-1][0]
        for key_id, sealed in rows:
            vault.open(sealed, key_id=key_id)
        count += len(rows)
    for channel_id, sealed in alert_channels.list_sealed(connection):
        vault.open(sealed, key_id=alert_channels.seal_key(channel_id))
        count += 1
    return count + sealed_payloads.check(connection, vault)


def _reseal_channels(tx: Transaction, vault: Vault) -> int:
    old = [each for each in alert_channels.list_sealed(tx.connection) if not vault.is_current(each[1])]
    for channel_id, sealed in old:
        key = alert_channels.seal_key(channel_id)
        alert_channels.reseal(tx.connection, channel_id, vault.seal(vault.open(sealed, key_id=key), key_id=key))
    return len(old)
