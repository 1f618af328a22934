"""Turning what somebody may see into SQL."""

from collections import defaultdict
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, and_, false, or_, true
from sqlalchemy.sql.elements import SQLCoreOperations

from pilothouse.access.grants import Reach

Id: TypeAlias = "SQLCoreOperations[Any] | None"  # Any: a column of ids, whatever its table calls it


def within(reach: Reach, *, project: Id = None, integration: Id = None, environment: Id = None) -> ColumnElement[bool]:
    """Make the condition that keeps a listing inside somebody's reach; without any reach, nothing is listed.

    The columns hold the ids of the place that a row belongs to. A row that belongs to no environment (a project, an
    integration) is seen by who may see something of it: then the column is left out.
    """
    if reach.everything:
        return true()
    # Places of one shape and environment share one list: a thousand projects are one condition.
    wanted: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for place in reach.places:
        shape, id_ = "all", ""
        if place.integration_id is not None and integration is not None:
            shape, id_ = "integration", place.integration_id
        elif place.project_id is not None and project is not None:
            shape, id_ = "project", place.project_id
        wanted[shape, place.environment_id if environment is not None else None].add(id_)
    columns = {"integration": integration, "project": project}
    conditions: list[ColumnElement[bool]] = []
    for (shape, environment_id), ids in sorted(wanted.items(), key=str):
        column = columns.get(shape)
        parts: list[ColumnElement[bool]] = []
        if column is not None:
            parts.append(column.in_(sorted(ids)))
        if environment is not None and environment_id is not None:
            parts.append(environment == environment_id)
        conditions.append(and_(true(), *parts))
    return or_(false(), *conditions)
