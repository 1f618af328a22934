"""Who is alive: in memory, flushed in batches; never one SQL statement a beat."""

from pilothouse.presence.board import Board, Entry, Place, Turn

__all__ = ["Board", "Entry", "Place", "Turn"]
