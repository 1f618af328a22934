"""Heartbeats from bytes, and answers to bytes: tolerance, limits, and what hostile bodies come to."""

import json
import math
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.domain.artifacts import KINDS, Base, artifact_set
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.task import Task
from pilothouse.domain.heartbeat import DeltaHeartbeat, FullHeartbeat
from pilothouse.protocol import wire
from pilothouse.protocol.wire_artifacts import (
    REMEMBERED_BYTES_MAX,
    REMEMBERED_MAX,
    _read_entry_remembered,
    _read_remembered,
    read_anything,
    read_plain,
)
from pilothouse.protocol.wire_members import CAPABILITIES_MAX, LOGGERS_MAX, RAW_BYTES_MAX
from pilothouse.protocol.wire_values import ENTRIES_MAX, TEXT_CHARS_MAX, TEXT_CHARS_MAX_ELSE

MINIMAL: dict[str, Any] = {
    "runtimeId": "r-1",
    "runtimeType": "MI",
    "environment": "dev",
    "project": "p",
    "component": "c",
    "runtimeHash": "h",
    "artifacts": {},
}
REQUIRED = tuple(MINIMAL)
OPTIONAL = (
    "heartbeatVersion", "runtime", "version", "runtimeHostname", "runtimePort", "nodeInfo", "logLevels", "timestamp",
    "tryItHost", "openApiDefinitions", "workflowMetadata", "capabilities", "heartbeatIntervalSeconds", "status",
)  # fmt: skip


def full(**members: Any) -> FullHeartbeat:
    return wire.decode_full(json.dumps({**MINIMAL, **members}).encode())


def full_of_text(**literals: str) -> FullHeartbeat:
    """A heartbeat some of whose members are written out as JSON text."""
    members = {**{name: json.dumps(value) for name, value in MINIMAL.items()}, **literals}
    return wire.decode_full(("{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}").encode())


def refusal_of(body: bytes, *, delta: bool = False) -> tuple[str, str | None]:
    with pytest.raises(wire.WireError) as refused:
        (wire.decode_delta if delta else wire.decode_full)(body)
    return refused.value.code, refused.value.field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


# ---------------------------------------------------------------- delta


def test_a_delta_is_an_id_and_a_hash() -> None:
    body = b'{"heartbeatVersion":"v1.0","runtimeId":"r-1","runtimeHash":"h==","timestamp":[1790000010,0.1]}'
    assert wire.decode_delta(body) == DeltaHeartbeat(runtime_id="r-1", runtime_hash="h==")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ("HEARTBEAT_MALFORMED", None)),
        (b"null", ("HEARTBEAT_MALFORMED", None)),
        (b'{"runtimeId":"r","runtimeHash":"h"}x', ("HEARTBEAT_MALFORMED", None)),
        (b'{"runtimeId":"r","runtimeHash":"h","x":"\xff"}', ("HEARTBEAT_MALFORMED", None)),
        (b'{"runtimeHash":"h"}', ("MEMBER_MISSING", "runtimeId")),
        (b'{"runtimeId":null,"runtimeHash":"h"}', ("MEMBER_MISSING", "runtimeId")),
        (b'{"runtimeId":5,"runtimeHash":"h"}', ("MEMBER_INVALID", "runtimeId")),
        (b'{"runtimeId":"a\\n","runtimeHash":"h"}', ("MEMBER_INVALID", "runtimeId")),
        ('{"runtimeId":"é","runtimeHash":"h"}'.encode(), ("MEMBER_INVALID", "runtimeId")),
        (b'{"runtimeId":"r"}', ("MEMBER_MISSING", "runtimeHash")),
        (b'{"runtimeId":"r","runtimeHash":{}}', ("MEMBER_INVALID", "runtimeHash")),
        (b'{"runtimeId":"r","runtimeHash":"h","heartbeatVersion":1}', ("VERSION_UNSUPPORTED", "heartbeatVersion")),
        (b'{"runtimeId":"r","runtimeHash":"h","heartbeatVersion":"v1"}', ("VERSION_UNSUPPORTED", "heartbeatVersion")),
        (b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", ("HEARTBEAT_MALFORMED", None)),
    ],
)
def test_a_delta_that_cannot_be_understood_is_refused(body: bytes, expected: tuple[str, str | None]) -> None:
    assert refusal_of(body, delta=True) == expected


