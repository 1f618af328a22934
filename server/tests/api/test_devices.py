"""A command line that is let in by a person in the console: codes for people, one use, and no hurry."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from pilothouse.base.clock import FakeClock
from pilothouse.identity.throttle import FAILURES_ALLOWED
from pilothouse.operations.devices import CODE_LETTERS, POLL_EVERY_S, WAITING_BY_ADDRESS_MAX, WAITS_S
from pilothouse.operations.sessions import ACCESS_S, DEVICE_IDLE_S
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery staple"
REQUEST = "query ($code: String!) { deviceRequest(userCode: $code) { userCode client address expiresAt allowed } }"
DECIDE = (
    "mutation ($code: String!, $allow: Boolean!) { decideDevice(userCode: $code, allow: $allow) { client allowed } }"
)


@pytest.fixture
async def application(plane):
    return await plane.console_application()


@pytest.fixture
async def client(application):
    transport = httpx.ASGITransport(app=application, client=("127.0.0.1", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        yield client


@pytest.fixture
async def line(application):
    """A command line on another machine."""
    transport = httpx.ASGITransport(app=application, client=("10.9.8.7", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
        yield client


@contextmanager
def written(plane) -> Iterator[list[str]]:
    """Collect what goes to the one writer meanwhile."""
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    event.listen(plane.store.writer_engine, "before_cursor_execute", note)
    yield statements
    event.remove(plane.store.writer_engine, "before_cursor_execute", note)


async def begin(line: httpx.AsyncClient, client: str = "pilothouse on build-7") -> dict:
    answer = await line.post("/auth/device", json={"client": client})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def take(line: httpx.AsyncClient, begun: dict) -> httpx.Response:
    return await line.post("/auth/device/token", json={"deviceCode": begun["deviceCode"]})


async def test_a_command_line_is_let_in_and_acts_for_who_let_it_in(plane, admin, line, clock: FakeClock) -> None:
    begun = await begin(line)
    assert (begun["expiresInSeconds"], begun["intervalSeconds"]) == (WAITS_S, POLL_EVERY_S)
    assert begun["verificationUri"] == "https://testserver/device"
    first, _, second = begun["userCode"].partition("-")
    assert len(first) == len(second) == 4
    assert set(first + second) <= set(CODE_LETTERS)
    assert (await take(line, begun)).json()["code"] == "AUTHORIZATION_PENDING"
    shown = (await admin.ask(REQUEST, code=begun["userCode"].lower().replace("-", " ")))["deviceRequest"]
    assert shown["client"] == "pilothouse on build-7"
    assert (shown["userCode"], shown["address"], shown["allowed"]) == (begun["userCode"], "10.9.8.7", None)
    decided = (await admin.ask(DECIDE, code=begun["userCode"], allow=True))["decideDevice"]
    assert decided["allowed"] is True
    clock.advance(POLL_EVERY_S)
    tokens = (await take(line, begun)).json()
    assert tokens["refreshExpiresInSeconds"] == DEVICE_IDLE_S
    headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
    viewer = await line.post("/graphql", json={"query": "{ viewer { username method } }"}, headers=headers)
    assert viewer.json()["data"]["viewer"] == {"username": "admin", "method": "password"}
    assert (await take(line, begun)).json()["code"] == "DEVICE_EXPIRED", "a code is used once"
    rows = await plane.store.read(lambda c: c.execute(text("select * from audit_records")).all())
    assert [row.target for row in rows if row.action == "device.allow"] == ["pilothouse on build-7"]
    for secret in (begun["deviceCode"], begun["userCode"], tokens["accessToken"]):
        assert secret not in str(rows)


async def test_a_device_session_outlives_a_console_session_and_ends_when_nobody_uses_it(
    admin, line, clock: FakeClock
) -> None:
    begun = await begin(line)
    await admin.ask(DECIDE, code=begun["userCode"], allow=True)
    tokens = (await take(line, begun)).json()
    for _ in range(2):
        clock.advance(DEVICE_IDLE_S - ACCESS_S)
        answer = await line.post("/auth/refresh", json={"refreshToken": tokens["refreshToken"]})
        assert answer.status_code == 200
        tokens = answer.json()
    clock.advance(DEVICE_IDLE_S)
    assert (await line.post("/auth/refresh", json={"refreshToken": tokens["refreshToken"]})).status_code == 401


async def test_a_command_line_that_was_denied_is_told_so_once(plane, admin, line) -> None:
    begun = await begin(line)
    await admin.ask(DECIDE, code=begun["userCode"], allow=False)
    assert (await take(line, begun)).json()["code"] == "DEVICE_DENIED"
    assert (await take(line, begun)).json()["code"] == "DEVICE_EXPIRED"
    actions = await plane.store.read(lambda c: c.execute(text("select action from audit_records")).scalars().all())
    assert "device.deny" in actions


async def test_who_asks_too_often_is_told_to_slow_down(line, clock: FakeClock) -> None:
    begun = await begin(line)
    codes = []
    for wait_s in (0, 1, POLL_EVERY_S, POLL_EVERY_S - 0.2):
        clock.advance(wait_s)
        answer = await take(line, begun)
        assert answer.status_code == 400
        codes.append(answer.json()["code"])
    assert codes == ["AUTHORIZATION_PENDING", "SLOW_DOWN", "AUTHORIZATION_PENDING", "AUTHORIZATION_PENDING"]


async def test_a_code_is_good_for_ten_minutes(admin, line, clock: FakeClock) -> None:
    begun = await begin(line)
    clock.advance(WAITS_S)
    assert (await take(line, begun)).json()["code"] == "DEVICE_EXPIRED"
    assert (await admin.ask(REQUEST, code=begun["userCode"]))["deviceRequest"] is None
    answer = await admin.try_asking(DECIDE, code=begun["userCode"], allow=True)
    assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_what_was_decided_stays_decided(admin, line) -> None:
    begun = await begin(line)
    await admin.ask(DECIDE, code=begun["userCode"], allow=False)
    answer = await admin.try_asking(DECIDE, code=begun["userCode"], allow=True)
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert (await take(line, begun)).json()["code"] == "DEVICE_DENIED"


async def test_who_is_disabled_meanwhile_lets_nobody_in(plane, admin, line) -> None:
    begun = await begin(line)
    await admin.ask(DECIDE, code=begun["userCode"], allow=True)
    await plane.store.write(lambda tx: tx.connection.execute(text("update users set disabled_at = 1")))
    assert (await take(line, begun)).json()["code"] == "DEVICE_DENIED"


async def test_who_guesses_codes_has_to_wait(admin) -> None:
    for _ in range(FAILURES_ALLOWED):
        assert (await admin.ask(REQUEST, code="BBBB-BBBB"))["deviceRequest"] is None
    answer = await admin.try_asking(REQUEST, code="BBBB-BBBB")
    assert answer["errors"][0]["extensions"]["code"] == "TOO_MANY_ATTEMPTS"
    assert (await admin.sign_in()).status_code == 200, "their password is another matter"


async def test_one_address_has_at_most_so_many_requests_waiting(line, clock: FakeClock) -> None:
    for _ in range(WAITING_BY_ADDRESS_MAX):
        await begin(line)
    refused = await line.post("/auth/device", json={"client": "x"})
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_ATTEMPTS")
    clock.advance(WAITS_S)
    await begin(line)


@pytest.mark.parametrize("code", ["", "phd_nobody", "x" * 10_000, "\u0000", "' or 1=1"])
async def test_a_device_code_that_nobody_gave_opens_nothing(line, code: str) -> None:
    answer = await take(line, {"deviceCode": code})
    assert (answer.status_code, answer.json()["code"]) == (400, "DEVICE_EXPIRED")


async def test_a_name_is_shown_without_what_does_not_print(admin, line) -> None:
    begun = await begin(line, "\u202eevil\n\x1b[2J" + "x" * 500)
    shown = (await admin.ask(REQUEST, code=begun["userCode"]))["deviceRequest"]["client"]
    assert shown == "evil[2J" + "x" * 93


@pytest.mark.parametrize("end", ["sign out", "all sessions", "password"])
async def test_who_ends_everything_lets_no_command_line_in_that_did_not_come_yet(admin, line, end: str) -> None:
    """Who was robbed of a session and signs out everywhere: what the thief allowed meanwhile opens nothing."""
    begun = await begin(line)
    await admin.ask(DECIDE, code=begun["userCode"], allow=True)
    if end == "sign out":
        assert (await admin.client.post("/auth/sign-out", json={"everywhere": True})).status_code == 204
    elif end == "all sessions":
        await admin.ask("mutation { endAllSessions }")
    else:
        wish = {"currentPassword": PASSWORD, "newPassword": "four unrelated words of mine"}
        assert (await admin.client.post("/auth/password", json=wish)).status_code == 200
    assert (await take(line, begun)).json()["code"] == "DEVICE_DENIED"


async def test_who_signs_out_of_the_console_alone_lets_the_command_line_in_all_the_same(admin, line) -> None:
    begun = await begin(line)
    await admin.ask(DECIDE, code=begun["userCode"], allow=True)
    assert (await admin.client.post("/auth/sign-out")).status_code == 204
    assert (await take(line, begun)).status_code == 200


async def test_a_device_code_that_nobody_has_does_not_keep_the_writer_busy(plane, line) -> None:
    with written(plane) as statements:
        assert (await take(line, {"deviceCode": "phd_guess"})).json()["code"] == "DEVICE_EXPIRED"
    assert statements == []


async def test_who_asks_beyond_the_limit_does_not_keep_the_writer_busy(plane, line) -> None:
    for _ in range(WAITING_BY_ADDRESS_MAX):
        await begin(line)
    with written(plane) as statements:
        assert (await line.post("/auth/device", json={"client": "one more"})).status_code == 429
    assert statements == []
