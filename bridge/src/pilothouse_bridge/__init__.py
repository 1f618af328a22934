"""The bridge: makes a Python program visible to a Pilothouse control plane.

Most programs need one line, ``import pilothouse_bridge.auto``; the names below are for programs that want to say more.
"""

from pilothouse_bridge._bridge import Bridge, connect
from pilothouse_bridge._status import State, Status

__all__ = ["Bridge", "State", "Status", "connect"]
__version__ = "0.1.0"