@given(
    runtime_id=st.text(string.ascii_letters + string.digits + "._:-", min_size=1, max_size=100), runtime_hash=st.text()
)
def test_delta_and_full_read_the_same_id_and_hash(runtime_id: str, runtime_hash: str) -> None:
    members = {"runtimeId": runtime_id, "runtimeHash": runtime_hash}
    delta, heartbeat = wire.decode_delta(json.dumps(members).encode()), full(**members)
    assert (delta.runtime_id, delta.runtime_hash) == (heartbeat.runtime_id, heartbeat.runtime_hash)
    assert delta.runtime_id == runtime_id


# ---------------------------------------------------------------- full: what is refused


@pytest.mark.parametrize("member", REQUIRED)
@pytest.mark.parametrize("is_null", [True, False])
def test_a_required_member_that_is_missing_or_null_is_named(member: str, is_null: bool) -> None:
    members = {name: value for name, value in MINIMAL.items() if name != member} | ({member: None} if is_null else {})
    assert refusal_of(json.dumps(members).encode()) == ("MEMBER_MISSING", member)


@pytest.mark.parametrize("member", ["runtimeId", "environment", "project", "component", "runtimeHash", "runtimeType"])
@pytest.mark.parametrize("value", [{}, [], [1]])
def test_a_required_member_that_is_no_text_is_named(member: str, value: object) -> None:
    assert refusal_of(json.dumps({**MINIMAL, member: value}).encode()) == ("MEMBER_INVALID", member)


@pytest.mark.parametrize("runtime_id", ["", " ", "r" * 101, "a b", "a/b", "é", "a\n", 7, True])
def test_an_id_outside_of_its_alphabet_or_length_is_refused(runtime_id: object) -> None:
    assert refusal_of(json.dumps({**MINIMAL, "runtimeId": runtime_id}).encode()) == ("MEMBER_INVALID", "runtimeId")


