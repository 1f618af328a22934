"""A control plane that is to be killed: for every line on stdin a new process, forked from one that has imported all.

Says `<process id> <runtimes' port> <console's port>` when a process is ready.
"""

import asyncio
import os
import sys
from pathlib import Path

import uvloop
from pilothouse.app.running import Started, run
from pilothouse.config import Settings
from pilothouse.observe.logs import configure


async def say_ready(started: Started) -> None:
    console_port = started.console_url.rpartition(":")[2]
    os.write(1, f"{os.getpid()} {started.plane.runtime_port} {console_port}\n".encode())


async def nothing() -> None:
    pass


def serve(home: Path) -> None:
    settings = Settings(home=home, host="127.0.0.1", runtime_port=0, console_port=0, console_tls=False)
    configure("ERROR", "text")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings, say_ready, nothing))


for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        serve(Path(sys.argv[1]))
        os._exit(0)
    os.waitpid(child, 0)
    os.write(1, b"ended\n")
