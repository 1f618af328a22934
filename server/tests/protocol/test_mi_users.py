"""Users of a Micro Integrator are added and removed; a new one's password is nowhere to be read.

The management API is `fake_mi`: a fake, which proves our side of the exchange alone.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent.parent / "management"))
sys.path.insert(0, str(Path(__file__).parent.parent / "api"))

from fake_mi import FakeMi, Trouble
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.config import Settings
from pilothouse.operations import sealed_payloads
from pilothouse.storage import commands as stored
from pilothouse.storage.sealing import KEY_BYTES, CannotUnseal, Vault
from staff import Staff

pytestmark = pytest.mark.anyio

PASSWORD = 'Sesam-öffne-"dich"-42'
FIELDS = "{ id name state reason result route retryable }"
ADD = f"mutation ($input: AddMicroIntegratorUserInput!) {{ addMicroIntegratorUser(input: $input) {FIELDS} }}"
REMOVE = f"mutation ($input: RemoveMicroIntegratorUserInput!) {{ removeMicroIntegratorUser(input: $input) {FIELDS} }}"
RETRY = f"mutation ($id: ID!) {{ retryCommand(id: $id) {FIELDS} }}"
COMMANDS = "{ commands { nodes { id action name state reason result route attempts retryable author } } }"
AUDIT = "{ auditRecords(first: 200) { nodes { action target detail before after actor } } }"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def settings(settings: Settings, authority: trustme.CA, tmp_path: Path) -> Settings:
    trusted = tmp_path / "mi-ca.pem"
    trusted.write_bytes(authority.cert_pem.bytes())
    return msgspec.structs.replace(settings, mi_ca_file=trusted)


@pytest.fixture
async def plane(plane: ControlPlane) -> AsyncIterator[ControlPlane]:
    """Management calls are carried out as they come; all other periodic work is in the test's hands."""
    work = asyncio.create_task(plane.management.run())
    yield plane
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


@pytest.fixture
async def mi(admin, clock: FakeClock, authority: trustme.CA) -> AsyncIterator[FakeMi]:
    with FakeMi(await admin.secret(), authority=authority, clock=clock.now) as fake:
        yield fake


@pytest.fixture
async def integrator(runtime, mi: FakeMi) -> Any:
    """A Micro Integrator whose management API is that one, and whose tunnel nobody has proved."""
    made = replace(
        runtime,
        secret=mi.secret,
        type="MI",
        runtime_id="mi-1",
        name="mi-1",
        integration="quotes",
        address="127.0.0.1",
        extra={"runtimeHostname": "localhost", "runtimePort": str(mi.port)},
        artifacts={},
    )
    _, made.first_answer = await made.full()
    return made


async def the_id(admin) -> str:
    return (await admin.ask("{ runtimes { nodes { id } } }"))["runtimes"]["nodes"][0]["id"]


async def grace(admin, **more: Any) -> dict[str, Any]:
    return {"runtime": await the_id(admin), "name": "grace", "password": PASSWORD, **more}


async def commands(who) -> list[dict[str, Any]]:
    return (await who.ask(COMMANDS))["commands"]["nodes"]


async def carried_out(plane: ControlPlane) -> None:
    """Wait until no management API is being called."""
    await asyncio.sleep(0.01)
    while plane.management._serving or plane.management._woken:
        await asyncio.sleep(0.01)


async def ended(plane: ControlPlane, admin) -> dict[str, Any]:
    await carried_out(plane)
    return (await commands(admin))[0]


async def payloads(plane: ControlPlane) -> list[str | None]:
    ids = await plane.store.read(lambda c: [row.id for row in c.execute(stored.commands.select())])
    found = [await plane.store.read(lambda c, each=each: stored.find(c, each)) for each in ids]
    return [command.payload for command in found if command is not None and command.action.value == "add-user"]


async def prove_tunnel(integrator: Any) -> None:
    (probe,) = integrator.first_answer["commands"]
    await post(integrator, probe["commandId"], 200, {})


async def post(integrator: Any, command_id: str, status: int, body: Any) -> None:
    result = {
        "runtimeId": "mi-1", "commandId": command_id, "status": "COMPLETED", "httpStatus": status, "body": body,
    }  # fmt: skip
    await integrator.send("/icp/commandResult", result)


