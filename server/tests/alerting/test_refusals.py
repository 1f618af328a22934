"""Who may not, what is not there, and what is too much: for each change of alerts."""

import pytest
from alert_helpers import CHANNEL, SAVE, SILENCE, at
from pilothouse.operations import alert_channels, alert_rules, alert_silences
from staff import Staff

pytestmark = pytest.mark.anyio

DELETE_RULE = "mutation ($id: ID!) { deleteAlertRule(id: $id) { id } }"
DELETE_CHANNEL = "mutation ($id: ID!) { deleteAlertChannel(id: $id) { id } }"
TEST_CHANNEL = "mutation ($id: ID!) { testAlertChannel(id: $id) { state } }"
END = "mutation ($id: ID!) { endAlertSilence(id: $id) { id } }"
DIFFERENCES = "query ($input: AlertChannelInput!) { alertChannelDifferences(input: $input) }"
HOOK = {"name": "mine", "kind": "WEBHOOK", "url": "https://hooks.example.com/x"}
OFFLINE = {"name": "mine", "condition": "RUNTIME_OFFLINE", "channels": []}


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def test_who_manages_alerts_in_one_project_does_so_there_alone(alerts, staff) -> None:
    await staff.project("Shop", "Till")
    await staff.project("Store", "Stock")
    await staff.holder("keeper", "ALERT_MGT_MANAGE", "INTEGRATION_MGT_VIEW", project="shop")
    everywhere = await alerts.rule(name="everywhere")
    channel = await alerts.channel()
    soon = at(alerts.clock.now() + 600)
    store = (await alerts.admin.ask(SILENCE, input={"reason": "r", "project": "store", "to": soon}))["silenceAlerts"]
    async with staff.signed_in("keeper") as keeper:
        rule = (await keeper.ask(SAVE, input={**OFFLINE, "project": "shop"}))["saveAlertRule"]["id"]
        assert await staff.refusal(keeper, SAVE, input=OFFLINE) == ("NOT_PERMITTED", None)
        assert await staff.refusal(keeper, SAVE, input={**OFFLINE, "id": rule}) == ("NOT_PERMITTED", None)
        assert (await staff.refusal(keeper, SAVE, input={**OFFLINE, "project": "store"}))[0] == "NOT_FOUND"
        assert await staff.refusal(keeper, SAVE, input={**OFFLINE, "id": everywhere, "project": "shop"}) == (
            "NOT_PERMITTED",
            None,
        )
        # What one may not look up, one may not have told either.
        lines = {"name": "lines", "condition": "LOG_PATTERN", "levels": ["ERROR"], "project": "shop", "channels": []}
        rate = {"name": "rate", "condition": "ERROR_RATE", "threshold": 0.1, "project": "shop", "channels": []}
        assert await staff.refusal(keeper, SAVE, input=lines) == ("NOT_PERMITTED", None)
        assert await staff.refusal(keeper, SAVE, input=rate) == ("NOT_PERMITTED", None)
        assert await staff.refusal(keeper, DELETE_RULE, id=everywhere) == ("NOT_PERMITTED", None)
        assert await staff.refusal(keeper, SILENCE, input={"reason": "r", "to": soon}) == ("NOT_PERMITTED", None)
        assert (await staff.refusal(keeper, END, id=store["id"]))[0] == "NOT_FOUND"
        for query, given in (
            (CHANNEL, {"input": HOOK}),
            (CHANNEL, {"input": {**HOOK, "id": channel}}),
            (DIFFERENCES, {"input": {**HOOK, "id": channel}}),
            (DELETE_CHANNEL, {"id": channel}),
            (TEST_CHANNEL, {"id": channel}),
        ):
            assert await staff.refusal(keeper, query, **given) == ("NOT_PERMITTED", None), query
        await keeper.ask(DELETE_RULE, id=rule)


