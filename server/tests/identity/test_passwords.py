"""Passwords: what may be taken, bounded work, and the machine's own way in."""

import asyncio
import time

import msgspec
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.app.people import ensure_administrator, give_new_password, let_in_by_password
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import Conflict, NotFound, TooManyAttempts
from pilothouse.config import Settings
from pilothouse.identity.passwords import (
    LOOKED_AT_MAX,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    PasswordRefused,
    Passwords,
    check_password,
    generate_password,
)
from pilothouse.identity.throttle import ADDRESS_FAILURES_ALLOWED, FAILURES_ALLOWED, WINDOW_S, Throttle
from pilothouse.operations import housekeeping
from pilothouse.operations.attempts import BELIEVED_S, SignInAttempts, forgive
from sqlalchemy import text

pytestmark = pytest.mark.anyio


@pytest.fixture
async def passwords():
    made = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield made
    made.close()


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 11,
        "ab" * 129,
        "Pilothouse123",
        "QWERTYUIOP123",
        "aaaaaaaaaaaa",
        "ann.example.org",
        "\ud800" + "x" * 12,
    ],
)
def test_what_cannot_be_taken(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password(password, field="newPassword", username="Ann.Example.Org")
    assert refused.value.field == "newPassword"
    assert refused.value.fix


@pytest.mark.parametrize(
    "password",
    ["four lazy green umbrellas", "ÄÖÜ äöü ß … é", "x" * 255 + "y", "            .", "パスワードは十二文字です"],
)
def test_what_is_taken_whatever_it_is_composed_of(password: str) -> None:
    assert check_password(password, field="newPassword", username="ann") == password


def test_what_is_generated_is_taken() -> None:
    for _ in range(50):
        check_password(generate_password(), field="x", username="admin")


@given(st.text(max_size=PASSWORD_LENGTH_MAX + 50))
def test_every_text_is_taken_or_refused_by_its_length_or_as_too_common(password: str) -> None:
    try:
        check_password(password, field="x")
    except PasswordRefused:
        long_enough = PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX
        assert not long_enough or len(set(password.casefold())) < len(password)


@pytest.mark.parametrize("password", ["", "x" * (LOOKED_AT_MAX + 1), "\ud800", "x" * 10_000, "nul\0nul"])
async def test_a_password_of_any_shape_is_checked_without_harm(passwords: Passwords, password: str) -> None:
    right = await passwords.make("four lazy green umbrellas")
    assert await passwords.matches(right, password) is False
    assert await passwords.matches(None, password) is False
    assert await passwords.matches("no hash at all", password) is False
    assert await passwords.matches(right, "four lazy green umbrellas") is True


async def test_a_long_password_is_not_one_with_the_same_beginning(passwords: Passwords) -> None:
    longest = "x" * LOOKED_AT_MAX
    right = await passwords.make(longest)
    assert await passwords.matches(right, longest) is True
    assert await passwords.matches(right, longest + "y") is False


async def test_places_of_those_who_went_away_are_free_again() -> None:
    slow = Passwords(PasswordHasher(time_cost=40, memory_cost=1024, parallelism=1), at_once=1, waiting_max=1)
    await slow.matches(None, "x")
    tasks = [asyncio.create_task(slow.matches(None, "x")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyAttempts):
        await slow.matches(None, "x")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(10):
        while True:
            try:
                assert await slow.matches(None, "x") is False
            except TooManyAttempts:
                await asyncio.sleep(0.01)
            else:
                break
    slow.close()


def test_the_throttle_counts_by_account_and_by_address_and_gives_back() -> None:
    throttle = Throttle()
    for _ in range(FAILURES_ALLOWED - 1):
        assert throttle.failed("Ann", None, 0) is False
    assert throttle.failed("ann", None, 0) is True
    with pytest.raises(TooManyAttempts):
        throttle.check("ANN", None, 1)
    throttle.take_back("ann", None)
    throttle.check("ann", None, 1)
    throttle.check(None, None, 1)
    for i in range(ADDRESS_FAILURES_ALLOWED):
        throttle.failed(f"user-{i}", "10.0.0.1", 0)
    with pytest.raises(TooManyAttempts):
        throttle.check("somebody else", "10.0.0.1", 1)
    throttle.check("somebody else", "10.0.0.2", 1)


async def test_who_fails_on_purpose_elsewhere_keeps_nobody_out_where_they_signed_in_before(plane) -> None:
    attempts = SignInAttempts(plane.store, Throttle())

    async def fails(address: str, at: float) -> None:
        await attempts.begin("Ann", address, at)

    await fails("10.0.0.1", 0)
    await plane.store.write(lambda tx: attempts.succeeded(tx, "ann", "10.0.0.1", 0))
    for number in range(FAILURES_ALLOWED):
        await fails(f"10.9.9.{number}", 0)
    with pytest.raises(TooManyAttempts):
        await fails("10.9.9.99", 1)
    for _ in range(FAILURES_ALLOWED):
        await fails("10.0.0.1", 1)
    with pytest.raises(TooManyAttempts) as refused:
        await fails("10.0.0.1", 2)
    assert refused.value.wait_s == 299
    await plane.store.write(lambda tx: forgive(tx, "ANN", 2))  # as an administrator unlocks: everywhere
    await fails("10.0.0.1", 2 + BELIEVED_S)
    await fails("10.9.9.99", 2 + BELIEVED_S)


async def test_an_attempt_that_came_to_nothing_for_our_fault_is_not_counted(plane) -> None:
    attempts = SignInAttempts(plane.store, Throttle())
    for _ in range(3 * ADDRESS_FAILURES_ALLOWED):
        await attempts.begin("ann", "10.0.0.1", 0)
        await attempts.take_back("ann", "10.0.0.1", 0)
    assert await attempts.begin("ann", "10.0.0.1", 0) is False


async def test_failures_that_are_too_old_do_not_count_and_are_forgotten(plane) -> None:
    attempts = SignInAttempts(plane.store, Throttle())
    for _ in range(FAILURES_ALLOWED):
        await attempts.begin("ann", None, 0)
    with pytest.raises(TooManyAttempts):
        await attempts.begin("ann", None, WINDOW_S - 1)
    assert await attempts.begin("ann", None, WINDOW_S + 2) is False
    await plane.store.write(lambda tx: housekeeping.forget(tx, housekeeping.Retention(), 3 * WINDOW_S))
    left = await plane.store.read(lambda c: c.execute(text("select count(*) from sign_in_attempts")).scalar_one())
    assert left == 0


@pytest.mark.parametrize(
    ("one", "other", "is_the_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("no address", "no address", True),
    ],
)
def test_who_has_many_addresses_of_one_network_is_counted_once(one: str, other: str, is_the_same: bool) -> None:
    throttle = Throttle()
    for number in range(ADDRESS_FAILURES_ALLOWED):
        throttle.failed(f"user-{number}", one, 0)
    try:
        throttle.check("somebody else", other, 1)
    except TooManyAttempts:
        assert is_the_same
    else:
        assert not is_the_same


async def test_a_hash_of_other_costs_is_made_anew_at_the_next_sign_in(plane, stranger) -> None:
    before = await plane.store.read(lambda c: c.execute(text("select password_hash from users")).scalar_one())
    plane.passwords._hasher = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    assert (await stranger.sign_in()).status_code == 200
    after = await plane.store.read(lambda c: c.execute(text("select password_hash from users")).scalar_one())
    assert before != after
    assert plane.passwords.is_outdated(after) is False
    assert (await stranger.sign_in()).status_code == 200


async def test_the_machine_itself_gives_a_new_password_that_stays_or_must_be_changed(
    plane, settings: Settings, admin, clock: FakeClock
) -> None:
    clock.advance(time.time() - clock.now())  # the command line goes by the machine's clock
    await admin.sign_in()
    chosen = await give_new_password(settings, "admin")
    assert (await admin.client.get("/auth/session")).status_code == 401
    assert (await admin.sign_in(password=chosen)).json()["mustChangePassword"] is False
    chosen = await give_new_password(settings, "ADMIN", must_change=True)
    assert (await admin.sign_in(password=chosen)).json()["mustChangePassword"] is True


async def test_who_has_no_password_here_is_given_none(plane, settings: Settings) -> None:
    await plane.store.write(
        lambda tx: tx.connection.execute(text("update users set issuer = 'https://sso', external_subject = '1'"))
    )
    with pytest.raises(Conflict, match="https://sso keeps it"):
        await give_new_password(settings, "admin")
    with pytest.raises(NotFound):
        await let_in_by_password(settings, "admin")
    with pytest.raises(NotFound):
        await give_new_password(settings, "nobody")


async def test_only_a_super_admin_is_let_in_where_passwords_are_switched_off(plane, settings: Settings) -> None:
    await let_in_by_password(settings, "admin")
    actions = await plane.store.read(lambda c: c.execute(text("select action, actor from audit_records")).all())
    assert ("user.allow-password", "console:local") in [tuple(row) for row in actions]
    await plane.store.write(lambda tx: tx.connection.execute(text("delete from group_members")))
    with pytest.raises(NotFound, match="no active Super Admin"):
        await let_in_by_password(settings, "admin")


async def test_a_home_without_a_control_plane_is_said_to_be_one(settings: Settings, tmp_path) -> None:
    with pytest.raises(NotFound, match="no control plane"):
        await give_new_password(msgspec.structs.replace(settings, home=tmp_path / "elsewhere"), "admin")


async def test_the_first_administrators_password_is_not_asked_for_twice(plane) -> None:
    assert await ensure_administrator(plane, "ignored") is None
