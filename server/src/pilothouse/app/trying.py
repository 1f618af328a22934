"""Trying out services, put together from the settings."""

from collections.abc import Callable

from pilothouse.base.hosts import AllowList
from pilothouse.config import Settings
from pilothouse.try_it.client import TryItClient
from pilothouse.try_it.rules import TryItRules


def try_it_client(settings: Settings, runtime_port: Callable[[], int]) -> TryItClient:
    """Make what sends requests to runtimes.

    Raises: CannotStart
    """
    return TryItClient(
        TryItRules(
            allowed=AllowList.parse(settings.try_it_allow),
            ca_file=settings.try_it_ca_file,
            insecure=settings.try_it_insecure,
            timeout_s=settings.try_it_timeout_s,
            own_ports=lambda: frozenset({runtime_port(), settings.console_port}),
        )
    )
