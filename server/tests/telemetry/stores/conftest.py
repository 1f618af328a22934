"""Every store behind the port, each judged by the same tests: `embedded` with its rows in memory, `flushed` with them in files."""

import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from conftest_stores import corner, small
from pilothouse.telemetry.model import LogBatch, MetricBatch, SpanBatch
from pilothouse.telemetry.store import Retention, Retentions, TelemetryStore
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.memory import MemoryStore
from pilothouse.telemetry.stores.opensearch.client import OpenSearchStore

FOR_EVER = Retentions(by_sort=dict.fromkeys(("logs", "metrics", "spans"), Retention(age_s=1e9)))


class Flushed(EmbeddedStore):
    """Whose records are in their files as soon as they are acknowledged."""

    async def append_logs(self, batches: Sequence[LogBatch]) -> None:
        await super().append_logs(batches)
        await self.retain(0, FOR_EVER)

    async def append_metrics(self, batches: Sequence[MetricBatch]) -> None:
        await super().append_metrics(batches)
        await self.retain(0, FOR_EVER)

    async def append_spans(self, batches: Sequence[SpanBatch]) -> None:
        await super().append_spans(batches)
        await self.retain(0, FOR_EVER)


SERVER = pytest.mark.xdist_group("opensearch")


@pytest.fixture(
    params=[
        "memory",
        "embedded",
        "flushed",
        pytest.param("opensearch", marks=[pytest.mark.slow, SERVER, pytest.mark.timeout(900)]),
    ]
)
async def store(request, tmp_path: Path) -> AsyncIterator[TelemetryStore]:
    match request.param:
        case "memory":
            opened: TelemetryStore = MemoryStore()
        case "embedded":
            opened = await EmbeddedStore.open(small(tmp_path / "telemetry"))
        case "opensearch":
            async with corner(request.getfixturevalue("opensearch")) as settings:
                in_cluster = await OpenSearchStore.open(settings)
                yield in_cluster
                await in_cluster.close()
            return
        case _:
            opened = await Flushed.open(small(tmp_path / "telemetry"))
    yield opened
    await opened.close()
