"""What a log line costs: an OpenSearch server, by the way its message is indexed, and the control plane that sends it.

    python benchmarks/opensearch_ingest.py --lines 100000

The same lines go into three indices, in turns, so that all have the same neighbours and the same warmth: as the store has them
(`ours`), with the message as OpenSearch's plain `text` and no other index of it (`plain`, the reference: it finds whole words
only), and with the message in groups of three letters, as releases before had it (`letters`). All else is alike. A turn ends
when what it wrote can be found and nothing is being merged. The server is a real one, of the tests, with its second compiler
on; the first turns warm it and are not counted. The store's own work is not part of these.

Then the store itself writes the lines, as the intake hands them on, over TLS: CPU of this process, which is the control plane's,
apart from that of the server. In turns with it the same lines go through objects, one a line (`objects`, the reference).
"""

import argparse
import asyncio
import copy
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "server" / "tests" / "telemetry"))

from opensearch_server import RunningOpenSearch, running_opensearch
from pilothouse.telemetry.errors import StoreDown
from pilothouse.telemetry.model import LogBatch, LogRecord
from pilothouse.telemetry.side_by_side import Lines
from pilothouse.telemetry.stores.opensearch.client import OpenSearchStore
from pilothouse.telemetry.stores.opensearch.documents import log_document, origin_fields
from pilothouse.telemetry.stores.opensearch.settings import OpenSearchSettings
from pilothouse.telemetry.stores.opensearch.templates import template
from telemetry_lines import frames

Json = dict[str, Any]  # Any: OpenSearch's own language
PLAIN: Final = "plain"
OBJECTS: Final = "objects"
_BULK_BYTES = 1024 * 1024
_BULKS_A_TURN = 4
_A_FRAME = 1_500
"""Lines of one request of a collector, about: a server with neighbours answers in time."""
_WARM_SHARE = 0.3
_SETTLED_S = 0.2
_PAUSE_S = 5.0
_encode = msgspec.json.Encoder().encode
_LETTERS: Final[Json] = {
    "char_filter": {"pad": {"type": "pattern_replace", "pattern": r"(?s)\z", "replacement": "\x03\x03"}},
    "tokenizer": {
        "three": {"type": "ngram", "min_gram": 3, "max_gram": 3},
        "word": {"type": "simple_pattern", "pattern": "[A-Za-z0-9_\\-]+"},
    },
    "analyzer": {
        "letters": {"type": "custom", "tokenizer": "three", "char_filter": ["pad"]},
        "words": {"type": "custom", "tokenizer": "word"},
    },
}


class Cost(msgspec.Struct, kw_only=True):
    """What the lines of one index took."""

    lines: int = 0
    cpu_s: float = 0.0
    bytes_on_disk: int = 0

    @property
    def us_a_line(self) -> float:
        """CPU time of the server. Units: µs."""
        return self.cpu_s / max(1, self.lines) * 1e6


def indices() -> dict[str, Json]:
    """Write the three indices, alike in all but the message."""
    ours: Json = template("benchmark", "logs")["template"]
    ours["settings"]["index"].pop("auto_expand_replicas")
    ours["settings"]["index"]["number_of_replicas"] = 0
    plain, letters = copy.deepcopy(ours), copy.deepcopy(ours)
    plain["mappings"]["properties"]["message"] = {"type": "text"}
    letters["settings"]["index"]["analysis"] = _LETTERS
    fields = letters["mappings"]["properties"]
    fields.pop("overlong")
    fields["message"] = {
        "type": "text",
        "analyzer": "words",
        "norms": False,
        "index_options": "docs",
        "fields": {"grams": {"type": "text", "analyzer": "letters", "norms": False, "index_options": "positions"}},
    }
    return {"ours": ours, PLAIN: plain, "letters": letters}


def bulks(lines: int) -> Iterator[tuple[bytes, int]]:
    """Write the lines as the store does, in pieces of its size, and tell how many are in each."""
    piece: list[bytes] = []
    size = 0
    numbers = itertools.count()
    for batches in frames(lines):
        for batch in batches:
            origin = origin_fields(batch.origin)
            for record in batch.records:
                document = b'{"create":{}}\n' + _encode(log_document(record, next(numbers)) | origin) + b"\n"
                piece.append(document)
                size += len(document)
                if size >= _BULK_BYTES:
                    yield b"".join(piece), len(piece)
                    piece, size = [], 0
    if piece:
        yield b"".join(piece), len(piece)


def _turns(lines: int) -> Iterator[list[tuple[bytes, int]]]:
    pieces = bulks(lines)
    while turn := list(itertools.islice(pieces, _BULKS_A_TURN)):
        yield turn


async def measure(running: RunningOpenSearch, lines: int) -> Mapping[str, Cost]:
    """Write the lines into each index, piece by piece in turns; tells what those took that were not the first ones."""
    costs = {name: Cost() for name in indices()}
    async with httpx2.AsyncClient(
        base_url=running.url, auth=(running.user, running.password), verify=running.tls, timeout=120
    ) as client:
        for name, body in indices().items():
            (await client.put(f"/{name}", json=body)).raise_for_status()
        done = 0
        for turn in _turns(lines):
            warm = done >= lines * _WARM_SHARE
            count = sum(number for _, number in turn)
            for name, cost in costs.items():
                took_s = await _write(client, running.process_id, name, [piece for piece, _ in turn])
                if warm:
                    cost.lines += count
                    cost.cpu_s += took_s
            done += count
        for name, cost in costs.items():
            (await client.post(f"/{name}/_forcemerge", params={"max_num_segments": 1})).raise_for_status()
            (await client.post(f"/{name}/_flush")).raise_for_status()
            told = (await client.get(f"/{name}/_stats/store,docs")).json()["_all"]["primaries"]
            cost.bytes_on_disk = told["store"]["size_in_bytes"] // max(1, told["docs"]["count"]) * cost.lines
    return costs


