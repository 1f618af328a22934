"""Behind a proxy people are told apart; nobody else may say where they come from."""

import httpx
import msgspec
import pytest
from pilothouse.base.errors import CannotStart
from pilothouse.config import load

from server.tests.conftest import Person

LAST = "{ auditRecords(first: 1) { nodes { address } } }"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "seen"),
    [
        ("10.1.0.0/16", "10.1.2.3", "203.0.113.9", "203.0.113.9"),
        (
            "10.1.0.0/16",
            "10.1.2.3",
            "6.6.6.6, 203.0.113.9",
            "203.0.113.9",
        ),  # what the caller wrote itself stands further left
        ("10.1.0.0/16", "10.1.2.3", "203.0.113.9, 10.1.7.7", "203.0.113.9"),
        ("10.1.0.0/16", "10.2.2.3", "203.0.113.9", "10.2.2.3"),
        ("", "127.0.0.1", "203.0.113.9", "127.0.0.1"),
    ],
)
async def test_where_somebody_comes_from_is_what_a_trusted_proxy_says(
    plane, settings, trusted, peer, forwarded, seen
) -> None:
    plane.settings = msgspec.structs.replace(settings, trusted_proxies=trusted)
    transport = httpx.ASGITransport(app=await plane.console_application(), client=(peer, 4_000))
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    async with httpx.AsyncClient(transport=transport, base_url="https://testserver", headers=headers) as client:
        person = Person(client)
        assert (await person.sign_in()).status_code == 200
        assert (await person.ask(LAST))["auditRecords"]["nodes"][0]["address"] == seen


def test_a_proxy_that_is_no_address_keeps_the_server_from_starting() -> None:
    with pytest.raises(CannotStart, match="PILOTHOUSE_TRUSTED_PROXIES"):
        load({"PILOTHOUSE_TRUSTED_PROXIES": "proxy.example.com"})