def files_of(home: Path) -> bytes:
    """Everything that the control plane wrote."""
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize("administrator", [False, True])
async def test_a_user_is_added_by_one_call(plane, integrator, mi: FakeMi, admin, administrator: bool) -> None:
    asked = (await admin.ask(ADD, input=await grace(admin, administrator=administrator)))["addMicroIntegratorUser"]
    assert (asked["name"], asked["result"]) == ("grace", None)
    command = await ended(plane, admin)
    assert (command["action"], command["state"], command["route"]) == ("ADD_USER", "CONFIRMED", "MANAGEMENT_API")
    assert [(call.method, call.path, call.body) for call in mi.calls] == [
        ("POST", "/management/users", {"userId": "grace", "password": PASSWORD, "isAdmin": administrator})
    ]
    assert mi.state["users"]["grace"] == {"password": PASSWORD, "isAdmin": administrator}


@pytest.mark.parametrize(("name", "path"), [("ada", "/ada"), ("LDAP/ada.l@ex", "/ada.l@ex?domain=LDAP")])
async def test_a_user_is_removed_as_it_is_listed(plane, integrator, mi: FakeMi, admin, name: str, path: str) -> None:
    mi.state["users"]["LDAP/ada.l@ex"] = {}
    await admin.ask(REMOVE, input={"runtime": await the_id(admin), "name": name})
    assert (await ended(plane, admin))["state"] == "CONFIRMED"
    assert [(call.method, call.path) for call in mi.calls] == [("DELETE", "/management/users" + path)]
    assert name not in mi.state["users"]


async def test_the_password_is_sealed_while_it_waits_and_wiped_when_it_was_told(
    plane, integrator, mi: FakeMi, admin, settings: Settings
) -> None:
    mi.delay_s = 0.3
    await admin.ask(ADD, input=await grace(admin))
    (payload,) = await payloads(plane)
    assert payload is not None
    assert payload.startswith("sealed:")
    assert PASSWORD.encode() not in files_of(settings.home)
    await ended(plane, admin)
    assert await payloads(plane) == [None]


@pytest.mark.parametrize("end", ["refused", "offline", "expired"])
async def test_the_password_is_wiped_however_the_command_ends(
    plane, integrator, mi: FakeMi, admin, clock: FakeClock, end: str
) -> None:
    if end == "refused":
        mi.trouble = Trouble.ERROR_500
        await admin.ask(ADD, input=await grace(admin))
        await carried_out(plane)
    else:
        await prove_tunnel(integrator)
        await admin.ask(ADD, input=await grace(admin))
        for _ in range(12 if end == "offline" else 5):
            clock.advance(30)
            if end == "expired":
                await integrator.delta()
            await plane.watch()
            await plane.expire()
    (command,) = await commands(admin)
    assert command["state"] == ("FAILED" if end == "refused" else "EXPIRED")
    assert await payloads(plane) == [None]
    refusal = await admin.try_asking(RETRY, id=command["id"])
    assert refusal["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert command["retryable"] is False


async def test_nothing_that_is_shown_or_kept_holds_the_password(
    plane, integrator, mi: FakeMi, admin, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    mi.quotes_passwords = True
    await admin.ask(ADD, input=await grace(admin))
    command = await ended(plane, admin)
    assert (command["state"], command["result"]) == ("FAILED", None)
    assert "The password (hidden) is too simple" in command["reason"]
    shown = json.dumps([await admin.ask(COMMANDS), await admin.ask(AUDIT)], ensure_ascii=False)
    shown += str(await admin.ask("{ events { nodes { kind message } } }"))
    captured = capfd.readouterr()
    for text in (shown, captured.out, captured.err):
        assert "öffne" not in text
        assert "\\u00f6ffne" not in text
    kept = files_of(settings.home)
    assert "öffne".encode() not in kept
    assert b"00f6ffne" not in kept


async def test_who_added_whom_where_is_in_the_audit(plane, integrator, mi: FakeMi, admin) -> None:
    await admin.ask(ADD, input=await grace(admin, administrator=True))
    await ended(plane, admin)
    await admin.ask(REMOVE, input={"runtime": await the_id(admin), "name": "ada"})
    records = (await admin.ask(AUDIT))["auditRecords"]["nodes"]
    found = [(each["actor"], each["action"], each["target"]) for each in records if "-user" in each["action"]]
    assert found == [
        ("user:admin", "command.remove-user", "mi-1 ada"),
        ("user:admin", "command.add-user", "mi-1 grace as administrator"),
    ]


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"name": "ada", "password": PASSWORD}, "MI_USER_EXISTS", "Take another name"),
        ({"name": "nobody"}, "MI_USER_NOT_FOUND", "List its users again"),
        ({"name": "admin"}, "MI_USER_PROTECTED", "super administrator"),
    ],
)
async def test_what_it_refuses_has_a_code_and_a_fix_of_its_own(
    plane, integrator, mi: FakeMi, admin, given: dict[str, str], code: str, words: str
) -> None:
    await admin.ask(ADD if "password" in given else REMOVE, input={"runtime": await the_id(admin), **given})
    command = await ended(plane, admin)
    assert command["state"] == "FAILED"
    assert f"({code})" in command["reason"]
    assert words in command["reason"]


