"""A control plane whose telemetry lies in a real OpenSearch that stands still: all but telemetry goes on as ever."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from opensearch_server import RunningOpenSearch
from pilothouse.access.places import EVERYTHING
from pilothouse.config import Settings
from pilothouse.telemetry.questions import LogQuestion, Scope

sys.path.insert(0, str(Path(__file__).parent / "stores"))
sys.path.insert(0, str(Path(__file__).parents[1] / "protocol"))

from conftest_stores import corner
from test_telemetry import logs, post

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.xdist_group("opensearch"), pytest.mark.timeout(900)]

STATE = "{ telemetry { store degraded bytesOnDisk } }"
LINES = "{ logs(first: 5) { nodes { message } } }"
HEARTBEAT_S = 0.25


@pytest.fixture
async def settings(tmp_path, first_start, opensearch: RunningOpenSearch):
    async with corner(opensearch) as cluster:
        yield Settings(
            home=shutil.copytree(first_start, tmp_path / "home"),
            telemetry_store="opensearch",
            opensearch_url=cluster.urls[0],
            opensearch_username=cluster.username,
            opensearch_password=cluster.password,
            opensearch_ca_file=cluster.ca_file,
            opensearch_prefix=cluster.prefix,
        )


async def heartbeats(runtime, until: asyncio.Event) -> list[float]:
    taken: list[float] = []
    while not until.is_set():
        began_s = time.perf_counter()
        assert (await runtime.delta())[0] == 200
        taken.append(time.perf_counter() - began_s)
        await asyncio.sleep(0.05)
    return taken


async def test_senders_and_people_are_answered_and_heartbeats_pass_while_it_stands_still(runtime, admin, opensearch):
    assert (await runtime.full())[0] == 200
    assert (await post(runtime, "logs", logs(runtime, "before"))).status == 200
    over = asyncio.Event()
    beating = asyncio.create_task(heartbeats(runtime, over))
    os.kill(opensearch.process_id, signal.SIGSTOP)
    try:
        began_s = time.perf_counter()
        many = [asyncio.create_task(post(runtime, "logs", logs(runtime, f"during {n}"))) for n in range(10)]
        state = (await admin.ask(STATE))["telemetry"]
        asked_s = time.perf_counter() - began_s
        answers = await asyncio.gather(*many)
        answered_s = time.perf_counter() - began_s
        again_s = time.perf_counter()
        at_once = await post(runtime, "logs", logs(runtime, "again"))
        again_s = time.perf_counter() - again_s
        listed = await admin.try_asking(LINES)
    finally:
        os.kill(opensearch.process_id, signal.SIGCONT)
    over.set()
    taken = await beating
    assert "did not answer" in state["degraded"]
    assert asked_s < 6
    assert {(one.status, one.headers["retry-after"]) for one in answers} == {(503, "5")}
    assert answered_s < 10
    assert (at_once.status, again_s < 1.0) == (503, True)
    assert "TELEMETRY_DOWN" in json.dumps(listed)
    assert max(taken) < HEARTBEAT_S
    await asyncio.sleep(3.1)
    assert (await post(runtime, "logs", logs(runtime, "after"))).status == 200
    said = (await runtime.plane.telemetry.logs(LogQuestion(scope=Scope.within(EVERYTHING), limit=100))).lines
    assert {"before", "after"} <= {line.record.message for line in said}
    assert (await admin.ask(STATE))["telemetry"]["degraded"] is None
