"""Those who say nothing: they neither stay nor keep others out."""

import asyncio
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from loopback import Peer, Run, TlsPair, carried, post
from pilothouse.serving.door import HANDSHAKE_SLOW_S, HANDSHAKES_MAX
from pilothouse.serving.settings import CarrierSettings


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def ask(port: int, client: ssl.SSLContext | None) -> float:
    """One heartbeat on a connection of its own; its duration in seconds."""
    started = time.monotonic()
    peer = await Peer.to(port, client)
    await peer.say(post(), pause_s=0)
    status, _, _ = await peer.hear(10)
    peer.hang_up()
    assert status == 200
    return time.monotonic() - started


async def left_over(carrier: Any) -> int:
    """Those of the runtimes' connections that are still held when all had time to go."""
    for _ in range(100):
        if not (left := carrier.connections()["runtimes"]):
            return 0
        await asyncio.sleep(0.1)
    return left


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_ten_thousand_silent_connections_keep_nobody_out_and_are_all_ended(
    run: Run, secure: bool, tls_files: TlsPair
) -> None:
    files, client = tls_files
    before = open_files()

    async def scene() -> Any:
        settings = CarrierSettings(idle_timeout_s=4, handshake_timeout_s=4, grace_s=1)
        async with carried(settings=settings, tls=files if secure else None) as carrier:
            assert carrier.open_files is not None
            if carrier.open_files.limit < 12_000:
                pytest.skip(f"open files are limited to {carrier.open_files.limit}")
            port = carrier.ports["runtimes"]
            script = str(Path(__file__).with_name("hold_silent.py"))
            pipe = asyncio.subprocess.PIPE
            holder = await asyncio.create_subprocess_exec(sys.executable, script, str(port), "10000", stdout=pipe)
            assert holder.stdout is not None
            assert await asyncio.wait_for(holder.stdout.readline(), 30) == b"connected\n"
            took_s = [await ask(port, client if secure else None) for _ in range(20)]
            most = carrier.connections()["runtimes"]
            ended = int(await asyncio.wait_for(holder.stdout.readline(), 50))
            await holder.wait()
            after = await ask(port, client if secure else None)
            return took_s, most, ended, after, await left_over(carrier), open_files()

    took_s, most, ended, after_s, left, files_open = run(scene())
    assert sorted(took_s)[10] < 0.5
    assert max(took_s) < 5  # the first one may come while the last of the crowd are still let in
    assert ended == 10_000
    assert most > 1_000
    assert after_s < 1
    assert left == 0
    assert files_open < before + 60


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_more_silent_connections_than_the_limit_make_room_for_those_who_speak(
    run: Run, secure: bool, tls_files: TlsPair
) -> None:
    files, client = tls_files

    async def scene() -> Any:
        settings = CarrierSettings(max_connections=100, idle_timeout_s=60, handshake_timeout_s=60, grace_s=1)
        async with carried(settings=settings, tls=files if secure else None) as carrier:
            port = carrier.ports["runtimes"]
            silent = [await Peer.to(port) for _ in range(300)]
            took_s = [await ask(port, client if secure else None) for _ in range(5)]
            counted, evicted = carrier.connections()["runtimes"], carrier.evicted()["runtimes"]
            for peer in silent:
                peer.hang_up()
            return took_s, counted, evicted, await left_over(carrier)

    took_s, counted, evicted, left = run(scene())
    assert max(took_s) < 1
    assert counted <= 165
    assert evicted >= 200
    assert left == 0


@pytest.mark.parametrize("port_name", ["runtimes", "people"])
def test_a_connection_without_a_request_is_ended_after_the_idle_time(run: Run, port_name: str) -> None:
    async def scene() -> Any:
        async with carried(settings=CarrierSettings(idle_timeout_s=0.5, grace_s=0.5)) as carrier:
            new = await Peer.to(carrier.ports[port_name])
            used = await Peer.to(carrier.ports[port_name])
            await used.say(post())
            await used.hear()
            return await new.ended(3), await used.ended(3)

    assert run(scene()) == (True, True)


@pytest.mark.parametrize("port_name", ["runtimes", "people"])
def test_a_tls_peer_that_stops_after_the_handshake_is_ended_too(run: Run, port_name: str, tls_files: TlsPair) -> None:
    files, client = tls_files

    async def scene() -> Any:
        async with carried(settings=CarrierSettings(idle_timeout_s=0.5, grace_s=0.5), tls=files) as carrier:
            peer = await Peer.to(carrier.ports[port_name], client)
            return await peer.ended(3)

    assert run(scene()) is True


def test_a_body_that_stops_on_the_consoles_port_is_ended(run: Run) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def scene() -> Any:
        async with carried(asgi=app, settings=CarrierSettings(body_timeout_s=0.5, grace_s=0.5)) as carrier:
            peer = await Peer.to(carrier.ports["people"])
            await peer.say(post(b"x" * 10)[:-5])
            return await peer.ended(3)

    assert run(scene()) is True


def test_handshakes_that_stop_halfway_keep_nobody_out(run: Run, tls_files: TlsPair) -> None:
    files, client = tls_files

    async def scene() -> tuple[float, int]:
        async with carried(tls=files) as carrier:
            port = carrier.ports["runtimes"]
            stalled = []
            for _ in range(HANDSHAKES_MAX + 20):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"\x16\x03\x01\x02\x00")  # the beginning of a ClientHello, and never its end
                stalled.append((reader, writer))
            await asyncio.sleep(0.2)
            took_s = await ask(port, client)
            for _, writer in stalled:
                writer.close()
            return took_s, carrier.connections()["runtimes"]

    took_s, _ = run(scene())
    assert took_s < HANDSHAKE_SLOW_S + 2


@pytest.mark.slow
def test_a_storm_of_newcomers_is_let_in_by_turns_and_nobody_is_cut(run: Run, tls_files: TlsPair) -> None:
    files, client = tls_files

    async def scene() -> list[float]:
        async with carried(tls=files) as carrier:
            port = carrier.ports["runtimes"]
            return await asyncio.gather(*(ask(port, client) for _ in range(600)))

    assert len(run(scene())) == 600
