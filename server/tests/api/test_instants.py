"""Instants as they come from outside: what is stored can be shown again."""

import pytest

FAR = (
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+12:00",
    "2030-01-01T00:00:00",
    "soon",
)
"""No instants, or instants that UTC has no year for."""

ASKED = (
    (
        'mutation ($at: DateTime!) { generateSecret(input: {environment: "dev", expiresAt: $at}) { keyId } }',
        "expiresAt",
    ),
    (
        'mutation ($at: DateTime!) { createIngestToken(input: {name: "x", environment: "dev", expiresAt: $at}) { token } }',
        "expiresAt",
    ),
    ('mutation ($at: DateTime!) { createApiToken(input: {name: "x", expiresAt: $at}) { token } }', "expiresAt"),
    ('mutation ($at: DateTime!) { silenceAlerts(input: {reason: "x", to: $at}) { id } }', "to"),
    ("query ($at: DateTime!) { events(filter: {from: $at}) { totalCount } }", "from"),
    ("query ($at: DateTime!) { auditRecords(filter: {to: $at}) { totalCount } }", "to"),
)


@pytest.mark.anyio
@pytest.mark.parametrize("at", FAR)
@pytest.mark.parametrize(("query", "field"), ASKED)
async def test_an_instant_that_cannot_be_told_again_is_refused_by_its_field(
    admin, query: str, field: str, at: str
) -> None:
    (error,) = (await admin.try_asking(query, at=at))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", field)


@pytest.mark.anyio
async def test_the_last_instant_of_all_is_one_and_the_list_shows_it(admin) -> None:
    last = "9999-12-31T23:59:59.000Z"
    await admin.ask(ASKED[0][0], at=last)
    found = await admin.ask("{ secrets { nodes { expiresAt } } }")
    assert [node["expiresAt"] for node in found["secrets"]["nodes"]] == [last]
