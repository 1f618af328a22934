"""Turning what somebody may see into SQL."""

from sqlalchemy import ColumnElement, false, true

from pilothouse.access.grants import Reach


def within(reach: Reach) -> ColumnElement[bool]:
    """Make the condition that keeps a listing inside somebody's reach; without any reach, nothing is listed."""
    return true() if reach.everything else false()
