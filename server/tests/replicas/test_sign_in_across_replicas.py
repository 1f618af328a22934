"""Signing in where requests reach now this process and now that one: nobody guesses more often, and what begins here ends there."""

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pilothouse.app.user_stores import redirect_uri
from pilothouse.base.clock import FakeClock
from pilothouse.identity.throttle import FAILURES_ALLOWED
from pilothouse.operations.attempts import BELIEVED_S
from pilothouse.operations.devices import POLL_EVERY_S
from pilothouse.operations.sessions import OVERLAP_S
from sqlalchemy import event, func, select

sys.path.insert(0, str(Path(__file__).parent))

from pilothouse.storage.claim_tables import sign_in_attempts
from two_planes import Two, browser, sign_in, two_planes

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.xdist_group("postgresql"),
    pytest.mark.xdist_group("replicas"),
    pytest.mark.timeout(180),
]

UNLOCK = "mutation ($id: ID!) { unlockUser(id: $id) }"
DECIDE = "mutation ($code: String!, $allow: Boolean!) { decideDevice(userCode: $code, allow: $allow) { allowed } }"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(float(int(time.time())))


@pytest.fixture
async def two(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Two]:
    async with two_planes(tmp_path, clock) as opened:
        yield opened


async def ask(client: httpx.AsyncClient, query: str, **variables: object) -> dict:
    answer = (await client.post("/graphql", json={"query": query, "variables": variables})).json()
    assert "errors" not in answer, answer
    return answer["data"]


async def test_a_password_is_guessed_no_more_often_at_two_replicas_than_at_one(two: Two, clock: FakeClock) -> None:
    async with browser(two.one, "10.1.0.1") as here, browser(two.other, "10.1.0.2") as there:
        codes = [(await sign_in(client, "wrong")).status_code for client in (here, there) * FAILURES_ALLOWED]
        assert codes == [401] * FAILURES_ALLOWED + [429] * FAILURES_ALLOWED
        assert (await sign_in(there)).status_code == 429, "the right password does not tell itself by another answer"
        clock.advance(301)
        assert (await sign_in(there)).status_code == 200


async def test_who_signed_in_from_somewhere_is_not_kept_out_there_by_guesses_at_another_replica(two: Two) -> None:
    async with browser(two.one, "10.1.0.1") as home, browser(two.other, "10.1.0.1") as other_door:
        assert (await sign_in(home)).status_code == 200
        async with browser(two.one, "10.9.0.1") as stranger:
            codes = {(await sign_in(stranger, "wrong")).status_code for _ in range(FAILURES_ALLOWED + 1)}
            assert codes == {401, 429}
        assert (await sign_in(other_door)).status_code == 200


async def test_what_an_administrator_unlocks_here_opens_there(two: Two, clock: FakeClock) -> None:
    async with browser(two.one, "10.1.0.1") as admin, browser(two.other, "10.9.0.1") as locked:
        await sign_in(admin)
        for _ in range(FAILURES_ALLOWED + 1):
            code = (await sign_in(locked, "wrong")).status_code
        assert code == 429
        user = (await ask(admin, "{ viewer { id } }"))["viewer"]["id"]
        await ask(admin, UNLOCK, id=user)
        clock.advance(BELIEVED_S)
        assert (await sign_in(locked)).status_code == 200


async def test_a_flood_of_guesses_costs_no_transactions_once_it_is_refused(two: Two) -> None:
    async with browser(two.one, "10.9.0.1") as stranger:
        for _ in range(FAILURES_ALLOWED + 1):
            await sign_in(stranger, "wrong")
        written: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
            written.append(statement)

        event.listen(two.one.store.writer_engine, "before_cursor_execute", note)
        for _ in range(20):
            assert (await sign_in(stranger, "wrong")).status_code == 429
        event.remove(two.one.store.writer_engine, "before_cursor_execute", note)
        assert written == []


async def test_nothing_that_was_typed_as_a_name_is_readable_in_the_database(two: Two) -> None:
    async with browser(two.one) as stranger:
        await stranger.post("/auth/sign-in", json={"username": "my-secret-password", "password": "x"})
    rows = await two.one.store.read(lambda c: c.execute(select(sign_in_attempts)).all())
    assert len(rows) == 1
    assert "my-secret-password" not in str(rows)


