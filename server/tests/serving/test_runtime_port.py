import asyncio
import json
import time
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from loopback import Peer, Run, TlsPair, carried, post
from pilothouse.protocol.exchange import ExchangeSettings, Inbound, Outbound
from pilothouse.serving.settings import CarrierSettings

QUICK = CarrierSettings(idle_timeout_s=1.0, handshake_timeout_s=1.0, grace_s=0.5)


async def slowly(request: Inbound) -> Outbound:
    await asyncio.sleep(0.1)
    return Outbound(200, b'{"slow":%d}' % len(request.body))


def test_the_handler_is_told_what_the_request_says(run: Run) -> None:
    def tell(request: Inbound) -> Outbound:
        return Outbound(200, msgspec.json.encode(msgspec.structs.replace(request, body=b"")))

    async def scene() -> Any:
        async with carried(tell) as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(post(b"{}", "AUTHORIZATION: Bearer x.y", "content-type: application/json", path="/a/b?c=d"))
            return await peer.hear()

    status, headers, body = run(scene())
    assert (status, headers["content-type"]) == (200, "application/json")
    told = json.loads(body)
    assert told["method"] == "POST"
    assert told["path"] == "/a/b"
    assert told["authorization"] == "Bearer x.y"
    assert told["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "upgrade", [("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"), ("connection: upgrade", "UPGRADE: h2c")]
)
@pytest.mark.parametrize("split", ["late", "together", "in the head"])
def test_a_post_that_offers_h2c_is_read_whole_case_63(run: Run, upgrade: tuple[str, ...], split: str) -> None:
    async def scene() -> Any:
        async with carried() as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            request = post(b'{"late":true}', *upgrade, "HTTP2-Settings: AAMAAABkAAQAAP__")
            cut = {"late": request.index(b"\r\n\r\n") + 4, "together": len(request), "in the head": 60}[split]
            await peer.say(request[:cut], request[cut:], pause_s=0.1)
            first = await peer.hear()
            await peer.say(post(b"{}"))
            return first, await peer.hear()

    first, second = run(scene())
    assert (first[0], first[2]) == (200, b'{"read":13}')
    assert second[0] == 200


def test_a_chunked_body_is_read_whole_and_the_connection_lives_on(run: Run) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def scene() -> Any:
        async with carried() as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(head, b"5\r\nabcde\r\n", b"3\r\nabc\r\n0\r\n\r\n", post(b"{}"))
            return await peer.hear(), await peer.hear()

    first, second = run(scene())
    assert first[2] == b'{"read":8}'
    assert second[2] == b'{"read":2}'


@pytest.mark.parametrize("secure", [False, True])
def test_an_announced_body_over_the_limit_is_refused_before_it_comes(
    run: Run, secure: bool, tls_files: TlsPair
) -> None:
    files, client = tls_files

    async def scene() -> Any:
        limits = ExchangeSettings(body_limit_bytes=100)
        async with carried(exchange=limits, tls=files if secure else None) as carrier:
            peer = await Peer.to(carrier.ports["runtimes"], client if secure else None)
            await peer.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n")
            return await peer.hear(2), await peer.ended(4)

    (status, headers, body), ended = run(scene())
    assert (status, headers["connection"], ended) == (413, "close", True)
    assert json.loads(body)["code"] == "BODY_TOO_LARGE"


def test_a_chunked_body_over_the_limit_is_refused_while_it_comes(run: Run) -> None:
    async def scene() -> Any:
        async with carried(exchange=ExchangeSettings(body_limit_bytes=100)) as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"
            await peer.say(head.replace(b"Content-Length: 2\r\n", b""), *[b"32\r\n" + b"x" * 50 + b"\r\n"] * 3)
            return await peer.hear(2)

    assert run(scene())[0] == 413


def test_a_request_with_two_kinds_of_length_is_refused(run: Run) -> None:
    async def scene() -> Any:
        async with carried() as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(
                b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"
            )
            return await peer.hear(2)

    assert run(scene())[0] == 400


def test_bodies_that_are_half_way_in_share_one_limit(run: Run) -> None:
    async def scene() -> Any:
        async with carried(exchange=ExchangeSettings(bodies_limit_bytes=1000)) as carrier:
            port = carrier.ports["runtimes"]
            first, second = await Peer.to(port), await Peer.to(port)
            head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n"
            await first.say(head, b"x" * 800)
            await second.say(head, b"x" * 800)
            refused = await second.hear()
            first.hang_up()
            await asyncio.sleep(0.1)
            third = await Peer.to(port)
            await third.say(head, b"x" * 900)
            return refused, await third.hear()

    refused, third = run(scene())
    assert (refused[0], json.loads(refused[2])["code"]) == (503, "OVERLOADED")
    assert third[0] == 200


def test_a_body_that_stops_half_way_is_answered_408_and_not_processed(run: Run) -> None:
    seen: list[Inbound] = []

    def note(request: Inbound) -> Outbound:
        seen.append(request)
        return Outbound(200, b"{}")

    async def scene() -> Any:
        async with carried(note, exchange=ExchangeSettings(body_timeout_s=0.5)) as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(post(b"x" * 100)[:-50])
            started = time.monotonic()
            return await peer.hear(5), await peer.ended(5), time.monotonic() - started

    (status, headers, body), ended, took_s = run(scene())
    assert (status, headers["connection"], ended) == (408, "close", True)
    assert json.loads(body) | {"message": "", "fix": ""} == {
        "acknowledged": False,
        "error": True,
        "code": "BODY_INCOMPLETE",
        "message": "",
        "fix": "",
    }
    assert took_s < 4.5
    assert seen == []


