"""`logs`, `metrics` and `traces` against a control plane that runs: what a collector sent is read, followed and downloaded."""

import contextlib
import datetime as dt
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator, Sequence

import httpx
import pytest
from pilothouse.cli.log_lines import Writer
from pilothouse.client.errors import NOT_FOUND, USAGE
from served import PASSWORD, Run, Served

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    """Sends OTLP with an ingest token of one integration."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(self, path: str, key: str, scope: str, records: Sequence[dict]) -> None:
        body = {
            key: [{"resource": {"attributes": []}, scope: [{"scope": {"name": "shop"}, _LISTS[path]: list(records)}]}]
        }
        answer = self._client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        assert not answer.json().get("partialSuccess", {}), answer.text

    def logs(self, *messages: str, severity: int = 9, **more: object) -> None:
        now_ns = time.time_ns()
        records = [
            {
                "timeUnixNano": str(now_ns + number),
                "severityNumber": severity,
                "body": {"stringValue": message},
                "traceId": TRACE,
                "attributes": [
                    {"key": "icp.runtimeId", "value": {"stringValue": "collected-1"}},
                    *({"key": key, "value": {"stringValue": str(value)}} for key, value in more.items()),
                ],
            }
            for number, message in enumerate(messages)
        ]
        self.send("/v1/logs", "resourceLogs", "scopeLogs", records)

    def spans(self) -> None:
        now_ns = time.time_ns()
        records = [
            {
                "traceId": TRACE,
                "spanId": f"{number:016x}",
                "parentSpanId": f"{number - 1:016x}" if number > 1 else "",
                "name": f"step {number}",
                "kind": 2,
                "startTimeUnixNano": str(now_ns + number * 1_000_000),
                "endTimeUnixNano": str(now_ns + 20_000_000),
                "status": {"code": 2 if number == 3 else 0},
            }
            for number in (1, 2, 3)
        ]
        self.send("/v1/traces", "resourceSpans", "scopeSpans", records)

    def requests(self, count: int) -> None:
        now_ns = time.time_ns()
        point = {
            "startTimeUnixNano": str(now_ns - 10**9),
            "timeUnixNano": str(now_ns),
            "count": str(count),
            "sum": 0.1 * count,
            "scale": 4,
            "zeroCount": "0",
            "positive": {"offset": -54, "bucketCounts": [str(count)]},
            "attributes": [
                {"key": "http.request.method", "value": {"stringValue": "GET"}},
                {"key": "http.route", "value": {"stringValue": "/orders"}},
                {"key": "http.response.status_code", "value": {"intValue": "200"}},
            ],
        }
        metric = {
            "name": "http.server.request.duration",
            "unit": "s",
            "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [point]},
        }
        self.send("/v1/metrics", "resourceMetrics", "scopeMetrics", [metric])


_LISTS = {"/v1/logs": "logRecords", "/v1/traces": "spans", "/v1/metrics": "metrics"}


@pytest.fixture(scope="session")
def made(served: Served) -> tuple[str, str]:
    """An API token, and an ingest token for one integration."""
    context = ssl.create_default_context(cafile=str(served.home / "tls" / "certificate.pem"))
    ends = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    with httpx.Client(base_url=served.url, verify=context, trust_env=False) as client:
        assert client.post("/auth/sign-in", json={"username": "admin", "password": PASSWORD}).status_code == 200

        def ask(document: str, **variables: object) -> dict:
            answer = client.post("/graphql", json={"query": document, "variables": variables}).json()
            assert "errors" not in answer, answer
            return answer["data"]

        api = ask(
            "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { token } }",
            input={"name": "telemetry", "expiresAt": ends},
        )["createApiToken"]["token"]
        ask(
            'mutation { createProject(input: {handle: "told", displayName: "Told"}) { handle } '
            'createIntegration(input: {project: "told", handle: "orders", displayName: "Orders", runtimeType: BI}) { handle } }'
        )
        ingest = ask(
            "mutation ($input: CreateIngestTokenInput!) { createIngestToken(input: $input) { token } }",
            input={"name": "collector", "environment": "dev", "project": "told", "integration": "orders"},
        )["createIngestToken"]["token"]
    return api, ingest


@pytest.fixture
def collector(served: Served, made: tuple[str, str]) -> Iterator[Collector]:
    context = ssl.create_default_context(cafile=str(served.home / "tls" / "certificate.pem"))
    headers = {"authorization": f"Bearer {made[1]}"}
    with httpx.Client(
        base_url=served.runtime_url, verify=context, trust_env=False, headers=headers, timeout=30
    ) as client:
        yield Collector(client)


@pytest.fixture
def signed_in(run: Run, served: Served, made: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PILOTHOUSE_URL", served.url)
    monkeypatch.setenv("PILOTHOUSE_TOKEN", made[0])
    monkeypatch.setenv("PILOTHOUSE_CA_FILE", str(served.home / "tls" / "certificate.pem"))
    return run


def ids(told: str) -> list[str]:
    return [json.loads(line)["message"] for line in told.splitlines()]


def test_what_was_sent_is_listed_filtered_and_downloaded(signed_in: Run, collector: Collector) -> None:
    word = uuid.uuid4().hex
    collector.logs(f"one {word}", f"two {word}", customer=42)
    collector.logs(f"three {word}", severity=17)
    where = ("-p", "told", "-i", "orders", "-e", "dev", "-o", "jsonl")

    assert ids(signed_in("logs", *where, "--grep", word.upper()).stdout) == [
        f"{n} {word}" for n in ("one", "two", "three")
    ]
    assert ids(signed_in("logs", *where, "--token", word, "--level", "warn+").stdout) == [f"three {word}"]
    assert ids(signed_in("logs", *where, "--regex", f"t.* {word}", "-n", "1").stdout) == [f"three {word}"]
    assert ids(signed_in("logs", *where, "--grep", word, "-a", "customer=42").stdout) == [f"one {word}", f"two {word}"]
    assert ids(signed_in("logs", "-o", "jsonl", "--grep", word, "--runtime", "collected-1").stdout) != []
    assert ids(signed_in("logs", *where, "--grep", word, "--case-sensitive", "--trace", TRACE).stdout) != []
    assert ids(signed_in("logs", *where, "--grep", word, "--to", "10m").stdout) == []
    downloaded = signed_in("logs", "download", *where, "--grep", word)
    assert downloaded.exit_code == 0, downloaded.exception
    assert ids(downloaded.stdout) == [f"{n} {word}" for n in ("one", "two", "three")]
    around = signed_in("logs", *where, "--grep", f"two {word}", "-C", "1")
    assert ids(around.stdout) == [f"{n} {word}" for n in ("one", "two", "three")]
    text = signed_in("logs", "--grep", f"three {word}").stdout
    assert f"ERROR told/orders@dev shop  three {word}" in text


def test_pages_join_without_a_gap_or_a_repetition(
    signed_in: Run, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothouse.cli.logs._PAGE", 7)
    word = uuid.uuid4().hex
    collector.logs(*(f"{number} {word}" for number in range(50)))

    told = signed_in("logs", "--token", word, "-n", "40", "-o", "jsonl")

    assert ids(told.stdout) == [f"{number} {word}" for number in range(10, 50)]
    assert "Older ones match" in told.stderr


def test_lines_are_followed_as_they_arrive(
    signed_in: Run, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    word = uuid.uuid4().hex
    collector.logs(f"before {word}")
    seen: list[tuple[str, float]] = []
    sent: list[float] = []
    write = Writer.line

    def counting(self: Writer, line: dict) -> None:
        write(self, line)
        seen.append((line["message"], time.monotonic()))
        if len(seen) == 4:
            raise KeyboardInterrupt

    def speak() -> None:
        for number in range(3):
            time.sleep(0.5)
            sent.append(time.monotonic())
            collector.logs(f"{number} {word}")

    monkeypatch.setattr(Writer, "line", counting)
    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    told = signed_in("logs", "-f", "--token", word, "-o", "jsonl")
    speaker.join(10)

    assert ids(told.stdout) == [f"{each} {word}" for each in ("before", 0, 1, 2)]
    assert max(at - begun for (_, at), begun in zip(seen[1:], sent, strict=True)) < 5


class Line:
    """A line to the control plane that can be cut: it passes octets on, and nothing else."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._open: list[socket.socket] = []
        self.down = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.down:
                near.close()
                continue
            far = socket.create_connection(self._target)
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._pass_on, args=(source, sink), daemon=True))
                self._threads[-1].start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(65_536):
                sink.sendall(octets)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End every connection that is open."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for each in self._open:
            each.close()


