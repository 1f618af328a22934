"""A secret's life, from both sides of the wire: expiry, rotation, revocation with and without grace."""

import json
import math
from datetime import UTC, datetime

import msgspec
import pytest
from pilothouse.access.grants import EVERYTHING
from pilothouse.access.permissions import GRANTABLE, Permission
from pilothouse.access.secrets import SecretReach
from pilothouse.app.people import local_subject
from pilothouse.base.clock import FakeClock
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.secrets import SecretState, expiry_notice
from pilothouse.operations import sealed_material
from pilothouse.protocol.keyring import Keyring
from pilothouse.storage import secrets
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio

DAY_S = 86_400
SHOWN = (
    "keyId state bound expiresAt revokedFrom revokedBy rotates rotatedBy lastUsedAt runtimeCount "
    "integration { handle } environment { handle }"
)
SECRET = f"query ($k: String!) {{ secret(keyId: $k) {{ {SHOWN} }} }}"
REVOKE = (
    "mutation ($k: String!, $g: Int) { revokeSecret(keyId: $k, graceSeconds: $g) { keyId runtimeCount effectiveAt } }"
)
RESTORE = f"mutation ($k: String!) {{ restoreSecret(keyId: $k) {{ {SHOWN} }} }}"
EXPIRE = f"mutation ($k: String!, $e: DateTime) {{ setSecretExpiry(keyId: $k, expiresAt: $e) {{ {SHOWN} }} }}"
ROTATE = (
    "mutation ($k: String!, $o: Int) { rotateSecret(keyId: $k, overlapSeconds: $o) "
    f"{{ generated {{ keyId secret configToml environment {{ handle }} }} old {{ {SHOWN} }} }} }}"
)
GENERATE = "mutation ($i: GenerateSecretInput!) { generateSecret(input: $i) { keyId secret } }"


