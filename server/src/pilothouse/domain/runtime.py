"""Runtimes: what one reports, what is known of it, and what a report changes."""

from collections.abc import Mapping

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime_type import RuntimeType

CLOCK_SKEW_NOTICED_S = 30.0
"""A sender's clock that is further off than this is worth a warning: tokens of clocks 60 s off are refused."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator should know although the runtime runs."""

    code: str
    message: str
    fix: str


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The machine and process that a runtime lives in, as it reports them."""

    hostname: str | None = None
    process_id: int | None = None
    platform_name: str | None = None
    platform_version: str | None = None
    platform_home: str | None = None
    os_name: str | None = None
    os_version: str | None = None
    os_arch: str | None = None
    started_at: Instant | None = None
    management_hostname: str | None = None
    """Where MI's management API listens, as MI sees itself."""
    management_port: str | None = None


class LogHandler(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A handler whose own level hides what its logger lets through."""

    logger: str
    handler: str
    level: str


UNSAID = msgspec.Raw()
"""Stands for a raw document that a report does not have; it is left out when the report is stored."""


class ReportDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The wide, cold part of a report: one document a runtime."""

    node: NodeFacts
    log_levels: Mapping[str, str] = {}
    warnings: tuple[Notice, ...] = ()
    capabilities: tuple[str, ...] = ()
    log_handlers: tuple[LogHandler, ...] = ()
    try_it_host: str | None = None
    # JSON as it came; `UNSAID` where there is none (msgspec cannot tell a raw value from null in a union).
    open_api_definitions: msgspec.Raw = UNSAID
    workflow_metadata: msgspec.Raw = UNSAID


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A full heartbeat that is trusted: its token was verified, and it is placed under its own integration and environment."""

    key_id: str
    organization_id: str
    project_id: str
    integration_id: str
    environment_id: str
    runtime_id: str
    name: str | None
    runtime_type: RuntimeType
    version: str | None
    runtime_hash: str
    artifact_digest: str
    artifact_document: bytes
    interval_s: float | None
    address: str | None
    document: ReportDocument


class KnownRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a runtime that has reported before."""

    key: int
    """Small number that hot tables and memory use."""
    id: str
    name: str | None
    version: str | None
    key_id: str | None
    runtime_hash: str
    artifact_digest: str
    document: bytes
    interval_s: float | None
    status: Status
    """The last verdict."""
    retired: bool
    told: str | None = None
    """Sum of what its last full heartbeat said, where several processes serve one database."""


class RuntimeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime as lists and pages show it; its status comes from presence."""

    key: int
    id: str
    runtime_id: str
    name: str | None
    runtime_type: RuntimeType
    version: str | None
    key_id: str | None
    secret_expires_at: Instant | None
    registered_at: Instant
    retired_at: Instant | None
    artifact_digest: str
    document: ReportDocument
    service_count: int
    listener_count: int
    environment_id: str
    environment_handle: str
    environment_display_name: str
    environment_critical: bool
    project_id: str
    project_handle: str
    project_display_name: str
    integration_id: str
    integration_handle: str
    integration_display_name: str


def event_of(known: KnownRuntime | None, report: Report, document: bytes) -> EventKind | None:
    """Say what a report means for the fleet: a newcomer, a return, a change, or nothing new."""
    if known is None:
        return EventKind.RUNTIME_REGISTERED
    if known.retired or known.status is not Status.RUNNING:
        return EventKind.RUNTIME_RUNNING
    if changes(known, report, document):
        return EventKind.RUNTIME_REPORTED
    return None


def changes(known: KnownRuntime, report: Report, document: bytes) -> bool:
    """Tell whether a report says anything that is not stored yet."""
    return (
        known.retired
        or known.runtime_hash != report.runtime_hash
        or known.artifact_digest != report.artifact_digest
        or known.name != report.name
        or known.version != report.version
        or known.key_id != report.key_id
        or known.document != document
    )


def warn_of_clock(sent_at: Instant | None, now: Instant) -> Notice | None:
    """Warn of a sender's clock before its tokens are refused for it."""
    if sent_at is None or abs(sent_at - now) <= CLOCK_SKEW_NOTICED_S:
        return None
    off_s = sent_at - now
    return Notice(
        code="CLOCK_SKEW",
        message=f"The runtime's clock is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} this server's.",
        fix="Synchronise the clock of its machine (NTP); at more than 60 s its heartbeats are refused.",
    )


def warn_of_names(binding_names: tuple[str, str], told_names: tuple[str | None, str | None]) -> Notice | None:
    """Warn when a runtime says that it is something else than what its secret is bound to."""
    if binding_names == told_names:
        return None
    told = " / ".join(name or "?" for name in told_names)
    return Notice(
        code="BOUND_ELSEWHERE",
        message=f"Its Config.toml says '{told}', but its secret is bound to '{' / '.join(binding_names)}', where it is shown.",
        fix="Correct `project` and `integration` in its Config.toml, or give it a secret of that integration.",
    )
