"""What an e-mail address is."""

import re
from typing import Final

_ADDRESS: Final = re.compile(
    r"(?=.{3,254}\Z)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*",
    re.ASCII,
)
"""HTML's idea of an e-mail address: no quotes, no comments, nothing that could end a header."""


def is_mail_address(text: str) -> bool:
    """Tell whether a text is one e-mail address and nothing else."""
    return _ADDRESS.fullmatch(text) is not None