async def test_what_is_not_there_is_said_so(alerts, staff) -> None:
    admin = alerts.admin
    for query, given in (
        (SAVE, {"input": {**OFFLINE, "id": "none"}}),
        (DELETE_RULE, {"id": "none"}),
        (CHANNEL, {"input": {**HOOK, "id": "none"}}),
        (DIFFERENCES, {"input": {**HOOK, "id": "none"}}),
        (DELETE_CHANNEL, {"id": "none"}),
        (TEST_CHANNEL, {"id": "none"}),
        (SILENCE, {"input": {"reason": "r", "rule": "none", "to": at(alerts.clock.now() + 60)}}),
        (END, {"id": "none"}),
    ):
        assert await staff.refusal(admin, query, **given) == ("NOT_FOUND", "id"), query
    assert await staff.refusal(admin, SAVE, input={**OFFLINE, "channels": ["none"]}) == ("INVALID_INPUT", "channels")
    assert (await staff.refusal(admin, SAVE, input={**OFFLINE, "environment": "none"}))[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"windowS": 59}, "windowS"),
        ({"forS": 86_401}, "forS"),
        ({"remindS": 59}, "remindS"),
        ({"threshold": 1}, "threshold"),
        ({"percentile": 0.5}, "percentile"),
        ({"pattern": "x"}, "pattern"),
        ({"levels": ["ERROR"]}, "levels"),
        ({"condition": "ERROR_RATE", "threshold": 1.1}, "threshold"),
        ({"condition": "LATENCY", "threshold": 1, "percentile": 0}, "percentile"),
        ({"condition": "LOG_PATTERN"}, "pattern"),
        ({"condition": "LOG_PATTERN", "pattern": "("}, "pattern"),
        ({"condition": "EXPIRING", "threshold": 0}, "threshold"),
        ({"criticalOnly": True, "environment": "prod"}, "criticalOnly"),
        ({"channels": [str(number) for number in range(21)]}, "channels"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_by_its_field(alerts, staff, wish, field) -> None:
    assert await staff.refusal(alerts.admin, SAVE, input=OFFLINE | wish) == ("INVALID_INPUT", field)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"name": ""}, "name"),
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": None}, "url"),
        ({"signingSecret": "short"}, "signingSecret"),
        ({"routingKey": "R" * 32}, "routingKey"),
        ({"kind": "EMAIL", "url": None, "to": []}, "to"),
        ({"kind": "EMAIL", "url": None, "to": ["nobody"]}, "to"),
        ({"kind": "PAGERDUTY", "url": None, "routingKey": "no key"}, "routingKey"),
    ],
)
async def test_a_channel_that_leads_nowhere_is_refused_by_its_field(alerts, staff, wish, field) -> None:
    assert await staff.refusal(alerts.admin, CHANNEL, input=HOOK | wish) == ("INVALID_INPUT", field)


async def test_a_silence_that_never_ends_or_says_no_reason_is_refused(alerts, staff) -> None:
    now = alerts.clock.now()
    for wish, field in (
        ({"to": at(now - 1)}, "to"),
        ({"to": at(now + 367 * 86_400)}, "to"),
        ({"to": "tomorrow"}, "to"),
        ({"reason": " "}, "reason"),
    ):
        given = {"reason": "r", "to": at(now + 60)} | wish
        assert await staff.refusal(alerts.admin, SILENCE, input=given) == ("INVALID_INPUT", field)


async def test_there_is_room_for_so_many_and_names_are_there_once(alerts, staff, monkeypatch) -> None:
    channel = await alerts.channel(name="first")
    rule = await alerts.rule(name="first", channels=[channel])
    admin, soon = alerts.admin, at(alerts.clock.now() + 60)
    assert await staff.refusal(admin, SAVE, input=OFFLINE | {"name": "first"}) == ("CONFLICT", "name")
    assert await staff.refusal(admin, CHANNEL, input=HOOK | {"name": "first"}) == ("CONFLICT", "name")
    await alerts.rule(name="first", environment="dev")  # in another place
    assert await staff.refusal(admin, DELETE_CHANNEL, id=channel) == ("CONFLICT", "id")
    await admin.ask(SILENCE, input={"reason": "r", "to": soon})
    monkeypatch.setattr(alert_rules, "RULES_MAX", 2)
    monkeypatch.setattr(alert_channels, "CHANNELS_MAX", 1)
    monkeypatch.setattr(alert_silences, "SILENCES_MAX", 1)
    assert (await staff.refusal(admin, SAVE, input=OFFLINE))[0] == "CONFLICT"
    assert (await staff.refusal(admin, CHANNEL, input=HOOK))[0] == "CONFLICT"
    assert (await staff.refusal(admin, SILENCE, input={"reason": "r", "to": soon}))[0] == "CONFLICT"
    await alerts.rule(id=rule, name="first", severity="CRITICAL")  # what is there can be changed all the same


async def test_a_difference_is_told_and_never_the_secret(alerts) -> None:
    channel = await alerts.channel(name="hook", url="https://hooks.example.com/secret", signingSecret="s" * 20)

    async def differing(**wish) -> list[str]:
        given = {"id": channel, "name": "hook", "kind": "WEBHOOK", **wish}
        return (await alerts.admin.ask(DIFFERENCES, input=given))["alertChannelDifferences"]

    assert await differing() == []
    assert await differing(url="https://hooks.example.com/secret", signingSecret="s" * 20) == []
    assert await differing(name="other", url="https://hooks.example.com/another") == ["name", "url"]
    assert await differing(signingSecret="t" * 20) == ["signingSecret"]
    assert await differing(kind="SLACK") == ["kind"]


async def test_the_addresses_of_a_mail_channel_are_shown_whole_and_nothing_else_has_any(alerts) -> None:
    to = [f"somebody.with.a.long.name.{number}@mail.example.com" for number in range(50)]
    await alerts.channel("EMAIL", name="mail", to=to)
    await alerts.channel(name="hook")
    nodes = (await alerts.admin.ask("{ alertChannels { nodes { name to } } }"))["alertChannels"]["nodes"]
    assert {node["name"]: node["to"] for node in nodes} == {"mail": to, "hook": None}
