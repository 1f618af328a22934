"""Commands of the operator that break, heal and restart the server."""

import shlex
import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from pilothouse_conformance.verdict import Failed

_TIMEOUT_S = 120


def run(command: str, what: str) -> None:
    """Run a command of the operator's.

    Raises: Failed, when it does not end well
    """
    try:
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - the operator's own command
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"the {what} command did not run: {error}") from error
    if done.returncode:
        raise Failed(f"the {what} command ended with {done.returncode}: {(done.stderr or done.stdout).strip()[:500]}")


@contextmanager
def broken(fault: str, heal: str) -> Generator[None]:
    """Have the server's database broken for a while; it is healed whatever happens."""
    try:
        run(fault, "fault")
        yield
    finally:
        run(heal, "heal")
