"""What the operator sets for trying out services, and what one request may cost."""

from collections.abc import Callable
from typing import ClassVar

from pilothouse.base.callees import CalleeRules
from pilothouse.try_it.failures import CA_FILE_VARIABLE


class TryItRules(CalleeRules, frozen=True, kw_only=True):
    """What the operator set."""

    ca_file_variable: ClassVar[str] = CA_FILE_VARIABLE
    timeout_s: float = 30.0
    """Everything together; what has come of an answer by then is shown."""
    connect_s: float = 5.0
    """Resolving, connecting and the TLS handshake, all addresses together."""
    answer_bytes_max: int = 1_048_576
    """More of an answer is not read."""
    own_ports: Callable[[], frozenset[int]] = frozenset
    """The ports that the control plane listens on."""