@pytest.mark.parametrize("runtime_type", ["bi", "", "JS", 1])
def test_a_type_of_runtime_that_we_do_not_know_is_refused(runtime_type: object) -> None:
    assert refusal_of(json.dumps({**MINIMAL, "runtimeType": runtime_type}).encode()) == (
        "MEMBER_INVALID",
        "runtimeType",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"\xef\xbb\xbf{}",
        json.dumps(MINIMAL).encode("utf-16"),
        json.dumps(MINIMAL).encode() + b"}",
        json.dumps(MINIMAL).encode().replace(b'"dev"', b'"d\xffev"'),
        json.dumps(MINIMAL).encode().replace(b"}}", b'},"tryItHost":NaN}'),
        json.dumps(MINIMAL).encode().replace(b"}}", b'},"future":"\xed\xa0\x80"}'),
        json.dumps(MINIMAL).encode().replace(b"{}", b"[" * 100_000 + b"]" * 100_000),
        json.dumps(MINIMAL).encode().replace(b"{}", b'{"apis":' * 3_000 + b"1" + b"}" * 3_000),
        json.dumps(MINIMAL)
        .encode()
        .replace(b"{}", b'{},"openApiDefinitions":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    ],
)
def test_what_is_no_json_object_in_utf_8_is_refused_without_a_crash(body: bytes) -> None:
    assert refusal_of(body) == ("HEARTBEAT_MALFORMED", None)


@settings(max_examples=150, deadline=None)
@given(
    body=st.binary(max_size=60)
    | st.text(max_size=60).map(str.encode)
    | json_values.map(lambda value: json.dumps(value).encode())
)
def test_rubbish_is_refused_and_nothing_else_happens(body: bytes) -> None:
    assert refusal_of(body)[0] in {"HEARTBEAT_MALFORMED", "MEMBER_MISSING"}
    assert refusal_of(body, delta=True)[0] in {"HEARTBEAT_MALFORMED", "MEMBER_MISSING"}


# ---------------------------------------------------------------- full: what is not refused


@settings(max_examples=200, deadline=None)
@given(members=st.dictionaries(st.sampled_from([m for m in OPTIONAL if m != "heartbeatVersion"]), json_values))
def test_no_optional_member_can_make_a_heartbeat_fail(members: dict[str, Any]) -> None:
    heartbeat = full(**members)
    assert (heartbeat.runtime_id, heartbeat.artifacts) == ("r-1", ArtifactSet())


ARRAYS = (
    "listeners", "services", "apis", "proxyServices", "endpoints", "inboundEndpoints", "sequences", "tasks",
    "templates", "messageStores", "messageProcessors", "localEntries", "dataServices", "carbonApps",
    "compositeApps", "dataSources",
    "connectors", "registryResources", "consumers", "schedules",
)  # fmt: skip
KEYS = (
    "name", "package", "state", "status", "type", "version", "resources", "methods", "url", "urls", "path",
    "listeners", "attributes", "artifacts", "port", "timeout", "size", "hasUsername", "carbonApp",
    "compositeApp", "configs", "value",
)  # fmt: skip
ODDITIES: tuple[Any, ...] = (
    None, "", "x", "enabled", "FAULTY", "a\0b", 0, -1, 8080, 2**70, 1.5, True, False, [], {}, [[]], [None,
    "", 5, "GET"], [{}],
    [{"name": "n"}, {"name": "n"}], {"name": "n"}, "GET,POST", [{"url": "/", "methods": {}}, {"path": 5}], "y" * 3000,
)  # fmt: skip
odd_values = st.sampled_from(ODDITIES)
odd_entries = st.dictionaries(st.sampled_from(KEYS), odd_values, max_size=6)
odd_arrays = st.lists(odd_entries | odd_values, max_size=3) | odd_entries | odd_values


@settings(max_examples=200, deadline=None)
@given(artifacts=st.dictionaries(st.sampled_from((*ARRAYS, "main", "x")), odd_arrays, max_size=3))
def test_no_artifact_can_make_a_heartbeat_fail_and_all_that_is_read_can_be_stored(artifacts: dict[str, Any]) -> None:
    heartbeat = full(artifacts=artifacts)
    document = artifact_set.encode(heartbeat.artifacts)
    assert artifact_set.decode(document) == heartbeat.artifacts
    assert b"\\u0000" not in document
    objects = [entry for name in ARRAYS if isinstance(artifacts.get(name), list) for entry in artifacts[name]]
    assert heartbeat.artifacts.count <= len(objects) + 1
    if any(isinstance(entry, dict) for entry in objects):
        assert not heartbeat.artifacts.is_empty


def test_one_odd_entry_leaves_the_others_as_they_are() -> None:
    good = {"name": "a", "type": "HTTPEndpoint", "state": "enabled"}
    heartbeat = full(artifacts={"endpoints": [good, {"name": {"x": 1}, "state": 5, "attributes": "no"}, 9]})
    alone = full(artifacts={"endpoints": [good]})
    assert alone.artifacts.artifacts[0] in heartbeat.artifacts.artifacts
    assert heartbeat.artifacts.count == 2
    assert {flag.split(": ")[0] for flag in heartbeat.flags} == {
        "artifacts.endpoints[]",
        "artifacts.endpoints[].name",
        "artifacts.endpoints[].state",
        "artifacts.endpoints[].attributes",
    }


@pytest.mark.parametrize(
    ("members", "field", "expected"),
    [
        ({"timestamp": [1_790_000_000, 0.25]}, "sent_at", 1_790_000_000.25),
        ({"timestamp": 1_790_000_000}, "sent_at", 1_790_000_000.0),
        ({"timestamp": [1, 2, 3]}, "sent_at", None),
        ({"timestamp": []}, "sent_at", None),
        ({"timestamp": [True, 0]}, "sent_at", None),
        ({"timestamp": "2026-01-01"}, "sent_at", None),
        ({"timestamp": [1e300, 0]}, "sent_at", None),
        ({"heartbeatIntervalSeconds": 2.5}, "interval_s", 2.5),
        ({"heartbeatIntervalSeconds": 0}, "interval_s", None),
        ({"heartbeatIntervalSeconds": -1}, "interval_s", None),
        ({"heartbeatIntervalSeconds": 86_401}, "interval_s", None),
        ({"heartbeatIntervalSeconds": True}, "interval_s", None),
        ({"runtime": ""}, "runtime_name", None),
        ({"logLevels": None}, "log_levels", None),
        ({"logLevels": {}}, "log_levels", {}),
        ({"logLevels": {"a": "INFO", "b": None, "c": 35}}, "log_levels", {"a": "INFO", "c": "35"}),
        ({"openApiDefinitions": []}, "open_api_definitions", None),
        ({"capabilities": ["b", "a", "b", None, 5]}, "capabilities", ("5", "a", "b")),
    ],
)
def test_optional_members_are_read_or_ignored(members: dict[str, Any], field: str, expected: object) -> None:
    assert getattr(full(**members), field) == expected


def test_ignoring_is_flagged_and_absence_is_not() -> None:
    assert full().flags == ()
    for member in OPTIONAL:
        if member not in {"heartbeatVersion", "status"}:
            assert full(**{member: True}).flags, member


def test_of_duplicate_members_the_last_counts() -> None:
    body = json.dumps(MINIMAL)[:-1] + ',"runtimeHash":"later","artifacts":{"apis":[{"name":"a"}]}}'
    heartbeat = wire.decode_full(body.encode())
    assert (heartbeat.runtime_hash, heartbeat.artifacts.count) == ("later", 1)


def test_of_two_entries_with_one_name_the_last_counts() -> None:
    heartbeat = full(artifacts={"tasks": [{"name": "t", "state": "enabled"}, {"name": "t", "state": "disabled"}]})
    assert [task.state.value for task in heartbeat.artifacts.all(Task)] == ["disabled"]
    assert heartbeat.flags[-1] == "artifacts: several of one name, the last one counts"


@pytest.mark.parametrize("is_reversed", [True, False])
def test_of_two_names_for_one_thing_the_first_counts_and_null_is_no_name(is_reversed: bool) -> None:
    task = {"name": "t", "state": "enabled", "status": "disabled", "carbonApp": None, "compositeApp": "car"}
    members = dict(reversed(task.items())) if is_reversed else task
    (kept,) = full(artifacts={"tasks": [members]}).artifacts.all(Task)
    assert (kept.state.value, kept.carbon_app) == ("enabled", "car")


def test_a_main_beside_services_is_not_an_automation() -> None:
    main = {"packageOrg": "o", "packageName": "n", "packageVersion": "1"}
    assert full(artifacts={"main": main}).artifacts.automation is not None
    assert full(artifacts={"main": main, "services": [{"name": "s", "package": "p"}]}).artifacts.automation is None


@pytest.mark.parametrize("methods", ["get, POST", ["post", "GET"], "POST,,GET,GET", [{"name": "Get"}, "pOST"]])
def test_methods_have_one_form_however_they_are_written(methods: object) -> None:
    services = [{"name": "s", "package": "p", "resources": [{"url": "/", "methods": methods}]}]
    assert full(artifacts={"services": services}).artifacts.services[0].resources[0].methods == ("GET", "POST")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_order_on_the_wire_does_not_change_the_digest(data: st.DataObject) -> None:
    def shuffled(entries: list[Any]) -> list[Any]:
        return data.draw(st.permutations(entries))

    def artifacts() -> dict[str, Any]:
        resources = [{"url": f"/{n}", "methods": shuffled(["GET", "POST"])} for n in range(3)]
        services = [
            {
                "name": f"s{n}",
                "package": "p",
                "listeners": shuffled([{"name": "a"}, {"name": "b"}]),
                "resources": shuffled(resources),
            }
            for n in range(3)
        ]
        apis = [{"name": "a", "urls": shuffled(["x", "y"]), "type": "API"}, {"name": "b"}]
        return dict(shuffled([("services", shuffled(services)), ("apis", shuffled(apis))]))

    one, other = (artifact_set.encode(full(artifacts=artifacts()).artifacts) for _ in range(2))
    assert one == other


# ---------------------------------------------------------------- characters and numbers


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [
        ("a\\u0000b", "ab"),
        ("\\u0000\\u0000", None),
        ("a\\\\u0000b", "a\\u0000b"),
        ("a\\\\\\u0000b", "a\\b"),
        ("\\\\\\\\u0000", "\\\\u0000"),
    ],
)
def test_nul_characters_are_removed_and_what_only_looks_like_one_is_not(escaped: str, expected: str | None) -> None:
    assert full_of_text(runtime=f'"{escaped}"').runtime_name == expected