def rfc3339(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def key_id_of(secret: str) -> str:
    return secret.partition(".")[0]


async def show(admin, secret: str) -> dict:
    return (await admin.ask(SECRET, k=key_id_of(secret)))["secret"]


async def refusal_of(admin, query: str, **variables: object) -> tuple[str, str | None]:
    answer = await admin.try_asking(query, **variables)
    extensions = answer["errors"][0]["extensions"]
    assert extensions["fix"]
    return extensions["code"], extensions.get("field")


async def both_beats(runtime) -> set[tuple[int, str | None]]:
    return {(status, body.get("code")) for status, body in (await runtime.full(), await runtime.delta())}


ACCEPTED = {(200, None)}


# expiry


async def test_an_expired_secret_is_refused_from_its_very_instant_on_with_cause_and_fix(admin, runtime, clock) -> None:
    await runtime.full()
    end = clock.now() + 60
    shown = (await admin.ask(EXPIRE, k=key_id_of(runtime.secret), e=rfc3339(end)))["setSecretExpiry"]
    assert (shown["state"], shown["expiresAt"]) == ("EXPIRING", rfc3339(end))
    clock.advance(59.999)
    assert await both_beats(runtime) == ACCEPTED
    clock.advance(0.001)
    status, body = await runtime.delta()
    assert (status, body["code"], body["acknowledged"]) == (400, "KEY_EXPIRED", False)
    assert rfc3339(end) in body["message"]
    assert body["fix"]
    assert await both_beats(runtime) == {(400, "KEY_EXPIRED")}
    assert (await show(admin, runtime.secret))["state"] == "EXPIRED"


async def test_moving_or_removing_the_expiry_brings_an_expired_secret_back(admin, runtime, clock) -> None:
    key_id = key_id_of(runtime.secret)
    await admin.ask(EXPIRE, k=key_id, e=rfc3339(clock.now() + 1))
    clock.advance(2)
    assert await both_beats(runtime) == {(400, "KEY_EXPIRED")}
    await admin.ask(EXPIRE, k=key_id, e=rfc3339(clock.now() + 1))
    assert await both_beats(runtime) == ACCEPTED
    clock.advance(2)
    assert await both_beats(runtime) == {(400, "KEY_EXPIRED")}
    assert (await admin.ask(EXPIRE, k=key_id, e=None))["setSecretExpiry"]["state"] == "ACTIVE"
    assert await both_beats(runtime) == ACCEPTED


async def test_a_secret_may_be_generated_with_its_end(admin, runtime, clock) -> None:
    wish = {"environment": "dev", "expiresAt": rfc3339(clock.now() + 8 * DAY_S)}
    runtime.secret = (await admin.ask(GENERATE, i=wish))["generateSecret"]["secret"]
    assert (await show(admin, runtime.secret))["state"] == "ACTIVE"
    clock.advance(DAY_S)
    await admin.sign_in()
    assert (await show(admin, runtime.secret))["state"] == "EXPIRING"
    assert await both_beats(runtime) == ACCEPTED
    clock.advance(7 * DAY_S)
    assert await both_beats(runtime) == {(400, "KEY_EXPIRED")}


@pytest.mark.parametrize("end", ["2020-01-01T00:00:00Z", "2030-01-01", "2030-01-01T00:00:00", "soon", "", 12, True])
async def test_an_end_that_is_no_instant_to_come_is_refused_and_changes_nothing(admin, runtime, end: object) -> None:
    assert await refusal_of(admin, EXPIRE, k=key_id_of(runtime.secret), e=end) == ("INVALID_INPUT", "expiresAt")
    wish = {"environment": "dev", "expiresAt": end}
    assert await refusal_of(admin, GENERATE, i=wish) == ("INVALID_INPUT", "expiresAt")
    assert (await show(admin, runtime.secret))["expiresAt"] is None
    assert (await admin.ask("{ secrets { totalCount } }"))["secrets"]["totalCount"] == 1


async def test_judging_the_end_of_a_secret_asks_no_database(admin, runtime, plane, clock) -> None:
    await admin.ask(EXPIRE, k=key_id_of(runtime.secret), e=rfc3339(clock.now() + 10))
    await runtime.full()
    await runtime.delta()
    statements: list[str] = []

    def count(_c, _cursor, statement: str, *_rest: object) -> None:
        statements.append(statement)

    for engine in (plane.store.reader_engine, plane.store.writer_engine):
        event.listen(engine, "before_cursor_execute", count)
    assert (await runtime.delta())[0] == 200
    clock.advance(10)
    assert (await runtime.delta())[1]["code"] == "KEY_EXPIRED"
    assert statements == []


# revocation


async def test_within_the_grace_period_beats_get_503_with_reason_and_instant_and_can_be_restored(
    admin, runtime, clock
) -> None:
    await runtime.full()
    revoked = (await admin.ask(REVOKE, k=key_id_of(runtime.secret), g=3600))["revokeSecret"]
    ends_at = rfc3339(clock.now() + 3600)
    assert revoked == {"keyId": key_id_of(runtime.secret), "runtimeCount": 1, "effectiveAt": ends_at}
    for status, body in (await runtime.full(), await runtime.delta()):
        assert (status, body["code"], body["acknowledged"], body["error"]) == (503, "KEY_REVOKING", False, True)
        assert ends_at in body["message"]
        assert body["fix"]
    shown = await show(admin, runtime.secret)
    assert (shown["state"], shown["revokedFrom"], shown["revokedBy"]) == ("REVOKING", ends_at, "admin")
    clock.advance(3599)
    restored = (await admin.ask(RESTORE, k=key_id_of(runtime.secret)))["restoreSecret"]
    assert (restored["state"], restored["revokedFrom"], restored["revokedBy"]) == ("ACTIVE", None, None)
    assert await both_beats(runtime) == ACCEPTED


async def test_a_grace_period_is_no_outage_of_ours_but_a_refusal_like_others(admin, runtime, plane) -> None:
    await admin.ask(REVOKE, k=key_id_of(runtime.secret), g=3600)
    await runtime.full()
    assert plane.figures.unavailable == 0
    assert plane.figures.refused["KEY_REVOKING"] == 1
    listed = (await admin.ask("{ refusals { code keyId runtimeName count } }"))["refusals"]
    assert listed == [
        {"code": "KEY_REVOKING", "keyId": key_id_of(runtime.secret), "runtimeName": "orders-node-1", "count": 1}
    ]


async def test_after_the_grace_period_it_is_revoked_for_good_whether_housekeeping_came_or_not(
    admin, runtime, plane, clock
) -> None:
    key_id = key_id_of(runtime.secret)
    await runtime.full()
    await admin.ask(REVOKE, k=key_id, g=60)
    clock.advance(60)
    assert await both_beats(runtime) == {(400, "KEY_REVOKED")}
    assert (await show(admin, runtime.secret))["state"] == "REVOKED"
    assert (await admin.ask("{ secrets { totalCount } }"))["secrets"]["totalCount"] == 0
    assert await refusal_of(admin, RESTORE, k=key_id) == ("CONFLICT", "keyId")
    assert await plane.store.write(lambda tx: sealed_material.destroy_revoked(tx, clock.now())) == 1
    assert await plane.store.write(lambda tx: sealed_material.destroy_revoked(tx, clock.now())) == 0
    row = await plane.store.read(lambda c: c.execute(text("select sealed_material, revoked_at from secrets")).one())
    assert (row.sealed_material, row.revoked_at) == (None, round(clock.now() * 1000))
    assert await both_beats(runtime) == {(400, "KEY_REVOKED")}
    assert (await show(admin, runtime.secret))["state"] == "REVOKED"


async def test_housekeeping_destroys_nothing_before_its_time(admin, runtime, plane, clock) -> None:
    await admin.ask(REVOKE, k=key_id_of(runtime.secret), g=60)
    clock.advance(59)
    assert await plane.store.write(lambda tx: sealed_material.destroy_revoked(tx, clock.now())) == 0
    await admin.ask(RESTORE, k=key_id_of(runtime.secret))
    clock.advance(DAY_S)
    assert await plane.store.write(lambda tx: sealed_material.destroy_revoked(tx, clock.now())) == 0
    assert await both_beats(runtime) == ACCEPTED


async def test_a_grace_period_can_be_cut_short(admin, runtime, plane, clock) -> None:
    key_id = key_id_of(runtime.secret)
    await admin.ask(REVOKE, k=key_id, g=3600)
    await admin.ask(REVOKE, k=key_id)
    assert await both_beats(runtime) == {(400, "KEY_REVOKED")}
    row = await plane.store.read(lambda c: c.execute(text("select sealed_material from secrets")).one())
    assert row.sealed_material is None
    assert await refusal_of(admin, REVOKE, k=key_id) == ("NOT_FOUND", "keyId")


@pytest.mark.parametrize("grace", [-1, 30 * DAY_S + 1])
async def test_a_grace_period_has_bounds(admin, runtime, grace: int) -> None:
    assert await refusal_of(admin, REVOKE, k=key_id_of(runtime.secret), g=grace) == ("INVALID_INPUT", "graceSeconds")
    assert (await show(admin, runtime.secret))["state"] == "ACTIVE"
    await admin.ask(REVOKE, k=key_id_of(runtime.secret), g=30 * DAY_S)


async def test_what_is_not_being_revoked_is_not_restored(admin, runtime) -> None:
    assert await refusal_of(admin, RESTORE, k=key_id_of(runtime.secret)) == ("CONFLICT", "keyId")
    assert await refusal_of(admin, RESTORE, k="0badcafe") == ("NOT_FOUND", "keyId")


async def test_a_secret_that_is_being_revoked_is_still_listed(admin, runtime) -> None:
    await admin.ask(REVOKE, k=key_id_of(runtime.secret), g=60)
    assert (await admin.ask("{ secrets { nodes { state } } }"))["secrets"]["nodes"] == [{"state": "REVOKING"}]


async def test_the_grace_period_outlives_a_restart(admin, runtime, plane, settings, clock) -> None:
    await runtime.full()
    await admin.ask(REVOKE, k=key_id_of(runtime.secret), g=60)
    again = Keyring(plane.store, plane.vault)
    key = await again.load(key_id_of(runtime.secret))
    assert key.usable_until == -math.inf


# rotation


async def test_rotation_gives_a_second_secret_for_the_same_place_and_both_work_until_the_overlap_ends(
    admin, runtime, clock
) -> None:
    await runtime.full()
    old = runtime.secret
    rotated = (await admin.ask(ROTATE, k=key_id_of(old), o=3600))["rotateSecret"]
    new = rotated["generated"]["secret"]
    assert f'secret = "{new}"' in rotated["generated"]["configToml"]
    assert 'project = "retail-core"\nintegration = "order-intake"' in rotated["generated"]["configToml"]
    assert rotated["old"]["expiresAt"] == rfc3339(clock.now() + 3600)
    assert (rotated["old"]["state"], rotated["old"]["rotatedBy"]) == ("EXPIRING", key_id_of(new))
    shown = await show(admin, new)
    assert (shown["rotates"], shown["bound"], shown["state"]) == (key_id_of(old), True, "ACTIVE")
    assert shown["integration"] == {"handle": "order-intake"}
    assert await both_beats(runtime) == ACCEPTED
    runtime.secret = new
    assert await both_beats(runtime) == ACCEPTED
    assert (await admin.ask("{ runtimes { totalCount } }"))["runtimes"]["totalCount"] == 1
    clock.advance(3600)
    assert await both_beats(runtime) == ACCEPTED
    runtime.secret = old
    assert await both_beats(runtime) == {(400, "KEY_EXPIRED")}


async def test_the_overlap_is_seven_days_unless_told_and_never_prolongs_the_old_ones_life(
    admin, runtime, clock
) -> None:
    await runtime.full()
    old = key_id_of(runtime.secret)
    await admin.ask(EXPIRE, k=old, e=rfc3339(clock.now() + 8 * DAY_S))
    rotated = (await admin.ask(ROTATE, k=old))["rotateSecret"]
    assert rotated["old"]["expiresAt"] == rfc3339(clock.now() + 7 * DAY_S)
    second = rotated["generated"]["keyId"]
    await admin.ask(EXPIRE, k=second, e=rfc3339(clock.now() + 60))
    shown = (await admin.ask(ROTATE, k=second, o=90 * DAY_S))["rotateSecret"]["old"]
    assert shown["expiresAt"] == rfc3339(clock.now() + 60)


async def test_an_unbound_secret_cannot_be_rotated_and_nothing_is_made(admin, runtime) -> None:
    assert await refusal_of(admin, ROTATE, k=key_id_of(runtime.secret)) == ("CONFLICT", "keyId")
    assert (await admin.ask("{ secrets { totalCount } }"))["secrets"]["totalCount"] == 1


async def test_a_secret_is_replaced_by_one_at_a_time_and_again_when_that_one_is_gone(admin, runtime) -> None:
    await runtime.full()
    old = key_id_of(runtime.secret)
    second = (await admin.ask(ROTATE, k=old))["rotateSecret"]["generated"]["keyId"]
    assert await refusal_of(admin, ROTATE, k=old) == ("CONFLICT", "keyId")
    await admin.ask(REVOKE, k=second)
    third = (await admin.ask(ROTATE, k=old))["rotateSecret"]["generated"]["keyId"]
    assert third != second


async def test_what_is_revoked_is_neither_rotated_nor_given_another_end(admin, runtime, clock) -> None:
    await runtime.full()
    key_id = key_id_of(runtime.secret)
    await admin.ask(REVOKE, k=key_id, g=60)
    assert await refusal_of(admin, ROTATE, k=key_id) == ("CONFLICT", "keyId")
    await admin.ask(REVOKE, k=key_id)
    assert await refusal_of(admin, ROTATE, k=key_id) == ("CONFLICT", "keyId")
    later = rfc3339(clock.now() + 60)
    assert await refusal_of(admin, EXPIRE, k=key_id, e=later) == ("CONFLICT", "keyId")


@pytest.mark.parametrize("overlap", [-1, 90 * DAY_S + 1])
async def test_an_overlap_has_bounds(admin, runtime, overlap: int) -> None:
    await runtime.full()
    found = await refusal_of(admin, ROTATE, k=key_id_of(runtime.secret), o=overlap)
    assert found == ("INVALID_INPUT", "overlapSeconds")


# what is shown


async def test_a_secret_lists_the_runtimes_that_stop_with_it_running_ones_first(admin, runtime, clock) -> None:
    query = (
        "query ($k: String!, $f: Int, $a: String) { secret(keyId: $k) { runtimes(first: $f, after: $a) "
        "{ totalCount sequence nodes { name status } pageInfo { endCursor hasNextPage } } } }"
    )
    for number, name in enumerate(["a-silent", "c-running", "b-running", "d-silent"]):
        runtime.runtime_id, runtime.name = f"6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a1{number}", name
        await runtime.full()
    clock.advance(120)
    for number in (1, 2):
        runtime.runtime_id = f"6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a1{number}"
        runtime.name = ["c-running", "b-running"][number - 1]
        await runtime.full()
    key_id = key_id_of(runtime.secret)
    first = (await admin.ask(query, k=key_id, f=3))["secret"]["runtimes"]
    assert [node["name"] for node in first["nodes"]] == ["b-running", "c-running", "a-silent"]
    assert [node["status"] for node in first["nodes"]] == ["RUNNING", "RUNNING", "OFFLINE"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (4, True)
    rest = (await admin.ask(query, k=key_id, f=3, a=first["pageInfo"]["endCursor"]))["secret"]["runtimes"]
    assert [node["name"] for node in rest["nodes"]] == ["d-silent"]
    assert rest["pageInfo"]["hasNextPage"] is False


async def test_the_runtimes_of_many_secrets_are_read_together(admin, runtime, plane) -> None:
    query = "{ secrets { nodes { keyId runtimes { nodes { runtimeId secretKeyId } } } } }"
    counts: list[int] = []
    statements: list[str] = []

    def count(_c, _cursor, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(plane.store.reader_engine, "before_cursor_execute", count)
    for number in range(6):
        runtime.secret = await admin.secret()
        runtime.runtime_id = f"6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a1{number}"
        runtime.integration = f"order-{number}"
        assert (await runtime.full())[0] == 200
        if number in (1, 5):
            statements.clear()
            nodes = (await admin.ask(query))["secrets"]["nodes"]
            counts.append(len(statements))
            assert sum(len(node["runtimes"]["nodes"]) for node in nodes) == number + 1
            for node in nodes:
                assert all(found["secretKeyId"] == node["keyId"] for found in node["runtimes"]["nodes"])
    assert counts[0] == counts[1]


async def test_a_secret_can_be_looked_up_when_it_is_revoked_and_is_null_when_there_was_none(admin, runtime) -> None:
    await admin.ask(REVOKE, k=key_id_of(runtime.secret))
    assert (await show(admin, runtime.secret))["state"] == "REVOKED"
    assert (await admin.ask(SECRET, k="0badcafe"))["secret"] is None


async def test_every_change_is_audited_and_told_without_the_material(admin, runtime, plane, clock) -> None:
    await runtime.full()
    old = key_id_of(runtime.secret)
    rotated = (await admin.ask(ROTATE, k=old))["rotateSecret"]["generated"]
    await admin.ask(EXPIRE, k=old, e=rfc3339(clock.now() + DAY_S))
    await admin.ask(REVOKE, k=old, g=60)
    await admin.ask(RESTORE, k=old)
    await admin.ask(REVOKE, k=old, g=60)
    clock.advance(60)
    await plane.store.write(lambda tx: sealed_material.destroy_revoked(tx, clock.now()))
    audited = await plane.store.read(lambda c: c.execute(text("select * from audit_records order by number")).all())
    assert [row.action for row in audited if row.target == old and row.action.startswith("secret.")] == [
        "secret.generate",
        "secret.rotate",
        "secret.set-expiry",
        "secret.revoke",
        "secret.restore",
        "secret.revoke",
        "secret.destroy",
    ]
    happened = await plane.store.read(lambda c: c.execute(text("select * from events order by sequence")).all())
    assert [row.kind for row in happened if row.key_id == old and row.kind.startswith("secret.")] == [
        "secret.generated",
        "secret.bound",
        "secret.rotated",
        "secret.changed",
        "secret.revoked",
        "secret.changed",
        "secret.revoked",
        "secret.changed",
    ]
    shown = json.dumps(
        [
            await show(admin, old),
            await show(admin, rotated["keyId"]),
            await admin.ask(f"{{ secrets {{ nodes {{ {SHOWN} }} }} refusals {{ message fix }} }}"),
        ]
    )
    for secret in (runtime.secret, rotated["secret"]):
        material = secret.partition(".")[2]
        assert material not in str(audited) + str(happened) + shown


async def test_the_material_is_nowhere_in_the_databases_files(admin, runtime, plane, settings) -> None:
    await runtime.full()
    new = (await admin.ask(ROTATE, k=key_id_of(runtime.secret)))["rotateSecret"]["generated"]["secret"]
    files = [path for path in settings.home.rglob("pilothouse.db*") if path.is_file()]
    assert any(path.name.endswith("-wal") for path in files)
    for path in files:
        content = path.read_bytes()
        for secret in (runtime.secret, new):
            assert secret.partition(".")[2].encode() not in content


async def test_who_may_not_manage_critical_environments_changes_no_secret_of_one(
    plane, admin, runtime, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    critical = await admin.secret("prod")
    fewer = GRANTABLE - {Permission.ENVIRONMENT_MGT_MANAGE}
    grant = msgspec.structs.replace(local_subject("").holdings.grants[0], permissions=fewer)
    monkeypatch.setattr("pilothouse.operations.access_book.access.list_grants", lambda _connection, _user: [grant])
    await plane.store.write(lambda tx: tx.emit(NewEvent(kind=EventKind.ACCESS_CHANGED, at=clock.now())))
    key_id, later = key_id_of(critical), rfc3339(clock.now() + 60)
    for query, variables in ((REVOKE, {}), (RESTORE, {}), (ROTATE, {}), (EXPIRE, {"e": later})):
        assert (await refusal_of(admin, query, k=key_id, **variables))[0] == "NOT_FOUND"
    row = await plane.store.read(lambda c: secrets.find_row(c, SecretReach(all=EVERYTHING), key_id))
    assert row.life.state_at(clock.now()) is SecretState.ACTIVE
    assert await show(admin, critical) is None
    await admin.ask(EXPIRE, k=key_id_of(runtime.secret), e=later)
    await admin.ask(REVOKE, k=key_id_of(runtime.secret))


# the warning that a runtime carries


def test_a_runtime_is_warned_from_seven_days_before_its_secrets_end_on() -> None:
    end = 1_790_000_000.0
    assert expiry_notice("1f3a9c02", None, end) is None
    assert expiry_notice("1f3a9c02", end, end - 7 * DAY_S - 0.001) is None
    soon, over = expiry_notice("1f3a9c02", end, end - 7 * DAY_S), expiry_notice("1f3a9c02", end, end)
    assert soon is not None
    assert over is not None
    assert (soon.code, over.code) == ("SECRET_EXPIRING", "SECRET_EXPIRED")
    for notice in (soon, over):
        assert "1f3a9c02" in notice.message
        assert rfc3339(end) in notice.message
        assert notice.fix
