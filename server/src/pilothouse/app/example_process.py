"""The process of the example integration, which ends with ours. Nothing of the server is loaded for it."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import structlog

from pilothouse.app.bundled import example_folder

_log = structlog.get_logger(__name__)

STOP_S = 5.0
"""How long the example may take to stop."""
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


async def launch_example(folder: Path, environment: Mapping[str, str]) -> Example | None:
    """Start the example in its folder; None when this installation has none."""
    source = example_folder()
    if source is None:
        return None
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


def _for_the_example(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the control plane's own settings: passwords and tokens are none of the example's business."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("PILOTHOUSE_") or name.startswith("PILOTHOUSE_BRIDGE_")
    }
