"""Resolvers about who asks."""

from typing import Any

from ariadne import QueryType

from pilothouse.access.grants import Via
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.views import Row
from pilothouse.storage import people, sessions
from pilothouse.storage.unit import Connection

query = QueryType()
bindables = (query,)
_TOKEN = "token"  # noqa: S105 - a way to sign in


@query.field("viewer")
async def viewer(_: Any, info: Info) -> Row:  # Any: the root, unused
    """Show who asks."""
    subject = info.context.subject

    def read(connection: Connection) -> Row:
        user = people.find(connection, subject.id)
        session = sessions.find(connection, subject.credential_id) if subject.via is Via.SESSION else None
        return {
            "email": None if user is None else user.email,
            "groups": [{"id": id_, "name": name} for id_, name in people.list_groups_of(connection, subject.id)],
            "method": _TOKEN if session is None else session.method,
        }

    return {
        "id": subject.id,
        "username": subject.username,
        "display_name": subject.display_name,
        "permissions": sorted(subject.permissions - {Permission.SIGNED_IN}),
        "must_change_password": subject.must_change_password,
        **await info.context.services.store.read(read),
    }
