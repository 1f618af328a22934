"""A network of its own for a process: Linux's network namespaces, for whoever may make them."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

_NUMBER = os.getpid() % 200 + 20


@dataclass
class Network:
    """A namespace with one link to this one, by which its processes reach their database."""

    name: str
    database_at: str
    """The address of this side of the link."""
    link: str
    """Our end of the link."""

    @property
    def within(self) -> tuple[str, ...]:
        """What a command begins with that runs in it."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Cut the link: what is sent there goes nowhere, and nobody is told."""
        _ip("link", "set", self.link, "down")

    def mend(self) -> None:
        """Put it back."""
        _ip("link", "set", self.link, "up")


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Make one, and take it away at the end. Skips by name where that is not permitted."""
    name = f"pilothouse{os.getpid()}"
    if not shutil.which("ip"):
        missing = "`ip` is not installed: apt-get install iproute2"
        (pytest.fail if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1" else pytest.skip)(missing)
    if not _may(name):  # a right, or a kernel's part, that no package brings
        pytest.skip("making a network namespace is not permitted here: it wants CAP_SYS_ADMIN, CAP_NET_ADMIN and veth")
    made = Network(name, f"10.214.{_NUMBER}.1", f"phd{os.getpid()}")
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("link", "add", made.link, "type", "veth", "peer", "name", "database", "netns", name)
        _ip("addr", "add", f"{made.database_at}/24", "dev", made.link)
        _ip("link", "set", made.link, "up")
        _ip("-n", name, "addr", "add", f"10.214.{_NUMBER}.2/24", "dev", "database")
        _ip("-n", name, "link", "set", "database", "up")
        yield made
    finally:
        _ip("netns", "del", name)


def _may(name: str) -> bool:
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError:
        return False
    try:
        _ip("link", "add", f"{name[-9:]}t", "type", "veth", "peer", "name", "tried", "netns", name)
        _ip("link", "del", f"{name[-9:]}t")
    except subprocess.CalledProcessError:
        _ip("netns", "del", name)
        return False
    return True


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)  # noqa: S603, S607 - the system's