@pytest.mark.parametrize("what", ["list", "add", "remove"])
async def test_a_store_in_a_file_is_told_from_a_lack_of_rights(plane, integrator, mi: FakeMi, admin, what: str) -> None:
    mi.file_users = True
    runtime = await the_id(admin)
    if what == "list":
        asked = "mutation ($input: AskRuntimeInput!) { askRuntime(input: $input) { id } }"
        await admin.ask(asked, input={"runtime": runtime, "question": "USERS"})
    elif what == "add":
        await admin.ask(ADD, input=await grace(admin))
    else:
        await admin.ask(REMOVE, input={"runtime": runtime, "name": "ada"})
    command = await ended(plane, admin)
    assert command["state"] == "FAILED"
    assert "(MI_USERS_FIXED)" in command["reason"]
    assert "icp_config" not in command["reason"]


async def test_one_that_cannot_be_reached_fails_once_and_says_so(plane, integrator, mi: FakeMi, admin) -> None:
    mi.stop()
    await admin.ask(ADD, input=await grace(admin))
    command = await ended(plane, admin)
    assert (command["state"], command["attempts"]) == ("FAILED", 1)
    assert "(MI_UNREACHABLE)" in command["reason"]


async def test_through_the_tunnel_the_password_is_opened_only_to_leave(
    plane, integrator, mi: FakeMi, admin, settings: Settings
) -> None:
    await prove_tunnel(integrator)
    await admin.ask(ADD, input=await grace(admin))
    _, answer = await integrator.delta()
    (told,) = answer["commands"]
    assert json.loads(told["payload"])["params"] == {
        "method": "POST", "path": "/management/users",
        "body": {"userId": "grace", "password": PASSWORD, "isAdmin": False},
    }  # fmt: skip
    assert (await payloads(plane))[0] is not None
    assert PASSWORD.encode() not in files_of(settings.home)
    await post(integrator, told["commandId"], 400, {"Error": f"{PASSWORD} is too simple"})
    (command,) = await commands(admin)
    assert (command["state"], command["result"], command["route"]) == ("FAILED", None, "TUNNEL")
    assert command["reason"] == "(hidden) is too simple"
    assert await payloads(plane) == [None]
    assert mi.calls == []


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"Error": "Error processing the request User: grace already exists."}, "(MI_USER_EXISTS)"),
        (403, {"Error": "Not supported with the file-based user store."}, "(MI_USERS_FIXED)"),
        (500, {"Error": "User store is read only"}, "(MI_USERS_FIXED)"),
        (200, {"Error": "JSON payload is missing"}, "JSON payload is missing"),
    ],
)
async def test_a_refusal_through_the_tunnel_is_the_same_as_by_a_call(
    plane, integrator, mi: FakeMi, admin, status: int, body: dict[str, str], code: str
) -> None:
    await prove_tunnel(integrator)
    await admin.ask(ADD, input=await grace(admin))
    _, answer = await integrator.delta()
    await post(integrator, answer["commands"][0]["commandId"], status, body)
    (command,) = await commands(admin)
    assert command["state"] == "FAILED"
    assert code in command["reason"]


