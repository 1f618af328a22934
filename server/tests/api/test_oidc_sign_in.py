"""Signing in at an identity provider, a real one: who is let in, into which groups, and what comes back twice."""

import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.app.user_stores import redirect_uri
from pilothouse.base.clock import FakeClock
from pilothouse.identity.passwords import Passwords
from pilothouse.operations.external_sign_in import ROUND_TRIP_S
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent.parent / "identity"))

from oidc_provider import CLIENT_SECRET, REDIRECT_URI, running_provider

pytestmark = pytest.mark.anyio

MAP = "mutation ($input: SsoGroupMappingInput!) { createSsoGroupMapping(input: $input) { id } }"
VIEWER = "{ viewer { username displayName email method groups { name } } }"
TRIP = "__Secure-pilothouse-oidc"


@pytest.fixture(scope="module")
def provider():
    with running_provider() as running:
        yield running


@pytest.fixture
def changes() -> dict:
    return {}


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock(time.time())


@pytest.fixture
async def plane(settings, provider, clock: FakeClock, changes: dict) -> AsyncIterator[ControlPlane]:
    set_up = msgspec.structs.replace(
        settings,
        **{
            "public_host": "pilothouse.example.com",
            "console_port": 443,
            "oidc_issuer": provider.issuer,
            "oidc_client_id": provider.client_id,
            "oidc_client_secret": CLIENT_SECRET,
            "oidc_scopes": "openid profile email groups",
            **changes,
        },
    )
    assert redirect_uri(set_up) == REDIRECT_URI
    opened = await open_control_plane(
        set_up, clock, Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    )
    yield opened
    await opened.stop()


@pytest.fixture
async def application(plane):
    return await plane.console_application()


@pytest.fixture
async def client(application):
    async with browser(application) as client:
        yield client


@pytest.fixture
async def ann(application):
    """A browser in which nobody has signed in."""
    async with browser(application) as client:
        yield client


def browser(application) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=application, client=("10.0.0.7", 40_000))
    return httpx.AsyncClient(transport=transport, base_url="https://pilothouse.example.com")


async def map_group(admin, provider, value: str, built_in: str = "developers") -> str:
    groups = (await admin.ask("{ groups(first: 50) { nodes { id name builtIn } } }"))["groups"]["nodes"]
    group = next(group["id"] for group in groups if group["name"].lower() == built_in)
    made = await admin.ask(MAP, input={"issuer": provider.issuer, "claim": "groups", "value": value, "group": group})
    return made["createSsoGroupMapping"]["id"]


async def go(
    provider, client: httpx.AsyncClient, username: str = "ann", return_to: str = "/projects", **more
) -> httpx.Response:
    """Sign in as a browser does: to the provider, and back."""
    started = await client.get("/auth/oidc/start", params={"returnTo": return_to})
    assert started.status_code == 302, started.text
    brought = await provider.sign_in(started.headers["location"], username, **more)
    return await client.get("/auth/oidc/callback", params=brought)


def problem(answer: httpx.Response) -> str | None:
    assert answer.status_code == 302, answer.text
    parts = urlsplit(answer.headers["location"])
    assert parts.path == "/sign-in"
    return dict(parse_qsl(parts.query)).get("problem")


async def viewer(client: httpx.AsyncClient) -> dict:
    return (await client.post("/graphql", json={"query": VIEWER})).json()["data"]["viewer"]


async def sign_ins(plane) -> list[tuple[str, str, str]]:
    rows = await plane.store.read(lambda c: c.execute(text("select * from audit_records order by number")).all())
    return [(row.actor, row.outcome, row.detail) for row in rows if row.action == "session.open"]


