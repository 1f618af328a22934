"""The benchmark of OpenSearch compares what it says that it compares."""

import sys
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from opensearch_ingest import Cost, bulks, indices, measure, shown
from opensearch_server import running_opensearch


def test_the_indices_differ_in_the_message_alone() -> None:
    bodies = indices()
    assert list(bodies) == ["ours", "plain", "letters"]
    first, *others = (_without_message(body) for body in bodies.values())
    assert others == [first, first]
    said = [body["mappings"]["properties"]["message"] for body in bodies.values()]
    assert said[1] == {"type": "text"}
    assert said[0] != said[2]


def _without_message(body):
    fields = {name: one for name, one in body["mappings"]["properties"].items() if name not in ("message", "overlong")}
    return fields, {name: one for name, one in body["settings"]["index"].items() if name != "analysis"}


def test_every_line_is_in_the_pieces_once() -> None:
    numbers = []
    for piece, count in bulks(5_000):
        actions, documents = piece.splitlines()[::2], piece.splitlines()[1::2]
        assert len(documents) == len(actions) == count
        numbers += [msgspec.json.decode(one)["number"] for one in documents]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 5_000


def test_costs_are_told_as_parts_of_the_plain_ones() -> None:
    costs = {
        "ours": Cost(lines=10, cpu_s=0.003, bytes_on_disk=100),
        "plain": Cost(lines=10, cpu_s=0.002, bytes_on_disk=400),
    }
    ours = shown(costs).splitlines()[1].split()
    assert ours == ["ours", "300.0", "3,333", "1.50", "10", "0.25"]


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.timeout(900)
@pytest.mark.xdist_group("opensearch")
async def test_a_real_server_is_measured(tmp_path: Path) -> None:
    with running_opensearch(tmp_path) as running:
        costs = await measure(running, 20_000)
    counted = {cost.lines for cost in costs.values()}
    assert len(counted) == 1
    assert 0 < counted.pop() < 20_000
    assert all(cost.cpu_s > 0 and cost.bytes_on_disk > 0 for cost in costs.values())
