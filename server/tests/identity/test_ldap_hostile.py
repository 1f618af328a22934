"""Directories that do not behave, and what is never sent to any."""

import asyncio
import contextlib
import ssl
import uuid
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.identity.external import ExternalRefused, ProviderUnavailable
from pilothouse.identity.ldap import Directory, LdapSettings
from pilothouse.identity.ldap_connection import Address, connect
from pilothouse.identity.ldap_names import name_of
from sansldap import FilterAnd, FilterEquality, LDAPResultCode, LDAPServer, PartialAttribute
from scripted_directory import Gullible, Script, scripted

pytestmark = pytest.mark.anyio


def directory_at(url: str, **changes: object) -> Directory:
    chosen = {"url": url, "user_base": "ou=people,dc=example", "timeout_s": 2.0}
    return Directory(LdapSettings(**(chosen | changes)))


async def trouble_of(script: Script, **changes: object) -> str:
    async with scripted(script) as url:
        with pytest.raises(ProviderUnavailable) as caught:
            await directory_at(url, **changes).authenticate("ann", "ann-password")
        return caught.value.cause


@given(name=st.text(max_size=40), password=st.text(max_size=12), pattern=st.booleans())
@settings(max_examples=150, deadline=None)
def test_whatever_is_typed_only_values_change_and_no_bind_is_empty(name: str, password: str, pattern: bool) -> None:
    gullible = Gullible(uid=name)

    async def attempt() -> None:
        changes = {"user_dn_pattern": "uid={0},ou=people,dc=example"} if pattern else {}
        async with scripted(gullible) as url:
            with contextlib.suppress(ExternalRefused):
                await directory_at(url, **changes).authenticate(name, password)

    asyncio.run(attempt())
    assert all(dn and sent == password for dn, sent in gullible.binds)
    assert bool(gullible.binds) == bool(gullible.searches) == bool(name.strip() and password)
    for search in gullible.searches:
        if not pattern:
            uid = FilterEquality("uid", name.encode())
            assert search.filter == FilterAnd([FilterEquality("objectClass", b"person"), uid])
    if pattern and gullible.binds:
        dn = gullible.binds[0][0]
        assert dn.count(",") == 2
        assert name_of(dn) == name


@pytest.mark.parametrize(("dn", "password"), [("uid=ann,dc=example", ""), ("", "ann-password"), ("", "")])
async def test_a_connection_sends_no_bind_that_would_be_anonymous(dn: str, password: str) -> None:
    gullible = Gullible()
    async with scripted(gullible) as url:
        port = int(url.rpartition(":")[2])
        connection = await connect(Address(host="127.0.0.1", port=port, tls=None, is_ldaps=False))
        outcome = await connection.bind(dn, password)
        await connection.close()
    assert not outcome.is_success
    assert gullible.binds == []


async def test_an_entry_without_a_name_is_never_bound_as() -> None:
    gullible = Gullible(dn="")
    async with scripted(gullible) as url:
        with pytest.raises(ExternalRefused):
            await directory_at(url).authenticate("ann", "ann-password")
    assert all(dn for dn, _ in gullible.binds)


async def test_an_unknown_name_costs_as_many_questions_as_a_known_one() -> None:
    class Empty(Gullible):
        def _answer(self, server, message) -> None:
            if message.__class__.__name__ == "SearchRequest":
                server.search_result_done(message.message_id)
            else:
                super()._answer(server, message)

    known, unknown = Gullible(), Empty()
    async with scripted(known) as url:
        await directory_at(url).authenticate("ann", "ann-password")
    async with scripted(unknown) as url:
        with pytest.raises(ExternalRefused):
            await directory_at(url).authenticate("bob", "ann-password")
    assert len(unknown.binds) == len(known.binds) == 1


async def test_active_directory_s_names_and_nested_groups() -> None:
    guid = uuid.uuid4()

    class ActiveDirectory(Gullible):
        def _answer(self, server, message) -> None:
            if message.__class__.__name__ == "SearchRequest" and message.base_object.startswith("OU=Groups"):
                self.searches.append(message)
                server.search_result_entry(
                    message.message_id, "CN=Ops,OU=Groups,DC=corp", [PartialAttribute("cn", [b"Ops"])]
                )
                server.search_result_done(message.message_id)
            elif message.__class__.__name__ == "SearchRequest":
                attributes = [
                    PartialAttribute("objectGUID", [guid.bytes_le]),
                    PartialAttribute("sAMAccountName", [b"Ann"]),
                ]
                server.search_result_entry(message.message_id, "CN=Ann Lee,OU=Staff,DC=corp", attributes)
                server.search_result_done(message.message_id)
            else:
                super()._answer(server, message)

    fake = ActiveDirectory()
    async with scripted(fake) as url:
        ann = await directory_at(
            url,
            user_filter="(&(objectCategory=person)(sAMAccountName={0}))",
            username_attribute="sAMAccountName",
            group_base="OU=Groups,DC=corp",
            group_filter="(member:1.2.840.113556.1.4.1941:={0})",
        ).authenticate("ann", "ann-password")
    assert (ann.subject, ann.username, ann.groups) == (str(guid), "Ann", ("Ops",))
    nested = fake.searches[0].filter
    assert (nested.rule, nested.attribute, nested.value) == (
        "1.2.840.113556.1.4.1941",
        "member",
        b"CN=Ann Lee,OU=Staff,DC=corp",
    )


