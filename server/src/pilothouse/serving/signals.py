"""SIGINT and SIGTERM: the first asks for a graceful stop, the second ends the process at once."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from pilothouse.serving.carrier import Carrier

_log = structlog.get_logger(__name__)

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SIGNALLED: Final = 128
"""A process that a signal ends answers 128 + its number, as shells have it."""


async def run_until_signalled(
    carrier: Carrier,
    ready: Callable[[], Awaitable[None]] | None = None,
    before_stop: Callable[[], Awaitable[None]] | None = None,
    asked: asyncio.Event | None = None,
) -> None:
    """Start the carrier, say that it is ready, and stop it when the process is asked to end.

    `before_stop` ends what would keep the carrier waiting for its whole grace: streams without an end.
    `asked` is of somebody who may ask, too, and who sees to it that the process ends: then no signal ends it at once.
    """
    loop = asyncio.get_running_loop()
    is_patient = asked is not None
    asked = asked or asyncio.Event()

    def ask(number: signal.Signals) -> None:
        if asked.is_set():
            if is_patient:
                return
            _log.warning("stop_at_once", signal=number.name)
            os._exit(_SIGNALLED + number)
        _log.info("stop_asked", signal=number.name)
        asked.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, ask, number)
    try:
        await carrier.start()
        try:
            if ready is not None:
                await ready()
            await asked.wait()
        finally:
            if before_stop is not None:
                await before_stop()
            await carrier.stop()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
