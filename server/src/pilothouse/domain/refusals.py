"""Why a runtime's heartbeat is refused: each names its cause and its fix, in the runtime's log and in the console.

Refused (base/errors.py)
└── RuntimeRefused
    ├── KeyUnknown            400   no such secret
    ├── KeyRevoked            400   it was revoked
    ├── KeyRevoking           503   it is being revoked, and can still be restored
    ├── KeyExpired            400   its time is over
    ├── KeyUnreadable         503   its material cannot be unsealed; somebody must give another one, or the key file back
    ├── EnvironmentUnknown    200   acknowledged: false; heals when the environment is created
    ├── EnvironmentMismatch   409   the secret is for another environment
    ├── TypeMismatch          409   the integration is of another runtime type
    ├── RuntimeNotRegistered  404   no channel before a full heartbeat
    ├── ProjectNameInvalid    400   no handle can be made of it
    └── IntegrationNameInvalid 400  no handle can be made of it
"""

from pilothouse.base.errors import Refused
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.domain.runtime_type import RuntimeType


class RuntimeRefused(Refused):
    """A heartbeat that an operator must put right, at the runtime or here."""

    code = "HEARTBEAT_REFUSED"


class KeyUnknown(RuntimeRefused):
    """The token's key id belongs to no secret."""

    code = "KEY_UNKNOWN"

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"Unknown key ID '{key_id}'.",
            fix="Copy the whole secret from the console into `secret` of Config.toml, or generate a new one.",
        )


class KeyRevoked(RuntimeRefused):
    """The secret was revoked."""

    code = "KEY_REVOKED"

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"The secret with key ID '{key_id}' was revoked.",
            fix="Generate a new secret in the console and put it into `secret` of Config.toml.",
        )


class KeyRevoking(RuntimeRefused):
    """The secret is being revoked: not accepted any more, but the revocation can still be taken back."""

    code = "KEY_REVOKING"

    def __init__(self, key_id: str, revoked_from: Instant) -> None:
        self.revoked_from = revoked_from
        super().__init__(
            f"The secret with key ID '{key_id}' is being revoked; it is revoked for good at {to_rfc3339(revoked_from)}.",
            fix="Restore the secret in the console before then, or give the runtime another one in `secret` of Config.toml.",
        )


class KeyExpired(RuntimeRefused):
    """The secret's time is over."""

    code = "KEY_EXPIRED"

    def __init__(self, key_id: str, expires_at: Instant) -> None:
        self.expires_at = expires_at
        super().__init__(
            f"The secret with key ID '{key_id}' expired at {to_rfc3339(expires_at)}.",
            fix="Put the secret that replaces it into `secret` of Config.toml, or move its expiry in the console.",
        )


class KeyUnreadable(RuntimeRefused):
    """The secret's sealed material cannot be opened with the key file: nothing that it signed can be checked."""

    code = "KEY_UNREADABLE"

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"This control plane cannot read the secret: {cause}",
            fix="Generate a new secret in the console and put it into `secret` of Config.toml"
            "; or put the key file that belongs to the database back and restart the control plane.",
        )


class EnvironmentUnknown(RuntimeRefused):
    """No environment has that handle."""

    code = "ENVIRONMENT_UNKNOWN"

    def __init__(self, told: str, expected: str) -> None:
        super().__init__(
            f"No environment is called '{told}'.",
            fix=f"The secret is for the environment '{expected}': set `environment = \"{expected}\"` in Config.toml"
            f", or create '{told}' in the console and generate a secret for it.",
        )


class EnvironmentMismatch(RuntimeRefused):
    """The secret is for another environment."""

    code = "ENVIRONMENT_MISMATCH"

    def __init__(self, told: str, expected: str) -> None:
        super().__init__(
            f"Environment mismatch: the runtime says '{told}', its secret is for '{expected}'.",
            fix=f"Set `environment = \"{expected}\"` in Config.toml, or generate a secret for '{told}'.",
        )


class TypeMismatch(RuntimeRefused):
    """The integration is of another runtime type."""

    code = "RUNTIME_TYPE_MISMATCH"

    def __init__(self, told: RuntimeType, expected: RuntimeType, place: str) -> None:
        super().__init__(
            f"Runtime type mismatch: '{place}' is of type {expected.value}, the runtime is of type {told.value}.",
            fix="Give the runtime another `integration` name and a secret that is not bound to this one.",
        )


class ProjectNameInvalid(RuntimeRefused):
    """No handle can be made of the project's name."""

    code = "PROJECT_NAME_INVALID"

    def __init__(self, told: str) -> None:
        super().__init__(
            f"Invalid project name '{told[:80]}': it has no letter a-z and no digit.",
            fix='Set `project` in Config.toml to a handle such as "order-service".',
        )


class IntegrationNameInvalid(RuntimeRefused):
    """No handle can be made of the integration's name."""

    code = "INTEGRATION_NAME_INVALID"

    def __init__(self, told: str) -> None:
        super().__init__(
            f"Invalid component name '{told[:80]}': it has no letter a-z and no digit.",
            fix='Set `integration` in Config.toml to a handle such as "order-create".',
        )


class PlaceUnknown(RuntimeRefused):
    """The project or the integration does not exist, and heartbeats make none here."""

    code = "PLACE_UNKNOWN"

    def __init__(self, project: str, integration: str) -> None:
        super().__init__(
            f"There is no integration '{project}/{integration}', and heartbeats make none here.",
            fix="Create it in the console and generate its secret there, or correct `project` and `integration` in Config.toml.",
        )


class RuntimeNotRegistered(RuntimeRefused):
    """No full heartbeat of this runtime was acknowledged yet."""

    code = "RUNTIME_UNKNOWN"

    def __init__(self) -> None:
        super().__init__(
            "No runtime with this id has reported under this secret yet.",
            fix="Nothing: the bridge sends a full heartbeat and opens its channel again.",
        )