def test_a_peer_that_leaves_in_its_body_leaves_nothing_behind(run: Run) -> None:
    async def scene() -> Any:
        async with carried() as carrier:
            for _ in range(20):
                peer = await Peer.to(carrier.ports["runtimes"])
                await peer.say(post(b"x" * 100)[:-50], pause_s=0)
                peer.hang_up()
            await asyncio.sleep(0.3)
            return carrier.connections()["runtimes"]

    assert run(scene()) == 0


def test_a_head_that_comes_a_byte_at_a_time_is_cut_in_time(run: Run) -> None:
    async def scene() -> Any:
        async with carried(settings=QUICK) as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            started = time.monotonic()
            try:
                for byte in post():
                    await peer.say(bytes([byte]), pause_s=0.2)
            except ConnectionError:
                pass
            return time.monotonic() - started

    assert 0.9 < run(scene()) < 3


def test_a_head_over_the_limit_is_refused(run: Run) -> None:
    async def scene() -> Any:
        async with carried() as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(b"POST / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000)
            return await peer.hear(3)

    assert run(scene())[0] == 431


@pytest.mark.parametrize(
    "rubbish", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_request_is_refused_and_ended(run: Run, rubbish: bytes) -> None:
    async def scene() -> Any:
        async with carried() as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(rubbish)
            return (await peer.hear(3))[0], await peer.ended(4)

    assert run(scene()) == (400, True)


def test_a_failing_handler_is_our_trouble_and_tells_nothing(run: Run) -> None:
    def fail(_: Inbound) -> Outbound:
        raise ZeroDivisionError("secret detail")

    async def fail_later(_: Inbound) -> Outbound:
        raise TimeoutError("secret detail")

    async def scene(handler: Any) -> Any:
        async with carried(handler) as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(post())
            return await peer.hear()

    for handler in (fail, fail_later):
        status, headers, body = run(scene(handler))
        assert (status, headers["retry-after"]) == (503, "5")
        assert b"secret" not in body
        assert json.loads(body)["code"] == "UNAVAILABLE"


def test_a_handler_that_takes_too_long_is_cancelled_and_answered_503(run: Run) -> None:
    ends: list[str] = []

    async def stall(_: Inbound) -> Outbound:
        try:
            await asyncio.sleep(60)
        finally:
            ends.append("ended")
        return Outbound(200, b"{}")

    async def scene() -> Any:
        async with carried(stall, exchange=ExchangeSettings(handler_timeout_s=0.2)) as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(post())
            return await peer.hear(3)

    status, headers, body = run(scene())
    assert (status, headers["retry-after"], json.loads(body)["code"]) == (503, "5", "UNAVAILABLE")
    assert ends == ["ended"]


def test_more_slow_answers_than_the_limit_are_refused_and_fast_ones_are_not(run: Run) -> None:
    def either(request: Inbound) -> Outbound | Awaitable[Outbound]:
        return slowly(request) if request.path == "/slow" else Outbound(200, b"{}")

    async def scene() -> Any:
        async with carried(either, exchange=ExchangeSettings(max_concurrent=2)) as carrier:
            peers = [await Peer.to(carrier.ports["runtimes"]) for _ in range(3)]
            for peer in peers:
                await peer.say(post(path="/slow"), pause_s=0.01)
            fast = await Peer.to(carrier.ports["runtimes"])
            await fast.say(post(path="/fast"))
            return [(await peer.hear())[0] for peer in peers], (await fast.hear())[0]

    assert run(scene()) == ([200, 200, 503], 200)


def test_pipelined_requests_are_answered_in_order(run: Run) -> None:
    def either(request: Inbound) -> Outbound | Awaitable[Outbound]:
        return slowly(request) if len(request.body) % 2 else Outbound(200, b'{"fast":%d}' % len(request.body))

    async def scene() -> Any:
        async with carried(either) as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            await peer.say(b"".join(post(b"x" * size) for size in range(6)), pause_s=0)
            return [(await peer.hear())[2] for _ in range(6)]

    kinds = ["fast", "slow"]
    assert run(scene()) == [b'{"%s":%d}' % (kinds[size % 2].encode(), size) for size in range(6)]


def test_a_client_that_waits_to_be_told_to_continue_is_told(run: Run) -> None:
    async def scene() -> Any:
        async with carried() as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            request = post(b"12345", "Expect: 100-continue")
            await peer.say(request[:-5])
            told = await peer.hear()
            await peer.say(request[-5:])
            return told[0], (await peer.hear())[2]

    assert run(scene()) == (100, b'{"read":5}')


def test_a_request_cut_anywhere_is_read_the_same(run: Run) -> None:
    request = post(b'{"runtimeId":"x"}', "Authorization: Bearer a.b.c")

    async def scene() -> Any:
        async with carried() as carrier:
            peer = await Peer.to(carrier.ports["runtimes"])
            answers = set()
            for cut in range(1, len(request), 3):
                await peer.say(request[:cut], request[cut:], pause_s=0.002)
                answers.add((await peer.hear())[2])
            return answers

    assert run(scene()) == {b'{"read":17}'}
