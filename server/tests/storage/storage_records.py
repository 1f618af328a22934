"""Records for tests."""

from pilothouse.domain.audit import AuditRecord

NOW = 1_790_000_000.0


def record(target: str = "t", at: float = NOW) -> AuditRecord:
    return AuditRecord(at=at, organization_id="o", actor="user:ann", via="session", action="a.b", target=target)
