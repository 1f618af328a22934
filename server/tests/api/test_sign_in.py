"""Signing in: one answer for every wrong pair, a cookie that scripts cannot read, and an end to guessing."""

import asyncio
import time

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher
from pilothouse.app.control_plane import open_control_plane
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import TooManyAttempts
from pilothouse.identity.passwords import Passwords
from pilothouse.identity.throttle import FAILURES_ALLOWED, WINDOW_S
from pilothouse.operations.sessions import SESSION_S
from pilothouse.operations.sign_in import LET_IN_S, allow_password
from sqlalchemy import text

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery staple"


async def test_the_right_password_opens_a_session_in_a_cookie_that_is_out_of_reach_of_scripts(stranger) -> None:
    answer = await stranger.sign_in()
    assert answer.json() == {
        "username": "admin",
        "displayName": "Administrator",
        "method": "password",
        "mustChangePassword": False,
        "accessExpiresAt": "2026-09-21T14:28:20.000Z",
        "expiresAt": "2026-09-22T02:13:20.000Z",
    }
    access, refresh = answer.headers.get_list("set-cookie")
    assert access.startswith("__Host-pilothouse=pha_")
    assert refresh.startswith("__Secure-pilothouse-refresh=phr_")
    for cookie in (access, refresh):
        assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"))
    assert "Path=/auth" in refresh
    assert (await stranger.client.get("/auth/session")).json()["username"] == "admin"


def told(answer: httpx.Response) -> dict:
    """What an answer says, but for the request's own number."""
    return {name: value for name, value in answer.json().items() if name != "requestId"}


