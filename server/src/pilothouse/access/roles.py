"""The roles and groups that a new organization begins with.

Source: reference/user-api.md sections 4.1 and 6. Built-in ones are flagged by a code of their own, never found by name.
"""

from enum import StrEnum, unique
from typing import Final

import msgspec

from pilothouse.access.permissions import GRANTABLE, Permission

_P = Permission


@unique
class BuiltInRole(StrEnum):
    """A role that every organization has; its name, its permissions and its life are fixed."""

    SUPER_ADMIN = "super-admin"
    ADMIN = "admin"
    DEVELOPER = "developer"
    PROJECT_ADMIN = "project-admin"
    VIEWER = "viewer"


@unique
class BuiltInGroup(StrEnum):
    """A group that every organization has."""

    SUPER_ADMINS = "super-admins"
    ADMINISTRATORS = "administrators"
    DEVELOPERS = "developers"


class RoleSeed(msgspec.Struct, frozen=True, kw_only=True):
    """A role as it is made at the beginning."""

    name: str
    description: str
    permissions: frozenset[Permission]


ROLES: Final[dict[BuiltInRole, RoleSeed]] = {
    BuiltInRole.SUPER_ADMIN: RoleSeed(name="Super Admin", description="Everything, everywhere.", permissions=GRANTABLE),
    BuiltInRole.ADMIN: RoleSeed(
        name="Admin",
        description="Everything but users, groups and roles.",
        permissions=frozenset(p for p in GRANTABLE if not p.value.startswith("user_mgt:")),
    ),
    BuiltInRole.DEVELOPER: RoleSeed(
        name="Developer",
        description="Changes, steers and tries out integrations; manages environments that are not critical.",
        permissions=frozenset(
            {
                _P.INTEGRATION_MGT_EDIT,
                _P.INTEGRATION_MGT_TRY,
                _P.ENVIRONMENT_MGT_MANAGE_NONPROD,
                _P.PROJECT_MGT_EDIT,
                _P.OBSERVABILITY_MGT_VIEW_LOGS,
                _P.OBSERVABILITY_MGT_VIEW_INSIGHTS,
                _P.WORKFLOW_MGT_MANAGE_HUMAN_TASKS,
                _P.WORKFLOW_MGT_VIEW_WORKFLOWS,
            }
        ),
    ),
    BuiltInRole.PROJECT_ADMIN: RoleSeed(
        name="Project Admin",
        description="Manages a project, its integrations, and who may do what in it.",
        permissions=frozenset(
            {
                _P.ALERT_MGT_MANAGE,
                _P.INTEGRATION_MGT_MANAGE,
                _P.INTEGRATION_MGT_TRY,
                _P.PROJECT_MGT_MANAGE,
                # The original's has neither: then nobody in the project could be given the role Viewer.
                _P.OBSERVABILITY_MGT_VIEW_LOGS,
                _P.OBSERVABILITY_MGT_VIEW_INSIGHTS,
                _P.USER_MGT_UPDATE_GROUP_ROLES,
                _P.WORKFLOW_MGT_MANAGE_HUMAN_TASKS,
                _P.WORKFLOW_MGT_MANAGE_WORKFLOWS,
            }
        ),
    ),
    BuiltInRole.VIEWER: RoleSeed(
        name="Viewer",
        description="Sees projects, integrations, logs and metrics.",
        permissions=frozenset(
            {
                _P.INTEGRATION_MGT_VIEW,
                _P.PROJECT_MGT_VIEW,
                _P.OBSERVABILITY_MGT_VIEW_LOGS,
                _P.OBSERVABILITY_MGT_VIEW_INSIGHTS,
                _P.WORKFLOW_MGT_VIEW_HUMAN_TASKS,
            }
        ),
    ),
}

GROUPS: Final[dict[BuiltInGroup, tuple[str, str, BuiltInRole]]] = {
    BuiltInGroup.SUPER_ADMINS: ("Super Admins", "At least one person stays in it.", BuiltInRole.SUPER_ADMIN),
    BuiltInGroup.ADMINISTRATORS: ("Administrators", "Run the organization.", BuiltInRole.ADMIN),
    BuiltInGroup.DEVELOPERS: ("Developers", "Build and steer integrations.", BuiltInRole.DEVELOPER),
}
"""Name, description, and the role that the group has in all of the organization."""
