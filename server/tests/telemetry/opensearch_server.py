"""A real OpenSearch server for the tests: one node on free ports of loopback, TLS, one administrator, a small heap."""

import base64
import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from opensearch_home import lay_out
from opensearch_jars import missing

_READY_S = 300.0
_STOP_S = 30.0
_STOPPED = {0, 128 + signal.SIGTERM}
"""A Java that was told to stop, and has closed what it had open, ends so."""
_JAVA = range(11, 24)
"""Later ones have no security manager, without which this version does not start."""


@dataclass(frozen=True)
class RunningOpenSearch:
    """Where the server is, and who may come in."""

    url: str
    ca_file: str
    user: str
    password: str
    home: Path
    process_id: int
    started_in_s: float

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@contextlib.contextmanager
def running_opensearch(
    folder: Path,
    *,
    user: str = "pilothouse",
    password: str = "opensearch-password",
    heap_mb: int = 512,
    options: Sequence[str] = (),
) -> Generator[RunningOpenSearch]:
    """Run a server out of an empty folder until the block ends; `options` are the Java's, and count more than ours."""
    java = _java()
    home = folder / "opensearch"
    ca_file = lay_out(home, user=user, password=password)
    log = home / "server.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            _command(java, home, heap_mb, options),
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        port = _port(process, home, began + _READY_S)
        running = RunningOpenSearch(f"https://localhost:{port}", str(ca_file), user, password, home, process.pid, 0.0)
        _until_it_answers(process, running, began + _READY_S)
        yield RunningOpenSearch(
            running.url, running.ca_file, user, password, home, process.pid, time.monotonic() - began
        )
    finally:
        _stop(process)


def _command(java: str, home: Path, heap_mb: int, options: Sequence[str]) -> list[str]:
    return [
        java,
        "-Xms128m",
        f"-Xmx{heap_mb}m",
        "-XX:MaxDirectMemorySize=128m",
        "-XX:+UseSerialGC",  # the smallest; a pause hurts no test
        "-XX:TieredStopAtLevel=1",  # starts sooner
        "-XX:-UsePerfData",  # leaves nothing in the machine's temporary folder
        "-Djava.security.manager=allow",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        "-Djna.nosys=true",
        "-Djna.nounpack=true",  # no native calls: with them it refuses to run as root, and build machines are
        "-Djava.awt.headless=true",
        "-Dfile.encoding=UTF-8",
        "-Dlog4j2.disable.jmx=true",
        "-Dlog4j.shutdownHookEnabled=false",
        "-Dio.netty.noUnsafe=true",
        "-Dio.netty.allocator.numDirectArenas=0",
        "-Dopensearch.networkaddress.cache.ttl=60",
        "-Dopensearch.networkaddress.cache.negative.ttl=10",
        "-Dopensearch.distribution.type=tar",
        f"-Dopensearch.path.home={home}",
        f"-Dopensearch.path.conf={home}/config",
        *options,
        "-cp",
        f"{home}/lib/*",
        "org.opensearch.bootstrap.OpenSearch",
    ]


def _port(process: subprocess.Popen[bytes], home: Path, ends_at: float) -> int:
    """Wait until the server has written down where it listens."""
    written = home / "logs" / "http.ports"
    while True:
        if written.is_file() and (found := re.search(r"127\.0\.0\.1:(\d+)", written.read_text())):
            return int(found[1])
        _patience(process, home, ends_at)


def _until_it_answers(process: subprocess.Popen[bytes], running: RunningOpenSearch, ends_at: float) -> None:
    """Wait until the administrator is let in: the users are written after the port is open."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{running.url}/_cluster/health?wait_for_status=yellow&timeout=5s",
        headers={"Authorization": running.authorization},
    )
    while True:
        with (
            contextlib.suppress(urllib.error.URLError, TimeoutError),
            urllib.request.urlopen(  # noqa: S310 - our own address
                request, timeout=10, context=running.tls
            ) as answer,
        ):
            if answer.status == 200:
                return
        _patience(process, running.home, ends_at)


def _patience(process: subprocess.Popen[bytes], home: Path, ends_at: float) -> None:
    if process.poll() is not None or time.monotonic() > ends_at:
        said = (home / "server.log").read_text(errors="replace")[-4_000:]
        pytest.fail(f"OpenSearch did not start ({process.poll()}):\n{said}")
    time.sleep(0.2)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        ended = process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        pytest.fail(f"OpenSearch did not stop within {_STOP_S:.0f} s")
    if ended not in _STOPPED:
        pytest.fail(f"OpenSearch ended with {ended}, not by being told to")


def _java() -> str:
    """Find a Java that this version runs on."""
    homes = [os.environ[name] for name in ("OPENSEARCH_JAVA_HOME", "JAVA_HOME") if os.environ.get(name)]
    homes += [str(each) for each in sorted(Path("/usr/lib/jvm").glob("*-17-*"))]
    for java in (*(f"{home}/bin/java" for home in homes), shutil.which("java")):
        if java and Path(java).is_file() and _major(java) in _JAVA:
            return java
    return missing(
        f"no Java {_JAVA.start} to {_JAVA.stop - 1} on this machine: install the package openjdk-17-jre-headless"
    )


def _major(java: str) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30).stderr  # noqa: S603 - a Java
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0
