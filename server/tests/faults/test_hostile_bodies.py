"""Whatever a body holds, it is answered in bounded time and memory, and those beside it are answered meanwhile."""

import gzip
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from beside import beating, full_of, request
from loopback import Peer

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

LIMIT_BYTES = 8 * 1024 * 1024
FILLED_BYTES = LIMIT_BYTES - 4_096
CPU_MAX_S = 1.5
"""Of the process, client included, for one body of the largest size: for so long the others may have to wait."""
HONEST_WITHIN_S = 10.0
"""One beat, on a machine that is busy with other things too."""
GROWTH_MAX_MB = 170


def full_with(runtime: Any, member: str, literal: bytes) -> bytes:
    """A full heartbeat with a member exactly as it is given."""
    others = json.dumps({name: value for name, value in runtime.body().items() if name != member}).encode()
    return others[:-1] + b',"%s":%s}' % (member.encode(), literal)


def filled(unit: bytes, before: bytes = b"[", after: bytes = b"]") -> bytes:
    """So many of a thing, with commas between, as a body of the largest size holds."""
    return before + b",".join([unit] * (FILLED_BYTES // (len(unit) + 1))) + after


def hostile(runtime: Any) -> Iterator[tuple[str, bytes, tuple[int, str | None]]]:
    """What is sent, and the status and code that answer it."""
    taken, malformed, too_many = (200, None), (400, "HEARTBEAT_MALFORMED"), (400, "TOO_MANY_ARTIFACTS")
    yield "nested 100 000 deep", full_with(runtime, "x", b"[" * 100_000 + b"]" * 100_000), malformed
    yield (
        "objects nested 100 000 deep",
        full_with(runtime, "nodeInfo", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        malformed,
    )
    yield (
        "one member half a million times",
        full_with(runtime, "x", b"1," + b",".join([b'"version":"1"'] * 500_000)),
        taken,
    )
    yield "a number of 8 MB", full_with(runtime, "nodeInfo", b'{"processId":' + b"9" * FILLED_BYTES + b"}"), taken
    yield "a time of 4000 digits", full_with(runtime, "timestamp", b"[" + b"9" * 4_000 + b",1]"), taken
    yield "numbers of 4000 digits", full_with(runtime, "nodeInfo", filled(b"9" * 4_000)), taken
    yield (
        "10 000 artifacts",
        full_with(runtime, "artifacts", json.dumps({"apis": [{"name": f"a{n}"} for n in range(10_000)]}).encode()),
        taken,
    )
    yield (
        "20 001 artifacts",
        full_with(runtime, "artifacts", json.dumps({"apis": [{"name": f"a{n}"} for n in range(20_001)]}).encode()),
        too_many,
    )
    yield "millions of artifacts", full_with(runtime, "artifacts", filled(b"{}", b'{"services":[', b"]}")), too_many
    yield (
        "millions of lists of no known kind",
        full_with(runtime, "artifacts", filled(b"[]", b'{"x":[', b"]}")),
        too_many,
    )
    yield "one string of 8 MB", full_with(runtime, "runtime", b'"' + b"x" * FILLED_BYTES + b'"'), taken
    yield "8 MB of NUL characters", full_with(runtime, "runtime", b'"' + b"\\u0000" * (FILLED_BYTES // 6) + b'"'), taken
    yield (
        "8 MB of backslashes",
        full_with(runtime, "runtime", b'"' + b"\\\\" * (FILLED_BYTES // 2 - 6) + b'\\u0000"'),
        taken,
    )
    yield (
        "8 MB of half characters",
        full_with(runtime, "runtime", b'"' + b"\\ud800" * (FILLED_BYTES // 6) + b'"'),
        taken,
    )
    yield "millions of lists in nodeInfo", full_with(runtime, "nodeInfo", filled(b"[]")), taken
    yield "millions of numbers in capabilities", full_with(runtime, "capabilities", filled(b"1")), taken
    loggers = b",".join(b'"%d":"DEBUG"' % number for number in range(450_000))
    yield "hundreds of thousands of loggers", full_with(runtime, "logLevels", b"{" + loggers + b"}"), taken
    yield (
        "invalid UTF-8 at the end of 8 MB",
        full_with(runtime, "x", b'"' + b"x" * (FILLED_BYTES - 8) + b'\xff"'),
        malformed,
    )
    yield "gzip", gzip.compress(json.dumps(runtime.body()).encode()), malformed


def reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return memory_mb("VmRSS")


def memory_mb(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


async def test_every_hostile_body_is_answered_and_an_honest_runtime_beside_it_is_served(edge, runtime, admin) -> None:
    sender = replace(runtime, runtime_id="hostile", name=None)
    costly: dict[str, tuple[float, int]] = {}
    async with beating(edge, runtime) as heard:
        for name, body, expected in hostile(sender):
            assert len(body) <= LIMIT_BYTES, name
            whole = request(sender, "/icp/heartbeat", body, *(("Content-Encoding: gzip",) if name == "gzip" else ()))
            before_mb, began_s = reset_peak(), time.process_time()
            peer = await Peer.to(edge.port, edge.tls)
            peer.writer.write(whole)
            status, _, answer = await peer.hear(60)
            took_s, grown_mb = time.process_time() - began_s, memory_mb("VmHWM") - before_mb
            peer.hang_up()
            assert (status, json.loads(answer).get("code")) == expected, name
            if took_s > CPU_MAX_S or grown_mb > GROWTH_MAX_MB:
                costly[name] = (took_s, grown_mb)
    assert not costly
    assert heard.was_served(within_s=HONEST_WITHIN_S)
    assert (await admin.ask("{ runtimes { totalCount } }"))["runtimes"]["totalCount"] == 2


async def test_a_body_over_the_limit_is_413_announced_or_chunked_and_never_taken_in(edge, runtime) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    async with beating(edge, runtime) as heard:
        for how, segments in {
            "announced": [b"Content-Length: %d\r\n\r\n" % (LIMIT_BYTES + 1)],
            "chunked": [b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * (LIMIT_BYTES // 65_536), b"1\r\nx\r\n"],
        }.items():
            peer = await Peer.to(edge.port, edge.tls)
            await peer.say(b"POST /icp/heartbeat HTTP/1.1\r\nHost: x\r\n" + segments[0], *segments[1:], pause_s=0)
            status, headers, body = await peer.hear(10)
            assert (status, headers["connection"], json.loads(body)["code"]) == (413, "close", "BODY_TOO_LARGE"), how
            assert await peer.ended(10), how
            peer.hang_up()
    assert heard.was_served(within_s=HONEST_WITHIN_S)


async def test_a_full_heartbeat_that_offers_h2c_with_its_body_in_a_later_segment_is_taken_case_63(
    edge, runtime
) -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    whole = full_of(runtime, *offer)
    end = whole.index(b"\r\n\r\n") + 4
    peer = await Peer.to(edge.port, edge.tls)
    await peer.say(whole[:end], whole[end : end + 100], whole[end + 100 :], pause_s=0.1)
    status, _, body = await peer.hear()
    assert (status, json.loads(body)["acknowledged"]) == (200, True)
    await peer.say(full_of(runtime, *offer))  # the connection lives on, in HTTP/1.1
    assert (await peer.hear())[0] == 200
    peer.hang_up()
