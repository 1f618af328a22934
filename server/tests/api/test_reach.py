"""How far people reach over the API, and the trace that a refused change leaves."""

import sys
from pathlib import Path

import pytest
from pilothouse.access.attempts import RECORDED_MAX, SUBJECTS_MAX, WINDOW_S, RefusedAttempts
from pilothouse.api.graphql.guard import ACTIONS, action_of, told_of
from pilothouse.api.graphql.schema import load_schema
from pilothouse.app import bundled
from pilothouse.base.errors import StorageUnavailable

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

CREATE = 'mutation ($n: String!) { createUser(input: {username: $n, displayName: "X", password: "one two three four"}) { user { id } } }'


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def refusals(staff: Staff) -> list[dict]:
    return [row for row in await staff.audit() if row["outcome"] == "refused" and row["action"] != "session.open"]


@pytest.mark.anyio
async def test_a_refused_change_leaves_a_trace_with_the_permission_and_without_secrets(staff, admin) -> None:
    await staff.user("anna", await staff.built_in("groups", "Developers"))
    async with staff.signed_in("anna") as anna:
        assert (await staff.refusal(anna, CREATE, n="eve"))[0] == "NOT_PERMITTED"
    (record,) = await refusals(staff)
    assert (record["actor"], record["action"]) == ("user:anna", "user.create")
    assert record["target"] == "username=eve, display_name=X"
    assert "user_mgt:manage_users" in record["detail"]
    assert "three" not in str(record)
    assert record["via"] == "session"


@pytest.mark.anyio
async def test_a_change_that_the_operation_refuses_leaves_a_trace_and_nothing_else(staff, admin) -> None:
    await staff.user("anna", await staff.built_in("groups", "Developers"))
    make = 'mutation { createEnvironment(input: {displayName: "Live", critical: true}) { handle } }'
    async with staff.signed_in("anna") as anna:
        assert (await staff.refusal(anna, make))[0] == "NOT_PERMITTED"
        assert (await staff.refusal(anna, 'mutation { createProject(input: {displayName: ""}) { handle } }'))[
            0
        ] != "DONE"
    (record, *_) = await refusals(staff)
    assert (record["action"], record["target"]) == ("environment.create", "display_name=Live")
    assert "environment_mgt:manage" in record["detail"]
    found = await admin.ask("{ environments { nodes { handle } } }")
    assert "live" not in [node["handle"] for node in found["environments"]["nodes"]]


@pytest.mark.anyio
async def test_a_read_that_is_refused_and_a_change_that_fails_otherwise_leave_none(staff, admin) -> None:
    await staff.user("anna")
    async with staff.signed_in("anna") as anna:
        assert (await staff.refusal(anna, "{ users { totalCount } }"))[0] == "NOT_PERMITTED"
    assert (await staff.refusal(admin, CREATE, n="a b"))[0] == "INVALID_INPUT"
    assert await refusals(staff) == []


@pytest.mark.anyio
async def test_who_reaches_for_what_they_do_not_see_leaves_a_trace_and_a_mistake_of_who_sees_all_does_not(
    staff, admin
) -> None:
    for name in ("Shop", "Bank"):
        await admin.ask("mutation ($n: String!) { createProject(input: {displayName: $n}) { handle } }", n=name)
    await staff.holder("anna", "PROJECT_MGT_MANAGE", project="shop")
    delete = "mutation ($h: String!) { deleteProject(handle: $h) { __typename } }"
    async with staff.signed_in("anna") as anna:
        assert (await staff.refusal(anna, delete, h="bank"))[0] == "NOT_FOUND"
    assert (await staff.refusal(admin, delete, h="banc"))[0] == "NOT_FOUND"
    (record,) = await refusals(staff)
    assert (record["actor"], record["action"], record["target"]) == ("user:anna", "project.delete", "handle=bank")


@pytest.mark.anyio
async def test_a_flood_is_recorded_in_part_and_counted_in_the_next_record(staff, admin, clock) -> None:
    await staff.user("anna")
    async with staff.signed_in("anna") as anna:
        for _ in range(RECORDED_MAX + 7):
            assert (await staff.refusal(anna, CREATE, n="eve"))[0] == "NOT_PERMITTED"
        assert len(await refusals(staff)) == RECORDED_MAX
        clock.advance(WINDOW_S)
        assert (await staff.refusal(anna, CREATE, n="eve"))[0] == "NOT_PERMITTED"
    records = await refusals(staff)
    assert len(records) == RECORDED_MAX + 1
    assert "7 more attempts" in records[-1]["detail"]
    assert "more attempts" not in records[-2]["detail"]


@pytest.mark.anyio
async def test_many_refused_changes_of_one_request_count_each(staff, admin) -> None:
    await staff.user("anna")
    many = " ".join(f'd{number}: unlockUser(id: "{number}")' for number in range(RECORDED_MAX + 5))
    async with staff.signed_in("anna") as anna:
        answer = await anna.try_asking(f"mutation {{ {many} }}")
    assert answer["errors"]
    assert 1 <= len(await refusals(staff)) <= RECORDED_MAX


@pytest.mark.anyio
async def test_the_refusal_stands_when_it_cannot_be_recorded(staff, admin, monkeypatch: pytest.MonkeyPatch) -> None:
    await staff.user("anna")
    async with staff.signed_in("anna") as anna:

        async def fail(_operation: object) -> None:
            raise StorageUnavailable

        monkeypatch.setattr(staff.plane.store, "write", fail)
        assert (await staff.refusal(anna, CREATE, n="eve"))[0] == "NOT_PERMITTED"


def test_every_change_has_an_action_of_thing_and_verb() -> None:
    schema = load_schema(bundled.schema_path())
    assert schema.mutation_type
    for name in schema.mutation_type.fields:
        thing, _, verb = action_of(name).partition(".")
        assert thing, name
        assert verb, name
        assert action_of(name).islower()
        assert len(action_of(name)) <= 60
    assert set(ACTIONS) <= set(schema.mutation_type.fields)
    assert action_of("deleteSsoGroupMapping") == "sso-group-mapping.delete"


def test_only_handles_and_ids_are_told() -> None:
    told = told_of({"input": {"password": "p", "material": "m", "username": "u" * 99, "groups": list("abcdefg")}})
    assert told == f"username={'u' * 60}, groups=a b c d e"
    assert told_of({"id": None, "secret": "s", "value": "v"}) == ""
    assert len(told_of(dict.fromkeys(("id", "handle", "user", "group", "role", "project"), "x" * 99))) == 200


def test_attempts_are_counted_by_subject_and_few_are_remembered() -> None:
    attempts = RefusedAttempts()
    assert [attempts.note("a", 0.0) for _ in range(RECORDED_MAX + 2)] == [0] * RECORDED_MAX + [None, None]
    assert attempts.note("b", 0.0) == 0
    assert attempts.note("a", WINDOW_S) == 2
    assert attempts.note("a", 0.0) == 0  # the clock was set back
    for number in range(SUBJECTS_MAX + 5):
        attempts.note(f"s{number}", 1.0)
    assert len(attempts._seen) == SUBJECTS_MAX
