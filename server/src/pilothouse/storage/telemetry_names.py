"""Integrations as scripts name them: by id, by handle, by handle within a project, or by what people call them."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, or_, select

from pilothouse.access.places import Reach
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage.scope import within
from pilothouse.storage.tables import integrations, projects


class NamedIntegration(msgspec.Struct, frozen=True, kw_only=True):
    """An integration with all its names."""

    id: str
    handle: str
    display_name: str
    runtime_type: RuntimeType
    project_handle: str


def find_integrations(connection: Connection, reach: Reach, names: Collection[str]) -> list[NamedIntegration]:
    """Find every integration within a reach that one of the names can mean, by one statement.

    Shape: `project/handle` names one within its project
    """
    c = integrations.c
    handles = {name.partition("/")[2] if "/" in name else name for name in names}
    statement = (
        select(c.id, c.handle, c.display_name, c.runtime_type, projects.c.handle.label("project_handle"))
        .join(projects)
        .where(
            within(reach, project=c.project_id, integration=c.id),
            or_(c.id.in_(sorted(names)), c.handle.in_(sorted(handles)), c.display_name.in_(sorted(names))),
        )
    )
    return [
        NamedIntegration(**{**row, "runtime_type": RuntimeType(row["runtime_type"])})
        for row in connection.execute(statement.order_by(c.id)).mappings()
    ]
