"""The audit as people read it: filters, pages, the check, and the export."""

import asyncio
import datetime as dt
import json

import pytest
from pilothouse.access.grants import EVERYTHING, Place, Reach
from pilothouse.domain.audit import AuditRecord, Outcome
from pilothouse.operations import auditing
from pilothouse.operations.auditing import audit_scope
from pilothouse.storage import audit, audit_rows
from pilothouse.storage.audit_rows import AuditScope
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio
NOW = 1_790_000_000.0
LIST = (
    "query ($filter: AuditFilter, $first: Int, $after: String) { auditRecords(filter: $filter, first: $first, after: $after)"
    " { totalCount pageInfo { hasNextPage endCursor } nodes { number at actor actorId via credentialId action target outcome"
    " address detail before after digest } } }"
)
CHECK = "{ auditCheck { intact checked brokenAt message from } }"


def record(target: str, at: float = NOW, **more: object) -> AuditRecord:
    values = {"organization_id": "o", "actor": "user:ann", "via": "session", "action": "test.done", **more}
    return AuditRecord(at=at, target=target, **values)


async def put(plane, *records: AuditRecord) -> None:
    await plane.store.write(lambda tx: [audit.append(tx.connection, one) for one in records])


async def listed(admin, **wanted: object) -> list[str]:
    found = (await admin.ask(LIST, filter=wanted))["auditRecords"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["target"] for node in found["nodes"]]


async def test_who_did_what_from_where_and_by_what_is_told(admin, plane) -> None:
    await admin.ask('mutation { createProject(input: {displayName: "Retail Core"}) { handle } }')
    found = (await admin.ask(LIST, filter={"action": "project.create"}))["auditRecords"]["nodes"][0]
    assert (found["actor"], found["via"], found["target"], found["outcome"]) == (
        "user:admin", "session", "retail-core", "DONE"
    )  # fmt: skip
    assert (found["address"], found["at"]) == ("127.0.0.1", "2026-09-21T14:13:20.000Z")
    sessions = await plane.store.read(lambda c: c.exec_driver_sql("SELECT id, user_id FROM sessions").all())
    assert [(found["credentialId"], found["actorId"])] == [tuple(row) for row in sessions]


async def test_records_are_filtered_by_every_field(admin, plane) -> None:
    await put(
        plane,
        record("one", NOW - 50, actor="user:bob"),
        record("two", NOW - 40, action="test.undone", outcome=Outcome.REFUSED),
        record("three", NOW - 30, detail="50% of Grün_er"),
        record("four", NOW - 20, action="testing.done"),
    )
    assert await listed(admin, actor="user:bob") == ["one"]
    assert await listed(admin, action="test.") == ["three", "two", "one"]
    assert await listed(admin, action="test.done") == ["three", "one"]
    assert await listed(admin, outcome="REFUSED") == ["two"]
    assert await listed(admin, search="50% OF") == ["three"]
    assert await listed(admin, search="_") == ["three"]
    since = dt.datetime.fromtimestamp(NOW - 40, dt.UTC).isoformat()
    until = dt.datetime.fromtimestamp(NOW - 20, dt.UTC).isoformat()
    assert await listed(admin, **{"from": since, "to": until}) == ["three", "two"]


async def test_what_happened_to_something_that_is_gone_is_found_by_its_name(admin, plane) -> None:
    await put(
        plane,
        record("shop", action="project.create", project_id="gone"),
        record("shop/till", action="integration.create"),
        record("shop/till in dev", action="desired.change"),
        record("shop/tiller", action="integration.create"),
        record("shopping", action="project.create"),
        record("shop", action="user.create"),
        record("test-1", action="environment.create"),
    )
    assert await listed(admin, project="shop") == ["shop/tiller", "shop/till in dev", "shop/till", "shop"]
    assert await listed(admin, project="shop", integration="till") == ["shop/till in dev", "shop/till"]
    assert await listed(admin, environment="test-1") == ["test-1"]


async def test_what_exists_is_found_by_its_id_under_whatever_target(admin, plane) -> None:
    await admin.ask('mutation { createProject(input: {displayName: "Shop"}) { handle } }')
    id_ = await plane.store.read(lambda c: c.exec_driver_sql("SELECT id FROM projects").scalar_one())
    await put(plane, record("anything", project_id=id_), record("else", project_id="another"))
    found = await listed(admin, project="shop")
    assert {"anything", "shop"} <= set(found)
    assert "else" not in found


