"""`logs`, `metrics` and `traces` with scripted answers: what is asked, and how the answers are written."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from pilothouse.cli import metrics, traces
from pilothouse.cli.remote import Session
from pilothouse.client import documents
from pilothouse.client.errors import NOT_FOUND, UNAVAILABLE, USAGE
from pilothouse.client.http import Connection
from served import Run

ORIGIN = {
    "unclaimed": False,
    "runtimeId": "r-1",
    "runtime": {"id": "1", "name": "node-1"},
    "project": {"handle": "retail"},
    "integration": {"handle": "orders"},
    "environment": {"handle": "dev"},
}


def line(number: int, **more: object) -> dict:
    said = {"level": "INFO", "message": f"said {number}", "logger": "shop", "traceId": None, "spanId": None}
    return {
        "id": f"l{number}",
        "at": f"2026-11-21T10:00:{number:02}.000Z",
        "attributes": [],
        "origin": ORIGIN,
        **said,
        **more,
    }


def page(*nodes: dict, more: bool = False, arrival: str = "a0") -> dict:
    return {
        "logs": {
            "nodes": list(nodes),
            "pageInfo": {"endCursor": "c" if more else None, "hasNextPage": more},
            "arrival": arrival,
        }
    }


class Plane:
    """A control plane that answers by its script; a list is a stream that breaks at its end."""

    def __init__(self) -> None:
        self.answers: list[object] = []
        self.asked: list[dict] = []
        self.addresses: list[httpx2.URL] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.addresses.append(request.url)
        self.asked.append(json.loads(request.content or b'{"variables": {}}')["variables"])
        answer = self.answers.pop(0)
        if isinstance(answer, httpx2.Response):
            return answer
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, list):
            parts = [each if "errors" in each else {"data": {"logTailed": each}} for each in answer]
            text = "".join(f"event: next\ndata: {json.dumps(part)}\n\n" for part in parts)
            return httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"})
        errors = answer.get("errors") if isinstance(answer, dict) else None
        return httpx2.Response(200, json={"errors": errors} if errors else {"data": answer})


@pytest.fixture
def plane(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plane]:
    """Every session speaks to it."""
    found = Plane()
    monkeypatch.setenv("PILOTHOUSE_URL", "https://localhost:9446")
    monkeypatch.setenv("PILOTHOUSE_TOKEN", "t")
    connect: Callable[..., Connection] = Session.connect

    def scripted(self: Session, url: str, trusted: object) -> Connection:
        connection = connect(self, url, trusted)
        connection._client = httpx2.Client(base_url=url, transport=httpx2.MockTransport(found))
        return connection

    monkeypatch.setattr(Session, "connect", scripted)
    monkeypatch.setattr("pilothouse.client.graphql.time.sleep", lambda _: None)
    yield found
    assert found.answers == []


def test_lines_are_read_newest_first_over_pages_and_written_newest_last(run: Run, plane: Plane) -> None:
    plane.answers = [page(line(3), line(2), more=True), page(line(1))]

    told = run("logs", "--limit", "300")

    assert told.exit_code == 0, told.exception
    assert [text.rpartition("  ")[2] for text in told.stdout.splitlines()] == ["said 1", "said 2", "said 3"]
    assert told.stdout.splitlines()[0] == "2026-11-21T10:00:01.000Z INFO  retail/orders@dev shop  said 1"
    assert [(each["first"], each["after"], each["newestFirst"]) for each in plane.asked] == [
        (200, None, True),
        (200, "c", True),
    ]


def test_every_condition_is_asked_for(run: Run, plane: Plane) -> None:
    gone = {"runtimes": {"nodes": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}}
    plane.answers = [{"runtime": None}, gone, page()]
    words = ["-p", "retail", "-i", "orders", "-i", "stock", "-e", "dev", "--runtime", "old-1", "--from", "2026-11-21T10:00:00Z", "--to", "2026-11-21T11:00:00+01:00", "--level", "warn+", "--level", "debug", "--grep", "late", "--case-sensitive", "--token", "42", "--regex", "^a", "--logger", "shop", "--attribute", "k=v=w", "--trace", "ABC", "--status", "5xx", "--status", "404", "--outbound", "--unclaimed", "-n", "7"]  # fmt: skip

    assert run("logs", "list", *words).exit_code == 0
    assert plane.asked[-1]["filter"] == {
        "scope": {
            "project": "retail",
            "integrations": ["orders", "stock"],
            "environments": ["dev"],
            "runtimeIds": ["old-1"],
            "unclaimed": True,
            "from": "2026-11-21T10:00:00.000Z",
            "to": "2026-11-21T10:00:00.000Z",
        },
        "levels": ["DEBUG", "WARN", "ERROR", "FATAL"],
        "phrase": "late",
        "ignoreCase": False,
        "token": "42",
        "regex": "^a",
        "logger": "shop",
        "attributes": [{"key": "k", "value": "v=w"}],
        "traceId": "abc",
        "statuses": ["5xx", "404"],
        "outbound": True,
    }
    assert plane.asked[-1]["first"] == 7


def test_a_runtime_that_is_there_is_asked_for_by_its_id_and_beside_one_that_is_gone_by_its_name(
    run: Run, plane: Plane
) -> None:
    there = {"runtime": {"id": "1", "runtimeId": "r-1"}}
    gone = {"runtimes": {"nodes": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}}
    plane.answers = [there, page(), there, {"runtime": None}, gone, page()]

    assert run("logs", "--runtime", "1").exit_code == 0
    assert plane.asked[-1]["filter"]["scope"] == {"runtimes": ["1"]}
    assert run("logs", "--runtime", "1", "--runtime", "r-0").exit_code == 0
    assert plane.asked[-1]["filter"]["scope"] == {"runtimeIds": ["r-0", "r-1"]}


@pytest.mark.parametrize(
    "words",
    [
        ("--level", "loud"),
        ("--attribute", "k"),
        ("--attribute", "=v"),
        ("--since", "soon"),
        ("--since", "1h", "--from", "2h"),
        ("--integration", "orders"),
        ("--follow", "--context", "2"),
        ("--follow", "--to", "1m"),
        ("--follow", "--status", "500"),
        ("--context", "2", "--limit", "201"),
        ("--output", "yaml"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    run: Run, plane: Plane, words: tuple[str, ...]
) -> None:
    assert run("logs", *words).exit_code == USAGE
    assert plane.asked == []


def test_programs_get_an_array_lines_of_json_or_a_spreadsheet(run: Run, plane: Plane) -> None:
    odd = line(2, message='a "b",\nc', attributes=[{"key": "k", "value": "v"}])
    plane.answers = [page(odd, line(1)) for _ in range(3)] + [page()]

    assert [each["id"] for each in json.loads(run("logs", "-o", "json").stdout)] == ["l1", "l2"]
    assert json.loads(run("logs", "-o", "jsonl").stdout.splitlines()[1]) == odd
    rows = list(csv.DictReader(io.StringIO(run("logs", "-o", "csv").stdout)))
    assert [row["message"] for row in rows] == ["said 1", 'a "b",\nc']
    assert (rows[1]["integration"], rows[1]["attributes"]) == ("orders", '{"k":"v"}')
    assert run("logs", "-o", "csv").stdout.startswith("at,level,"), "a spreadsheet of nothing has its head"


def test_a_table_shows_each_line_in_one_row_and_quiet_its_id_alone(run: Run, plane: Plane) -> None:
    plane.answers = [page(line(2, message="first\nsecond"), line(1)), page(line(1))]

    table = run("logs", "-o", "table").stdout.splitlines()

    assert len(table) == 3
    assert table[2].split() == ["2026-11-21T10:00:02.000Z", "INFO", "retail/orders@dev", "node-1", "shop", "first"]
    assert run("logs", "-q").stdout == "l1\n"


def test_no_message_steers_the_terminal_and_its_further_lines_stand_beneath(run: Run, plane: Plane) -> None:
    nasty = line(1, message="bad\x1b[2J\n\tat Shop.main\r\n[bold]x[/bold]", logger="\x1b]0;x\x07")
    plane.answers = [page(nasty)]

    told = run("logs").stdout

    assert "\x1b" not in told
    assert "\x07" not in told
    assert told.splitlines()[1:] == ["        at Shop.main", "    [bold]x[/bold]"]


def test_wide_lines_show_runtime_trace_attributes_and_a_stack_trace_beneath(run: Run, plane: Plane) -> None:
    attributes = [{"key": "order", "value": "7"}, {"key": "exception.stacktrace", "value": "one\ntwo"}]
    plane.answers = [page(line(1, traceId="ab" * 16, attributes=attributes))]

    told = run("logs", "--wide").stdout.splitlines()

    assert told[0].endswith(f"said 1 runtime=node-1 traceId={'ab' * 16} order=7")
    assert told[1:] == ["    exception.stacktrace:", "    one", "    two"]


def test_a_line_of_a_deleted_or_unknown_owner_says_so(run: Run, plane: Plane) -> None:
    deleted = {**ORIGIN, "integration": None, "runtime": None}
    unclaimed = {**dict.fromkeys(ORIGIN), "unclaimed": True, "runtimeId": "who"}
    plane.answers = [page(line(2, origin=unclaimed), line(1, origin=deleted))]

    told = run("logs").stdout.splitlines()

    assert "retail/(deleted)@dev" in told[0]
    assert "unclaimed who" in told[1]


def test_a_follower_goes_on_where_it_was_after_a_break_and_repeats_nothing(run: Run, plane: Plane) -> None:
    first = [
        {"arrival": "a1", "skipped": 0, "lines": [line(2), line(3)]},  # 2 was in the answer before, too
        {"arrival": "a2", "skipped": 5, "lines": []},
    ]
    plane.answers = [
        page(line(2), line(1), arrival="a0"),
        first,
        httpx2.ConnectError("gone"),
        [{"arrival": "a3", "skipped": 0, "lines": [line(4)]}],
        KeyboardInterrupt(),
    ]

    told = run("logs", "-f", "--since", "1h", "-p", "retail", "-o", "jsonl")

    assert [json.loads(text)["id"] for text in told.stdout.splitlines()] == ["l1", "l2", "l3", "l4"]
    assert [each.get("after") for each in plane.asked] == [None, "a0", "a2", "a2", "a3"]
    assert plane.asked[0]["first"] == 10
    assert plane.asked[1]["filter"] == {"scope": {"project": "retail"}}, "a late line has an old time and is followed"
    assert "5 lines were skipped" in told.stderr
    assert told.stderr.count("Trying again") == 3


def test_a_follower_that_is_refused_ends(run: Run, plane: Plane) -> None:
    refused = {"errors": [{"message": "No.", "extensions": {"code": "NOT_PERMITTED"}}]}
    plane.answers = [page(), [refused]]

    assert run("logs", "-f").exit_code == 4


def test_lines_around_two_neighbours_are_written_once_and_matches_are_marked(run: Run, plane: Plane) -> None:
    def around(at: int) -> dict:
        return {"logContext": {"before": [line(at - 1)], "line": line(at), "after": [line(at + 1)]}}

    plane.answers = [page(line(9), line(3), line(2)), around(2), around(3), around(9)] * 2

    told = run("logs", "--grep", "said", "-C", "1").stdout.splitlines()

    assert [(text[:2], text.rpartition("  ")[2]) if text != "--" else text for text in told] == [
        ("  ", "said 1"),
        ("> ", "said 2"),
        ("> ", "said 3"),
        ("  ", "said 4"),
        "--",
        ("  ", "said 8"),
        ("> ", "said 9"),
        ("  ", "said 10"),
    ]
    assert plane.asked[1] == {"id": "l2", "before": 1, "after": 1}
    found = json.loads(run("logs", "--grep", "said", "-C", "1", "-o", "json").stdout)
    assert [each["id"] for each in found if each["matched"]] == ["l2", "l3", "l9"]


def test_the_stores_trouble_is_the_control_planes_own(run: Run, plane: Plane) -> None:
    plane.answers = [{"errors": [{"message": "Too long.", "extensions": {"code": "TELEMETRY_TIMEOUT"}}]}]

    assert run("logs").exit_code == UNAVAILABLE


class Broken(httpx2.SyncByteStream):
    """An answer that ends before its end."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"one\n"
        raise httpx2.RemoteProtocolError("incomplete")


