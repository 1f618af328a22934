"""What the program was told about logs, metrics and traces."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pilothouse_bridge import _readings
from pilothouse_bridge._sources import Layer
from pilothouse_bridge.errors import FieldInvalidError

_BYTES_A_MEGABYTE: Final = 1_000_000
_LEVELS: Final = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
}

#: Field as it is spelled in Config.toml → default.
DEFAULTS: Final[Mapping[str, object]] = {
    "telemetry": True,
    "telemetryLogs": "auto",
    "telemetryMetrics": "auto",
    "telemetryTraces": "auto",
    "telemetryLogLevel": "DEBUG",
    "telemetrySampling": 0.1,
    "telemetryMetricsInterval": 10,
    "telemetryQueueRecords": 10_000,
    "telemetryQueueMegabytes": 8,
}


@dataclass(frozen=True, kw_only=True)
class TelemetrySettings:
    """What is sent, and how much may wait.

    logs, metrics, traces: sent or not; None leaves a signal to the program's own OpenTelemetry where it has one.
    log_level: Python's number; what is below is not sent even when the program's loggers let it through.
    sampling: the share of traces that is kept beside the failed ones and the first few of a second, 0 to 1.
    metrics_interval_s: seconds between two sendings of metrics.
    queue_records, queue_bytes: how much may wait, for logs and for spans each.
    """

    logs: bool | None = None
    metrics: bool | None = None
    traces: bool | None = None
    log_level: int = logging.DEBUG
    sampling: float = 0.1
    metrics_interval_s: float = 10.0
    queue_records: int = 10_000
    queue_bytes: int = 8_000_000

    @property
    def sends_nothing(self) -> bool:
        """Whether all of it is off."""
        return self.logs is False and self.metrics is False and self.traces is False


def checked(found: Layer) -> TelemetrySettings:
    """Read the fields.

    Raises: FieldInvalidError.
    """
    is_on = _readings.boolean(found, "telemetry")
    chosen = {name: _readings.switch(found, f"telemetry{name}") for name in ("Logs", "Metrics", "Traces")}
    return TelemetrySettings(
        logs=chosen["Logs"] if is_on else False,
        metrics=chosen["Metrics"] if is_on else False,
        traces=chosen["Traces"] if is_on else False,
        log_level=_level(found),
        sampling=_readings.number(found, "telemetrySampling", 0, 1),
        metrics_interval_s=_readings.number(found, "telemetryMetricsInterval", 0.1, 300),
        queue_records=int(_readings.number(found, "telemetryQueueRecords", 10, 1_000_000)),
        queue_bytes=int(_readings.number(found, "telemetryQueueMegabytes", 0.01, 1_000) * _BYTES_A_MEGABYTE),
    )


def _level(found: Layer) -> int:
    word = _readings.optional_text(found, "telemetryLogLevel") or str(DEFAULTS["telemetryLogLevel"])
    level = _LEVELS.get(word.upper())
    if level is None:
        raise FieldInvalidError(
            "telemetryLogLevel", found["telemetryLogLevel"].origin, "is no level", "write DEBUG, INFO, WARN or ERROR"
        )
    return level
