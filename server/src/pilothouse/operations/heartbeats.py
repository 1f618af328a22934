"""Recording a full heartbeat: place it, decide what it changes, save that."""

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.heartbeat import FullHeartbeat
from pilothouse.domain.likeness import count_failed, likeness
from pilothouse.domain.liveness import Status
from pilothouse.domain.presence import PresenceRow
from pilothouse.domain.runtime import (
    UNSAID,
    KnownRuntime,
    Notice,
    Report,
    ReportDocument,
    changes,
    event_of,
    warn_of_clock,
)
from pilothouse.domain.secrets import Binding, SecretFacts
from pilothouse.operations.placing import Placement, place
from pilothouse.storage import presence, runtimes
from pilothouse.storage.unit import Transaction

_NO_ARTIFACTS = artifact_set.ArtifactSet()
WARNINGS_MAX = 50
"""Notices kept of one heartbeat."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a full heartbeat came to."""

    presence: PresenceRow
    interval_is_reported: bool
    binding: Binding
    retired: tuple[int, ...]
    """Keys of the runtimes whose name it took over."""
    event: EventKind | None


class PreparedArtifacts(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact set ready to be stored, made outside of the transaction."""

    digest: str
    document: bytes
    services: int
    listeners: int


def prepare_artifacts(heartbeat: FullHeartbeat) -> PreparedArtifacts:
    """Encode what a heartbeat reports of artifacts."""
    document = artifact_set.encode(heartbeat.artifacts)
    return PreparedArtifacts(
        digest=artifact_set.digest(document),
        document=document,
        services=len(heartbeat.artifacts.services),
        listeners=len(heartbeat.artifacts.listeners),
    )


def fingerprint(heartbeat: FullHeartbeat, prepared: PreparedArtifacts, key_id: str, now: Instant) -> bytes:
    """Sum up everything that a heartbeat says and that would be stored: equal sums mean that nothing is new.

    Shape: 16 bytes. The sender's own hash is not trusted with this: it leaves things out (section 2.4).
    """
    clock = warn_of_clock(heartbeat.sent_at, now)
    told = msgspec.structs.replace(heartbeat, artifacts=_NO_ARTIFACTS, sent_at=None)
    return blake2b(
        msgspec.json.encode((told, prepared.digest, key_id, None if clock is None else clock.message)), digest_size=16
    ).digest()


def record_full(
    tx: Transaction,
    sender: SecretFacts,
    heartbeat: FullHeartbeat,
    prepared: PreparedArtifacts,
    *,
    address: str | None,
    now: Instant,
    is_offline: Callable[[int], bool],
    may_create: bool = True,
    told: str | None = None,
) -> Recorded:
    """Take in a full heartbeat whose token was verified.

    told: its sum in hexadecimal, for other replicas; None where there are none

    Raises: RuntimeRefused
    """
    placement = place(tx, sender, heartbeat, now, may_create=may_create)
    report = _trust(placement, heartbeat, prepared, address=address, now=now)
    known = runtimes.find_known(tx.connection, report)
    report = msgspec.structs.replace(report, document=_keep_unsaid(known, heartbeat, report.document))
    document = msgspec.json.encode(report.document)
    if known is None or known.artifact_digest != prepared.digest:
        runtimes.keep_artifacts(
            tx.connection,
            prepared.digest,
            artifact_set.pack(prepared.document),
            services=prepared.services,
            listeners=prepared.listeners,
            likeness=likeness(heartbeat.runtime_type, heartbeat.artifacts),
            failed=count_failed(heartbeat.artifacts),
            now=now,
        )
    key = _save(tx, known, report, document, told, now)
    is_new_here = known is None or known.retired or known.name != report.name or is_offline(known.key)
    retired = _take_over_name(tx, report, is_offline, now) if is_new_here else ()
    # A verdict of OFFLINE may not have been announced yet: whoever watched saw it fall silent all the same.
    seen = (
        known if known is None or not is_offline(known.key) else msgspec.structs.replace(known, status=Status.OFFLINE)
    )
    event = event_of(seen, report, document)
    if event is not None:
        tx.emit(_event(event, key, report, now))
    return Recorded(
        presence=_presence(key, known, report, now),
        interval_is_reported=report.interval_s is not None,
        binding=placement.binding,
        retired=retired,
        event=event,
    )


def _trust(
    placement: Placement, heartbeat: FullHeartbeat, prepared: PreparedArtifacts, *, address: str | None, now: Instant
) -> Report:
    notices = [
        *(notice for notice in (placement.notice, warn_of_clock(heartbeat.sent_at, now)) if notice is not None),
        *(
            Notice(code="REPORT_ODD", message=flag, fix="Look at the artifact that it names.")
            for flag in heartbeat.flags
        ),
    ]
    return Report(
        key_id=placement.key_id,
        project_id=placement.binding.project_id,
        integration_id=placement.binding.integration_id,
        environment_id=placement.environment_id,
        runtime_id=heartbeat.runtime_id,
        name=heartbeat.runtime_name,
        runtime_type=heartbeat.runtime_type,
        version=heartbeat.version,
        runtime_hash=heartbeat.runtime_hash,
        artifact_digest=prepared.digest,
        artifact_document=prepared.document,
        interval_s=heartbeat.interval_s,
        address=address,
        document=ReportDocument(
            node=heartbeat.node,
            log_levels=dict(sorted((heartbeat.log_levels or {}).items())),
            warnings=tuple(notices[:WARNINGS_MAX]),
            capabilities=heartbeat.capabilities,
            log_handlers=heartbeat.log_handlers,
            try_it_host=heartbeat.try_it_host,
            open_api_definitions=heartbeat.open_api_definitions or UNSAID,
            workflow_metadata=heartbeat.workflow_metadata or UNSAID,
        ),
    )


def _keep_unsaid(known: KnownRuntime | None, heartbeat: FullHeartbeat, document: ReportDocument) -> ReportDocument:
    """Keep log levels and definitions that this heartbeat is silent about: silence is not absence (section 5.1)."""
    if known is None or (heartbeat.log_levels is not None and heartbeat.open_api_definitions is not None):
        return document
    before = msgspec.json.decode(known.document, type=ReportDocument)
    if heartbeat.log_levels is None:
        document = msgspec.structs.replace(document, log_levels=before.log_levels)
    if heartbeat.open_api_definitions is None and before.open_api_definitions:
        document = msgspec.structs.replace(document, open_api_definitions=before.open_api_definitions)
    return document


def _save(
    tx: Transaction, known: KnownRuntime | None, report: Report, document: bytes, told: str | None, now: Instant
) -> int:
    if known is None:
        return runtimes.add(tx.connection, report, id=new_id(), document=document, told=told, now=now)
    if changes(known, report, document):
        runtimes.change(tx.connection, known, report, document)
    if known.retired or known.status is not Status.RUNNING:
        runtimes.note_return(tx.connection, known, report, now)
    if told is not None and told != known.told:
        presence.note_told(tx.connection, known.key, told)
    return known.key  # that it was seen is kept by presence, which is flushed in batches


def _take_over_name(
    tx: Transaction, report: Report, is_offline: Callable[[int], bool], now: Instant
) -> tuple[int, ...]:
    """Retire namesakes that are offline: a restarted process without its id file is the same node to people (4.2)."""
    gone = tuple(key for key in runtimes.list_bearing_name(tx.connection, report) if is_offline(key))
    if gone:
        runtimes.retire(tx.connection, gone, now)
    for key in gone:
        tx.emit(_event(EventKind.RUNTIME_RETIRED, key, report, now))
    return gone


def _event(kind: EventKind, key: int, report: Report, now: Instant) -> NewEvent:
    return NewEvent(
        kind=kind,
        at=now,
        runtime_key=key,
        environment_id=report.environment_id,
        project_id=report.project_id,
        integration_id=report.integration_id,
        key_id=report.key_id,
        detail=f"{report.name or report.runtime_id}{f' from {report.address}' if report.address else ''}",
    )


def _presence(key: int, known: KnownRuntime | None, report: Report, now: Instant) -> PresenceRow:
    return PresenceRow(
        runtime_key=key,
        runtime_id=report.runtime_id,
        project_id=report.project_id,
        integration_id=report.integration_id,
        environment_id=report.environment_id,
        runtime_type=report.runtime_type,
        runtime_hash=report.runtime_hash,
        seen_at=now,
        interval_s=report.interval_s if report.interval_s is not None else (known.interval_s if known else None),
        address=report.address,
        running_since=now,
        status=Status.RUNNING,
    )
