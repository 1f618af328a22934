"""The example integration beside a newcomer's control plane: a secret of its own, and a process that ends with ours."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import structlog

from pilothouse.app.bundled import example_folder
from pilothouse.app.control_plane import ControlPlane
from pilothouse.app.people import local_subject
from pilothouse.operations.secrets import generate
from pilothouse.storage import secrets

_log = structlog.get_logger(__name__)

STOP_S = 5.0
"""How long the example may take to stop."""
_KEY_ID = re.compile(r'^secret = "([0-9a-f]{8})\.', re.MULTILINE)
# The kernel ends the example when this process ends, however it ends: no orphan holds its port.
_LAUNCH = """\
import ctypes, os, runpy, signal, sys
parent = int(sys.argv.pop(1))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != parent:
    sys.exit("the control plane is gone")
runpy.run_module("order_service", run_name="__main__", alter_sys=True)
"""


class Example:
    """The example's process."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._stopping = False
        self.folder = folder
        """Where its Config.toml lies."""
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._stopping = True
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        await self._watching

    async def _watch(self) -> None:
        code = await self._process.wait()
        if not self._stopping:
            _log.warning(
                "example.ended",
                code=code,
                signal=signal.Signals(-code).name if code < 0 else None,
                fix="The console shows it OFFLINE when its heartbeats are missed; start it again with `pilothouse up`.",
            )


async def start_example(plane: ControlPlane, runtime_url: str, environment: Mapping[str, str]) -> Example | None:
    """Start the example integration; None when this installation has none."""
    source = example_folder()
    if source is None:
        _log.warning(
            "example.missing", fix="Install the package again, or go on without: `pilothouse up --no-example`."
        )
        return None
    folder = plane.settings.home / "example"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    await _configure(plane, folder / "Config.toml", runtime_url)
    path = os.pathsep.join(part for part in (str(source), environment.get("PYTHONPATH", "")) if part)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _LAUNCH,
        str(os.getpid()),
        cwd=folder,
        env={**_for_the_example(environment), "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for us; we stop the example ourselves
    )
    return Example(process, folder)


async def _configure(plane: ControlPlane, path: Path, runtime_url: str) -> None:
    """Write the example's Config.toml unless the one that is there holds a secret that this database knows."""
    known = _KEY_ID.search(_read(path))
    if known is not None and await plane.store.read(lambda connection: secrets.find(connection, known[1])) is not None:
        _point_to(path, runtime_url)
        return
    organization = await plane.organization()
    made = await plane.store.write(
        partial(
            generate,
            subject=local_subject(organization.id),
            organization=organization,
            vault=plane.vault,
            environment_handle="dev",
            project_handle=None,
            integration_handle=None,
            now=plane.clock.now(),
        )
    )
    text = made.config_toml.replace("<project>", "order-service").replace("<integration>", "order-create")
    _write(path, text.replace("<unique-runtime-name>", "order-node-1"))
    _point_to(path, runtime_url)


def _for_the_example(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the control plane's own settings: passwords and tokens are none of the example's business."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("PILOTHOUSE_") or name.startswith("PILOTHOUSE_BRIDGE_")
    }


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _point_to(path: Path, runtime_url: str) -> None:
    text = _read(path)
    _write(path, re.sub(r"^#? ?serverUrl = .*$", f'serverUrl = "{runtime_url}"', text, flags=re.MULTILINE))


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
