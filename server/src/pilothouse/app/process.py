"""What makes a process answer evenly: when Python looks for garbage, and how soon one of its threads gives way to another."""

import gc
import sys
from typing import Final

GIVE_WAY_S: Final = 0.000_5
"""Unit: seconds. So long a thread that computes keeps others of its process from going on, at most; Python's own is ten times that.

The thread that writes waits for the database after each statement, and then for the loop's thread, while the writers of all
other processes wait for its turn to end: 64 full heartbeats under one turn took half as long beside a busy loop.
"""


def begin_start() -> None:
    """Prepare for a start: hundreds of thousands of objects are made that stay, and looking through them again and again finds nothing."""
    sys.setswitchinterval(GIVE_WAY_S)
    gc.disable()


def end_start() -> None:
    """Let the collector begin its work, and pass over for good what the start made: 0.1 s each time, in which nobody is answered.

    What the start left behind is passed over with it: 4,000 objects of 317,000. To look for them took 0.2 s of the 2.4 s of CPU that a
    start on an empty home takes.
    Does nothing in a process whose start was not begun by `begin_start`, as in tests.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def end() -> None:
    """Let the collector see all again: what it passes over when Python ends is told of as leaked by libraries that count."""
    gc.unfreeze()