def test_a_follower_whose_line_is_cut_loses_nothing_and_repeats_nothing(
    signed_in: Run, served: Served, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = httpx.URL(served.url)
    line = Line(address.host, address.port or 443)
    monkeypatch.setenv("PILOTHOUSE_URL", str(address.copy_with(port=line.port)).rstrip("/"))
    word = uuid.uuid4().hex
    collector.logs(f"before {word}")
    seen: list[str] = []
    write = Writer.line

    def counting(self: Writer, told: dict) -> None:
        write(self, told)
        seen.append(told["message"])
        if len(seen) == 6:
            raise KeyboardInterrupt

    def wait(count: int) -> None:
        end = time.monotonic() + 20
        while len(seen) < count and time.monotonic() < end:
            time.sleep(0.02)

    def speak() -> None:
        wait(1)
        collector.logs(f"0 {word}")
        wait(2)
        line.down = True
        line.cut()
        collector.logs(f"1 {word}", f"2 {word}")  # nobody listens now
        time.sleep(1.0)
        line.down = False
        wait(4)
        line.cut()
        collector.logs(f"3 {word}")
        wait(5)
        collector.logs(f"4 {word}")

    monkeypatch.setattr(Writer, "line", counting)
    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    told = signed_in("logs", "-f", "--token", word, "-o", "jsonl")
    speaker.join(10)
    line.close()

    assert ids(told.stdout) == [f"{each} {word}" for each in ("before", 0, 1, 2, 3, 4)]
    assert "Trying again" in told.stderr


def test_metrics_and_traces_are_shown(signed_in: Run, collector: Collector) -> None:
    collector.requests(5)
    collector.requests(7)
    collector.spans()

    table = signed_in("metrics", "-p", "told", "--by", "integration,resource", "--step", "5m")
    assert table.exit_code == 0, table.exception
    row = next(line for line in table.stdout.splitlines() if "GET /orders" in line)
    assert row.split()[:4] == ["orders", "GET", "/orders", "12"]
    assert "http.server.request.duration" in signed_in("metrics", "names", "-q").stdout.split()
    assert TRACE in signed_in("traces", "-p", "told", "--failed", "-q").stdout.split()
    tree = signed_in("traces", "show", TRACE)
    assert tree.exit_code == 0, tree.exception
    assert [line.split("  ")[0].strip() for line in tree.stdout.splitlines()[1:3]] == ["step 1", "└─ step 2"]
    assert signed_in("traces", "show", "00" * 16).exit_code == NOT_FOUND


def test_a_bad_expression_is_the_askers_fault(signed_in: Run) -> None:
    told = signed_in("logs", "--regex", "(")

    assert told.exit_code not in {0, USAGE}
    assert told.exception.code
