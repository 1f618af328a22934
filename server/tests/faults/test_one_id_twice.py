"""Two live processes bear one id, as after a copied disk image: each is answered, nobody is lost, and it is seen."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from beside import bearer
from loopback import Peer
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock

pytestmark = pytest.mark.anyio


def twins(runtime: Any) -> tuple[Any, Any]:
    """Two processes with one id and one secret, on two machines, with different artifacts."""
    one = replace(
        runtime, extra={"nodeInfo": {"hostname": "node-a", "processId": 11}}, hash="hash-a", address="10.0.3.7"
    )
    other = replace(
        runtime,
        artifacts={"listeners": []},
        extra={"nodeInfo": {"hostname": "node-b", "processId": 22}},
        hash="hash-b",
        address="10.0.3.8",
    )
    return one, other


async def test_each_is_acknowledged_and_asked_for_all_it_has_and_the_last_word_counts(
    runtime, plane: ControlPlane, admin, clock: FakeClock
) -> None:
    pair = twins(runtime)
    for sender in pair:
        assert (await sender.full())[1]["acknowledged"] is True
    full_beats = 0
    for _ in range(12):
        for sender in pair:
            clock.advance(5)
            status, answer = await sender.delta()
            assert (status, answer["acknowledged"]) == (200, True)
            if answer["fullHeartbeatRequired"]:
                full_beats += 1
                assert (await sender.full())[1] | {"supportedHeartbeatFields": []} == {
                    "acknowledged": True,
                    "fullHeartbeatRequired": False,
                    "commands": [],
                    "supportedHeartbeatFields": [],
                }
        await plane.watch()
        (node,) = (await admin.ask("{ runtimes { nodes { runtimeId status } } }"))["runtimes"]["nodes"]
        assert node == {"runtimeId": runtime.runtime_id, "status": "RUNNING"}
    assert full_beats == 24  # every beat: each finds the other's hash
    (node,) = (await admin.ask("{ runtimes { nodes { warnings { code message } } } }"))["runtimes"]["nodes"]
    assert [warning["code"] for warning in node["warnings"]] == ["SAME_ID_TWICE"]
    assert "10.0.3.8" in node["warnings"][0]["message"]
    kept = await plane.store.read(lambda c: c.exec_driver_sql("select count(*) from artifact_sets").scalar_one())
    assert kept == 2
    changed = "select count(*) from events where kind not in ('secret.generated')"
    assert await plane.store.read(lambda c: c.exec_driver_sql(changed).scalar_one()) < 60


async def test_two_that_report_the_same_are_told_by_where_they_come_from(runtime, admin, clock: FakeClock) -> None:
    one = runtime
    other = replace(runtime, address="10.0.3.8")
    await one.full()
    for number in range(24):
        clock.advance(5)
        status, answer = await (other, one)[number % 2].delta()
        assert (status, answer["fullHeartbeatRequired"]) == (200, False)
    asked = "{ runtimes { nodes { warnings { code } } } }"
    assert (await admin.ask(asked))["runtimes"]["nodes"] == [{"warnings": [{"code": "SAME_ID_TWICE"}]}]
    for _ in range(2):  # the other one was stopped
        clock.advance(10)
        await one.delta()
    assert (await admin.ask(asked))["runtimes"]["nodes"] == [{"warnings": []}]


async def test_a_command_for_what_only_one_of_them_hosts_is_carried_out_and_never_called_more_than_was_seen(
    runtime, plane: ControlPlane, admin, clock: FakeClock
) -> None:
    one, other = twins(runtime)
    await other.full()
    await one.full()
    change = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { commands { id } } }"
    place = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
    wish = {**place, "kind": "LISTENER", "name": "listener_1", "aspect": "STATE", "value": "DISABLED"}
    await admin.ask(change, input=wish)
    for _ in range(3):
        for sender in (other, one):
            clock.advance(10)
            _, answer = await sender.full()
            assert answer["acknowledged"] is True
            if sender is one and answer["commands"]:
                one.artifacts["listeners"][0]["state"], one.hash = "disabled", "hash-a2"
    told = (await admin.ask("{ commands { nodes { state reason } } }"))["commands"]["nodes"]
    assert [command["state"] for command in told] == ["EXPIRED", "EXPIRED"]
    assert {command["reason"] for command in told} == {"The runtime does not host it any more."}
    await one.full()
    (node,) = (await admin.ask("{ runtimes { nodes { changes { state } } } }"))["runtimes"]["nodes"]
    assert node["changes"]["state"] == "IN_SYNC"


async def open_channel(edge: Any, runtime: Any) -> Peer:
    peer = await Peer.to(edge.port, edge.tls)
    head = f"GET /icp/channel/{runtime.runtime_id} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer(runtime)}\r\n\r\n"
    await peer.say(head.encode(), pause_s=0)
    assert b" 200 " in await asyncio.wait_for(peer.reader.readuntil(b"\r\n\r\n"), 5)
    assert b"event: hello" in await event(peer)
    return peer


async def event(peer: Peer) -> bytes:
    return await asyncio.wait_for(peer.reader.readuntil(b"\n\n"), 5)


async def test_with_channels_the_newcomer_replaces_the_other_who_is_told_and_nobody_goes_offline(
    edge, runtime, admin
) -> None:
    runtime = replace(runtime, type="PY", extra={"capabilities": ["channel", "STOP", "START"]})
    await runtime.full()
    holder = await open_channel(edge, runtime)
    for _ in range(6):  # each comes back as soon as it was replaced
        newcomer = await open_channel(edge, runtime)
        assert await event(holder) == b"event: replaced\ndata: {}\n\n"
        assert await holder.ended(5)
        holder.hang_up()
        holder = newcomer
        assert len(edge.plane.desk) == 1
    await asyncio.sleep(edge.plane.board.rules.return_within_s + 0.1)
    await edge.plane.watch()
    assert (await admin.ask("{ runtimes { nodes { status } } }"))["runtimes"]["nodes"] == [{"status": "RUNNING"}]
    told = "select count(*) from events where kind = 'runtime.offline'"
    assert await edge.plane.store.read(lambda c: c.exec_driver_sql(told).scalar_one()) == 0
    holder.hang_up()
