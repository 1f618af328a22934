"""Resolvers about the audit: its records, and the check of their chain."""

from typing import Any

import msgspec
from ariadne import EnumType, QueryType

from pilothouse.access.grants import EVERYWHERE, require
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.views import Row
from pilothouse.base.pages import page_request
from pilothouse.domain.audit import Outcome
from pilothouse.operations.auditing import audit_scope, checker_of
from pilothouse.storage import audit_rows

query = QueryType()
bindables = (query, EnumType("AuditOutcome", {outcome.name: outcome for outcome in Outcome}))

_VIEW = Permission.AUDIT_MGT_VIEW


@query.field("auditRecords")
async def audit_records(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    filter: Row | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List records, newest first."""
    request, page, scope = info.context, page_request("auditRecords", first, after), audit_scope(filter or {})
    reach = request.reach(_VIEW)
    found = await request.services.store.read(lambda connection: audit_rows.list_rows(connection, reach, scope, page))
    return views.connection(found.map(msgspec.structs.asdict))


@query.field("auditCheck")
async def audit_check(_: Any, info: Info) -> Row:
    """Check the chain; it is one for all of the organization."""
    request = info.context
    require(request.subject, _VIEW, at=EVERYWHERE)
    verdict = await checker_of(request.services.store).check()
    return {**msgspec.structs.asdict(verdict), "from": verdict.begins_at}
