"""Looks up hosts in threads of its own: names whose servers do not answer hold up management calls alone."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, final

THREADS: Final = 8

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → addresses as text. Raises: OSError, UnicodeError"""


@final
class Names:
    """The system's resolver. What waits for a thread is bounded by the calls that are under way."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pilothouse-names")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Look up a host.

        Raises: OSError, UnicodeError
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)

    def close(self) -> None:
        """Take no more; what a thread waits for is left to end by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> Sequence[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
