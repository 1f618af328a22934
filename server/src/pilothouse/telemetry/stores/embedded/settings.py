"""How much the embedded store may use."""

from pathlib import Path
from typing import Any

import msgspec

from pilothouse.telemetry.stores.embedded.frames import Sort

MIB = 1024 * 1024


class EmbeddedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the embedded telemetry store keeps its files and how much it may use."""

    folder: Path
    """Its own; nothing else may lie in it."""
    budget_bytes: int = 20 * 1024 * MIB
    """Disk that it may use, its journal included. The oldest files go before it would be exceeded."""
    memory_bytes: int = 384 * MIB
    """What DuckDB may use. The process itself takes about 150 MiB more, the rows that wait another 100 MiB."""
    spill_bytes_max: int = 256 * MIB
    """What DuckDB may put on disk when that is too little; counted to the budget while it lies there."""
    threads: int = 2
    """Cores that one question may use."""
    questions_at_once: int = 4
    """Questions answered at the same time; others wait, and their time runs."""
    flush_rows: int = 122_880
    """Records of one environment that are held in memory before they go to their file."""
    flush_s: float = 60.0
    """Logs and spans are held in memory for at most so long."""
    flush_metrics_rows: int = 30_720
    """The same of points of metrics, which a question merges as long as they are in memory."""
    flush_metrics_s: float = 900.0
    """Metrics are held so long: each flush merges the points of a minute and of an hour."""
    part_bytes: int = 256 * MIB
    """A file that has grown so large is followed by another one, although its day is not over."""
    part_s: float = 86_400.0
    """A file is followed by another one after so long."""
    journal_file_bytes: int = 32 * MIB
    journal_bytes_max: int = 256 * MIB
    """What may wait in a journal, of each sort; beyond it `StoreBusy` is answered."""
    free_bytes_min: int = 64 * MIB
    """The disk is full for us when less than this is left on it."""

    @classmethod
    def within(cls, folder: Path, *, budget_bytes: int, memory_bytes: int) -> "EmbeddedSettings":
        """Divide a budget: a small one has small journals and files, so that there is room for several of them."""
        return cls(
            folder=folder,
            budget_bytes=budget_bytes,
            memory_bytes=memory_bytes,
            spill_bytes_max=min(256 * MIB, budget_bytes // 8),
            part_bytes=min(256 * MIB, budget_bytes // 16),
            journal_file_bytes=min(32 * MIB, budget_bytes // 64),
            journal_bytes_max=min(256 * MIB, budget_bytes // 16),
        )

    @property
    def journals_bytes(self) -> int:
        """What the journals of all sorts may grow to. It is kept free for them: they grow while parts are written."""
        return len(Sort) * (self.journal_bytes_max + self.journal_file_bytes)


def _path(type_: type, value: Any) -> Any:  # Any: msgspec's decoding hook
    return Path(value) if type_ is Path else value


def read_settings(told: str) -> EmbeddedSettings:
    """Read the settings that the process was started with."""
    return msgspec.json.decode(told, type=EmbeddedSettings, dec_hook=_path)


def write_settings(settings: EmbeddedSettings) -> str:
    """Write settings for the process."""
    return msgspec.json.encode(settings, enc_hook=str).decode()