async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(stranger) -> None:
    wrong = await stranger.sign_in(password="wrong")
    unknown = await stranger.sign_in(username="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert told(wrong) == told(unknown)
    assert wrong.json()["code"] == "SIGN_IN_REFUSED"


async def test_guessing_is_slowed_down_and_forgiven_with_time(stranger, clock: FakeClock) -> None:
    for _ in range(FAILURES_ALLOWED):
        assert (await stranger.sign_in(password="guess")).status_code == 401
    refused = await stranger.sign_in()
    assert refused.status_code == 429
    assert refused.json()["code"] == "TOO_MANY_ATTEMPTS"
    assert int(refused.headers["retry-after"]) > 0
    clock.advance(WINDOW_S)
    assert (await stranger.sign_in()).status_code == 200


async def test_people_who_know_their_password_are_never_locked_out_by_signing_in_often(stranger) -> None:
    for _ in range(30):
        assert (await stranger.sign_in()).status_code == 200


async def test_a_session_ends_with_sign_out_on_the_server_too(admin) -> None:
    cookies = dict(admin.client.cookies)
    assert (await admin.client.post("/auth/sign-out")).status_code == 204
    admin.client.cookies.update(cookies)
    assert (await admin.client.get("/auth/session")).status_code == 401


async def test_a_session_expires(admin, clock: FakeClock) -> None:
    clock.advance(SESSION_S + 1)
    answer = await admin.client.post("/graphql", json={"query": "{ viewer { username } }"})
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_SIGNED_IN")


async def test_a_stolen_database_opens_no_session(admin, plane) -> None:
    stored = await plane.store.read(
        lambda c: [
            *c.execute(text("select access_digest from sessions")).scalars(),
            *c.execute(text("select digest from refresh_tokens")).scalars(),
        ]
    )
    assert len(stored) == 2
    assert not set(admin.client.cookies.values()) & set(stored)


async def test_another_site_cannot_act_with_this_sites_cookie(admin) -> None:
    query = {"query": "{ viewer { username } }"}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = await admin.client.post("/graphql", json=query, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_ORIGIN"), headers
        assert (await admin.client.post("/auth/sign-out", headers=headers)).status_code == 403
    assert (
        await admin.client.post("/graphql", json=query, headers={"Origin": "https://testserver"})
    ).status_code == 200


async def test_every_attempt_is_audited_and_no_password_is(stranger, plane) -> None:
    await stranger.sign_in(password="a-wrong-password")
    await stranger.sign_in()
    rows = await plane.store.read(
        lambda c: c.execute(text("select actor, action, outcome, address, detail from audit_records")).all()
    )
    attempts = [(row.actor, row.outcome) for row in rows if row.action == "session.open"]
    assert attempts == [("user:admin", "refused"), ("user:admin", "done")]
    assert "a-wrong-password" not in str(rows)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"username": 5, "password": "x"}', "username"),
        (b'{"username": "a"}', "password"),
        (b'{"username": "a", "password": "b", "remember": true}', "remember"),
        (b"\xff", None),
    ],
)
async def test_a_body_that_does_not_fit_is_400_and_says_why(stranger, body: bytes, field: str | None) -> None:
    answer = await stranger.client.post("/auth/sign-in", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "INVALID_INPUT"
    assert answer.json().get("field") == field
    assert answer.json()["fix"]


async def test_a_form_post_is_not_json(stranger) -> None:
    answer = await stranger.client.post("/auth/sign-in", data={"username": "admin", "password": "x"})
    assert (answer.status_code, answer.json()["field"]) == (400, "Content-Type")


async def test_a_body_that_is_too_large_is_refused(stranger) -> None:
    answer = await stranger.client.post("/auth/sign-in", json={"username": "a", "password": "x" * 300_000})
    assert answer.json()["code"] == "BODY_TOO_LARGE"


async def test_a_password_of_ten_thousand_characters_is_answered_like_any_wrong_one(stranger) -> None:
    answer = await stranger.sign_in(password="x" * 10_000)
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_IN_REFUSED")


async def test_fields_that_nobody_knows_are_refused(stranger) -> None:
    body = {"username": "admin", "password": PASSWORD, "role": "admin"}
    answer = await stranger.client.post("/auth/sign-in", json=body)
    assert answer.status_code == 400
    assert "role" in answer.json()["message"]


@pytest.mark.parametrize(
    "change", ["disabled_at = 1", "kind = 'service'", "issuer = 'https://sso', external_subject = '1'"]
)
async def test_who_may_not_sign_in_is_answered_like_who_is_unknown(stranger, plane, change: str) -> None:
    unknown = await stranger.sign_in(username="nobody")
    await plane.store.write(lambda tx: tx.connection.execute(text(f"update users set {change}")))
    refused = await stranger.sign_in()
    assert (refused.status_code, told(refused)) == (unknown.status_code, told(unknown))


async def test_more_passwords_at_once_than_can_be_checked_are_sent_away_and_the_loop_stays_free(plane, client) -> None:
    slow = Passwords(PasswordHasher(time_cost=60, memory_cost=1024, parallelism=1), at_once=1, waiting_max=3)
    longest_s, ended = 0.0, asyncio.Event()

    async def beat() -> None:
        nonlocal longest_s
        while not ended.is_set():
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            longest_s = max(longest_s, time.perf_counter() - before)

    assert await slow.matches(None, "x") is False  # the decoy is made
    beating = asyncio.create_task(beat())
    answers = await asyncio.gather(*(slow.matches(None, "guess") for _ in range(100)), return_exceptions=True)
    ended.set()
    await beating
    sent_away = [answer for answer in answers if isinstance(answer, TooManyAttempts)]
    assert len(sent_away) == 96
    assert longest_s < 0.5
    assert await slow.matches(None, "guess") is False, "the places are free again"
    slow.close()


async def test_the_ways_in_are_told_to_anybody(stranger) -> None:
    answer = await stranger.client.get("/auth/methods")
    assert answer.json() == {
        "password": True,
        "directory": False,
        "oidc": None,
        "passwordRules": {"lengthMin": 12, "lengthMax": 256},
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/graphql"), ("GET", "/auth/session"), ("POST", "/auth/sign-in"), ("GET", "/"), ("GET", "/openapi.json")],
)
@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "password", "secret", "Access-Token", "%74oken"])
async def test_a_token_in_an_address_is_refused_whatever_is_there(admin, method: str, path: str, name: str) -> None:
    answer = await admin.client.request(method, f"{path}?x=1&{name}=pht_abc")
    assert (answer.status_code, answer.json()["code"]) == (400, "TOKEN_IN_URL")
    assert "pht_abc" not in answer.text


