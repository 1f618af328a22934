"""What a runtime is answered: the cases of reference/runtime-protocol.md section 10 that concern heartbeats."""

import asyncio

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import StorageUnavailable
from pilothouse.storage import secrets

pytestmark = pytest.mark.anyio

FIELDS = ["tryItHost", "openApiDefinitions", "workflowMetadata"]
LIST = (
    "{ runtimes { totalCount nodes { id runtimeId name status statusReason warnings { code } secretKeyId "
    "environment { handle } project { handle } integration { handle } } } }"
)


async def listed(admin) -> list[dict]:
    return (await admin.ask(LIST))["runtimes"]["nodes"]


def assert_refused(answer: tuple[int, dict], status: int, code: str) -> dict:
    assert answer[0] == status, answer
    assert answer[1]["acknowledged"] is False
    assert answer[1]["error"] is True
    assert answer[1]["code"] == code
    assert answer[1]["message"]
    assert answer[1]["fix"]
    return answer[1]


# who may speak: cases 1 to 9


async def test_case_1_no_authorization_is_401(runtime) -> None:
    assert_refused(await runtime.full(authorization=None), 401, "TOKEN_MISSING")


async def test_case_2_another_scheme_is_401(runtime) -> None:
    assert_refused(await runtime.delta(authorization="Basic dXNlcjpwYXNz"), 401, "TOKEN_MISSING")


async def test_case_3_a_token_without_kid_is_401(runtime) -> None:
    assert_refused(await runtime.full(header={"kid": None}), 401, "TOKEN_WITHOUT_KEY_ID")


async def test_case_4_an_unknown_kid_is_400_and_named(runtime) -> None:
    answer = assert_refused(await runtime.full(header={"kid": "0badcafe"}), 400, "KEY_UNKNOWN")
    assert "0badcafe" in answer["message"]


