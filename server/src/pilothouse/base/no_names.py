"""The resolver of connections to addresses that were judged: it resolves nothing."""

import socket
from typing import final

from aiohttp.abc import AbstractResolver, ResolveResult


@final
class NoNames(AbstractResolver):
    """Resolves nothing: a name that gets as far as the connector was never judged."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Refuse.

        Raises: OSError
        """
        raise OSError(f"{host}:{port} is a name, not an address ({family}).")

    async def close(self) -> None:
        """Nothing is held."""