def test_everything_is_downloaded_under_the_same_conditions(run: Run, plane: Plane, tmp_path: Path) -> None:
    plane.answers = [httpx2.Response(200, text="one\ntwo\n"), httpx2.Response(200, text="at,level\n")]
    file = tmp_path / "logs.csv"
    words = ["-p", "retail", "-i", "a", "-i", "b", "--to", "2026-11-21T10:00:00Z", "--level", "error+", "--grep", "x y"]
    more = [
        "--case-sensitive",
        "--token",
        "7",
        "--attribute",
        "k=v=w",
        "--attribute",
        "l=",
        "--trace",
        "AB",
        "--status",
        "500",
        "--status",
        "4xx",
        "--unclaimed",
    ]

    assert run("logs", "download", *words, *more).stdout == "one\ntwo\n"
    assert run("logs", "download", "-o", "csv", "--file", str(file)).exit_code == 0

    assert file.read_text() == "at,level\n"
    assert list(tmp_path.glob("*.part")) == []
    assert plane.addresses[0].path == "/api/v1/logs"
    assert plane.addresses[0].params.multi_items() == [
        ("format", "text"),
        ("project", "retail"),
        ("integration", "a"),
        ("integration", "b"),
        ("unclaimed", "true"),
        ("to", "2026-11-21T10:00:00.000Z"),
        ("level", "ERROR"),
        ("level", "FATAL"),
        ("phrase", "x y"),
        ("ignoreCase", "false"),
        ("word", "7"),
        ("attribute", "k=v=w"),
        ("attribute", "l="),
        ("traceId", "ab"),
        ("status", "500"),
        ("status", "4xx"),
    ]