@given(text=st.text(st.sampled_from('\\u0"\0a\n'), max_size=12))
def test_nothing_but_nul_characters_is_removed(text: str) -> None:
    assert (full(runtime=text).runtime_name or "") == text.replace("\0", "")


@given(text=st.text(st.sampled_from("\\u0\0a"), max_size=12))
def test_no_nul_character_hides_in_what_is_kept_raw(text: str) -> None:
    raw = full(openApiDefinitions={text: text}).open_api_definitions
    assert raw is not None
    clean = text.replace("\0", "")
    assert json.loads(bytes(raw)) == {clean: clean}


@pytest.mark.parametrize("escaped", ["a\\ud800", "\\udc00a", "\\ud800\\ud800", "\\ud83dx\\ude00"])
@pytest.mark.parametrize("member", ["runtime", "future", "openApiDefinitions"])
def test_a_lone_surrogate_is_replaced_and_the_rest_counts(escaped: str, member: str) -> None:
    literal = f'{{"x":"{escaped}"}}' if member == "openApiDefinitions" else f'"{escaped}"'
    heartbeat = full_of_text(**{member: literal})
    assert heartbeat.runtime_id == "r-1"
    heartbeat_text = f"{heartbeat.runtime_name}{bytes(heartbeat.open_api_definitions or msgspec.Raw(b''))!r}"
    assert ("?" in heartbeat_text) == (member != "future")
    assert not any("\ud800" <= character <= "\udfff" for character in heartbeat_text)


