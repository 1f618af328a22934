"""Resolvers about this installation: what it is made of, what it was told, and who serves."""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Any

from ariadne import EnumType, ObjectType, QueryType

from pilothouse.access.grants import EVERYWHERE, Subject, reach, require
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.views import Row
from pilothouse.api.installation import Component, SettingInForce
from pilothouse.storage import database_facts, replicas

query = QueryType()
installation_type = ObjectType("Installation")
setting_origin = EnumType("SettingOrigin", {name: name for name in ("DEFAULT", "ENVIRONMENT", "ARGUMENT")})
bindables = (query, installation_type, setting_origin)

_ADMINISTERS = Permission.ENVIRONMENT_MGT_MANAGE


@query.field("installation")
async def installation(_: Any, info: Info) -> Row:  # Any: the root, unused, here and below
    """Show what runs here."""
    request, services = info.context, info.context.services
    version = await services.store.read(database_facts.version_of)
    rows = await services.store.read(replicas.list_alive)
    serving = [row for row in rows if services.is_serving(row.id)]
    return {
        "version": services.version,
        "started_at": services.started_at,
        "python": services.installation.python,
        "platform": services.installation.platform,
        "database": services.installation.database,
        "database_version": version,
        "telemetry_store": services.settings.telemetry_store,
        "replica_count": max(1, len(serving)),
        "replicas": [
            {
                "host": row.host,
                "process": row.process,
                "version": row.release,
                "started_at": row.started_at,
                "answers": row.host == socket.gethostname() and row.process == os.getpid(),
            }
            for row in serving
        ]
        or [_alone(info)]
        if _administers(request.subject)
        else None,
    }


@installation_type.field("components")
async def components_of(_: Row, info: Info) -> Sequence[Component]:
    """List what it is made with; reading that the first time touches many files."""
    return await asyncio.to_thread(info.context.services.installation.components)


@query.field("settings")
def settings(_: Any, info: Info) -> tuple[SettingInForce, ...]:
    """Show what was set."""
    require(info.context.subject, _ADMINISTERS, at=EVERYWHERE)
    return info.context.services.installation.settings


def _administers(subject: Subject) -> bool:
    return reach(subject, _ADMINISTERS).covers(EVERYWHERE)


def _alone(info: Info) -> Row:
    """Show this process, which serves alone and keeps no row about itself."""
    services = info.context.services
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "version": services.version,
        "started_at": services.started_at,
        "answers": True,
    }
