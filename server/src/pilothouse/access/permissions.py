"""What may be permitted. Grammar: `area:verb`, the original's wire names.

Source: reference/user-api.md section 4.1. Every permission that is granted anywhere is named here and nowhere else.
"""

from enum import StrEnum, unique


@unique
class Permission(StrEnum):
    """One thing that a person or a token may do."""

    SIGNED_IN = "signed_in"
    """Nothing but a session."""
    ENVIRONMENT_MGT_MANAGE = "environment_mgt:manage"
    """Create and change environments, critical ones too, and their secrets."""
    ENVIRONMENT_MGT_MANAGE_NONPROD = "environment_mgt:manage_nonprod"
    """The same for environments that are not critical."""
    INTEGRATION_MGT_EDIT = "integration_mgt:edit"
    """Change integrations and steer their artifacts."""
    INTEGRATION_MGT_MANAGE = "integration_mgt:manage"
    """Create and delete integrations."""
    INTEGRATION_MGT_VIEW = "integration_mgt:view"
    """See integrations and their runtimes."""
    PROJECT_MGT_EDIT = "project_mgt:edit"
    """Change projects."""
    PROJECT_MGT_MANAGE = "project_mgt:manage"
    """Create and delete projects."""
    PROJECT_MGT_VIEW = "project_mgt:view"
    """See projects."""
