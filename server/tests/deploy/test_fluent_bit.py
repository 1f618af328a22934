"""The configuration for Fluent Bit, on sample lines of every layout.

Not run inside Fluent Bit, which no package source here has: the script runs in LuaJIT, the interpreter that Fluent Bit embeds, called as
its lua filter calls it; the expressions of its multiline parsers run in Python, applied as its rules are. They use nothing that
Python's and Fluent Bit's engines understand differently.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
FOLDER = HERE.parents[2] / "deploy" / "fluent-bit"
RUNTIME = "0b6c6e43-5f0e-4a53-9a63-1f7c2f2f8f10"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
Read = Callable[..., list[dict]]


@pytest.fixture
def read() -> Read:
    """Run entries through a function of the script: time and record of each."""
    luajit = shutil.which("luajit")
    if luajit is None:
        if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1":
            pytest.fail("luajit is not installed")
        pytest.skip("luajit is not installed")

    def run(call: str, *records: dict | str, **environment: str) -> list[dict]:
        cases = [
            {"log": each, "log.file.path": "/var/log/x/app/a.log"} if isinstance(each, str) else each
            for each in records
        ]
        done = subprocess.run(  # noqa: S603 - our own script
            [luajit, str(HERE / "fluent_bit.lua"), str(FOLDER)],
            input="".join(json.dumps({"call": call, "record": case}) + "\n" for case in cases),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env={**os.environ, "TZ": "UTC", **environment},
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def at(answer: dict) -> tuple[int, int]:
    assert answer["code"] == 1, "the record has a time of its own"
    return answer["time"]["sec"], answer["time"]["nsec"]


def config(name: str) -> dict:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


BI = (
    'time=2026-04-29T12:01:22.874+05:30 level=WARN module=acme/orders message="He said \\"no\\"\\n= {" '
    f'orderId=42 traceId={TRACE} spanId={SPAN} icp.runtimeId="{RUNTIME}"'
)


def test_an_application_line_of_bi_becomes_its_parts_and_keeps_its_own_time(read: Read) -> None:
    (answer,) = read("read_bi", BI)

    assert at(answer) == (1777444282, 874000000)
    assert answer["record"] == {
        "level": "WARN",
        "module": "acme/orders",
        "message": 'He said "no"\n= {',
        "orderId": "42",
        "traceId": TRACE,
        "spanId": SPAN,
        "icp.runtimeId": RUNTIME,
        "product": "Ballerina",
        "log.file.path": "/var/log/x/app/a.log",
    }


def test_an_error_in_braces_hides_no_message_whatever_stands_in_it(read: Read) -> None:
    error = '{"causes":[],"message":"db \\"down\\" }","detail":{"a":[1,{"b":"}]"}]},"stackTrace":["at x(y.bal:1)"]}'
    line = f'time=2026-04-29T12:01:22.874Z level=ERROR module=a/b message="it failed" error={error} icp.runtimeId="{RUNTIME}"'

    (answer,) = read("read_bi", line)

    record = answer["record"]
    assert record["message"] == "it failed"
    assert record["error"] == error
    assert record["exception.message"] == 'db "down" }'
    assert record["icp.runtimeId"] == RUNTIME


def test_an_error_that_is_cut_off_loses_nothing_before_it(read: Read) -> None:
    (answer,) = read("read_bi", 'time=2026-04-29T12:01:22.874Z level=ERROR module=a message="x" error={"message":"cut')

    assert (answer["record"]["message"], answer["record"]["error"]) == ("x", '{"message":"cut')


def test_a_metrics_line_of_bi_keeps_its_tags_and_its_duration_as_a_number(read: Read) -> None:
    line = (
        'time=2026-04-29T12:01:22.874Z level=INFO module=ballerinax/metrics.logs message="" logger=metrics protocol=http '
        'http.method=GET http.url=/orders/7 http.status_code_group=2xx src.resource.path="/orders/[string id]" '
        f'src.object.name=/orders src.main=false response_time_seconds=0.0123 icp.runtimeId="{RUNTIME}"'
    )

    record = read("read_bi", line)[0]["record"]

    assert record["response_time_seconds"] == 0.0123
    assert (record["logger"], record["src.resource.path"], record["message"]) == ("metrics", "/orders/[string id]", "")


def test_a_workflow_sample_keeps_its_fields(read: Read) -> None:
    line = (
        "time=2026-04-29T12:01:22.874Z level=INFO module=ballerina/workflow message= logger=workflow-metrics "
        f'sample=activity.executed workflow_type=order attempt=2 outcome=ok duration_seconds=1.5 icp.runtimeId="{RUNTIME}"'
    )

    record = read("read_bi", line)[0]["record"]

    assert (record["sample"], record["duration_seconds"], record["attempt"]) == ("activity.executed", 1.5, "2")


def test_the_json_format_of_bi_is_read(read: Read) -> None:
    line = json.dumps(
        {
            "time": "2026-04-29T12:01:22.874-02:00",
            "level": "ERROR",
            "module": "acme/orders",
            "message": "naïve 😀\n",
            "error": {"message": "down", "stackTrace": []},
            "nothing": None,
            "icp.runtimeId": RUNTIME,
        }
    )

    (answer,) = read("read_bi", line)

    assert at(answer) == (1777471282, 874000000)
    assert answer["record"]["message"] == "naïve 😀\n"
    assert answer["record"]["exception.message"] == "down"
    assert "nothing" not in answer["record"]


@pytest.mark.parametrize(
    "line", ["Compiling source", "error: boom\n\tat a.b(c.bal:1)", "", "{broken", "= = =", '"', "a=", "\x00\x01"]
)
@pytest.mark.parametrize("call", ["read_bi", "read_mi", "read_mi_analytics"])
def test_what_is_no_entry_is_kept_as_a_message(read: Read, call: str, line: str) -> None:
    (answer,) = read(call, line)

    assert answer["code"] == 2, "the time of reading counts"
    assert answer["record"]["level"] == ("ERROR" if line.startswith("error") else "INFO")
    assert "message" in answer["record"]
    if "boom" in line:
        assert answer["record"]["message"] == "error: boom"
        assert "at a.b" in answer["record"]["exception.stacktrace"]


def test_keys_that_come_twice_and_words_between_them_are_kept(read: Read) -> None:
    record = read("read_bi", "time=2026-04-29T12:01:22Z level=INFO message=a message=b stray message=c")[0]["record"]

    assert (record["message"], record["message_2"], record["message_3"], record["unread"]) == ("a", "b", "c", "stray")


def test_ids_of_traces_that_are_none_are_not_taken_for_some(read: Read) -> None:
    record = read("read_bi", f'message=a traceId=12zz spanId="" level=INFO x={TRACE}')[0]["record"]

    assert "traceId" not in record
    assert "spanId" not in record
    assert record["traceId.told"] == "12zz"


MI_ZONELESS = (
    "[2026-04-29 12:01:22,874]  INFO {org.apache.synapse.mediators.builtin.LogMediator} {api:Orders} - "
    f"to = /orders - direction = request [icp.runtimeId={RUNTIME}]"
)
MI_ZONED = MI_ZONELESS.replace("2026-04-29 12:01:22,874", "2026-04-29T12:01:22.874+02:00")


@pytest.mark.parametrize(
    "line", [MI_ZONELESS, MI_ZONED, f"TID: [-1234] [] {MI_ZONELESS}", f"TID: [-1234] [MI] {MI_ZONED}"]
)
def test_both_layouts_of_mi_become_their_parts(read: Read, line: str) -> None:
    (answer,) = read("read_mi", line)

    assert at(answer) == (1777464082 if "," in line else 1777456882, 874000000)
    record = answer["record"]
    assert record["level"] == "INFO"
    assert record["class"] == "org.apache.synapse.mediators.builtin.LogMediator"
    assert record["artifact_container"] == "{api:Orders}"
    assert record["message"] == "to = /orders - direction = request"
    assert record["icp.runtimeId"] == RUNTIME
    assert record.get("tenant") == ("-1234" if line.startswith("TID") else None)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"TZ": "UTC"}, 1777464082),
        ({"TZ": "Asia/Colombo"}, 1777444282),
        ({"TZ": "Europe/Berlin"}, 1777456882),  # summer time
        ({"TZ": "America/New_York"}, 1777478482),
        ({"TZ": "UTC", "MI_UTC_OFFSET": "+05:30"}, 1777444282),
        ({"TZ": "Asia/Colombo", "MI_UTC_OFFSET": "Z"}, 1777464082),
        ({"TZ": "UTC", "MI_UTC_OFFSET": "-0400"}, 1777478482),
        ({"TZ": "UTC", "MI_UTC_OFFSET": "somewhere"}, 1777464082),
    ],
)
def test_a_stamp_without_a_zone_is_read_in_the_machines_or_the_one_that_was_set(
    read: Read, environment: dict[str, str], seconds: int
) -> None:
    (zoneless,) = read("read_mi", MI_ZONELESS, **environment)
    (zoned,) = read("read_mi", MI_ZONED, **environment)

    assert at(zoneless)[0] == seconds
    assert at(zoned)[0] == 1777456882, "a stamp with a zone does not care"


def test_a_line_of_mi_without_container_or_runtime_is_read(read: Read) -> None:
    record = read("read_mi", "[2026-04-29 12:01:22,874] ERROR {a.B} - no")[0]["record"]

    assert (record["class"], record["message"], "artifact_container" in record) == ("a.B", "no", False)


STACK = (
    f"[2026-04-29 12:01:22,874] ERROR {{a.B}} - Cannot send. [icp.runtimeId={RUNTIME}]\n"
    "org.apache.axis2.AxisFault: Connection refused\n"
    "\tat org.apache.axis2.Sender.send(Sender.java:10)\n"
    "Caused by: java.net.ConnectException: Connection refused\n"
    "\t... 12 more"
)


def test_a_stack_trace_is_parted_from_its_message_and_the_runtime_is_found_before_it(read: Read) -> None:
    record = read("read_mi", STACK)[0]["record"]

    assert record["message"] == "Cannot send."
    assert record["icp.runtimeId"] == RUNTIME
    assert (record["exception.type"], record["exception.message"]) == (
        "org.apache.axis2.AxisFault",
        "Connection refused",
    )
    assert record["exception.stacktrace"] == STACK.partition("\n")[2]


def test_a_message_of_several_lines_without_a_trace_stays_whole(read: Read) -> None:
    record = read("read_mi", f"[2026-04-29 12:01:22,874] INFO {{a.B}} - <a>\n  <b/>\n</a> [icp.runtimeId={RUNTIME}]")[
        0
    ]["record"]

    assert record["message"] == "<a>\n  <b/>\n</a>"


ANALYTICS = {
    "serverInfo": {"hostname": "h", "serverName": "s", "ipAddress": "10.0.0.1", "id": "s1"},
    "timestamp": "2026-04-29T12:01:22.874Z",
    "schemaVersion": 1,
    "payload": {
        "entityType": "API",
        "entityClassName": "org.apache.synapse.api.API",
        "latency": 12,
        "failure": False,
        "faultResponse": True,
        "metadata": {},
        "apiDetails": {
            "api": "Orders",
            "apiContext": "/orders",
            "method": "GET",
            "transport": "http",
            "subRequestPath": "/7",
        },
    },
}


def test_analytics_of_mi_keep_their_shape(read: Read) -> None:
    line = f"12:01:22,874 [-] [PassThrough-1]  INFO SYNAPSE_ANALYTICS_DATA {json.dumps(ANALYTICS)} [icp.runtimeId={RUNTIME}]"

    (answer,) = read("read_mi_analytics", line)

    assert at(answer) == (1777464082, 874000000)
    record = answer["record"]
    assert record["payload"] == ANALYTICS["payload"]
    assert (record["icp.runtimeId"], record["log_type"]) == (RUNTIME, "metrics")


def test_for_opensearch_records_get_the_fields_and_the_index_that_icp_looks_for(read: Read) -> None:
    base = {"log.file.path": "/var/log/bi/shop/app.log", "product": "Ballerina", "message": "m"}
    metric = {
        **base, "logger": "metrics", "response_time_seconds": 0.0126, "http.status_code_group": "5xx", "src.main": "true",
        "http.method": "GET", "http.url": "/a", "module": "acme/shop",
    }  # fmt: skip
    mi = {"product": "Micro Integrator", "message": "m"}

    told = [
        each["record"]
        for each in read(
            "for_opensearch", base, metric, {**base, "logger": "workflow-metrics"}, mi, {**mi, "log_type": "metrics"}
        )
    ]

    assert {each["time"] for each in told} == {"2026-04-29T12:01:22.874Z"}
    assert [each["index_prefix"] for each in told] == [
        "ballerina-application-logs",
        "ballerina-metrics-logs",
        "ballerina-workflow-metrics",
        "mi-application-logs",
        "mi-metrics-logs",
    ]
    assert (told[1]["response_time"], told[1]["status"], told[1]["integration"]) == (13, "failed", "main")
    assert (told[1]["app_name"], told[1]["app"], told[1]["app_module"]) == ("shop", "shop - acme/shop", "acme")


def test_equal_records_get_ids_of_their_own(read: Read) -> None:
    same = {"product": "Ballerina", "message": "m"}
    first = [each["record"]["doc_id"] for each in read("for_opensearch", *[same] * 100)]

    assert len(set(first)) == 100
    assert all(len(each) < 512 for each in first)


def entries(parser: dict, lines: Sequence[str]) -> list[str]:
    """Put lines together as Fluent Bit's rules do: what continues is tried first, then what begins."""
    rules = {rule["state"]: re.compile(rule["regex"].strip("/")) for rule in parser["rules"]}
    found: list[str] = []
    for line in lines:
        if found and rules["cont"].search(line):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
            assert rules["start_state"].search(line) or not found[:-1], line
    return found