NEW = "seven quiet lighthouses"


async def change(person, current: str = PASSWORD, new: str = NEW):
    return await person.client.post("/auth/password", json={"currentPassword": current, "newPassword": new})


async def test_a_changed_password_ends_the_other_sessions_and_no_other_one(admin, plane) -> None:
    other = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=admin.client._transport.app), base_url="https://testserver"
    )
    async with other:
        assert (await type(admin)(other).sign_in()).status_code == 200
        assert (await change(admin)).json()["username"] == "admin"
        assert (await other.get("/auth/session")).json()["code"] == "NOT_SIGNED_IN"
    assert (await admin.client.get("/auth/session")).status_code == 200
    assert (await admin.sign_in()).status_code == 401
    assert (await admin.sign_in(password=NEW)).status_code == 200
    rows = await plane.store.read(lambda c: c.execute(text("select * from audit_records")).all())
    assert "user.change-password" in [row.action for row in rows]
    assert NEW not in str(rows)


@pytest.mark.parametrize(
    ("new", "field"),
    [
        ("short", "newPassword"),
        ("x" * 257, "newPassword"),
        ("qwertyuiop123", "newPassword"),
        ("Password1234", "newPassword"),
        ("aaaaaaaaaaaaaaaa", "newPassword"),
        (PASSWORD, "newPassword"),
    ],
)
async def test_a_password_that_cannot_be_taken_is_refused_and_the_rule_named(admin, new: str, field: str) -> None:
    answer = await change(admin, new=new)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "PASSWORD_REFUSED", field)


async def test_who_guesses_the_current_password_has_to_wait(admin, plane) -> None:
    for _ in range(FAILURES_ALLOWED):
        answer = await change(admin, current="guess")
        assert (answer.status_code, answer.json()["field"]) == (400, "currentPassword")
    assert (await change(admin)).status_code == 429
    outcomes = await plane.store.read(
        lambda c: (
            c.execute(text("select outcome from audit_records where action = 'user.change-password'")).scalars().all()
        )
    )
    assert outcomes == ["refused"] * FAILURES_ALLOWED


async def test_until_a_password_that_must_be_changed_is_changed_there_is_nothing_else(admin, plane) -> None:
    await plane.store.write(lambda tx: tx.connection.execute(text("update users set must_change_password = true")))
    query = {"query": "{ viewer { username } }"}
    answer = await admin.client.post("/graphql", json=query)
    assert (answer.status_code, answer.json()["code"]) == (403, "PASSWORD_CHANGE_REQUIRED")
    assert (await admin.client.get("/audit/export")).json()["code"] == "PASSWORD_CHANGE_REQUIRED"
    assert (await admin.client.get("/auth/session")).json()["mustChangePassword"] is True
    assert (await change(admin)).json()["mustChangePassword"] is False
    assert (await admin.client.post("/graphql", json=query)).status_code == 200


async def test_passwords_that_are_switched_off_open_nothing_until_the_machine_itself_lets_a_super_admin_in(
    settings, stranger, clock: FakeClock
) -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    plane = await open_control_plane(msgspec.structs.replace(settings, password_sign_in=False), clock, passwords)
    try:
        transport = httpx.ASGITransport(app=await plane.console_application())
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as opened:
            person = type(stranger)(opened)
            assert (await opened.get("/auth/methods")).json()["password"] is False
            assert (await person.sign_in()).json()["code"] == "SIGN_IN_REFUSED"
            assert await plane.store.write(lambda tx: allow_password(tx, "admin", clock.now())) is True
            assert (await person.sign_in()).status_code == 200
            clock.advance(LET_IN_S)
            assert (await person.sign_in()).json()["code"] == "SIGN_IN_REFUSED"
    finally:
        await plane.stop()