def test_a_download_that_breaks_off_leaves_no_file_and_none_goes_over_another(
    run: Run, plane: Plane, tmp_path: Path
) -> None:
    plane.answers = [httpx2.Response(200, stream=Broken())]
    file = tmp_path / "logs.txt"

    assert run("logs", "download", "--file", str(file)).exit_code == UNAVAILABLE
    assert list(tmp_path.glob("logs*")) == []
    file.write_text("mine")
    assert run("logs", "download", "--file", str(file)).exit_code == USAGE
    assert run("logs", "download", "--file", str(tmp_path / "no" / "folder")).exit_code == USAGE
    assert file.read_text() == "mine"


def figures(count: float, p95: float | None) -> dict:
    return {
        "count": count,
        "rate": count / 3600,
        "mean": p95,
        "min": p95,
        "max": p95,
        "percentiles": [{"of": of, "value": p95 if of == 0.95 else 0.0123} for of in metrics.PERCENTILES],
    }


def step(count: float | None, p95: float | None = None, share: float | None = None) -> dict:
    told = None if count is None else figures(count, p95)
    return {"at": "2026-11-21T10:00:00.000Z", "errorRate": share, "all": told, "succeeded": told, "failed": None}


def answer(*series: dict, step_s: int | None = None, left: int = 0) -> dict:
    times = {"from": "2026-11-21T10:00:00.000Z", "to": "2026-11-21T11:00:00.000Z"}
    whole = {"name": "http.server.request.duration", "stepS": step_s, **times, "series": list(series), "left": left}
    return {"metrics": whole}