@pytest.mark.parametrize("number", ["1e400", "-1e999", "9" * 400, "1" + "0" * 5000])
@pytest.mark.parametrize("place", ["artifacts", "heartbeatIntervalSeconds", "nodeInfo", "future"])
def test_a_number_beyond_every_range_is_ignored_and_the_rest_counts(number: str, place: str) -> None:
    listener = f'{{"listeners":[{{"name":"l","package":"p","port":{number}}}]}}'
    literal = {"artifacts": listener, "nodeInfo": f'{{"processId":{number},"osName":"Linux"}}'}.get(place, number)
    heartbeat = full_of_text(**{place: literal})
    assert heartbeat.artifacts.count == (1 if place == "artifacts" else 0)
    assert heartbeat.node.os_name == ("Linux" if place == "nodeInfo" else None)
    assert (heartbeat.interval_s, heartbeat.node.process_id) == (None, None)


@given(
    port=st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.text(string.digits + "-. ", max_size=25)
)
def test_whole_numbers_are_such_as_every_database_holds(port: object) -> None:
    kept = full(artifacts={"listeners": [{"name": "l", "package": "p", "port": port}]}).artifacts.listeners[0].port
    assert kept is None or (type(kept) is int and abs(kept) < 2**63)
    if isinstance(port, int) and not isinstance(port, bool) and abs(port) < 2**63:
        assert kept == port


@given(length=st.integers(0, 300), character=st.sampled_from("aé日😀"))
def test_texts_are_cut_at_their_limit_in_characters(length: int, character: str) -> None:
    text = character * length
    assert (full(runtime=text).runtime_name or "") == text[: TEXT_CHARS_MAX["runtime"]]
    assert (
        full(artifacts={"apis": [{"name": f"n{text}"}]}).artifacts.artifacts[0].name == f"n{text}"[:TEXT_CHARS_MAX_ELSE]
    )


# ---------------------------------------------------------------- limits


def test_ten_thousand_artifacts_are_taken() -> None:
    services = [{"name": f"s{n}", "package": "p", "resources": [{"url": "/"}]} for n in range(10_000)]
    assert full(artifacts={"services": services}).artifacts.count == 10_000


def test_too_many_entries_in_one_list_are_refused() -> None:
    body = json.dumps({**MINIMAL, "artifacts": {"apis": [{"name": "a"}] * (ENTRIES_MAX + 1)}}).encode()
    assert refusal_of(body) == ("TOO_MANY_ARTIFACTS", "artifacts.apis")
    assert full(artifacts={"apis": [{"name": "a"}] * ENTRIES_MAX}).artifacts.count == 1


