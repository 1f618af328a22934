"""Who manages which secrets: those of environments, and those who manage the integration that a secret is bound to."""

import msgspec

from pilothouse.access.grants import NOTHING, Place, Reach, Subject, reach, require
from pilothouse.access.permissions import Permission

NEEDED = (
    Permission.ENVIRONMENT_MGT_MANAGE,
    Permission.ENVIRONMENT_MGT_MANAGE_NONPROD,
    Permission.INTEGRATION_MGT_MANAGE,
)
"""Any of these leads to some secrets."""


class SecretReach(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets that somebody manages."""

    all: Reach = NOTHING
    """Of every environment here."""
    noncritical: Reach = NOTHING
    """Of environments that are not critical."""
    bound: Reach = NOTHING
    """Bound to integrations here."""

    def holds(self, place: Place, *, critical: bool) -> bool:
        """Tell whether a secret of this place is among them; one without an integration is not bound yet."""
        return (
            self.all.covers(place)
            or (not critical and self.noncritical.covers(place))
            or (place.integration_id is not None and self.bound.covers(place))
        )


def secret_reach(subject: Subject) -> SecretReach:
    """Tell which secrets somebody manages."""
    every, noncritical, bound = (reach(subject, permission) for permission in NEEDED)
    return SecretReach(all=every, noncritical=noncritical, bound=bound)


def require_secrets(subject: Subject, place: Place, *, critical: bool) -> None:
    """Refuse unless somebody manages the secrets of a place.

    Raises: NotPermitted
    """
    if not secret_reach(subject).holds(place, critical=critical):
        wider = () if critical else (Permission.ENVIRONMENT_MGT_MANAGE_NONPROD,)
        of_integration = () if place.integration_id is None else (Permission.INTEGRATION_MGT_MANAGE,)
        require(subject, Permission.ENVIRONMENT_MGT_MANAGE, *wider, *of_integration, at=place)
