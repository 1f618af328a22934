"""Doing a job again and again."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from pilothouse.base.errors import PilothouseError
from pilothouse.observe.works import Works

_log = structlog.get_logger(__name__)


async def repeat(
    job: Callable[[], Awaitable[object]],
    every_s: float,
    works: Works,
    on_late: Callable[[float], None] = lambda _: None,
) -> None:
    """Do a job until this is cancelled; a failure is logged and noted, and does not end it.

    on_late: told before each time how many seconds later than wanted it comes
    """
    name = job.__name__
    while True:
        wanted_s = works.clock_s() + every_s
        await asyncio.sleep(every_s)
        on_late(max(0.0, works.clock_s() - wanted_s))
        try:
            await job()
            works.done(name)
        except PilothouseError as error:
            works.failed(name, error.message)
            _log.error("work.failed", work=name, cause=error.message, fix=error.fix)
        except Exception as error:  # noqa: BLE001 - an edge: the work goes on
            works.failed(name, type(error).__name__)
            _log.exception("work.failed", work=name)
