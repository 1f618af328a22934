"""`pilothouse up` and `pilothouse serve`."""

# The server is imported by the commands that need it, so that those that ask a control plane start sooner.

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilothouse.config import Settings, load

if TYPE_CHECKING:
    from pilothouse.app.example_process import Example
    from pilothouse.app.ports import Serving
    from pilothouse.app.running import Started
    from pilothouse.app.workers.parent import Parent

Home = Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")]
RuntimePort = Annotated[int | None, typer.Option("--runtime-port", help="Port for runtimes.")]
ConsolePort = Annotated[int | None, typer.Option("--console-port", help="Port for the console and the APIs.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, max=64, help="Processes that serve both ports; a database server is needed."),
]
LoopbackHttp = Annotated[
    bool, typer.Option("--http-loopback", help="Console over plain HTTP, reachable from this machine alone.")
]


def up(
    home: Home = None,
    runtime_port: RuntimePort = None,
    console_port: ConsolePort = None,
    http_loopback: LoopbackHttp = False,
    workers: Workers = None,
    no_example: Annotated[bool, typer.Option("--no-example", help="Without the example integration.")] = False,
) -> None:
    """Start a control plane with the example integration."""
    settings = _settings(home, runtime_port, console_port, http_loopback, workers)
    _serve(settings, with_example=not no_example, is_first_hour=True)


def serve(
    home: Home = None,
    runtime_port: RuntimePort = None,
    console_port: ConsolePort = None,
    http_loopback: LoopbackHttp = False,
    workers: Workers = None,
) -> None:
    """Start a control plane."""
    settings = _settings(home, runtime_port, console_port, http_loopback, workers)
    _serve(settings, with_example=False, is_first_hour=False)


def _settings(
    home: Path | None, runtime_port: int | None, console_port: int | None, http_loopback: bool, workers: int | None
) -> Settings:
    from pilothouse.app.process import begin_start

    begin_start()  # before most of the server is imported

    from pilothouse.observe.logs import configure

    settings = load(
        home=None if home is None else home.expanduser().absolute(),
        runtime_port=runtime_port,
        console_port=console_port,
        console_tls=False if http_loopback else None,
        workers=workers,
    )
    configure(settings.log_level, settings.log_format)
    return settings


def _serve(settings: Settings, *, with_example: bool, is_first_hour: bool) -> None:
    import uvloop

    serving = _of_one_process if settings.workers == 1 else _of_workers
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(serving(settings, with_example, is_first_hour))
    if status:
        raise typer.Exit(status)


async def _of_one_process(settings: Settings, with_example: bool, is_first_hour: bool) -> int:
    from pilothouse.app.example import start_example
    from pilothouse.app.running import run
    from pilothouse.cli.greeting import greet

    example: Example | None = None

    async def when_ready(started: "Started") -> None:
        nonlocal example
        if with_example:
            example = await start_example(started.plane, started.runtime_url, os.environ)
        greet(started, example, is_first_hour=is_first_hour)

    async def before_stop() -> None:
        if example is not None:  # first, so that its last words are not that nobody listens
            await example.stop()

    await run(settings, when_ready, before_stop)
    return 0


async def _of_workers(settings: Settings, with_example: bool, is_first_hour: bool) -> int:
    from pilothouse.app.example_process import launch_example
    from pilothouse.app.process import end_start
    from pilothouse.app.workers.parent import run_workers
    from pilothouse.cli.greeting import greet

    end_start()

    example: Example | None = None

    async def when_ready(serving: "Serving", parent: "Parent") -> None:
        nonlocal example
        if with_example:
            folder = await parent.configure_example(serving.runtime_url)
            example = None if folder is None else await launch_example(folder, os.environ)
        greet(serving, example, is_first_hour=is_first_hour)

    async def before_stop() -> None:
        if example is not None:
            await example.stop()

    return 0 if await run_workers(settings, when_ready, before_stop) else 1
