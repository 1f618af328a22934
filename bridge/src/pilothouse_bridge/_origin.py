"""Where the program was started; imported at once, because programs change their directory."""

import os
from typing import Final


def _directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a text to give back, not a path to work with
    except OSError:  # it is there no more
        return None


STARTED_IN: Final = _directory()
