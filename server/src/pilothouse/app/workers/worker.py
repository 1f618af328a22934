"""One worker: a control plane on ports that its parent opened.

Started as `python -m pilothouse.app.workers.worker <number> <line> <life>`, the last two being descriptors.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from typing import Final, final

import msgspec
import uvloop

from pilothouse.app.control_plane import ControlPlane
from pilothouse.app.example import configure_example
from pilothouse.app.process import begin_start
from pilothouse.app.running import Shared, Started, serve
from pilothouse.app.workers.beside import Beside, state_of
from pilothouse.app.workers.line import Line, trouble_of
from pilothouse.app.workers.store import FootingOfTheMachine
from pilothouse.app.workers.words import (
    CannotServe,
    ConfigureExample,
    Enter,
    GiveFigures,
    GiveState,
    Ready,
    Stop,
    Task,
    ToWorker,
    WorkerState,
    read_task,
    written,
)
from pilothouse.base.errors import PilothouseError, Unavailable
from pilothouse.observe.health import State
from pilothouse.observe.logs import configure
from pilothouse.serving.settings import TlsFiles

_ASK_S: Final = 30.0
ORPHAN_S: Final = 15.0
"""Unit: seconds. So long a worker whose parent is gone may take to end by itself."""


@final
class Worker:
    """This process."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._asked = asyncio.Event()
        self._plane: ControlPlane | None = None
        self._words: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)

    async def work(self, end: socket.socket) -> int:
        """Serve until asked to stop; gives the process' status."""
        line = await Line.open(end, self._answer)
        carrying = asyncio.create_task(line.run())
        try:
            task = read_task(await line.ask(written(Enter()), _ASK_S))
            configure(task.settings.log_level, task.settings.log_format, self._number)
            await self._serve(task, line)
        except PilothouseError as error:
            await line.ask(written(CannotServe(trouble_of(error))), _ASK_S)
            return 1
        finally:
            line.close()
            await carrying
        return 0

    async def _serve(self, task: Task, line: Line) -> None:
        shared = Shared(
            listening={name: socket.socket(fileno=number) for name, number in task.listening.items()},
            telemetry=FootingOfTheMachine(line) if task.settings.telemetry_store == "embedded" else None,
            join=Beside(self._number, line).join,
            asked=self._asked,
        )

        async def ready(started: Started) -> None:
            self._plane = started.plane
            await started.plane.health.look()
            await line.ask(written(Ready(first_password=started.first_password)), _ASK_S)

        await serve(task.settings, TlsFiles(task.certificate, task.certificate_key), ready, _nothing, shared)

    async def _answer(self, body: bytes) -> bytes:
        words, plane = self._words.decode(body), self._plane
        if isinstance(words, Stop):
            self._asked.set()
            return b""
        if plane is None:
            if isinstance(words, GiveState):
                return written(WorkerState(state=State.NOT_READY.value, why="It is being started."))
            raise Unavailable("It is being started.")
        match words:
            case GiveState():
                return written(state_of(plane.health))
            case GiveFigures():
                return msgspec.msgpack.encode(await plane.figures.families())
            case ConfigureExample():
                folder = await configure_example(plane, words.runtime_url)
                return b"" if folder is None else os.fsencode(folder)


async def _nothing() -> None:
    """Do nothing: before the ports close there is nobody else to end."""


def _end_with(life: int) -> None:
    """Wait for the parent's end, which closes the other end of this pipe however it comes, and end, too."""
    os.read(life, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_S)
    os._exit(1)


def main() -> None:
    """Be a worker."""
    number, line, life = (int(word) for word in sys.argv[1:4])
    begin_start()
    threading.Thread(target=partial(_end_with, life), name="parent", daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(Worker(number).work(socket.socket(fileno=line))))


if __name__ == "__main__":
    main()
