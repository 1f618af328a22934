"""What may be permitted. Grammar: `area:verb`, the original's wire names.

Source: reference/user-api.md section 4.1. Every permission that is granted anywhere is named here and nowhere else. Three are
our own: `audit_mgt:view`, so that an auditor need not be an administrator, `alert_mgt:manage`, and `integration_mgt:try`.
"""

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final


@unique
class Permission(StrEnum):
    """One thing that a person or a token may do."""

    SIGNED_IN = "signed_in"
    """Nothing but a session: everybody who is signed in holds it, nobody grants it."""
    ALERT_MGT_MANAGE = "alert_mgt:manage"
    AUDIT_MGT_VIEW = "audit_mgt:view"
    ENVIRONMENT_MGT_MANAGE = "environment_mgt:manage"
    ENVIRONMENT_MGT_MANAGE_NONPROD = "environment_mgt:manage_nonprod"
    INTEGRATION_MGT_EDIT = "integration_mgt:edit"
    INTEGRATION_MGT_MANAGE = "integration_mgt:manage"
    INTEGRATION_MGT_TRY = "integration_mgt:try"
    INTEGRATION_MGT_VIEW = "integration_mgt:view"
    OBSERVABILITY_MGT_VIEW_INSIGHTS = "observability_mgt:view_insights"
    OBSERVABILITY_MGT_VIEW_LOGS = "observability_mgt:view_logs"
    PROJECT_MGT_EDIT = "project_mgt:edit"
    PROJECT_MGT_MANAGE = "project_mgt:manage"
    PROJECT_MGT_VIEW = "project_mgt:view"
    USER_MGT_MANAGE_GROUPS = "user_mgt:manage_groups"
    USER_MGT_MANAGE_ROLES = "user_mgt:manage_roles"
    USER_MGT_MANAGE_USERS = "user_mgt:manage_users"
    USER_MGT_UPDATE_GROUP_ROLES = "user_mgt:update_group_roles"
    USER_MGT_UPDATE_USERS = "user_mgt:update_users"
    WORKFLOW_MGT_MANAGE_HUMAN_TASKS = "workflow_mgt:manage_human_tasks"
    WORKFLOW_MGT_MANAGE_WORKFLOWS = "workflow_mgt:manage_workflows"
    WORKFLOW_MGT_VIEW_HUMAN_TASKS = "workflow_mgt:view_human_tasks"
    WORKFLOW_MGT_VIEW_WORKFLOWS = "workflow_mgt:view_workflows"


_P = Permission

MEANINGS: Final[Mapping[Permission, str]] = {
    _P.ALERT_MGT_MANAGE: "Make and change alert rules and silences; with it everywhere, channels too.",
    _P.AUDIT_MGT_VIEW: "Read, search and export the audit records.",
    _P.ENVIRONMENT_MGT_MANAGE: "Create, change and delete environments, critical ones too, and their secrets.",
    _P.ENVIRONMENT_MGT_MANAGE_NONPROD: "The same for environments that are not critical.",
    _P.INTEGRATION_MGT_EDIT: "Change integrations and steer their artifacts.",
    _P.INTEGRATION_MGT_MANAGE: "Create and delete integrations; remove their runtimes.",
    _P.INTEGRATION_MGT_TRY: "Send requests to services through the control plane, where the environment allows it.",
    _P.INTEGRATION_MGT_VIEW: "See integrations, their runtimes and artifacts.",
    _P.OBSERVABILITY_MGT_VIEW_INSIGHTS: "See metrics and traces.",
    _P.OBSERVABILITY_MGT_VIEW_LOGS: "Read logs.",
    _P.PROJECT_MGT_EDIT: "Change projects.",
    _P.PROJECT_MGT_MANAGE: "Create and delete projects.",
    _P.PROJECT_MGT_VIEW: "See projects.",
    _P.USER_MGT_MANAGE_GROUPS: "Create, change and delete groups, and map them to roles.",
    _P.USER_MGT_MANAGE_ROLES: "Create, change and delete roles.",
    _P.USER_MGT_MANAGE_USERS: "Create, disable and delete users, reset passwords, end sessions, and change who is in which group.",
    _P.USER_MGT_UPDATE_GROUP_ROLES: "Map groups to roles, within what one holds oneself.",
    _P.USER_MGT_UPDATE_USERS: "Change who is in which group.",
    _P.WORKFLOW_MGT_MANAGE_HUMAN_TASKS: "Claim and complete human tasks.",
    _P.WORKFLOW_MGT_MANAGE_WORKFLOWS: "Start, stop and retry workflows.",
    _P.WORKFLOW_MGT_VIEW_HUMAN_TASKS: "See human tasks.",
    _P.WORKFLOW_MGT_VIEW_WORKFLOWS: "See workflows and their instances.",
}
"""What each permission lets somebody do, for people; every one that can be granted is in it."""

GRANTABLE: Final = frozenset(MEANINGS)

_CONTAINS: Final[Mapping[Permission, tuple[Permission, ...]]] = {
    _P.ENVIRONMENT_MGT_MANAGE: (_P.ENVIRONMENT_MGT_MANAGE_NONPROD,),
    _P.INTEGRATION_MGT_MANAGE: (_P.INTEGRATION_MGT_EDIT,),
    _P.INTEGRATION_MGT_EDIT: (_P.INTEGRATION_MGT_VIEW,),
    _P.INTEGRATION_MGT_TRY: (_P.INTEGRATION_MGT_VIEW,),
    _P.PROJECT_MGT_MANAGE: (_P.PROJECT_MGT_EDIT,),
    _P.PROJECT_MGT_EDIT: (_P.PROJECT_MGT_VIEW,),
    _P.USER_MGT_MANAGE_GROUPS: (_P.USER_MGT_UPDATE_GROUP_ROLES,),
    _P.USER_MGT_MANAGE_USERS: (_P.USER_MGT_UPDATE_USERS,),
    _P.WORKFLOW_MGT_MANAGE_HUMAN_TASKS: (_P.WORKFLOW_MGT_VIEW_HUMAN_TASKS,),
    _P.WORKFLOW_MGT_MANAGE_WORKFLOWS: (_P.WORKFLOW_MGT_VIEW_WORKFLOWS,),
}


def _with_contents(permission: Permission) -> frozenset[Permission]:
    inner = (_with_contents(contained) for contained in _CONTAINS.get(permission, ()))
    return frozenset({permission}).union(*inner)


CONTAINED: Final[Mapping[Permission, frozenset[Permission]]] = {
    permission: _with_contents(permission) for permission in Permission
}
"""Each permission with all that it contains: manage ⊃ edit ⊃ view."""


def expand(permissions: frozenset[Permission]) -> frozenset[Permission]:
    """Add what permissions contain."""
    return frozenset[Permission]().union(*(CONTAINED[permission] for permission in permissions))