def test_lines_become_entries(read: Read) -> None:
    bi, mi = config("sources.yaml")["multiline_parsers"]
    trace = ["error: boom", "\tat a.b(c.bal:1)", "Caused by: x", "... 3 more"]

    assert entries(bi, [BI, BI, *trace, BI]) == [BI, BI, "\n".join(trace), BI]
    several = [
        MI_ZONELESS,
        *STACK.split("\n"),
        MI_ZONED,
        f"TID: [-1234] [] {MI_ZONELESS}",
        "2026-04-29 12:01:22,1 x",
        "[1] more",
    ]
    assert entries(mi, several) == [
        MI_ZONELESS,
        STACK,
        MI_ZONED,
        f"TID: [-1234] [] {MI_ZONELESS}",
        "2026-04-29 12:01:22,1 x\n[1] more",
    ]


def test_every_setting_is_named_and_every_function_is_there() -> None:
    told = (FOLDER / "settings.env").read_text(encoding="utf-8")
    script = (FOLDER / "lines.lua").read_text(encoding="utf-8")
    used: set[str] = set()
    for name in ("fluent-bit.yaml", "fluent-bit-opensearch.yaml", "sources.yaml"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        used |= set(re.findall(r"\$\{(\w+)\}", text))
        for each in config(name)["pipeline"].get("filters", []):
            assert re.search(rf"function {each['call']}\(|\b{each['call']}\b.*= ", script), each
    used |= set(re.findall(r'getenv\("(\w+)"\)', script)) - {"HOSTNAME"}
    used -= {"NAME"}  # of a comment
    assert used == set(re.findall(r"^(\w+)=", told, re.MULTILINE))


@pytest.mark.parametrize("name", ["fluent-bit.yaml", "fluent-bit-opensearch.yaml"])
def test_certificates_are_checked_and_no_record_is_given_up(name: str) -> None:
    (output,) = config(name)["pipeline"]["outputs"]

    assert output["tls"] is output["tls.verify"] is output["tls.verify_hostname"] is True
    assert output["retry_limit"] == "no_limits"
    assert all("${" in str(value) for key, value in output.items() if "passwd" in key or key == "header")
