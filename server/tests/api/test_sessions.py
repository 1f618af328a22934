"""Sessions: short access, a refresh token that is used once, ends that hold at once, and nobody else's site."""

import asyncio

import httpx
import pytest
from pilothouse.api.sessions import caller_of, still_open
from pilothouse.base.clock import FakeClock
from pilothouse.operations.sessions import (
    ACCESS_S,
    DEVICE_IDLE_S,
    IDLE_S,
    OPEN_MAX,
    OVERLAP_S,
    RACE_S,
    SESSION_S,
)
from sqlalchemy import event, text
from starlette.requests import Request

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery staple"
VIEWER = {"query": "{ viewer { username method } }"}
ACCESS, REFRESH = "__Host-pilothouse", "__Secure-pilothouse-refresh"


@pytest.fixture
async def application(plane):
    return await plane.console_application()


@pytest.fixture
async def client(application):
    """The one application of the test, for the console's person and for scripts."""
    async with opened(application) as client:
        yield client


@pytest.fixture
async def script(application):
    """A script: no cookies, tokens in a header."""
    async with opened(application) as client:
        yield client


def opened(application, **more) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=application, client=("127.0.0.1", 40_000))
    return httpx.AsyncClient(transport=transport, base_url="https://testserver", **more)


async def sign_in(script: httpx.AsyncClient) -> dict:
    body = {"username": "admin", "password": PASSWORD, "mode": "bearer", "client": "nightly build"}
    answer = await script.post("/auth/sign-in", json=body)
    assert answer.status_code == 200, answer.text
    assert "set-cookie" not in answer.headers
    return answer.json()


async def refresh(script: httpx.AsyncClient, token: str) -> httpx.Response:
    return await script.post("/auth/refresh", json={"refreshToken": token})


async def ask(script: httpx.AsyncClient, access: str) -> httpx.Response:
    return await script.post("/graphql", json=VIEWER, headers={"Authorization": f"Bearer {access}"})


async def audit_of(plane, action: str) -> list[tuple[str, str]]:
    rows = await plane.store.read(
        lambda c: c.execute(text("select outcome, detail, action from audit_records order by number")).all()
    )
    return [(row.outcome, row.detail) for row in rows if row.action == action]


def as_request(cookies: str, path: str = "/graphql") -> Request:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"cookie", cookies.encode())],
    }
    return Request({**scope, "server": ("testserver", 443), "scheme": "https", "client": ("127.0.0.1", 1)})


async def services_of(application):
    """What the routes work with, as one of them holds it."""
    route = next(route for route in application.app.routes if route.path == "/graphql")
    return dict(
        zip(route.endpoint.__code__.co_freevars, (c.cell_contents for c in route.endpoint.__closure__), strict=True)
    )["services"]


async def test_a_script_acts_with_its_token_and_without_cookies(script, clock: FakeClock) -> None:
    tokens = await sign_in(script)
    assert tokens["accessExpiresInSeconds"] == ACCESS_S
    assert tokens["refreshExpiresInSeconds"] == IDLE_S
    assert (await ask(script, tokens["accessToken"])).json()["data"]["viewer"]["method"] == "password"
    foreign = {"Authorization": f"Bearer {tokens['accessToken']}", "Origin": "https://evil.example"}
    assert (await script.post("/graphql", json=VIEWER, headers=foreign)).status_code == 200, (
        "no cookie: no browser's trick"
    )


async def test_an_access_token_that_ended_says_that_it_can_be_renewed(script, clock: FakeClock) -> None:
    tokens = await sign_in(script)
    clock.advance(ACCESS_S)
    answer = await ask(script, tokens["accessToken"])
    assert (answer.status_code, answer.json()["code"]) == (401, "SESSION_EXPIRED")
    renewed = (await refresh(script, tokens["refreshToken"])).json()
    assert (await ask(script, renewed["accessToken"])).status_code == 200
    clock.advance(OVERLAP_S)
    assert (await ask(script, tokens["accessToken"])).json()["code"] == "NOT_SIGNED_IN"


async def test_requests_that_are_on_their_way_while_the_access_is_renewed_are_answered(
    script, clock: FakeClock
) -> None:
    tokens = await sign_in(script)
    assert (await refresh(script, tokens["refreshToken"])).status_code == 200
    assert (await ask(script, tokens["accessToken"])).status_code == 200
    clock.advance(OVERLAP_S)
    assert (await ask(script, tokens["accessToken"])).status_code == 401


async def test_the_console_renews_by_its_cookie_with_or_without_a_body(admin, clock: FakeClock) -> None:
    for body in ({"json": {}}, {}):
        clock.advance(ACCESS_S)
        assert (await admin.client.post("/graphql", json=VIEWER)).json()["code"] == "SESSION_EXPIRED"
        assert (await admin.client.post("/auth/refresh", **body)).json()["username"] == "admin"
        assert (await admin.client.post("/graphql", json=VIEWER)).status_code == 200


