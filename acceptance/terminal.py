"""The command line as people and scripts use it: a program of its own, signed in to a control plane."""

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stage import ControlPlane, Program, ask, console_of


@dataclass
class Told:
    """What a command printed, and the status that it ended with."""

    status: int
    out: str
    err: str

    def json(self) -> Any:  # Any: JSON values
        assert self.status == 0, self
        return json.loads(self.out)


@dataclass
class Terminal:
    """Where commands are typed: by somebody who signed in with an API token."""

    environment: dict[str, str]
    cwd: Path

    def __call__(self, *words: str, text: str = "") -> Told:
        done = subprocess.run(
            [sys.executable, "-m", "pilothouse", *words],
            cwd=self.cwd, env=self.environment, input=text, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Told(done.returncode, done.stdout, done.stderr)

    def begin(self, start: Callable[..., Program], *words: str, **environment: str) -> Program:
        """Begin a command that goes on."""
        kept = {name: self.environment[name] for name in ("XDG_CONFIG_HOME", "NO_COLOR")}
        return start([sys.executable, "-m", "pilothouse", *words], cwd=self.cwd, **kept, **environment)


def signed_in(plane: ControlPlane, folder: Path) -> Terminal:
    """Open a terminal and sign in with an API token that was made at the console."""
    document = """
        mutation ($ends: DateTime!) { createApiToken(input: {name: "terminal", expiresAt: $ends}) { token } }
    """
    with console_of(plane) as console:
        ends = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
        token: str = ask(console, document, ends=ends)["createApiToken"]["token"]

    kept = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")}
    typed = Terminal({**kept, "XDG_CONFIG_HOME": str(folder), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}, folder)
    ca = str(plane.home / "tls" / "certificate.pem")
    done = typed("login", plane.console_url, "--token", "--ca-file", ca, "--name", "here", text=f"{token}\n")
    assert done.status == 0, done
    assert token not in done.out + done.err
    return typed
