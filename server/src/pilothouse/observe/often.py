"""How often the same thing is worth a line in the log: a fleet in trouble must not fill the disk."""

LOUD = 3
"""So many times in a row, then at each power of two."""


def worth_a_line(times: int) -> bool:
    """Tell whether the n-th time is worth a line."""
    return times <= LOUD or times & (times - 1) == 0
