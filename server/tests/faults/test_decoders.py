"""What reads bodies, with bodies near to real ones: goldens with one thing wrong, in every place and on every level."""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pilothouse.protocol.wire import BULKY_CHARS, decode_full

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT / "fuzz"))

from promises import delta_or_refused, full_or_refused, result_or_refused  # noqa: E402 - the folder is named above

EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
GOLDENS = [json.loads(path.read_bytes()) for path in sorted((ROOT / "contracts/heartbeat/v1").glob("*.json"))]
BODIES: list[dict[str, Any]] = [each["body"] for each in GOLDENS if isinstance(each.get("body"), dict)]
GOOD = [body for body in BODIES if "artifacts" in body and full_or_refused(json.dumps(body).encode()) is not None]
REQUIRED = {
    "runtimeId",
    "runtimeType",
    "runtimeHash",
    "environment",
    "project",
    "component",
    "artifacts",
    "heartbeatVersion",
}
RESULT = {"runtimeId": "r-1", "commandId": "c-1", "status": "COMPLETED", "httpStatus": 200, "body": {"loggers": []}}

ODD_LITERALS = (
    "null", "true", "0", "-0", "-1", "1.0", "1e3", "1e308", "1e999", "-1e999", "9" * 30, "9" * 400, "9" * 5_000,
    "1." + "9" * 400, '""', '"x"', '"' + "y" * 3_000 + '"', '"\\u0000"', '"a\\\\u0000"', '"\\ud800"', '"\\udc00\\ud800"',
    '"\\ud83d\\ude00"', '"\\u2028"', '"\u65e5\u672c"', "[]", "{}", "[[]]", "[{}]", "[null]", '{"":""}', '{"name":[]}',
    '["a",1,null,{"name":"b"}]', "[1790000000,0.254]", "[-1,2]", "[1e400,0]", "[" + "9" * 400 + ",0]", "[" * 60 + "]" * 60,
)  # fmt: skip
"""JSON texts, since not all of them can be written by a JSON library."""
PLACEHOLDER = "@@odd@@"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, each in inner for place in places(each, (*path, key)))]


def with_odd(document: Any, place: tuple[Any, ...], literal: str) -> bytes:
    """A document with something else in one place."""
    changed = json.loads(json.dumps(document))
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = PLACEHOLDER
    return json.dumps(changed, ensure_ascii=False).replace(f'"{PLACEHOLDER}"', literal).encode()


@EXAMPLES
@given(data=st.data())
def test_a_golden_heartbeat_with_one_odd_value_is_kept_or_refused_and_refused_only_for_what_is_required(
    data: st.DataObject,
) -> None:
    body = data.draw(st.sampled_from(GOOD))
    place = data.draw(st.sampled_from(places(body)))
    told = with_odd(body, place, data.draw(st.sampled_from(ODD_LITERALS)))
    heartbeat = full_or_refused(told)
    delta_or_refused(told)
    assert heartbeat is not None or place[0] in REQUIRED
    if len(place) > 1 and place[0] == "artifacts":
        assert heartbeat is not None


@EXAMPLES
@given(data=st.data())
def test_a_golden_heartbeat_that_was_damaged_on_its_way_is_kept_or_refused(data: st.DataObject) -> None:
    whole = json.dumps(data.draw(st.sampled_from(BODIES))).encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    damaged = (
        whole[:start]
        + data.draw(st.binary(max_size=8) | st.sampled_from([b'"', b"\\", b"}", b",", b"\0"]))
        + whole[end:]
    )
    full_or_refused(damaged)
    delta_or_refused(damaged)
    result_or_refused(damaged)


@EXAMPLES
@given(data=st.data())
def test_a_member_that_comes_twice_counts_as_it_came_last(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(GOOD))
    name = data.draw(st.sampled_from(sorted(set(body) - {"artifacts"})))
    literal = data.draw(st.sampled_from(ODD_LITERALS))
    twice = b'{"%s":%s,%s' % (name.encode(), literal.encode(), json.dumps(body).encode()[1:])
    heartbeat = full_or_refused(twice)
    assert heartbeat == decode_full(json.dumps(body).encode())


@EXAMPLES
@given(data=st.data())
def test_a_result_with_one_odd_value_is_taken_or_refused(data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(places(RESULT)))
    literal = data.draw(st.sampled_from(ODD_LITERALS))
    result_or_refused(with_odd(RESULT, place, literal))


@pytest.mark.parametrize("literal", ["null", "200"])
def test_a_result_that_says_nothing_of_an_optional_member_is_taken(literal: str) -> None:
    from pilothouse.protocol.wire_commands import decode_result

    assert decode_result(with_odd(RESULT, ("httpStatus",), literal)).http_status == 200


def test_half_a_character_in_an_answer_is_replaced_and_the_answer_is_taken() -> None:
    from pilothouse.protocol.wire_commands import decode_result

    taken = decode_result(with_odd(RESULT, ("body",), '{"message":"a\\ud800","other":"\\\\ud800 \\ud83d\\ude00"}'))
    assert json.loads(bytes(taken.body)) == {"message": "a?", "other": "\\ud800 \U0001f600"}


@pytest.mark.parametrize("body", GOOD, ids=lambda body: str(body["runtimeId"])[:12])
def test_a_bulky_heartbeat_is_read_like_a_small_one(body: dict[str, Any]) -> None:
    small = json.dumps(body).encode()
    bulky = small[:-1] + b',"x":"' + b"y" * BULKY_CHARS + b'"}'
    assert decode_full(bulky) == decode_full(small)


def test_of_a_bulky_heartbeat_what_nobody_keeps_is_left_out_and_flagged() -> None:
    body = {**GOOD[0], "nodeInfo": {"osName": "Linux", "x": [[]] * 600_000}, "capabilities": ["START"]}
    heartbeat = decode_full(json.dumps(body).encode())
    assert heartbeat.node.os_name is None
    assert heartbeat.capabilities == ("START",)
    assert "nodeInfo: too large, ignored" in heartbeat.flags
    assert msgspec.json.encode(heartbeat.artifacts) == msgspec.json.encode(
        decode_full(json.dumps(GOOD[0]).encode()).artifacts
    )