async def test_case_5_a_lookup_that_fails_is_503_and_never_400(runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable("the disk is on fire")

    monkeypatch.setattr(secrets, "find_all", fail)
    for answer in (await runtime.full(), await runtime.delta()):
        assert_refused(answer, 503, "UNAVAILABLE")
        assert "disk" not in answer[1]["message"]  # our inside is our own


async def test_case_6_a_wrong_signature_or_algorithm_is_401(runtime) -> None:
    await runtime.full()
    key_id = runtime.secret.partition(".")[0]
    runtime.secret = f"{key_id}.{'x' * 44}"
    assert_refused(await runtime.full(), 401, "TOKEN_SIGNATURE")
    assert_refused(await runtime.full(header={"alg": "none"}), 401, "TOKEN_ALGORITHM")
    assert_refused(await runtime.full(header={"alg": "HS512"}), 401, "TOKEN_ALGORITHM")


async def test_case_7_issuer_must_be_ours_and_audience_may_be_a_list(runtime) -> None:
    assert_refused(await runtime.full(iss="somebody-else"), 401, "TOKEN_ISSUER")
    assert (await runtime.full(aud=["x", "icp-server"]))[1]["acknowledged"] is True


async def test_case_8_a_minute_of_clock_skew_is_borne(runtime, clock: FakeClock) -> None:
    assert (await runtime.full(exp=int(clock.now()) - 30))[0] == 200
    assert_refused(await runtime.full(exp=int(clock.now()) - 61), 401, "TOKEN_EXPIRED")


async def test_case_9_the_scope_is_exact(runtime) -> None:
    assert_refused(await runtime.full(scope="runtime_agent admin"), 401, "TOKEN_SCOPE")


async def test_who_is_not_authenticated_learns_nothing_about_the_content(runtime) -> None:
    assert_refused(await runtime.send("/icp/heartbeat", b"{not json", authorization=None), 401, "TOKEN_MISSING")


# what may be said (10-12, 41)


async def test_case_10_only_version_one_is_spoken_and_may_be_left_out(runtime) -> None:
    runtime.extra = {"heartbeatVersion": "v2.0"}
    assert (await runtime.full())[0] == 400
    runtime.extra = {}
    assert (await runtime.full())[0] == 200


@pytest.mark.parametrize(("runtime_id", "status"), [("x" * 101, 400), ("", 400), ("  ", 400), ("y" * 37, 200)])
async def test_case_11_a_runtime_id_has_1_to_100_characters(runtime, runtime_id: str, status: int) -> None:
    runtime.runtime_id = runtime_id
    assert (await runtime.full())[0] == status
    assert (await runtime.delta())[0] == status


async def test_case_12_unknown_members_and_nulls_are_ignored(runtime) -> None:
    runtime.extra = {"surprise": {"a": [1]}, "version": None, "logLevels": None, "tryItHost": None}
    runtime.artifacts["services"][0]["colour"] = "blue"
    assert (await runtime.full())[1]["acknowledged"] is True


async def test_malformed_json_is_400_and_nothing_is_written(runtime, admin) -> None:
    for body in (b"{", b"", b"[]", b"\xff\xfe", b'{"runtimeId": 5}', b"[" * 100_000):
        answer = await runtime.send("/icp/heartbeat", body)
        assert answer[0] == 400, body[:20]
        assert answer[1]["fix"]
    assert await listed(admin) == []
    assert (await admin.ask("{ projects { totalCount } }"))["projects"]["totalCount"] == 0


async def test_case_41_a_value_that_is_too_long_is_cut_and_not_refused(runtime, admin) -> None:
    runtime.extra = {"version": "9" * 500}
    assert (await runtime.full())[1]["acknowledged"] is True
    assert [warning["code"] for warning in (await listed(admin))[0]["warnings"]] == ["REPORT_ODD"]


# where it belongs: cases 13 to 23


async def test_case_13_the_first_heartbeat_makes_project_and_integration_and_binds_the_secret(
    runtime, admin, plane: ControlPlane
) -> None:
    assert (await runtime.full())[1]["acknowledged"] is True
    node = (await listed(admin))[0]
    assert (node["project"]["handle"], node["integration"]["handle"]) == ("retail-core", "order-intake")
    assert node["secretKeyId"] == runtime.secret.partition(".")[0]
    integration = await admin.ask('{ integration(project: "retail-core", handle: "order-intake") { runtimeType } }')
    assert integration["integration"] == {"runtimeType": "BI"}
    assert (await admin.ask("{ secrets { nodes { bound } } }"))["secrets"]["nodes"] == [{"bound": True}]


async def test_case_14_a_second_node_creates_nothing(runtime, admin) -> None:
    await runtime.full()
    runtime.runtime_id, runtime.name = "second", "orders-node-2"
    await runtime.full()
    assert [node["name"] for node in await listed(admin)] == ["orders-node-1", "orders-node-2"]
    counts = await admin.ask("{ projects { totalCount } integrations { totalCount } }")
    assert counts == {"projects": {"totalCount": 1}, "integrations": {"totalCount": 1}}


@pytest.mark.parametrize(
    ("member", "code"), [("project", "PROJECT_NAME_INVALID"), ("integration", "INTEGRATION_NAME_INVALID")]
)
async def test_case_15_a_name_without_a_handle_is_400_and_nothing_is_created(
    runtime, admin, member: str, code: str
) -> None:
    setattr(runtime, member, "日本")
    assert_refused(await runtime.full(), 400, code)
    state = await admin.ask("{ projects { totalCount } secrets { nodes { bound } } }")
    assert state == {"projects": {"totalCount": 0}, "secrets": {"nodes": [{"bound": False}]}}


async def test_case_16_an_integration_of_another_type_is_409_and_nothing_is_bound(runtime, admin) -> None:
    await admin.ask(
        """mutation { createProject(input: {displayName: "Retail Core"}) { handle }
        createIntegration(input: {project: "retail-core", displayName: "Order intake", runtimeType: MI}) { handle } }"""
    )
    assert_refused(await runtime.full(), 409, "RUNTIME_TYPE_MISMATCH")
    assert (await admin.ask("{ secrets { nodes { bound } } }"))["secrets"]["nodes"] == [{"bound": False}]


@pytest.mark.parametrize("name", ["Dev", "DEV", "development", "Development"])
async def test_case_17_an_environment_is_found_by_handle_or_name_however_it_is_written(
    runtime, admin, name: str
) -> None:
    runtime.environment = name
    assert (await runtime.full())[1]["acknowledged"] is True


async def test_case_18_an_unknown_environment_is_not_acknowledged_but_not_4xx(runtime, admin) -> None:
    runtime.environment = "nope"
    status, answer = await runtime.full()
    assert (status, answer["acknowledged"], answer["commands"]) == (200, False, [])
    assert "nope" in answer["errors"][0]
    assert await listed(admin) == []


async def test_case_19_a_secret_of_another_environment_is_409(admin, plane, runtime) -> None:
    runtime.secret = await admin.secret("prod")
    answer = assert_refused(await runtime.full(), 409, "ENVIRONMENT_MISMATCH")
    assert '"prod"' in answer["fix"]
    assert await listed(admin) == []


async def test_an_environment_that_is_called_as_another_is_shown_stops_nobody(runtime, admin) -> None:
    await admin.ask('mutation { createEnvironment(input: {displayName: "Development", critical: false}) { handle } }')
    runtime.environment = "development"  # the handle of the new one, and how the secret's own is shown
    assert (await runtime.full())[1]["acknowledged"] is True
    assert [node["environment"]["handle"] for node in await listed(admin)] == ["dev"]


@pytest.mark.parametrize("told", ["Pre-Prod (EU)", "pre-prod-eu", "PRE PROD EU"])
async def test_an_environment_is_found_by_a_name_of_any_signs(runtime, admin, told: str) -> None:
    await admin.ask('mutation { updateEnvironment(handle: "dev", input: {displayName: "Pre-Prod (EU)"}) { handle } }')
    runtime.environment = told
    assert (await runtime.full())[1]["acknowledged"] is True


async def test_of_two_environments_that_are_shown_alike_each_secret_means_its_own(runtime, admin) -> None:
    for handle in ("dev", "prod"):
        await admin.ask(
            'mutation ($h: String!) { updateEnvironment(handle: $h, input: {displayName: "Live"}) { handle } }',
            h=handle,
        )
    runtime.environment = "live"
    assert (await runtime.full())[1]["acknowledged"] is True
    runtime.secret, runtime.runtime_id = await admin.secret("prod"), "6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a12"
    assert (await runtime.full())[1]["acknowledged"] is True
    assert sorted(node["environment"]["handle"] for node in await listed(admin)) == ["dev", "prod"]


async def test_case_20_a_bound_secret_takes_one_runtime_type(runtime) -> None:
    await runtime.full()
    runtime.type = "MI"
    assert_refused(await runtime.full(), 409, "RUNTIME_TYPE_MISMATCH")


async def test_case_21_a_bound_secret_decides_where_the_runtime_is_shown(runtime, admin) -> None:
    await runtime.full()
    runtime.project, runtime.integration = "elsewhere", "another"
    assert (await runtime.full())[1]["acknowledged"] is True
    (node,) = await listed(admin)
    assert (node["project"]["handle"], node["integration"]["handle"]) == ("retail-core", "order-intake")
    assert [warning["code"] for warning in node["warnings"]] == ["BOUND_ELSEWHERE"]


async def test_case_22_two_first_heartbeats_at_once_make_one_of_everything(runtime, admin, plane) -> None:
    twin = type(runtime)(plane, runtime.secret, runtime_id="twin", name="orders-node-2")
    answers = await asyncio.gather(runtime.full(), twin.full())
    assert [answer[1]["acknowledged"] for answer in answers] == [True, True]
    counts = await admin.ask("{ projects { totalCount } integrations { totalCount } runtimes { totalCount } }")
    assert [counts[name]["totalCount"] for name in ("projects", "integrations", "runtimes")] == [1, 1, 2]


async def test_case_23_the_loser_of_a_race_is_accepted_where_the_winner_bound_the_secret(runtime, admin, plane) -> None:
    other = type(runtime)(plane, runtime.secret, runtime_id="other", name="n2", integration="something-else")
    answers = await asyncio.gather(runtime.full(), other.full())
    assert [answer[1]["acknowledged"] for answer in answers] == [True, True]
    nodes = await listed(admin)
    assert len({node["integration"]["handle"] for node in nodes}) == 1
    assert sorted(code for node in nodes for code in [w["code"] for w in node["warnings"]]) == ["BOUND_ELSEWHERE"]


# deltas and liveness: cases 24 to 31


async def test_case_24_a_delta_with_an_unbound_secret_is_asked_for_a_full_one(runtime) -> None:
    status, answer = await runtime.delta()
    assert (status, answer["acknowledged"], answer["fullHeartbeatRequired"]) == (200, True, True)


async def test_case_25_a_delta_of_an_unknown_runtime_creates_nothing(runtime, admin) -> None:
    await runtime.full()
    runtime.runtime_id = "unheard-of"
    assert (await runtime.delta())[1]["fullHeartbeatRequired"] is True
    assert len(await listed(admin)) == 1


async def test_case_26_a_delta_with_the_known_hash_is_enough(runtime) -> None:
    await runtime.full()
    status, answer = await runtime.delta()
    assert (status, answer["acknowledged"], answer["fullHeartbeatRequired"]) == (200, True, False)


async def test_case_27_a_delta_with_another_hash_keeps_it_alive_and_asks_for_a_full_one(
    runtime, admin, clock: FakeClock
) -> None:
    await runtime.full()
    runtime.hash = "hash-2"
    for _ in range(10):
        clock.advance(10)
        assert (await runtime.delta())[1]["fullHeartbeatRequired"] is True
    assert (await listed(admin))[0]["status"] == "RUNNING"


async def test_case_28_a_restart_of_ours_does_not_forget_hashes(runtime, plane, settings, clock: FakeClock) -> None:
    from pilothouse.app.control_plane import open_control_plane

    await runtime.full()
    await plane.stop()
    again = await open_control_plane(settings, clock)
    await again.start()
    runtime.plane = again
    try:
        assert (await runtime.delta())[1]["fullHeartbeatRequired"] is False
    finally:
        await again.stop()


async def test_case_29_a_delta_brings_an_offline_runtime_back_with_one_event(
    runtime, plane: ControlPlane, clock: FakeClock
) -> None:
    await runtime.full()
    clock.advance(200)
    plane._watched_at = clock.now()
    await plane.watch()
    feed = plane.bus.subscribe()
    await runtime.delta()
    await runtime.delta()
    happened, _ = await feed.take(0.05)
    assert [event.kind.value for event in happened] == ["runtime.running"]


async def test_case_30_silence_is_offline_without_waiting_for_a_scan(runtime, admin, clock: FakeClock) -> None:
    await runtime.full()
    clock.advance(10)
    await runtime.delta()
    clock.advance(30.5)
    assert (await listed(admin))[0]["status"] == "OFFLINE"


async def test_case_31_a_slow_runtime_is_never_offline_between_its_beats(runtime, admin, clock: FakeClock) -> None:
    await runtime.full()
    for _ in range(5):
        clock.advance(59)
        assert (await listed(admin))[0]["status"] == "RUNNING"
        clock.advance(1)
        await runtime.delta()


# identity: cases 32 to 38


async def test_case_32_two_live_runtimes_may_bear_one_name(runtime, admin) -> None:
    await runtime.full()
    runtime.runtime_id = "another"
    await runtime.full()
    assert [node["name"] for node in await listed(admin)] == ["orders-node-1", "orders-node-1"]


async def test_case_33_a_successor_takes_over_the_name_of_one_that_is_offline(runtime, admin, clock: FakeClock) -> None:
    first = runtime.runtime_id
    await runtime.full()
    clock.advance(100)
    runtime.runtime_id = "successor"
    await runtime.full()
    assert [node["runtimeId"] for node in await listed(admin)] == ["successor"]
    runtime.runtime_id = first
    assert (await runtime.full())[1]["acknowledged"] is True
    assert {node["runtimeId"] for node in await listed(admin)} == {"successor", first}


async def beat(clock: FakeClock, plane: ControlPlane, *alive, seconds: int = 10) -> None:
    """Let time pass while these runtimes send their beats and the watch keeps watch."""
    for _ in range(seconds):
        clock.advance(1)
        for one in alive:
            await one.delta()
        await plane.watch()


async def test_a_process_that_came_back_with_a_new_id_replaces_its_ghost_when_that_falls_silent(
    runtime, admin, plane, clock: FakeClock
) -> None:
    await runtime.full()
    await beat(clock, plane, runtime)
    clock.advance(2)  # the container restarts: the id file is gone, the name stays
    restarted = type(runtime)(plane, runtime.secret, runtime_id="fresh", hash="fresh")
    await restarted.full()
    assert len(await listed(admin)) == 2  # the old one is not known to be gone yet
    await beat(clock, plane, restarted, seconds=35)
    assert [node["runtimeId"] for node in await listed(admin)] == ["fresh"]


async def test_of_two_replicas_with_one_name_the_one_that_dies_stays_listed(
    runtime, admin, plane, clock: FakeClock
) -> None:
    twin = type(runtime)(plane, runtime.secret, runtime_id="twin")
    await runtime.full()
    await twin.full()
    await beat(clock, plane, runtime, twin)
    await beat(clock, plane, twin, seconds=35)
    statuses = {node["runtimeId"]: node["status"] for node in await listed(admin)}
    assert statuses == {runtime.runtime_id: "OFFLINE", "twin": "RUNNING"}


async def test_case_34_five_unnamed_replicas_live_side_by_side(runtime, admin, clock: FakeClock) -> None:
    runtime.name = None
    for _ in range(3):
        for number in range(5):
            runtime.runtime_id = f"replica-{number}"
            assert (await runtime.full())[1]["acknowledged"] is True
        clock.advance(10)
    assert [node["status"] for node in await listed(admin)] == ["RUNNING"] * 5


async def test_case_35_a_runtime_id_in_two_integrations_is_two_runtimes_and_a_warning(runtime, admin, plane) -> None:
    await runtime.full()
    other = type(runtime)(plane, await admin.secret(), integration="other")
    await other.full()
    nodes = await listed(admin)
    assert {node["integration"]["handle"] for node in nodes} == {"order-intake", "other"}
    assert [[w["code"] for w in node["warnings"]] for node in nodes] == [["SAME_RUNTIME_ID"], ["SAME_RUNTIME_ID"]]


async def test_case_36_a_runtime_that_moved_leaves_a_trace(runtime, admin, plane, clock: FakeClock) -> None:
    await runtime.full()
    clock.advance(100)
    other = type(runtime)(plane, await admin.secret(), integration="other")
    await other.full()
    by_integration = {node["integration"]["handle"]: node for node in await listed(admin)}
    assert by_integration["order-intake"]["status"] == "OFFLINE"
    assert by_integration["order-intake"]["warnings"] == [{"code": "MOVED"}]
    assert by_integration["other"]["status"] == "RUNNING"


async def test_case_37_a_secret_of_another_integration_keeps_nobody_alive(
    runtime, admin, plane, clock: FakeClock
) -> None:
    await runtime.full()
    other = type(runtime)(plane, await admin.secret(), runtime_id="other", integration="other")
    await other.full()
    clock.advance(100)
    thief = type(runtime)(plane, other.secret, runtime_id=runtime.runtime_id)
    assert (await thief.delta())[1]["fullHeartbeatRequired"] is True
    by_integration = {node["integration"]["handle"]: node["status"] for node in await listed(admin)}
    assert by_integration["order-intake"] == "OFFLINE"


async def test_case_38_an_automation_without_artifacts_is_content_with_deltas(runtime, admin) -> None:
    runtime.artifacts = {"main": {"packageOrg": "acme", "packageName": "nightly_sync", "packageVersion": "1.4.0"}}
    for _ in range(3):
        assert (await runtime.full())[1]["fullHeartbeatRequired"] is False
    data = await admin.ask("{ runtimes { nodes { automation { organization package version } } } }")
    assert data["runtimes"]["nodes"] == [
        {"automation": {"organization": "acme", "package": "nightly_sync", "version": "1.4.0"}}
    ]


# negotiation and silence about things: cases 42 to 43


async def test_case_42_every_acknowledged_answer_advertises_the_same_fields(runtime) -> None:
    answers = [await runtime.delta(), await runtime.full(), await runtime.delta()]
    runtime.hash = "other"
    answers.append(await runtime.delta())
    assert [answer[1]["supportedHeartbeatFields"] for answer in answers] == [FIELDS] * 4


async def stored_report(plane: ControlPlane) -> dict:
    import json

    from sqlalchemy import text

    document = await plane.store.read(lambda c: c.execute(text("select document from runtime_reports")).scalar_one())
    return json.loads(document)


async def test_case_43_optional_documents_are_stored_when_they_come_and_kept_when_they_are_not_mentioned(
    runtime, plane, admin
) -> None:
    await runtime.full()
    definitions = {"orders_openapi.json": {"openapi": "3.0.1", "paths": {}}}
    runtime.extra = {"tryItHost": "10.20.0.14", "openApiDefinitions": definitions}
    runtime.hash = "hash-2"
    assert (await runtime.full())[1]["fullHeartbeatRequired"] is False
    assert (await runtime.delta())[1]["fullHeartbeatRequired"] is False
    assert (await stored_report(plane))["open_api_definitions"] == definitions
    runtime.extra, runtime.hash = {}, "hash-3"
    await runtime.full()
    assert (await stored_report(plane))["open_api_definitions"] == definitions
    assert len(await listed(admin)) == 1


async def test_log_levels_that_are_not_mentioned_are_kept_and_an_empty_map_clears_them(runtime, admin) -> None:
    levels = "{ runtimes { nodes { logLevels { nodes { logger level } } } } }"
    runtime.extra = {"logLevels": {"acme/order_intake": "DEBUG"}}
    await runtime.full()
    runtime.extra = {}
    runtime.hash = "hash-2"
    await runtime.full()
    kept = (await admin.ask(levels))["runtimes"]["nodes"][0]["logLevels"]["nodes"]
    assert kept == [{"logger": "acme/order_intake", "level": "DEBUG"}]
    runtime.extra = {"logLevels": {}}
    await runtime.full()
    assert (await admin.ask(levels))["runtimes"]["nodes"][0]["logLevels"]["nodes"] == []


# secrets: cases 58 to 60 and troubleshooting


async def test_case_58_a_secret_is_256_random_bits_and_is_not_in_the_database(admin, plane: ControlPlane) -> None:
    secret = await admin.secret()
    key_id, _, material = secret.partition(".")
    assert len(key_id) == 8
    assert len(material) == 44
    await plane.flush()
    for path in plane.settings.home.iterdir():
        if path.is_file():
            assert material.encode() not in path.read_bytes(), path


async def test_case_60_a_revoked_secret_is_400_at_once(runtime, admin, clock: FakeClock) -> None:
    await runtime.full()
    key_id = runtime.secret.partition(".")[0]
    revoked = await admin.ask("mutation ($k: String!) { revokeSecret(keyId: $k) { runtimeCount } }", k=key_id)
    assert revoked == {"revokeSecret": {"runtimeCount": 1}}
    assert_refused(await runtime.delta(), 400, "KEY_REVOKED")
    assert_refused(await runtime.full(), 400, "KEY_REVOKED")
    assert (await admin.ask("{ secrets { totalCount } }"))["secrets"]["totalCount"] == 0
    clock.advance(100)
    assert (await listed(admin))[0]["status"] == "OFFLINE"


async def test_a_refusal_is_shown_to_the_operator_once_a_cause_and_struck_out_when_it_is_mended(runtime, admin) -> None:
    refusals = "{ refusals { count code fix keyId runtimeName environment address } }"
    runtime.environment = "prod"
    await runtime.full()
    await runtime.full()
    (entry,) = (await admin.ask(refusals))["refusals"]
    assert entry["count"] == 2
    assert entry["code"] == "ENVIRONMENT_MISMATCH"
    assert entry["runtimeName"] == "orders-node-1"
    assert entry["address"] == "10.0.3.7"
    runtime.environment = "dev"
    await runtime.full()
    assert (await admin.ask(refusals))["refusals"] == []


async def test_a_refusal_is_struck_out_by_a_heartbeat_that_says_nothing_new_too(
    runtime, admin, clock: FakeClock
) -> None:
    await runtime.full()
    await runtime.full()
    assert (await runtime.full(exp=int(clock.now()) - 90))[0] == 401
    assert len((await admin.ask("{ refusals { code } }"))["refusals"]) == 1
    await runtime.full()
    assert (await admin.ask("{ refusals { code } }"))["refusals"] == []


async def test_a_clock_that_is_off_is_warned_of_before_it_is_refused(runtime, admin, clock: FakeClock) -> None:
    runtime.extra = {"timestamp": [int(clock.now()) - 45, 0.0]}
    await runtime.full()
    assert (await listed(admin))[0]["warnings"] == [{"code": "CLOCK_SKEW"}]


async def test_unknown_paths_and_methods_say_where_to_go(runtime, plane) -> None:
    status, answer = await runtime.send("/somewhere", {})
    assert status == 404
    assert "/icp/heartbeat" in answer["fix"]