async def test_tokens_of_cookies_and_of_headers_do_not_stand_for_each_other(admin, script) -> None:
    cookies = dict(admin.client.cookies)
    assert (await ask(script, cookies[ACCESS])).status_code == 401
    assert (await refresh(script, cookies[REFRESH])).json()["code"] == "REFRESH_REFUSED"
    tokens = await sign_in(script)
    script.cookies.set(ACCESS, tokens["accessToken"])
    assert (await script.get("/auth/session")).status_code == 401


async def test_two_tabs_that_renew_at_once_lose_nothing(plane, script) -> None:
    tokens = await sign_in(script)
    answers = await asyncio.gather(*(refresh(script, tokens["refreshToken"]) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"REFRESH_RACED"}
    renewed = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (await ask(script, renewed["accessToken"])).status_code == 200
    assert await audit_of(plane, "session.refresh") == []


async def test_a_refresh_token_that_comes_again_later_was_stolen_and_ends_the_session(
    plane, script, clock: FakeClock
) -> None:
    tokens = await sign_in(script)
    renewed = (await refresh(script, tokens["refreshToken"])).json()
    clock.advance(RACE_S + 0.001)
    answer = await refresh(script, tokens["refreshToken"])
    assert (answer.status_code, answer.json()["code"]) == (401, "REFRESH_REFUSED")
    assert (await ask(script, renewed["accessToken"])).json()["code"] == "NOT_SIGNED_IN"
    assert (await refresh(script, renewed["refreshToken"])).json()["code"] == "REFRESH_REFUSED"
    outcomes = await audit_of(plane, "session.refresh")
    assert (outcomes[0][0], outcomes[0][1].partition(":")[0]) == ("refused", "REFRESH_REUSED")
    assert tokens["refreshToken"] not in str(outcomes)


@pytest.mark.parametrize("token", ["", "phr_nobody", "x" * 10_000, "pht_x", "\u0000", "'; drop table sessions"])
async def test_a_refresh_token_that_nobody_gave_is_refused(script, token: str) -> None:
    answer = await refresh(script, token)
    assert (answer.status_code, answer.json()["code"]) == (401, "REFRESH_REFUSED")


async def test_a_session_that_nobody_renews_ends_by_itself(script, clock: FakeClock) -> None:
    tokens = await sign_in(script)
    clock.advance(IDLE_S)
    assert (await ask(script, tokens["accessToken"])).json()["code"] == "NOT_SIGNED_IN"
    assert (await refresh(script, tokens["refreshToken"])).status_code == 401


async def test_a_session_ends_after_its_time_however_often_it_is_renewed(script, clock: FakeClock) -> None:
    tokens = await sign_in(script)
    for _ in range(12):
        clock.advance(3_590)
        tokens = (await refresh(script, tokens["refreshToken"])).json()
    assert tokens["accessExpiresInSeconds"] == tokens["refreshExpiresInSeconds"] == SESSION_S - 12 * 3_590
    clock.advance(120)
    assert (await ask(script, tokens["accessToken"])).json()["code"] == "NOT_SIGNED_IN"
    assert (await refresh(script, tokens["refreshToken"])).status_code == 401


async def test_one_user_has_at_most_so_many_sessions_open_and_the_oldest_ends(script, clock: FakeClock) -> None:
    opened_ = []
    for _ in range(OPEN_MAX + 1):
        clock.advance(1)
        opened_.append(await sign_in(script))
    assert (await ask(script, opened_[0]["accessToken"])).status_code == 401
    for tokens in (opened_[1], opened_[-1]):
        assert (await ask(script, tokens["accessToken"])).status_code == 200


async def test_signing_out_ends_it_on_the_server_and_clears_both_cookies(admin) -> None:
    cookies = dict(admin.client.cookies)
    answer = await admin.client.post("/auth/sign-out")
    assert answer.status_code == 204
    assert all("Max-Age=0" in cookie for cookie in answer.headers.get_list("set-cookie"))
    assert len(answer.headers.get_list("set-cookie")) == 2
    admin.client.cookies.update(cookies)
    assert (await admin.client.get("/auth/session")).json()["code"] == "NOT_SIGNED_IN"
    admin.client.cookies.set(REFRESH, cookies[REFRESH], domain="testserver.local", path="/auth")
    assert (await admin.client.post("/auth/refresh")).json()["code"] == "REFRESH_REFUSED"


async def test_signing_out_everywhere_ends_all_of_ones_sessions(plane, admin, script) -> None:
    tokens = await sign_in(script)
    assert (await admin.client.post("/auth/sign-out", json={"everywhere": True})).status_code == 204
    assert (await ask(script, tokens["accessToken"])).status_code == 401
    assert await audit_of(plane, "session.end-all") == [("done", "2 ended")]


async def test_signing_out_many_times_at_once_is_one_end(plane, script) -> None:
    tokens = await sign_in(script)
    headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
    answers = await asyncio.gather(*(script.post("/auth/sign-out", headers=headers) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {204, 401}
    assert await audit_of(plane, "session.end") == [("done", "signed out")]


async def test_another_site_cannot_renew_or_sign_out_with_this_sites_cookie(admin) -> None:
    for path in ("/auth/refresh", "/auth/sign-out", "/auth/password"):
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
            answer = await admin.client.post(path, json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_ORIGIN"), path
    assert (await admin.client.get("/auth/session")).status_code == 200
    both = {"Origin": "https://evil.example", "Authorization": "Bearer pha_x"}
    assert (await admin.client.post("/auth/sign-out", headers=both)).status_code == 403, "a cookie is there"


@pytest.mark.parametrize(
    "header", ["Basic YWRtaW46eA==", "Bearer", "Bearer ", "pha_x", "Bearer pha_x", "Bearer " + "x" * 9_999]
)
async def test_an_authorization_header_that_proves_nothing_is_not_made_up_for_by_a_cookie(admin, header: str) -> None:
    answer = await admin.client.get("/auth/session", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_SIGNED_IN")


async def test_sessions_are_listed_and_ended_one_by_one_and_all(plane, admin, script) -> None:
    tokens = await sign_in(script)
    listed = (await admin.ask("{ sessions { totalCount nodes { id kind method userAgent address current } } }"))[
        "sessions"
    ]
    assert listed["totalCount"] == 2
    kinds = {node["kind"]: node for node in listed["nodes"]}
    assert (kinds["script"]["userAgent"], kinds["script"]["current"]) == ("nightly build", False)
    assert kinds["console"]["current"] is True
    assert (await admin.ask("mutation ($id: ID!) { endSession(id: $id) }", id=kinds["script"]["id"]))[
        "endSession"
    ] is True
    assert (await ask(script, tokens["accessToken"])).status_code == 401
    again = await admin.ask("mutation ($id: ID!) { endSession(id: $id) }", id=kinds["script"]["id"])
    assert again["endSession"] is False
    unknown = await admin.try_asking('mutation { endSession(id: "nobody") }')
    assert unknown["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    await sign_in(script)
    assert (await admin.ask("mutation { endAllSessions }"))["endAllSessions"] == 2
    assert (await admin.client.get("/auth/session")).status_code == 401


async def test_a_page_of_sessions_goes_on_where_the_last_one_ended(admin, script, clock: FakeClock) -> None:
    for _ in range(4):
        clock.advance(1)
        await sign_in(script)
    query = "query ($after: String) { sessions(first: 2, after: $after) { nodes { id } pageInfo { endCursor hasNextPage } } }"
    seen, after = [], None
    while True:
        page = (await admin.ask(query, after=after))["sessions"]
        seen += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen)) == 5


async def test_a_stream_goes_on_when_the_access_token_ends_and_ends_with_the_session(
    application, admin, clock: FakeClock
) -> None:
    services = await services_of(application)
    request = as_request(f"{ACCESS}={admin.client.cookies[ACCESS]}")
    caller = await caller_of(request, services)
    clock.advance(ACCESS_S + 1)
    looked_at = await still_open(request, services, caller)
    assert looked_at is not None
    assert looked_at.subject.permissions == caller.subject.permissions
    await admin.client.post("/auth/refresh")
    clock.advance(OVERLAP_S + 1)
    assert await still_open(request, services, caller) is not None, "the token that opened the stream is long replaced"
    await admin.client.post("/auth/sign-out")
    assert await still_open(request, services, caller) is None


async def test_what_is_stored_of_sessions_is_forgotten_in_time(plane, script, clock: FakeClock) -> None:
    tokens = await sign_in(script)
    await refresh(script, tokens["refreshToken"])
    clock.advance(DEVICE_IDLE_S)
    await plane.tidy()
    counts = await plane.store.read(
        lambda c: [
            c.execute(text(f"select count(*) from {table}")).scalar() for table in ("sessions", "refresh_tokens")
        ]
    )
    assert counts == [0, 0]


async def test_a_refresh_token_of_an_ended_session_is_audited_once_however_often_it_comes(plane, script) -> None:
    """A script that tries again and again must not fill the audit."""
    tokens = await sign_in(script)
    headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
    assert (await script.post("/auth/sign-out", headers=headers)).status_code == 204
    for _ in range(3):
        assert (await refresh(script, tokens["refreshToken"])).json()["code"] == "REFRESH_REFUSED"
    assert await audit_of(plane, "session.refresh") == [("refused", "it has ended")]


async def test_a_refresh_token_that_nobody_has_does_not_keep_the_writer_busy(plane, script) -> None:
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(plane.store.writer_engine, "before_cursor_execute", note)
    assert (await refresh(script, "phr_guess")).json()["code"] == "REFRESH_REFUSED"
    event.remove(plane.store.writer_engine, "before_cursor_execute", note)
    assert statements == []