async def test_a_session_of_one_replica_is_renewed_and_ended_at_another(two: Two, clock: FakeClock) -> None:
    async with browser(two.one) as here, browser(two.other) as there:
        await sign_in(here)
        old = dict(here.cookies)
        there.cookies.update(here.cookies)
        assert (await there.post("/auth/refresh")).status_code == 200
        # What was on its way with the old token is answered, wherever it arrives; for a moment.
        assert (await here.get("/auth/session")).status_code == 200
        clock.advance(OVERLAP_S + 1)
        assert (await here.get("/auth/session")).status_code == 401
        here.cookies.clear()
        here.cookies.update(there.cookies)
        assert (await here.get("/auth/session")).status_code == 200
        assert (await there.post("/auth/sign-out")).status_code == 204
        for cookies in (old, dict(here.cookies)):
            here.cookies.clear()
            here.cookies.update(cookies)
            assert (await here.get("/auth/session")).status_code == 401


async def test_a_command_line_that_waits_at_one_replica_is_let_in_at_another(two: Two, clock: FakeClock) -> None:
    async with browser(two.one) as line, browser(two.other) as admin, browser(two.other) as line_again:
        begun = (await line.post("/auth/device", json={"client": "ci"})).json()
        wanted = {"deviceCode": begun["deviceCode"]}
        assert (await line_again.post("/auth/device/token", json=wanted)).json()["code"] == "AUTHORIZATION_PENDING"
        assert (await line.post("/auth/device/token", json=wanted)).json()["code"] == "SLOW_DOWN"
        await sign_in(admin)
        assert (await ask(admin, DECIDE, code=begun["userCode"], allow=True))["decideDevice"]["allowed"]
        clock.advance(POLL_EVERY_S)
        tokens = (await line.post("/auth/device/token", json=wanted)).json()
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        answer = await line_again.post("/graphql", json={"query": "{ viewer { username } }"}, headers=headers)
        assert answer.json()["data"]["viewer"]["username"] == "admin"
        assert (await line_again.post("/auth/device/token", json=wanted)).json()["code"] == "DEVICE_EXPIRED"


async def test_who_was_sent_to_the_identity_provider_by_one_replica_comes_back_to_another_once(
    tmp_path: Path, clock: FakeClock
) -> None:
    from oidc_provider import CLIENT_SECRET, REDIRECT_URI, running_provider

    host = "pilothouse.example.com"
    with running_provider() as provider:
        settings = {
            "public_host": host,
            "console_port": 443,
            "oidc_issuer": provider.issuer,
            "oidc_client_id": provider.client_id,
            "oidc_client_secret": CLIENT_SECRET,
            "oidc_scopes": "openid profile email groups",
            "oidc_unknown_users": "allow",
        }
        async with two_planes(tmp_path, clock, **settings) as two:
            assert redirect_uri(two.one.settings) == REDIRECT_URI
            async with browser(two.one, host=host) as here, browser(two.other, host=host) as there:
                started = await here.get("/auth/oidc/start", params={"returnTo": "/projects"})
                brought = await provider.sign_in(started.headers["location"], "ann")
                there.cookies.update(here.cookies)
                back = await there.get("/auth/oidc/callback", params=brought)
                assert back.headers["location"] == "/projects"
                assert (await ask(there, "{ viewer { username } }"))["viewer"]["username"] == "ann"
                again = await here.get("/auth/oidc/callback", params=brought)
                assert "problem=OIDC_REFUSED" in again.headers["location"]
                refused = await two.one.store.read(
                    lambda c: (
                        c.exec_driver_sql("select detail from audit_records where outcome = 'refused'").scalars().all()
                    )
                )
                assert len(refused) == 1
                assert "state" in refused[0], "refused by us, before the provider was asked"


async def test_old_attempts_are_forgotten(two: Two, clock: FakeClock) -> None:
    async with browser(two.one) as stranger:
        await sign_in(stranger, "wrong")
    clock.advance(3_600)
    await two.other.tidy()
    count = select(func.count()).select_from(sign_in_attempts)
    assert await two.one.store.read(lambda c: c.execute(count).scalar_one()) == 0