async def test_a_person_of_a_mapped_group_comes_in_and_goes_where_they_wanted(plane, admin, ann, provider) -> None:
    await map_group(admin, provider, "operators")
    started = await ann.get("/auth/oidc/start", params={"returnTo": "/projects?x=1"})
    cookie = started.headers["set-cookie"]
    assert cookie.startswith(TRIP + "=")
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/auth/oidc", "Max-Age=600"))
    brought = await provider.sign_in(started.headers["location"], "ann")
    answer = await ann.get("/auth/oidc/callback", params=brought)
    assert (answer.status_code, answer.headers["location"]) == (302, "/projects?x=1")
    names = [cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie")]
    assert names == ["__Host-pilothouse", "__Secure-pilothouse-refresh", TRIP]
    assert await viewer(ann) == {
        "username": "ann",
        "displayName": "Ann Example",
        "email": "ann@example.com",
        "method": "oidc",
        "groups": [{"name": "Developers"}],
    }
    stored = await plane.store.read(lambda c: str(c.execute(text("select * from audit_records")).all()))
    assert brought["code"] not in stored


async def test_an_unknown_person_without_a_mapped_group_stays_out(plane, admin, ann, provider) -> None:
    await map_group(admin, provider, "somebody-else")
    assert problem(await go(provider, ann)) == "NOT_ADMITTED"
    assert (await ann.get("/auth/session")).status_code == 401
    actor, outcome, detail = (await sign_ins(plane))[-1]
    assert (actor, outcome) == ("user:ann", "refused")
    assert "no group" in detail


@pytest.mark.parametrize("changes", [{"oidc_unknown_users": "allow"}])
async def test_everybody_may_come_in_where_that_is_allowed_and_may_do_nothing(plane, ann, provider) -> None:
    assert (await go(provider, ann)).headers["location"] == "/projects"
    assert (await viewer(ann))["groups"] == []


async def test_groups_follow_the_provider_and_what_people_did_stays(plane, admin, ann, provider) -> None:
    mapping = await map_group(admin, provider, "operators")
    await go(provider, ann)
    seen = await plane.store.read(
        lambda c: c.execute(text("select count(*) from events where kind = 'access.changed'")).scalar()
    )
    await go(provider, ann)
    again = await plane.store.read(
        lambda c: c.execute(text("select count(*) from events where kind = 'access.changed'")).scalar()
    )
    assert seen == again, "nothing changed, so nothing is told"
    await plane.store.write(
        lambda tx: tx.connection.execute(
            text(
                "insert into group_members select g.id, u.id, 'local', 0 from groups g, users u "
                "where g.built_in = 'administrators' and u.username = 'ann'"
            )
        )
    )
    await map_group(admin, provider, "staff", "administrators")
    await admin.ask("mutation ($id: ID!) { deleteSsoGroupMapping(id: $id) }", id=mapping)
    await go(provider, ann)
    assert [group["name"] for group in (await viewer(ann))["groups"]] == ["Administrators"]
    source = await plane.store.read(
        lambda c: (
            c.execute(
                text("select source from group_members where user_id = (select id from users where username = 'ann')")
            )
            .scalars()
            .all()
        )
    )
    assert source == ["local"]


async def test_a_name_that_somebody_here_has_is_never_taken_over(plane, admin, ann, provider) -> None:
    await map_group(admin, provider, "operators")
    await plane.store.write(
        lambda tx: tx.connection.execute(text("update users set username = 'ann' where username = 'admin'"))
    )
    assert problem(await go(provider, ann)) == "NAME_TAKEN"
    issuers = await plane.store.read(lambda c: c.execute(text("select issuer from users")).scalars().all())
    assert issuers == [None]


async def test_who_is_disabled_here_stays_out(plane, admin, ann, provider) -> None:
    await map_group(admin, provider, "operators")
    await go(provider, ann)
    await plane.store.write(
        lambda tx: tx.connection.execute(text("update users set disabled_at = 1 where username = 'ann'"))
    )
    assert problem(await go(provider, ann)) == "USER_DISABLED"


async def test_the_last_super_admin_is_not_taken_out_by_a_claim(plane, admin, ann, provider) -> None:
    mapping = await map_group(admin, provider, "operators", "super admins")
    await go(provider, ann)
    await admin.ask("mutation ($id: ID!) { deleteSsoGroupMapping(id: $id) }", id=mapping)
    await plane.store.write(
        lambda tx: tx.connection.execute(text("update users set disabled_at = 1 where username = 'admin'"))
    )
    await go(provider, ann)
    assert [group["name"] for group in (await viewer(ann))["groups"]] == ["Super Admins"]


async def test_what_comes_back_twice_counts_once(plane, admin, ann, provider) -> None:
    await map_group(admin, provider, "operators")
    started = await ann.get("/auth/oidc/start")
    sealed = ann.cookies[TRIP]
    brought = await provider.sign_in(started.headers["location"], "ann")
    assert (await ann.get("/auth/oidc/callback", params=brought)).headers["location"] == "/"
    for kept in (None, sealed):
        if kept is not None:
            ann.cookies.set(TRIP, kept, domain="pilothouse.example.com", path="/auth/oidc")
        assert problem(await ann.get("/auth/oidc/callback", params=brought)) == "OIDC_REFUSED"


async def test_a_sign_in_that_another_browser_began_is_refused(plane, admin, ann, client, provider) -> None:
    await map_group(admin, provider, "operators")
    started = await client.get("/auth/oidc/start")
    brought = await provider.sign_in(started.headers["location"], "ann")
    assert problem(await ann.get("/auth/oidc/callback", params=brought)) == "OIDC_REFUSED"
    await ann.get("/auth/oidc/start")
    assert problem(await ann.get("/auth/oidc/callback", params=brought)) == "OIDC_REFUSED"


async def test_a_sign_in_takes_ten_minutes_at_most(plane, admin, ann, provider, clock: FakeClock) -> None:
    started = await ann.get("/auth/oidc/start")
    brought = await provider.sign_in(started.headers["location"], "ann")
    clock.advance(ROUND_TRIP_S)
    assert problem(await ann.get("/auth/oidc/callback", params=brought)) == "OIDC_REFUSED"


@pytest.mark.parametrize("sealed", ["x", "!!!!", "A" * 4_000, "\u00e9".encode().hex()])
async def test_a_cookie_that_was_made_up_is_worth_nothing(ann, sealed: str) -> None:
    ann.cookies.set(TRIP, sealed, domain="pilothouse.example.com", path="/auth/oidc")
    assert problem(await ann.get("/auth/oidc/callback", params={"code": "x", "state": "y"})) == "OIDC_REFUSED"


async def test_who_declines_at_the_provider_is_told_so(ann, provider) -> None:
    assert problem(await go(provider, ann, deny=True)) == "OIDC_REFUSED"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\/evil",
        "javascript:x",
        "evil",
        "/\t/evil",
        "//[",
        "/" + "x" * 600,
    ],
)
async def test_nobody_is_sent_elsewhere_after_a_sign_in(ann, elsewhere: str) -> None:
    answer = await ann.get("/auth/oidc/start", params={"returnTo": elsewhere})
    assert (answer.status_code, answer.json()["field"]) == (400, "returnTo")


