"""Settings of the stores under test."""

from pathlib import Path

from pilothouse.telemetry.stores.embedded.settings import MIB, EmbeddedSettings


def small(folder: Path, **changes: object) -> EmbeddedSettings:
    return EmbeddedSettings(
        **{"folder": folder, "memory_bytes": 128 * MIB, "threads": 1, "free_bytes_min": 0} | changes
    )
