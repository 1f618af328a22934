"""Signing in: one answer for every wrong pair, a cookie that scripts cannot read, and an end to guessing."""

import pytest
from pilothouse.base.clock import FakeClock
from pilothouse.identity.throttle import FAILURES_ALLOWED, WINDOW_S
from pilothouse.operations.sign_in import SESSION_S
from sqlalchemy import text

pytestmark = pytest.mark.anyio


async def test_the_right_password_opens_a_session_in_a_cookie_that_is_out_of_reach_of_scripts(stranger) -> None:
    answer = await stranger.sign_in()
    assert answer.json() == {"username": "admin", "displayName": "Administrator"}
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-pilothouse=")
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"))
    assert (await stranger.client.get("/auth/session")).json()["username"] == "admin"


async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(stranger) -> None:
    wrong = await stranger.sign_in(password="wrong")
    unknown = await stranger.sign_in(username="nobody")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
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
    token = next(iter(admin.client.cookies.values()))
    stored = await plane.store.read(lambda c: c.execute(text("select token_digest from sessions")).scalars().all())
    assert stored
    assert token not in stored


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
    [(b"{", None), (b'{"username": 5, "password": "x"}', None), (b'{"username": "a"}', None), (b"\xff", None)],
)
async def test_a_body_that_does_not_fit_is_400_and_says_why(stranger, body: bytes, field: str | None) -> None:
    answer = await stranger.client.post("/auth/sign-in", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "INVALID_INPUT"
    assert answer.json()["fix"]


async def test_a_form_post_is_not_json(stranger) -> None:
    answer = await stranger.client.post("/auth/sign-in", data={"username": "admin", "password": "x"})
    assert (answer.status_code, answer.json()["field"]) == (400, "Content-Type")


async def test_a_body_that_is_too_large_is_refused(stranger) -> None:
    answer = await stranger.client.post("/auth/sign-in", json={"username": "a", "password": "x" * 300_000})
    assert answer.json()["code"] == "BODY_TOO_LARGE"
