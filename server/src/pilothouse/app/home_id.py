"""Which home a process serves from: a number of its own, made once and kept there; names of machines may be alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, final

from pilothouse.base.errors import CannotStart
from pilothouse.base.ids import new_id

_FILE: Final = "home.id"
_CHARS_MAX: Final = 100
SORT: Final = "home"
"""What it is called among what processes tell each other."""


def home_id(home: Path) -> str:
    """Read a home's number, or make it, as whoever holds the home does before others look.

    Raises: CannotStart
    """
    path = home / _FILE
    try:
        if not path.exists():
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = path.with_suffix(".new")
            made.write_text(f"{new_id()}\n", encoding="ascii")
            made.replace(path)  # whole or not at all
        return path.read_text(encoding="ascii", errors="replace").strip()[:_CHARS_MAX]
    except OSError as error:
        raise CannotStart(
            f"{path} cannot be read or made: {error.strerror}.",
            fix="Make the home directory readable and writable for this user.",
        ) from error


@final
class Homes:
    """The homes from which the processes of one database are served, as far as they told."""

    def __init__(self) -> None:
        self.own = ""
        self._others: dict[str, str] = {}
        """By the id of the process."""

    @property
    def changes(self) -> int:
        """1 once there is something to tell: it does not change."""
        return 1 if self.own else 0

    def tell(self) -> bytes:
        """Write this process's own."""
        return self.own.encode()

    def hear(self, told: Mapping[str, bytes]) -> None:
        """Take what all others told."""
        self._others = {id_: text[:_CHARS_MAX].decode(errors="replace") for id_, text in told.items()}

    def elsewhere(self, own_host: str, hosts: Mapping[str, str]) -> list[str]:
        """List the host of each other home from which processes serve.

        hosts: of the other processes, by id. Workers of one home are one; who has not told its home yet is known by its host
        """
        told = {(host, self._others[id_]) for id_, host in hosts.items() if id_ in self._others}
        told.discard((own_host, self.own))
        known = {own_host, *(host for host, _ in told)}
        return sorted(
            [host for host, _ in told] + list({host for id_, host in hosts.items() if id_ not in self._others} - known)
        )
