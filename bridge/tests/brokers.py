"""Real brokers for tests, each in a temporary folder on a free port of loopback, and a program on a loop of its own."""

import asyncio
import contextlib
import gc
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pilothouse_bridge._inventory import Consumer, ListenerState
from pilothouse_bridge._steering import Change, Kind, Outcome, Steerable
from pilothouse_bridge.discover.faststream import FastStream


def needed(program: str, package: str) -> str:
    """The path of a broker's program; where it is missing the test is skipped, unless every real part is required."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/rabbitmq/bin")
    if path is None:
        reason = f"{program} is not on this machine (Debian package {package})"
        if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _process(command: list[str], directory: Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server of ours, ended with everything that it started."""
    with (directory / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            cwd=directory,
            env={"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8"} | environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


def _await_port(process: subprocess.Popen[bytes], port: int, directory: Path, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            logs = "".join(log.read_text(errors="replace")[-2000:] for log in directory.glob("*.log"))
            pytest.fail(f"the broker did not come up: {logs}")
        time.sleep(0.05)


@contextlib.contextmanager
def rabbitmq(directory: Path) -> Iterator[str]:
    """RabbitMQ with a port mapper of its own: nothing of it is found or left on the machine."""
    server = needed("rabbitmq-server", "rabbitmq-server")
    # The distribution's wrapper becomes another user and writes to the system's folders; what it wraps does not.
    inner = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    port, dist_port, mapper_port = free_port(), free_port(), free_port()
    (directory / "plugins").write_text("[].\n", encoding="utf-8")
    (directory / "env").write_text("", encoding="utf-8")
    (directory / "rabbitmq.conf").write_text("vm_memory_high_watermark.relative = 0.9\n", encoding="utf-8")
    mapper = [needed("epmd", "erlang-base"), "-port", str(mapper_port), "-address", "127.0.0.1"]
    environ = {
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONF_ENV_FILE": str(directory / "env"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 1",
    }
    with (
        _process(mapper, directory),
        _process([str(inner) if inner.exists() else server], directory, **environ) as process,
    ):
        _await_port(process, port, directory)
        yield f"amqp://guest:guest@127.0.0.1:{port}/"


@contextlib.contextmanager
def redis(directory: Path) -> Iterator[str]:
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", "", "--appendonly", "no"]
    with _process([needed("redis-server", "redis-server"), *options], directory) as process:
        _await_port(process, port, directory)
        yield f"redis://127.0.0.1:{port}"


@contextlib.contextmanager
def nats(directory: Path) -> Iterator[str]:
    port = free_port()
    options = ["-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(directory / "jetstream")]
    with _process([needed("nats-server", "nats-server"), *options], directory) as process:
        _await_port(process, port, directory)
        yield f"nats://127.0.0.1:{port}"


@contextlib.contextmanager
def mosquitto(directory: Path) -> Iterator[int]:
    port = free_port()
    configuration = directory / "mosquitto.conf"
    configuration.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nuser root\n",
        encoding="utf-8",
    )
    with _process([needed("mosquitto", "mosquitto"), "-c", str(configuration)], directory) as process:
        _await_port(process, port, directory)
        yield port


class Loop:
    """An event loop on a thread of its own: the program, as the bridge's command thread sees it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="program")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any], within_s: float = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(within_s)

    def close(self) -> None:
        async def cancel_all() -> None:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self.loop.shutdown_asyncgens()
            await self.loop.shutdown_default_executor()

        self.run(cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@contextlib.contextmanager
def looping() -> Iterator[Loop]:
    # Brokers of earlier tests refer to themselves; they would be shown as this program's.
    gc.collect()
    loop = Loop()
    try:
        yield loop
    finally:
        loop.close()


@dataclass
class Traffic:
    """Messages with numbers: which were sent, which were handled, and which of those while it should have been quiet."""

    sent: list[int] = field(default_factory=list)
    handled: list[int] = field(default_factory=list)
    in_quiet: int = 0
    is_quiet: bool = False
    is_over: bool = False

    async def handle(self, number: int) -> None:
        self.handled.append(number)
        if self.is_quiet:
            self.in_quiet += 1
        await asyncio.sleep(0.002)

    async def send(self, publish: Callable[[int], Awaitable[object]], pause_s: float = 0.002) -> None:
        while not self.is_over:
            number = len(self.sent)
            self.sent.append(number)
            await publish(number)
            await asyncio.sleep(pause_s)

    @property
    def missing(self) -> set[int]:
        return set(self.sent) - set(self.handled)

    @property
    def repeated(self) -> int:
        return len(self.handled) - len(set(self.handled))


def shown(source: FastStream, name: str) -> Consumer:
    (found,) = [one for one in source.find() if one.name == name]
    return found


def steer(source: FastStream, name: str) -> Steerable:
    (found,) = [one for one in source.steerables() if one.name == name]
    assert found.kind is Kind.CONSUMER
    assert found.package == "faststream"
    return found


def eventually(condition: Callable[[], object], within_s: float = 60, what: str = "it did not come to pass") -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@dataclass
class Cycled:
    """What came of stopping and starting a consumer again and again while messages kept coming."""

    traffic: Traffic
    stops: list[Outcome]
    stop_ms: list[float]
    start_ms: list[float]

    def __str__(self) -> str:
        traffic = self.traffic
        return (
            f"sent {len(traffic.sent)} handled {len(set(traffic.handled))} missing {len(traffic.missing)}"
            f" repeated {traffic.repeated} in quiet {traffic.in_quiet}"
            f" stop ms {[round(one, 1) for one in self.stop_ms]} start ms {[round(one, 1) for one in self.start_ms]}"
        )


def cycle(
    loop: Loop,
    source: FastStream,
    name: str,
    traffic: Traffic,
    publish: Callable[[int], Awaitable[object]],
    *,
    cycles: int = 3,
    pause_s: float = 0.002,
    while_stopped: Callable[[], object] = lambda: None,
    settle_s: float = 60,
) -> Cycled:
    """Publish without pause; stop and start; then let all that was sent be handled.

    `settle_s` is longer than the 30 s after which JetStream delivers anew what was on its way to a closed request.
    """
    cycled = Cycled(traffic, [], [], [])
    sending = asyncio.run_coroutine_threadsafe(traffic.send(publish, pause_s), loop.loop)
    for _ in range(cycles):
        seen = len(traffic.handled)
        eventually(lambda seen=seen: len(traffic.handled) > seen + 20, settle_s, "nothing is handled")
        began = time.perf_counter()
        outcome = steer(source, name).stop(10)
        cycled.stop_ms.append((time.perf_counter() - began) * 1000)
        traffic.is_quiet = True
        assert outcome.change is Change.STOPPED
        assert shown(source, name).state is ListenerState.DISABLED
        cycled.stops.append(outcome)
        time.sleep(0.3)
        while_stopped()
        traffic.is_quiet = False
        began = time.perf_counter()
        assert steer(source, name).start().change is Change.STARTED
        cycled.start_ms.append((time.perf_counter() - began) * 1000)
        assert shown(source, name).state is ListenerState.ENABLED
    time.sleep(0.2)
    traffic.is_over = True
    sending.result(10)
    with contextlib.suppress(AssertionError):
        eventually(lambda: not traffic.missing, settle_s)
    time.sleep(0.2)
    return cycled
