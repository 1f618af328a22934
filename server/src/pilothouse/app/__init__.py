"""The composition root: the only room that constructs."""

from pilothouse.app.control_plane import ControlPlane, open_control_plane

__all__ = ["ControlPlane", "open_control_plane"]
