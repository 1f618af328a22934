"""What the operator sets for calls of management APIs, and what a call may cost."""

from typing import ClassVar

import msgspec

from pilothouse.base.callees import CalleeRules
from pilothouse.management.failures import CA_FILE_VARIABLE


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a call may cost."""

    connect_s: float = 5.0
    """Resolving, connecting and the TLS handshake, all addresses together."""
    whole_s: float = 15.0
    """Everything, the wait for a place included."""
    answer_bytes_max: int = 4 * 1024 * 1024
    at_once_max: int = 32
    per_runtime_max: int = 2
    waiting_max: int = 1_024
    waiting_per_runtime_max: int = 64


class ManagementRules(CalleeRules, frozen=True, kw_only=True):
    """What the operator set."""

    ca_file_variable: ClassVar[str] = CA_FILE_VARIABLE
    limits: Limits = Limits()