async def test_without_an_identifier_the_dn_in_lower_case_is_the_subject() -> None:
    async with scripted(Gullible(dn="UID=Ann,OU=People,DC=Example")) as url:
        ann = await directory_at(url).authenticate("ann", "ann-password")
    assert ann.subject == "uid=ann,ou=people,dc=example"
    async with scripted(Gullible(dn=f"uid=ann,ou={'x' * 250}")) as url:
        ann = await directory_at(url).authenticate("ann", "ann-password")
    assert ann.subject.startswith("dn-sha256:")
    assert len(ann.subject) <= 255


async def test_a_directory_that_says_nothing_is_given_up_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    assert await trouble_of(silent, timeout_s=0.3) == "it did not answer within 0.3 s."


async def test_a_directory_that_hangs_up_is_said_to() -> None:
    async def curt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    assert await trouble_of(curt) == "it closed the connection."


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x80\x02\x01\x01",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x0c\x02\x01\x09\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x05\x02\x01\x01\x42\x00",
    ],
)
async def test_garbage_is_trouble_of_the_directory(garbage: bytes) -> None:
    async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(garbage)
        await writer.drain()
        await reader.read()

    await trouble_of(babbling, timeout_s=0.5)


@given(
    octets=st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    b"\x30",
                    b"\x84",
                    b"\x02\x01\x01",
                    b"\x64\x05",
                    b"\xa0\x03",
                    b"\x04\x01a",
                    b"\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
                    b"\x00",
                    b"\xff",
                ]
            )
        ).map(b"".join),
    )
)
@settings(max_examples=150, deadline=None)
def test_no_octets_break_more_than_the_sign_in(octets: bytes) -> None:
    async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(octets)
        await writer.drain()

    asyncio.run(trouble_of(babbling, timeout_s=0.5))


async def test_an_endless_answer_is_cut_off() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        server = LDAPServer()
        server._outstanding_requests.add(1)
        server.search_result_entry(1, "uid=ann,dc=example", [PartialAttribute("description", [b"x" * 1000])])
        entry = server.data_to_send()
        while not writer.is_closing():
            writer.write(entry)
            await writer.drain()

    assert await trouble_of(endless) == "its answer is longer than 524288 bytes."


async def test_nothing_follows_in_clear_text_when_starttls_is_refused() -> None:
    seen: list[bytes] = []

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = LDAPServer()
        while octets := await reader.read(65_536):
            seen.append(octets)
            if len(seen) == 1:
                server.receive(octets)
                server.extended_response(1, result_code=LDAPResultCode.PROTOCOL_ERROR)
                writer.write(server.data_to_send())

    assert await trouble_of(refusing, start_tls=True) == "it refuses StartTLS (PROTOCOL_ERROR)."
    assert not any(b"ann" in octets for octets in seen)


async def test_an_answer_slipped_in_before_the_encryption_does_not_count() -> None:
    async def injecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = LDAPServer()
        server.receive(await reader.read(65_536))
        server.extended_response(1)
        server._outstanding_requests.add(2)
        server.bind_response(2)
        writer.write(server.data_to_send())
        await reader.read()

    assert "does not speak LDAP as expected" in await trouble_of(injecting, start_tls=True)


async def test_half_an_answer_slipped_in_before_the_encryption_is_forgotten(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    gullible = Gullible()

    async def injecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = LDAPServer()
        server.receive(await reader.read(65_536))
        server.extended_response(1)
        writer.write(server.data_to_send() + b"\x30\x0c\x02\x01")
        await writer.drain()
        await writer.start_tls(tls)
        await gullible(reader, writer)

    async with scripted(injecting) as url:
        directory = directory_at(url, start_tls=True, ca_file=str(tmp_path / "ca.pem"))
        assert (await directory.authenticate("ann", "ann-password")).username == "ann"
    assert gullible.binds == [("uid=ann,ou=people,dc=example", "ann-password")]
