"""Bytes of memory of an idle runtime, and of an idle channel.

Method: the board in a fresh process, by its resident memory, against a dict of times; then a server's resident memory
as runtimes register (with shared artifact sets), and as channels open, plain and over TLS: the slope between the first
and the second half, so that what is paid once does not count.
"""

import argparse
import asyncio
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from fleet.wires import ChannelLine, Dialer, Target, raise_open_files
from load import run

_HERE = Path(__file__).parent
AT_ONCE = 64


def board_bytes(count: int) -> tuple[float, float]:
    """Bytes a runtime of a dict of times, and of the board; to be called in a process of its own."""
    from liveness import NOW, make_board

    me = psutil.Process()
    gc.collect()
    before = me.memory_info().rss
    times = {f"6f1d2c9a-0b7e-4a55-9c1e-{number:012x}": NOW + number for number in range(count)}
    between = me.memory_info().rss
    board = make_board(count)
    gc.collect()
    after = me.memory_info().rss
    assert len(times) == len(board) == count
    return (between - before) / count, (after - between) / count


def board_bytes_apart(count: int) -> str:
    """Measure the board in a fresh process."""
    command = [sys.executable, __file__, "--board-only", "--runtimes", str(count)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Server:
    """A server in a process of its own that knows so many Python runtimes."""

    def __init__(self, runtimes: int, *, tls: bool) -> None:
        arguments = ["edge", "--runtimes", str(runtimes), "--type", "PY", *(["--tls"] if tls else [])]
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "delta_server.py"), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout
        ready = json.loads(self._process.stdout.readline())
        self.target = Target.of(f"{'https' if tls else 'http'}://127.0.0.1:{ready['port']}")
        self.runtimes: list[tuple[str, str]] = json.loads(Path(ready["runtimes"]).read_text())
        self._seen = psutil.Process(self._process.pid)

    def rss(self) -> int:
        """Tell its resident memory."""
        return self._seen.memory_info().rss

    def end(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(60)


async def channels(server: Server, count: int) -> tuple[float, float, int]:
    """Open channels; gives KiB each of the whole, KiB each of the second half, and how many said hello."""
    dialer, gate, lines = Dialer(server.target), asyncio.Semaphore(AT_ONCE), list[ChannelLine]()
    hellos = 0

    def event(name: str, _data: Any) -> None:  # Any: JSON
        nonlocal hellos
        hellos += name == "hello"

    async def open_one(runtime_id: str, token: str) -> None:
        request = (
            f"GET /icp/channel/{runtime_id} HTTP/1.1\r\nhost: {server.target.host}\r\nauthorization: {token}\r\n"
            "accept: text/event-stream\r\n\r\n"
        ).encode()
        async with gate:
            line = await dialer.open(lambda: ChannelLine(request, event, lambda _status, _body: None))
            assert isinstance(line, ChannelLine)
            lines.append(line)

    readings = [server.rss()]
    for half in (server.runtimes[: count // 2], server.runtimes[count // 2 : count]):
        await asyncio.gather(*(open_one(*runtime) for runtime in half))
        await asyncio.sleep(2)
        readings.append(server.rss())
    for line in lines:
        line.abandon()
    whole = (readings[2] - readings[0]) / count / 1024
    return whole, (readings[2] - readings[1]) / (count - count // 2) / 1024, hellos


async def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runtimes", type=int, default=100_000, help="on the board, in process")
    parser.add_argument("--registered", type=int, default=4_000, help="in a server, half and whole")
    parser.add_argument("--channels", type=int, default=25_000)
    parser.add_argument("--board-only", action="store_true", help="print the two figures of the board, for ourselves")
    wanted = parser.parse_args()
    if wanted.board_only:
        print(json.dumps(board_bytes(wanted.runtimes)))
        return
    count = min(wanted.channels, raise_open_files() - 500, 16_000)
    if count < wanted.channels:
        print(
            f"{wanted.channels:,} channels do not fit into this machine's limit of open files; measured are {count:,}"
        )
    told = await asyncio.to_thread(board_bytes_apart, wanted.runtimes)
    plain, board = json.loads(told)
    print("| idle | bytes each | ratio |\n|---|---|---|")
    print(f"| reference: a dict of {wanted.runtimes:,} times | {plain:,.0f} | 1.0 |")
    print(f"| runtime on the board, of {wanted.runtimes:,} | {board:,.0f} | {board / plain:.1f} |")
    sizes: list[int] = []
    for registered in (wanted.registered // 2, wanted.registered):
        server = Server(registered, tls=False)
        sizes.append(server.rss())
        server.end()
    each = (sizes[1] - sizes[0]) / (wanted.registered - wanted.registered // 2)
    print(
        f"| runtime in a server that has registered {wanted.registered:,} | {each:,.0f} | {each / plain:.1f} |",
        flush=True,
    )
    print("\n| idle channel | KiB each, all | KiB each, second half | said hello |\n|---|---|---|---|")
    for tls in (False, True):
        server = Server(count, tls=tls)
        whole, half, hellos = await channels(server, count)
        server.end()
        print(f"| {'TLS' if tls else 'plain'} | {whole:.1f} | {half:.1f} | {hellos:,} of {count:,} |", flush=True)


if __name__ == "__main__":
    run(main)
