"""Which telemetry store there is, made from the settings."""

from pilothouse.config import Settings
from pilothouse.telemetry.opening import OpenedOnUse
from pilothouse.telemetry.store import TelemetryStore
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings
from pilothouse.telemetry.stores.memory import MemoryStore

MIB = 1024 * 1024


def telemetry_store(settings: Settings) -> TelemetryStore:
    """Make the store; its process is started by the first who needs it."""

    async def open_embedded() -> TelemetryStore:
        return await EmbeddedStore.open(
            EmbeddedSettings(
                folder=settings.home / "telemetry",
                budget_bytes=settings.telemetry_disk_mb * MIB,
                memory_bytes=settings.telemetry_memory_mb * MIB,
            )
        )

    return MemoryStore() if settings.telemetry_store == "memory" else OpenedOnUse(open_embedded)
