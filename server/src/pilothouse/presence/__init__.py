"""Who is alive: in memory, flushed in batches; never one SQL statement a beat."""

from pilothouse.presence.agenda import Agenda
from pilothouse.presence.board import Board
from pilothouse.presence.entry import Entry, Place, Turn

__all__ = ["Agenda", "Board", "Entry", "Place", "Turn"]