async def _write(client: httpx2.AsyncClient, process_id: int, name: str, pieces: Sequence[bytes]) -> float:
    """Write some pieces and wait until nothing is left to do. Units: s of CPU."""
    begun_s = _cpu_s(process_id)
    for piece in pieces:
        answer = await client.post(
            f"/{name}/_bulk",
            content=piece,
            params={"filter_path": "errors"},
            headers={"content-type": "application/x-ndjson"},
        )
        if answer.raise_for_status().json()["errors"]:
            sys.exit(f"The index {name} does not take the lines.")
    (await client.post(f"/{name}/_refresh")).raise_for_status()
    while (await client.get(f"/{name}/_stats/merge")).json()["_all"]["primaries"]["merges"]["current"]:  # noqa: ASYNC110 - the server tells it to nobody who waits
        await asyncio.sleep(_SETTLED_S)
    return _cpu_s(process_id) - begun_s


class Objects(Sequence[LogRecord]):
    """The same lines for a writer that knows nothing of lines side by side: it makes an object of each."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: Any) -> Any:  # Any: an index or a slice
        return self._lines[index]


class Sent(msgspec.Struct, kw_only=True):
    """What sending took."""

    lines: int = 0
    own_s: float = 0.0
    """CPU of the control plane's process."""
    server_s: float = 0.0
    """CPU of the server's."""


async def measure_sending(running: RunningOpenSearch, lines: int) -> Mapping[str, Sent]:
    """Let the store write the lines, in turns as they come and as objects; the first ones warm the server."""
    took = {"side by side": Sent(), OBJECTS: Sent()}
    store = await OpenSearchStore.open(
        OpenSearchSettings(
            urls=(running.url,),
            username=running.user,
            password=running.password,
            ca_file=Path(running.ca_file),
            prefix="benchmark-sending",
        )
    )
    done = 0
    for told in frames(lines, a_frame=_A_FRAME):
        arrived = [LogBatch(batch.origin, _side_by_side(batch.records)) for batch in told]
        as_objects = [LogBatch(one.origin, Objects(one.records)) for one in arrived if isinstance(one.records, Lines)]
        count = sum(len(batch.records) for batch in told)
        for sent, batches in zip(took.values(), (arrived, as_objects), strict=True):
            begun_s, server_begun_s = time.process_time(), _cpu_s(running.process_id)
            if await _kept(store, batches) and done >= lines * _WARM_SHARE:
                sent.lines += count
                sent.own_s += time.process_time() - begun_s
                sent.server_s += _cpu_s(running.process_id) - server_begun_s
        done += count
    await store.close()
    return took


async def _kept(store: OpenSearchStore, batches: Sequence[LogBatch]) -> bool:
    """Write lines; tells whether a server that is still cold, or has busy neighbours, took them in its time."""
    try:
        await store.append_logs(batches)
    except StoreDown:
        await asyncio.sleep(_PAUSE_S)
        return False
    return True


def _side_by_side(records: Sequence[LogRecord]) -> Lines:
    lines = Lines()
    for one in records:
        lines.add(
            one.at_ns,
            one.severity,
            one.message.encode(),
            one.logger.encode(),
            bytes.fromhex(one.trace_id),
            bytes.fromhex(one.span_id),
            _encode(one.attributes) if one.attributes else b"",
        )
    return lines


def shown_sending(took: Mapping[str, Sent]) -> str:
    """Write the table."""
    rows = [f"{'lines as':14}{'control plane µs/line':>23}{'lines/CPU-s':>13}{'of objects':>12}{'server µs/line':>16}"]
    for name, sent in took.items():
        own_us, server_us = (cpu_s / max(1, sent.lines) * 1e6 for cpu_s in (sent.own_s, sent.server_s))
        rows.append(
            f"{name:14}{own_us:23.1f}{1e6 / max(own_us, 1e-9):13,.0f}"
            f"{sent.own_s / max(took[OBJECTS].own_s, 1e-9):12.2f}{server_us:16.1f}"
        )
    return "\n".join(rows)


def _cpu_s(process_id: int) -> float:
    times = psutil.Process(process_id).cpu_times()
    return times.user + times.system


def shown(costs: Mapping[str, Cost]) -> str:
    """Write the table."""
    plain = costs[PLAIN]
    rows = [
        f"{'message as':12}{'CPU µs/line':>13}{'lines/CPU-s':>13}{'of plain':>10}{'octets/line':>13}{'of plain':>10}"
    ]
    for name, cost in costs.items():
        octets = cost.bytes_on_disk / max(1, cost.lines)
        rows.append(
            f"{name:12}{cost.us_a_line:13.1f}{1e6 / max(cost.us_a_line, 1e-9):13,.0f}"
            f"{cost.cpu_s / max(plain.cpu_s, 1e-9):10.2f}{octets:13.0f}"
            f"{cost.bytes_on_disk / max(1, plain.bytes_on_disk):10.2f}"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--sending-only", action="store_true", help="leave out the ways of indexing")
    told = parser.parse_args()
    lines: int = told.lines
    sending_only: bool = told.sending_only
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="opensearch-ingest-") as folder,
        running_opensearch(Path(folder), heap_mb=1_024, options=("-XX:TieredStopAtLevel=4",)) as running,
    ):
        costs = {} if sending_only else asyncio.run(measure(running, lines))
        took = asyncio.run(measure_sending(running, lines))
    if costs:
        sys.stdout.write(f"{shown(costs)}\n\n")
    sys.stdout.write(f"{shown_sending(took)}\n{lines:,} lines each way, {time.perf_counter() - begun:.0f} s\n")


if __name__ == "__main__":
    main()
