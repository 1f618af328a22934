"""Signing in by a directory, a real one: who is let in, who is not, and what a directory that is down holds up."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.clock import FakeClock
from pilothouse.identity.passwords import Passwords
from pilothouse.identity.throttle import FAILURES_ALLOWED
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent.parent / "identity"))

from directory import RunningDirectory, running_slapd

pytestmark = pytest.mark.anyio

MAP = "mutation ($input: SsoGroupMappingInput!) { createSsoGroupMapping(input: $input) { id } }"


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory):
    with running_slapd(tmp_path_factory.mktemp("slapd") / "directory") as running:
        yield running


@pytest.fixture
def changes() -> dict:
    return {}


@pytest.fixture
async def plane(settings, slapd: RunningDirectory, clock: FakeClock, changes: dict) -> AsyncIterator[ControlPlane]:
    set_up = msgspec.structs.replace(
        settings,
        **{
            "ldap_url": slapd.url,
            "ldap_user_base": slapd.people,
            "ldap_group_base": slapd.groups,
            "ldap_bind_dn": slapd.bind_dn,
            "ldap_bind_password": slapd.bind_password,
            **changes,
        },
    )
    opened = await open_control_plane(
        set_up, clock, Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    )
    yield opened
    await opened.stop()


@pytest.fixture
async def other(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """Another browser at the same console."""
    transport = httpx.ASGITransport(app=client._transport.app, client=("10.0.0.9", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as opened:
        yield opened


async def sign_in(other: httpx.AsyncClient, username: str = "ann", password: str | None = None) -> httpx.Response:
    wish = {"username": username, "password": f"{username}-password" if password is None else password}
    return await other.post("/auth/sign-in", json=wish)


async def map_group(admin, slapd: RunningDirectory, value: str = "operators") -> None:
    groups = (await admin.ask("{ groups(first: 50) { nodes { id name } } }"))["groups"]["nodes"]
    group = next(group["id"] for group in groups if group["name"] == "Developers")
    issuer = f"ldap:localhost/{slapd.people}"
    await admin.ask(MAP, input={"issuer": issuer, "claim": "groups", "value": value, "group": group})


async def test_a_person_of_a_mapped_group_signs_in_with_the_directorys_password(admin, other, slapd) -> None:
    await map_group(admin, slapd)
    assert (await sign_in(other)).json()["method"] == "ldap"
    query = {"query": "{ viewer { username displayName email method groups { name } } }"}
    assert (await other.post("/graphql", json=query)).json()["data"]["viewer"] == {
        "username": "ann",
        "displayName": "Ann Example",
        "email": "ann@example.org",
        "method": "ldap",
        "groups": [{"name": "Developers"}],
    }
    assert (await sign_in(other, "ANN", "ann-password")).json()["username"] == "ann", "one person, however it is typed"


async def test_whoever_may_not_come_in_is_answered_alike(plane, admin, other, slapd) -> None:
    answers = [
        await sign_in(other, "ann", "wrong"),
        await sign_in(other, "nobody"),
        await sign_in(other, "locked"),
        await sign_in(other, "bob"),
        await sign_in(other, "ann", ""),
        await sign_in(other, "*", "ann-password"),
        await sign_in(other, "admin", "wrong"),
    ]
    told = [{name: value for name, value in answer.json().items() if name != "requestId"} for answer in answers]
    assert [answer.status_code for answer in answers] == [401] * len(answers)
    assert told == [told[0]] * len(answers)
    assert answers[0].json()["code"] == "SIGN_IN_REFUSED"
    rows = await plane.store.read(lambda c: c.execute(text("select actor, detail from audit_records")).all())
    assert any(row.actor == "user:bob" and "no group" in row.detail for row in rows), (
        "the record says more than the answer"
    )
    assert "ann-password" not in str(rows)


async def test_who_knows_the_password_here_is_not_asked_for_at_the_directory(admin, other, slapd) -> None:
    slapd.stop()
    try:
        assert (await sign_in(other, "admin", "correct horse battery staple")).status_code == 200
    finally:
        slapd.start()


async def test_a_directory_that_is_down_is_said_to_its_people_and_counts_against_nobody(admin, other, slapd) -> None:
    await map_group(admin, slapd)
    slapd.stop()
    try:
        for _ in range(FAILURES_ALLOWED + 1):
            answer = await sign_in(other)
            assert (answer.status_code, answer.json()["code"]) == (503, "PROVIDER_UNAVAILABLE")
    finally:
        slapd.start()
    assert (await sign_in(other)).status_code == 200


async def test_who_has_a_password_of_the_directory_changes_it_there(admin, other, slapd) -> None:
    await map_group(admin, slapd)
    await sign_in(other)
    passwords = {"currentPassword": "ann-password", "newPassword": "seven quiet lighthouses"}
    answer = await other.post("/auth/password", json=passwords)
    assert (answer.status_code, answer.json()["code"]) == (400, "PASSWORD_REFUSED")


async def test_who_is_disabled_here_stays_out(plane, admin, other, slapd) -> None:
    await map_group(admin, slapd)
    await sign_in(other)
    await plane.store.write(
        lambda tx: tx.connection.execute(text("update users set disabled_at = 1 where username = 'ann'"))
    )
    assert (await sign_in(other)).status_code == 401
    assert (await other.get("/auth/session")).status_code == 401


async def test_an_entry_that_takes_over_a_name_is_not_who_had_it(plane, admin, other, slapd) -> None:
    await map_group(admin, slapd)
    await sign_in(other)
    await plane.store.write(
        lambda tx: tx.connection.execute(text("update users set external_subject = 'of before' where username = 'ann'"))
    )
    assert (await sign_in(other)).status_code == 401
    details = await plane.store.read(lambda c: c.execute(text("select detail from audit_records")).scalars().all())
    assert any("another user ann" in detail for detail in details)


@pytest.mark.parametrize("changes", [{"ldap_unknown_users": "allow", "password_sign_in": False}])
async def test_everybody_of_the_directory_may_come_in_where_that_is_allowed(stranger, other, slapd) -> None:
    assert (await sign_in(other, "bob")).status_code == 200
    assert (await stranger.sign_in()).status_code == 401, "passwords that are kept here are switched off"
    methods = (await other.get("/auth/methods")).json()
    assert (methods["password"], methods["directory"]) == (False, True)