async def test_whom_it_is_about_is_seen_by_whom_may_ask(plane, integrator, mi: FakeMi, admin) -> None:
    asked = await grace(admin)
    staff = Staff(plane, admin)
    await staff.holder("looker", "INTEGRATION_MGT_VIEW")
    await staff.holder("editor", "INTEGRATION_MGT_EDIT")
    async with staff.signed_in("looker") as looker:
        assert (await staff.refusal(looker, ADD, input=asked))[0] == "NOT_PERMITTED"
        removal = {"runtime": asked["runtime"], "name": "ada"}
        assert (await staff.refusal(looker, REMOVE, input=removal))[0] == "NOT_PERMITTED"
        assert mi.calls == []
        async with staff.signed_in("editor") as editor:
            await editor.ask(ADD, input={**asked, "name": "ada"})
            await carried_out(plane)
            (seen,) = await commands(editor)
            assert seen["name"] == "ada"
        (hidden,) = await commands(looker)
        assert (hidden["name"], hidden["action"], hidden["state"]) == ("", "ADD_USER", "FAILED")
        assert "ada" not in hidden["reason"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "../users"}, "name"),
        ({"name": ".."}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "é"}, "name"),
        ({"name": "icp-service"}, "name"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "with space"}, "password"),
        ({"password": "with\u0000zero"}, "password"),
        ({"name": "grace-hopper", "password": "Grace-Hopper"}, "password"),
    ],
)
async def test_what_cannot_be_a_user_is_refused_before_anything_is_stored(
    plane, integrator, mi: FakeMi, admin, given: dict[str, str], field: str
) -> None:
    answer = await admin.try_asking(ADD, input={**await grace(admin), **given})
    refused = answer["errors"][0]["extensions"]
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field)
    assert (mi.calls, await commands(admin)) == ([], [])


@pytest.mark.parametrize("name", ["icp-service", "icp-artifact-fetcher", "LDAP/icp-service"])
async def test_the_account_of_the_control_plane_is_not_removed_and_it_says_why(
    plane, integrator, mi: FakeMi, admin, name: str
) -> None:
    answer = await admin.try_asking(REMOVE, input={"runtime": await the_id(admin), "name": name})
    assert "the account that the control plane itself uses" in answer["errors"][0]["message"]
    assert mi.calls == []


async def test_ten_changes_may_be_under_way_and_not_more(plane, integrator, mi: FakeMi, admin) -> None:
    await prove_tunnel(integrator)
    runtime = await the_id(admin)
    for number in range(10):
        await admin.ask(REMOVE, input={"runtime": runtime, "name": f"user-{number}"})
    answer = await admin.try_asking(ADD, input=await grace(admin))
    assert answer["errors"][0]["extensions"]["code"] == "CONFLICT"


async def test_a_runtime_of_another_type_has_no_users(plane, runtime, admin) -> None:
    await runtime.full()
    answer = await admin.try_asking(ADD, input=await grace(admin))
    assert answer["errors"][0]["extensions"]["code"] == "CAPABILITY_MISSING"


async def test_a_critical_environment_asks_for_its_name(plane, integrator, mi: FakeMi, admin) -> None:
    await admin.ask('mutation { updateEnvironment(handle: "dev", input: {critical: true}) { handle } }')
    answer = await admin.try_asking(ADD, input=await grace(admin))
    assert answer["errors"][0]["extensions"]["code"] == "CONFIRMATION_NEEDED"
    await admin.ask(ADD, input=await grace(admin, confirm="dev"))
    assert (await ended(plane, admin))["state"] == "CONFIRMED"


async def test_one_who_is_not_running_is_not_asked(plane, integrator, mi: FakeMi, admin, clock: FakeClock) -> None:
    clock.advance(400)
    await plane.watch()
    answer = await admin.try_asking(ADD, input=await grace(admin))
    assert answer["errors"][0]["extensions"]["code"] == "RUNTIME_NOT_RUNNING"


async def test_what_waits_is_sealed_anew_when_the_key_changes(
    plane, integrator, mi: FakeMi, admin, settings: Settings
) -> None:
    await prove_tunnel(integrator)
    await admin.ask(ADD, input=await grace(admin))
    old = plane.vault
    keys = bytes(KEY_BYTES - 1) + b"n" + settings.secret_key_path.read_bytes()
    both, new = Vault(keys), Vault(keys[:KEY_BYTES])
    assert await plane.store.write(lambda tx: sealed_payloads.reseal(tx, both)) == 1
    assert await plane.store.read(lambda c: sealed_payloads.check(c, new)) == 1
    with pytest.raises(CannotUnseal):
        await plane.store.read(lambda c: sealed_payloads.check(c, old))


async def test_a_payload_of_another_key_does_not_hold_up_a_heartbeat(plane, integrator, mi: FakeMi, admin) -> None:
    await prove_tunnel(integrator)
    await admin.ask(ADD, input=await grace(admin))
    other = Vault(b"o" * KEY_BYTES)

    def disturb(tx: Any) -> None:
        ((command_id, _),) = stored.list_sealed(tx.connection)
        stored.reseal(tx.connection, command_id, sealed_payloads.seal(other, command_id, "{}"))

    await plane.store.write(disturb)
    status, answer = await integrator.delta()
    assert (status, answer.get("commands", [])) == (200, [])