@pytest.mark.parametrize(
    ("wanted", "field"),
    [({"from": "yesterday"}, "from"), ({"to": "2026-01-01"}, "to"), ({"integration": "x"}, "project"), ({"actor": "x" * 201}, "actor")],
)  # fmt: skip
async def test_a_filter_that_makes_no_sense_says_which(admin, wanted: dict[str, str], field: str) -> None:
    error = (await admin.try_asking(LIST, filter=wanted))["errors"][0]["extensions"]
    assert (error["code"], error["field"], bool(error["fix"])) == ("INVALID_INPUT", field, True)


async def test_pages_go_on_where_they_stopped_while_records_come_in(admin, plane) -> None:
    await put(plane, *(record(f"r{number}", actor="user:bob") for number in range(7)))
    seen, after = list[str](), None
    for _ in range(3):
        page = (await admin.ask(LIST, filter={"actor": "user:bob"}, first=3, after=after))["auditRecords"]
        seen += [node["target"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        await put(plane, record("new", actor="user:bob"))
    assert seen == [f"r{number}" for number in range(6, -1, -1)]
    assert page["pageInfo"]["hasNextPage"] is False


async def test_a_page_costs_the_same_statements_however_long_it_is(admin, plane) -> None:
    await put(plane, *(record(str(number)) for number in range(60)))
    counts = list[int]()
    await admin.ask(LIST)  # what is held is read once
    for first in (1, 60):
        statements = list[str]()
        listen = lambda *arguments: statements.append(arguments[2])  # noqa: B023, E731
        event.listen(plane.store.reader_engine, "before_cursor_execute", listen)
        await admin.ask(LIST, first=first)
        event.remove(plane.store.reader_engine, "before_cursor_execute", listen)
        counts.append(len(statements))
    assert counts[0] == counts[1]


@pytest.mark.embedded
@pytest.mark.parametrize(
    ("scope", "plan"),
    [
        (AuditScope(), "SCAN audit_records"),
        (AuditScope(actor="user:bob"), "ix_audit_records_actor (actor=?)"),
        (AuditScope(action="project.create"), "ix_audit_records_action (action=?)"),
        (AuditScope(action="project."), "ix_audit_records_action (action>? AND action<?)"),
        (AuditScope(since=NOW, until=NOW + 9), "ix_audit_records_at (at>? AND at<?)"),
    ],
    ids=str,
)
async def test_filters_are_served_by_indexes(plane, scope: AuditScope, plan: str) -> None:
    def explain(connection) -> list[str]:
        plans = list[str]()

        def look(_connection, _cursor, statement, parameters, _context, _many) -> None:
            if "FROM audit_records" in statement and not statement.startswith("EXPLAIN"):
                raw = connection.connection.driver_connection
                plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

        event.listen(connection, "before_cursor_execute", look)
        audit_rows.list_rows(connection, EVERYTHING, scope, auditing_page())
        return plans

    plans = await plane.store.read(explain)
    assert plan in plans[0], plans
    if scope.since is None and not (scope.action or "").endswith("."):
        assert not any("TEMP B-TREE" in step for step in plans), plans


def auditing_page():
    from pilothouse.base.pages import page_request

    return page_request("auditRecords", 50, None)


async def test_an_auditor_of_one_project_sees_what_happened_there(plane) -> None:
    await put(plane, record("here", project_id="p1"), record("there", project_id="p2"), record("nowhere"))
    reach = Reach([Place(project_id="p1")])
    page = await plane.store.read(lambda c: audit_rows.list_rows(c, reach, AuditScope(), auditing_page()))
    assert [row.target for row in page.nodes] == ["here"]
    assert b"".join([part async for part in auditing.export(plane.store, reach, AuditScope())]).count(b"\n") == 1


async def test_the_check_tells_what_was_changed_behind_its_back(admin, plane) -> None:
    await put(plane, *(record(f"r{number}") for number in range(5)))
    before = (await admin.ask(CHECK))["auditCheck"]
    assert (before["intact"], before["brokenAt"], before["from"]) == (True, None, None)
    asked = text("SELECT number FROM audit_records WHERE target = 'r2'")
    number = await plane.store.read(lambda c: c.execute(asked).scalar_one())
    changed = text("UPDATE audit_records SET actor = 'user:eve' WHERE target = 'r2'")
    await plane.store.write(lambda tx: tx.connection.execute(changed))
    async with asyncio.timeout(10):
        while (after := (await admin.ask(CHECK))["auditCheck"])["intact"]:
            await asyncio.sleep(0.01)
    assert after["brokenAt"] == number
    assert str(number) in after["message"]


async def test_the_export_has_every_record_once_oldest_first_and_is_itself_recorded(admin, plane, monkeypatch) -> None:
    monkeypatch.setattr(auditing, "AT_ONCE", 3)
    await put(plane, *(record(f"r{number}", before='{"a":1}') for number in range(10)))
    answer = await admin.client.get("/audit/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert [line["target"] for line in lines if line["action"] == "test.done"] == [f"r{number}" for number in range(10)]
    assert lines[-2]["before"] == {"a": 1}
    assert (lines[-1]["action"], lines[-1]["detail"], lines[-1]["via"]) == ("audit.export", "all of it", "session")
    digests = (await admin.ask(LIST, first=500))["auditRecords"]["nodes"]
    assert {line["number"]: line["digest"] for line in lines} == {node["number"]: node["digest"] for node in digests}


async def test_the_export_is_filtered(admin, plane) -> None:
    await put(plane, record("one", NOW - 50), record("two", NOW - 40, outcome=Outcome.REFUSED), record("x", NOW - 30))
    since = dt.datetime.fromtimestamp(NOW - 45, dt.UTC).isoformat()
    answer = await admin.client.get("/audit/export", params={"from": since, "outcome": "refused", "action": "test."})
    assert [json.loads(line)["target"] for line in answer.text.splitlines()] == ["two"]
    for query, field in (("since=x", "since"), ("outcome=maybe", "outcome"), ("from=x", "from")):
        refused = await admin.client.get(f"/audit/export?{query}")
        assert (refused.status_code, refused.json()["field"]) == (400, field)


async def test_an_export_of_many_records_is_read_only_as_fast_as_it_is_taken(plane, monkeypatch) -> None:
    monkeypatch.setattr(auditing, "AT_ONCE", 10)
    await put(plane, *(record(str(number)) for number in range(200)))
    reads = 0
    original = audit_rows.list_after

    def counted(*arguments):
        nonlocal reads
        reads += 1
        return original(*arguments)

    monkeypatch.setattr(audit_rows, "list_after", counted)
    parts = auditing.export(plane.store, EVERYTHING, AuditScope())
    await anext(parts)
    await asyncio.sleep(0.05)
    assert reads == 1
    await parts.aclose()


def test_a_filter_in_words_of_the_command_line_is_the_same() -> None:
    assert audit_scope({"outcome": "REFUSED"}).outcome is Outcome.REFUSED


async def test_no_secret_password_or_token_ever_stands_in_the_audit(admin, plane, runtime) -> None:
    secrets = [runtime.secret, runtime.secret.partition(".")[2], "correct horse battery staple", "wrong password 1234"]
    assert (await runtime.full())[0] == 200
    await admin.sign_in(password="wrong password 1234")
    made = await admin.secret()
    key_id = made.partition(".")[0]
    rotated = await admin.ask(
        "mutation ($k: String!) { rotateSecret(keyId: $k) { generated { secret } } }",
        k=runtime.secret.partition(".")[0],
    )
    await admin.ask("mutation ($k: String!) { revokeSecret(keyId: $k, graceSeconds: 60) { keyId } }", k=key_id)
    await admin.ask("mutation ($k: String!) { restoreSecret(keyId: $k) { keyId } }", k=key_id)
    rotated_secret = rotated["rotateSecret"]["generated"]["secret"]
    secrets += [made.partition(".")[2], rotated_secret.partition(".")[2]]
    secrets += [cookie.value for cookie in admin.client.cookies.jar if cookie.value]
    await admin.client.get("/audit/export")
    rows = await plane.store.read(
        lambda c: [" ".join(map(str, row)) for row in c.execute(text("SELECT * FROM audit_records"))]
    )
    assert len(rows) > 8
    assert len(secrets) >= 7
    for secret in secrets:
        assert not any(secret in row for row in rows)


async def test_every_record_tells_through_what_it_was_done(admin, plane, runtime) -> None:
    assert (await runtime.full())[0] == 200
    await plane.tidy()
    nodes = (await admin.ask(LIST, first=500))["auditRecords"]["nodes"]
    for node in nodes:
        assert node["via"] in ("session", "token", "local", "heartbeat"), node
        if node["via"] == "session" and node["action"] != "session.open":
            assert node["credentialId"], node
            assert node["actorId"], node
            assert node["address"], node
