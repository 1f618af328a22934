"""`pilothouse serve` with workers that are given up on sooner than in the product, so that a test need not wait."""

import asyncio

import uvloop
from pilothouse.app.workers.parent import run_workers
from pilothouse.app.workers.seat import Patience
from pilothouse.cli.greeting import greet
from pilothouse.config import load
from pilothouse.observe.logs import configure


async def serve() -> None:
    async def when_ready(serving, _parent) -> None:
        greet(serving, None, is_first_hour=False)

    async def nothing() -> None:
        pass

    await run_workers(load(), when_ready, nothing, Patience(ask_every_s=0.5, silent_s=8.0))


configure("INFO", "text")
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(serve())
