"""Recording full heartbeats: place them, decide what they change, save that; a few statements for all that come together."""

from collections.abc import Callable, Sequence
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
from pilothouse.domain.refusals import RuntimeRefused
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
from pilothouse.storage import reported as reports
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


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A full heartbeat whose token was verified."""

    sender: SecretFacts
    heartbeat: FullHeartbeat
    prepared: PreparedArtifacts
    address: str | None
    now: Instant
    """When it came."""
    told: str | None = None
    """Its sum in hexadecimal, for other replicas; None where there are none."""


class _Reported(msgspec.Struct):
    """A full heartbeat that is being taken in."""

    incoming: Incoming
    placement: Placement
    report: Report
    known: KnownRuntime | None = None
    document: bytes = b""
    key: int = 0


def prepare_artifacts(heartbeat: FullHeartbeat) -> PreparedArtifacts:
    """Encode what a heartbeat reports of artifacts."""
    artifacts = heartbeat.artifacts
    return PreparedArtifacts(
        digest=artifacts.digest,
        document=artifacts.document,
        services=len(artifacts.services),
        listeners=len(artifacts.listeners),
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


def record_all(
    tx: Transaction,
    incoming: Sequence[Incoming],
    *,
    is_offline: Callable[[int, Instant], bool],
    may_create: bool = True,
) -> list[Recorded | RuntimeRefused]:
    """Take in full heartbeats of different runtimes, in their order: what each came to, or why it is refused."""
    outcomes: dict[int, Recorded | RuntimeRefused] = {}
    reported: dict[int, _Reported] = {}
    for number, one in enumerate(incoming):
        try:
            placement = place(tx, one.sender, one.heartbeat, one.now, may_create=may_create)
        except RuntimeRefused as refusal:
            outcomes[number] = refusal
        else:
            reported[number] = _Reported(one, placement, _trust(placement, one))
    _remember(tx, list(reported.values()))
    _keep_artifacts(tx, list(reported.values()))
    _save(tx, list(reported.values()))
    succeeded = _take_over_names(tx, list(reported.values()), is_offline)
    for number, each in reported.items():
        outcomes[number] = _tell(tx, each, succeeded.get(each.key, ()), is_offline)
    return [outcomes[number] for number in range(len(incoming))]


def _remember(tx: Transaction, reported: Sequence[_Reported]) -> None:
    """Find what is stored of who reports, and keep what they are silent about."""
    known = reports.find_known(tx.connection, [each.report for each in reported])
    for each in reported:
        each.known = known.get(reports.identity_of(each.report))
        kept = _keep_unsaid(each.known, each.incoming.heartbeat, each.report.document)
        each.report = msgspec.structs.replace(each.report, document=kept)
        each.document = msgspec.json.encode(kept)


def _keep_artifacts(tx: Transaction, reported: Sequence[_Reported]) -> None:
    news = {
        each.report.artifact_digest: each.incoming
        for each in reported
        if each.known is None or each.known.artifact_digest != each.report.artifact_digest
    }
    there = reports.list_artifacts_there(tx.connection, news)
    reports.keep_artifacts(
        tx.connection,
        {
            digest: reports.NewArtifacts(
                digest=digest,
                document=artifact_set.pack(one.prepared.document),
                service_count=one.prepared.services,
                listener_count=one.prepared.listeners,
                stored_at=one.now,
                likeness=likeness(one.heartbeat.runtime_type, one.heartbeat.artifacts),
                failed_count=count_failed(one.heartbeat.artifacts),
            )
            for digest, one in news.items()
            if digest not in there
        },
    )


def _save(tx: Transaction, reported: Sequence[_Reported]) -> None:
    """Store what is new; that somebody was seen is kept by presence, which is flushed in batches."""
    newcomers = [each for each in reported if each.known is None]
    keys = reports.add(
        tx.connection,
        [
            reports.NewRuntime(
                id=new_id(),
                report=each.report,
                document=each.document,
                told=each.incoming.told,
                registered_at=each.incoming.now,
            )
            for each in newcomers
        ],
    )
    for each, key in zip(newcomers, keys, strict=True):
        each.key = key
    met = [(each, each.known) for each in reported if each.known is not None]
    for each, known in met:
        each.key = known.key
    reports.change(
        tx.connection,
        [(known, each.report, each.document) for each, known in met if changes(known, each.report, each.document)],
    )
    reports.note_returns(
        tx.connection,
        [
            (known, each.report, each.incoming.now)
            for each, known in met
            if known.retired or known.status is not Status.RUNNING
        ],
    )
    presence.note_told(
        tx.connection,
        [
            (known.key, each.incoming.told)
            for each, known in met
            if each.incoming.told is not None and each.incoming.told != known.told
        ],
    )


def _take_over_names(
    tx: Transaction, reported: Sequence[_Reported], is_offline: Callable[[int, Instant], bool]
) -> dict[int, tuple[int, ...]]:
    """Retire namesakes that are offline: a restarted process without its id file is the same node to people (4.2).

    Returns: the keys of those who were retired, by the key of who took over the name
    """
    here: dict[tuple[str, str, str | None], _Reported] = {}
    for each in reported:
        known, report, now = each.known, each.report, each.incoming.now
        if known is None or known.retired or known.name != report.name or is_offline(known.key, now):
            here.setdefault((report.integration_id, report.environment_id, report.name), each)
    report_now = {each.key for each in reported}  # whatever was known of them, they are there
    succeeded: dict[int, tuple[int, ...]] = {}
    for key, *place_and_name, _ in reports.list_bearing_names(tx.connection, [each.report for each in here.values()]):
        each = here.get((place_and_name[0], place_and_name[1], place_and_name[2]))
        if each is not None and key not in report_now and is_offline(key, each.incoming.now):
            succeeded[each.key] = (*succeeded.get(each.key, ()), key)
    for each in here.values():
        gone = succeeded.get(each.key)
        if gone:
            runtimes.retire(tx.connection, gone, each.incoming.now)
    return succeeded


def _tell(
    tx: Transaction, each: _Reported, retired: tuple[int, ...], is_offline: Callable[[int, Instant], bool]
) -> Recorded:
    known, report, now = each.known, each.report, each.incoming.now
    for key in retired:
        tx.emit(_event(EventKind.RUNTIME_RETIRED, key, report, now))
    # A verdict of OFFLINE may not have been announced yet: whoever watched saw it fall silent all the same.
    was_seen_offline = known is not None and is_offline(known.key, now)
    seen = msgspec.structs.replace(known, status=Status.OFFLINE) if known is not None and was_seen_offline else known
    event = event_of(seen, report, each.document)
    if event is not None:
        tx.emit(_event(event, each.key, report, now))
    return Recorded(
        presence=_presence(each.key, known, report, now),
        interval_is_reported=report.interval_s is not None,
        binding=each.placement.binding,
        retired=retired,
        event=event,
    )


def _trust(placement: Placement, incoming: Incoming) -> Report:
    heartbeat, prepared, now = incoming.heartbeat, incoming.prepared, incoming.now
    notices = [
        *(notice for notice in (placement.notice, warn_of_clock(heartbeat.sent_at, now)) if notice is not None),
        *(
            Notice(code="REPORT_ODD", message=flag, fix="Look at the artifact that it names.")
            for flag in heartbeat.flags
        ),
    ]
    return Report(
        key_id=placement.key_id,
        organization_id=incoming.sender.organization_id,
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
        address=incoming.address,
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