@pytest.mark.parametrize("array", ["resources", "urls"])
def test_too_many_entries_in_a_list_inside_an_artifact_are_refused(array: str) -> None:
    body = json.dumps({**MINIMAL, "artifacts": {"apis": [{"name": "a", array: ["x"] * (ENTRIES_MAX + 1)}]}}).encode()
    assert refusal_of(body) == ("TOO_MANY_ARTIFACTS", f"artifacts.apis[].{array}")


def test_too_many_entries_over_all_lists_are_refused() -> None:
    apis = [{"name": str(n), "urls": ["x"] * (ENTRIES_MAX // 2)} for n in range(11)]
    body = json.dumps({**MINIMAL, "artifacts": {"apis": apis}}).encode()
    assert refusal_of(body)[0] == "TOO_MANY_ARTIFACTS"


def test_flags_are_few_whatever_is_wrong_with_how_many() -> None:
    entries = [{"state": 5, "type": {}, "attributes": [1, {}]} for _ in range(5_000)]
    heartbeat = full(artifacts={"endpoints": entries})
    assert heartbeat.artifacts.count == 5_000
    assert len(heartbeat.flags) < 10
    assert "artifacts.endpoints[].name: missing (5000 times)" in heartbeat.flags


def test_flags_never_quote_what_was_sent() -> None:
    secret = "do-not-show-me"
    heartbeat = full(
        runtime=[secret], nodeInfo={"osName": [secret]}, logLevels={secret * 40: [secret]}, tryItHost={secret: secret},
        artifacts={"apis": [{"name": secret * 50, "state": secret, secret: 1, "tracing": secret}], secret: []},
    )  # fmt: skip
    assert heartbeat.flags
    assert not any(secret in flag for flag in heartbeat.flags)


def test_too_many_loggers_and_capabilities_are_cut() -> None:
    heartbeat = full(
        logLevels={f"l{n}": "INFO" for n in range(LOGGERS_MAX + 5)},
        capabilities=[f"c{n}" for n in range(CAPABILITIES_MAX + 5)],
    )
    assert (len(heartbeat.log_levels or {}), len(heartbeat.capabilities)) == (LOGGERS_MAX, CAPABILITIES_MAX)
    assert len(heartbeat.flags) == 2


def test_a_raw_document_over_its_limit_is_dropped_and_flagged() -> None:
    heartbeat = full(workflowMetadata={"x": "y" * RAW_BYTES_MAX}, openApiDefinitions={"x": "y"})
    assert heartbeat.workflow_metadata is None
    assert heartbeat.open_api_definitions is not None
    assert len(heartbeat.flags) == 1


def test_artifacts_are_remembered_within_bounds_and_never_mixed_up() -> None:
    _read_remembered.cache_clear()
    for round_ in range(2):
        for number in range(REMEMBERED_MAX + 50):
            heartbeat = full(artifacts={"tasks": [{"name": f"t{number}", "state": 5}]})
            assert heartbeat.artifacts.artifacts[0].name == f"t{number}", round_
            assert "artifacts.tasks[].state: not a known state" in heartbeat.flags
    assert _read_remembered.cache_info().currsize == REMEMBERED_MAX
    full(artifacts={"tasks": [{"name": "t", "group": "g" * REMEMBERED_BYTES_MAX}]})
    assert _read_remembered.cache_info().misses == 2 * (REMEMBERED_MAX + 50)


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


ENTRIES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"name": one_of("a", "b", "c")},
    optional={
        "package": one_of("p", "q", None, 7),
        "state": one_of("enabled", "disabled", "odd", 5),
        "listeners": st.lists(one_of({"name": "l1"}, "l2", {}, None), max_size=2),
        "resources": st.lists(one_of({"methods": ["get"], "url": "/x"}, {"url": "/y"}, 3), max_size=2),
        "port": one_of(9090, "9091", "x", 2**70),
        "unheardOf": one_of("x", {}, 1e308),
    },
)
MEMBERS: st.SearchStrategy[Any] = st.dictionaries(
    one_of("services", "listeners", "tasks", "carbonApps", "compositeApps", "main", "others"),
    one_of(None, "x") | st.lists(ENTRIES | one_of(None, "named", {}, 5, []), max_size=3) | ENTRIES,
    max_size=4,
)
ODD_TEXTS = (
    '{"tasks":[{"name":"t","x":1e999}]}',
    '{"tasks":[{"name":"t"}],"x":"\\ud800"}',
    '{"tasks":[{"name":"t"},]}',
    "[]",
)


@given(MEMBERS)
def test_what_is_plain_is_read_as_anything_is(members: dict[str, Any]) -> None:
    document = msgspec.json.encode(members)
    for _ in range(2):  # the second time out of memory
        plain = read_plain(document)
        assert plain is None or (plain, ()) == read_anything(document)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_what_is_not_sound_is_not_plain(text: str) -> None:
    assert read_plain(text.encode()) is None


def test_of_what_is_reported_anew_only_the_entries_that_changed_are_read() -> None:
    def report(state: str) -> ArtifactSet | None:
        tasks = [{"name": f"task-{number}", "group": "g", "class": "c", "state": "enabled"} for number in range(9)]
        return read_plain(
            msgspec.json.encode({"tasks": [*tasks, {"name": "last", "group": "g", "class": "c", "state": state}]})
        )

    before = report("enabled")
    misses = _read_entry_remembered.cache_info().misses
    after = report("disabled")
    assert _read_entry_remembered.cache_info().misses == misses + 1
    assert before is not None
    assert after is not None
    assert [one for one in after.artifacts if one not in before.artifacts] == [
        one for one in after.artifacts if one.name == "last"
    ]


def test_every_kind_is_read_from_an_array_of_its_own() -> None:
    arrays = {name: [{"name": "x"}] for name in ARRAYS}
    kinds = {type(artifact) for artifact in full(artifacts=arrays).artifacts.artifacts}
    automation: set[type[Base]] = {kind for kind in KINDS if kind.__name__ == "Automation"}
    assert kinds | automation == set(KINDS)


# ---------------------------------------------------------------- answers


def test_every_acknowledgement_carries_the_same_fields_in_the_same_order() -> None:
    answers = [
        wire.acknowledged(False),
        wire.acknowledged(True),
        wire.acknowledged(True, [{"commandId": "c", "action": "STOP"}]),
        wire.acknowledged(False, (), 5),
        wire.ACKNOWLEDGED,
        wire.ACKNOWLEDGED_FULL_REQUIRED,
    ]
    for answer in map(json.loads, answers):
        assert answer["supportedHeartbeatFields"] == ["tryItHost", "openApiDefinitions", "workflowMetadata"]
        assert answer["acknowledged"] is True
        assert type(answer["fullHeartbeatRequired"]) is bool
        assert type(answer["commands"]) is list
        assert None not in answer.values()


def test_the_two_common_answers_are_ready_made() -> None:
    assert wire.acknowledged(full_required=False) is wire.ACKNOWLEDGED
    assert wire.acknowledged(full_required=True) is wire.ACKNOWLEDGED_FULL_REQUIRED
    assert wire.ACKNOWLEDGED == (
        b'{"acknowledged":true,"fullHeartbeatRequired":false,"commands":[],'
        b'"supportedHeartbeatFields":["tryItHost","openApiDefinitions","workflowMetadata"]}'
    )
    assert json.loads(wire.ACKNOWLEDGED_FULL_REQUIRED) == json.loads(wire.ACKNOWLEDGED) | {
        "fullHeartbeatRequired": True
    }


def test_commands_and_cadence_are_carried() -> None:
    answer = json.loads(wire.acknowledged(True, [{"commandId": "c"}], 2))
    assert (answer["commands"], answer["nextHeartbeatInSeconds"]) == ([{"commandId": "c"}], 2)
    assert "nextHeartbeatInSeconds" not in json.loads(wire.acknowledged(True, [{"commandId": "c"}]))


def test_refusals_have_one_shape() -> None:
    assert json.loads(wire.refusal("CODE", "What.", "Do.")) == {
        "acknowledged": False, "error": True, "code": "CODE", "message": "What.", "fix": "Do.",
    }  # fmt: skip
    assert json.loads(wire.not_acknowledged(["x"])) == {"acknowledged": False, "commands": [], "errors": ["x"]}
    assert json.loads(wire.not_acknowledged(["x"], code="C", fix="f"))["code"] == "C"


def test_a_finite_number_stays_what_it_is() -> None:
    listener = {"name": "l", "package": "p", "timeout": math.pi}
    assert full(artifacts={"listeners": [listener]}).artifacts.listeners[0].timeout_s == math.pi
