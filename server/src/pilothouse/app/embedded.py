"""The embedded telemetry store's share of the home."""

from pilothouse.config import Settings
from pilothouse.telemetry.stores.embedded.settings import MIB, EmbeddedSettings


def embedded_settings(settings: Settings) -> EmbeddedSettings:
    """Say where the embedded store lies and how much it may use."""
    return EmbeddedSettings.within(
        settings.home / "telemetry",
        budget_bytes=settings.telemetry_disk_mb * MIB,
        memory_bytes=settings.telemetry_memory_mb * MIB,
    )