def one(*steps: dict, total: dict) -> dict:
    places = {"project": None, "integration": {"handle": "orders"}, "environment": None, "runtime": None}
    return {"key": ["i1", "shop", None], **places, "total": total, "steps": list(steps)}


def test_metrics_are_a_table_by_integration_service_and_resource_and_unknown_is_no_zero(run: Run, plane: Plane) -> None:
    plane.answers = [answer(one(total=step(7200, 0.25, 0.015)), one(total=step(None)), left=3)]

    told = run("metrics", "--since", "1h")

    rows = told.stdout.splitlines()
    assert rows[1].split()[:5] == ["INTEGRATION", "SERVICE", "RESOURCE", "REQUESTS", "RATE/S"]
    assert rows[2].split() == ["orders", "shop", "-", "7,200", "2.00", "1.50", "%", "12.3", "12.3", "250", "12.3"]
    assert rows[3].split() == ["orders", "shop", *"--------"]
    assert "3 more are not shown" in told.stderr
    assert plane.asked[0]["by"] == ["INTEGRATION", "SERVICE", "RESOURCE"]
    assert (plane.asked[0]["stepS"], plane.asked[0]["name"]) == (None, "http.server.request.duration")


def test_series_are_drawn_with_gaps(run: Run, plane: Plane) -> None:
    steps = (step(0, None), step(None), step(50, 0.1), step(100, 0.2))
    plane.answers = [answer(one(*steps, total=step(150, 0.2, 0.0)), step_s=300)] * 2

    told = run("metrics", "--step", "5m", "--outbound", "--by", "integration, service,status").stdout

    assert "▁ ▅█" in told
    assert "steps of 300 s" in told
    assert plane.asked[0]["by"] == ["INTEGRATION", "SERVICE", "STATUS"]
    assert plane.asked[0]["filter"] == {"outbound": True}
    assert plane.asked[0]["name"] == "http.client.request.duration"
    assert json.loads(run("metrics", "--step", "5m", "-o", "json").stdout)["series"][0]["steps"][1]["all"] is None