@pytest.mark.parametrize("changes", [{"password_sign_in": False}])
async def test_with_single_sign_on_only_no_password_opens_anything(stranger, provider) -> None:
    assert (await stranger.sign_in()).status_code == 401
    methods = (await stranger.client.get("/auth/methods")).json()
    assert (methods["password"], methods["oidc"]) == (False, {"displayName": "Single sign-on"})


async def test_a_provider_that_is_down_keeps_nobody_else_out(settings, stranger, clock: FakeClock) -> None:
    unreachable = msgspec.structs.replace(settings, oidc_issuer="http://127.0.0.1:9", oidc_client_id="x")
    opened = await open_control_plane(
        unreachable, clock, Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    )
    try:
        async with browser(await opened.console_application()) as client:
            assert problem(await client.get("/auth/oidc/start")) == "PROVIDER_UNAVAILABLE"
            assert (await type(stranger)(client).sign_in()).status_code == 200
    finally:
        await opened.stop()


async def test_without_a_provider_there_is_nothing_to_start(settings, clock: FakeClock) -> None:
    opened = await open_control_plane(
        settings, clock, Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    )
    try:
        async with browser(await opened.console_application()) as client:
            assert (await client.get("/auth/oidc/start")).status_code == 404
    finally:
        await opened.stop()