@pytest.mark.parametrize(
    "words",
    [
        ("--by", "weather"),
        ("--by", "project,integration,service,status"),
        ("--by", "service,service"),
        ("--step", "30s"),
        ("--step", "0m"),
        ("--interval", "0s"),
    ],
)
def test_metrics_that_cannot_be_meant_are_refused(run: Run, plane: Plane, words: tuple[str, ...]) -> None:
    assert run("metrics", *words).exit_code == USAGE
    assert plane.asked == []


def test_metrics_are_watched_until_interrupted(run: Run, plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("pilothouse.cli.metrics.time.sleep", pauses.append)
    plane.answers = [answer(one(total=step(1, 0.1, 0.0))), answer(one(total=step(2, 0.1, 0.0))), KeyboardInterrupt()]

    told = run("metrics", "--watch", "--interval", "2s")

    assert told.stdout.count("INTEGRATION") == 2
    assert pauses == [2, 2]


def test_nothing_known_is_said_and_names_are_listed(run: Run, plane: Plane) -> None:
    plane.answers = [answer(), {"metricNames": ["a.b", "c"]}]

    assert "Nothing is known" in run("metrics").stderr
    assert run("metrics", "names", "-q").stdout == "a.b\nc\n"


@pytest.mark.parametrize(
    ("value", "told"), [(None, "-"), (0.0, "0.00"), (0.001234, "1.23"), (0.0456, "45.6"), (1.5, "1,500")]
)
def test_milliseconds_have_the_digits_that_count(value: float | None, told: str) -> None:
    assert metrics.milliseconds(value) == told


def test_a_sparkline_of_nothing_and_of_zeros() -> None:
    assert metrics.sparkline([None, None]) == "  "
    assert metrics.sparkline([0.0, None, 0.0]) == "▁ ▁"
    assert metrics.sparkline([1.0, 8.0], "_.-=+*#@") == ".@"


def span(id_: str, parent: str | None, begin: float, length: float, **more: object) -> dict:
    said = {"name": f"do {id_}", "kind": "SERVER", "service": "shop", "failed": False, "attributes": []}
    return {
        "id": id_,
        "parentId": parent,
        "at": "2026-11-21T10:00:00.000Z",
        "offsetMs": begin,
        "durationMs": length,
        "origin": ORIGIN,
        **said,
        **more,
    }


def test_a_trace_is_a_tree_with_bars_over_its_time(run: Run, plane: Plane) -> None:
    spans = [
        span("a", None, 0.0, 100.0),
        span("b", "a", 0.0, 50.0),
        span("c", "b", 25.0, 25.0, attributes=[{"key": "db.system", "value": "sqlite"}]),
        span("d", "a", 50.0, 50.0, failed=True),
        span("e", "lost", 90.0, 10.0),
    ]
    found = {"id": "ab" * 16, "at": spans[0]["at"], "durationMs": 100.0, "failed": True}
    plane.answers = [{"trace": {**found, "complete": False, "left": 2, "spans": spans}}]

    told = run("traces", "show", "AB" * 16, "--wide")

    rows = told.stdout.splitlines()
    assert rows[0].split()[:4] == ["ab" * 16, spans[0]["at"], "100.00", "ms"]
    assert rows[0].endswith("5 spans  failed")
    assert [row[:11].rstrip() for row in rows[1:]] == [
        "do a",
        "├─ do b",
        "│  └─ do c",
        "        db.",
        "└─ do d",
        "do e",
    ]
    bars = [row[: row.rindex("█") + 1] for row in (rows[1], rows[2], rows[3], rows[5], rows[6])]
    whole = bars[0].count("█")
    assert bars[1].count("█") == pytest.approx(whole / 2, abs=1)
    assert bars[2].count("█") == pytest.approx(whole / 4, abs=1)
    assert len(bars[2]) == pytest.approx(len(bars[1]), abs=1), "c ends with b"
    assert len(bars[3]) == len(bars[0])
    assert rows[5].endswith("50.00 +50.00 ms")
    assert "2 more spans" in told.stderr
    assert "not complete" in told.stderr
    assert plane.asked[0] == {"id": "ab" * 16}


def test_a_waterfall_fits_its_width_and_needs_no_more_than_ascii() -> None:
    spans = [span("a", None, 0.0, 0.0, name="x" * 90), span("b", "a", 0.0, 0.0)]

    drawn = traces.waterfall(spans, 0.0, 100, plain=True)

    assert all(len(each.plain) <= 100 for each in drawn)
    assert "`- do b" in drawn[1].plain
    assert "#" in drawn[1].plain


def test_a_trace_that_is_not_there_is_not_found(run: Run, plane: Plane) -> None:
    plane.answers = [{"trace": None}]

    assert run("traces", "show", "00").exit_code == NOT_FOUND


def test_traces_are_listed_up_to_the_limit(run: Run, plane: Plane) -> None:
    nodes = [{"traceId": f"t{at}", "span": span("a", None, 0.0, 12.5)} for at in range(3)]
    more = {"traces": {"nodes": nodes, "pageInfo": {"endCursor": "c", "hasNextPage": True}}}
    plane.answers = [more, more]

    assert run("traces", "-q", "-n", "3", "--failed", "--slower-than", "10").stdout.split() == ["t0", "t1", "t2"]
    assert plane.asked[0] == {"filter": {"failed": True, "durationMs": 10.0}, "first": 3, "after": None}
    assert "12.50" in run("traces", "--limit", "2").stdout
    plane.answers = [more]
    assert run("traces", "-n", "3", "--status", "5xx", "--status", "404", "--outbound").exit_code == 0
    assert plane.asked[-1]["filter"] == {"statuses": ["5xx", "404"], "outbound": True}


def test_the_operations_that_are_scripted_are_the_ones_of_the_schema() -> None:
    assert {"LOGS", "LOG_TAILED", "LOG_CONTEXT", "METRICS", "METRIC_NAMES", "TRACES", "TRACE"} <= set(
        documents.every_document()
    )
