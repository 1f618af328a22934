"""Sign-in by a directory, at a real one (OpenLDAP)."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
from directory import ODD_NAME, RunningDirectory, running_slapd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pilothouse.base.errors import CannotStart
from pilothouse.identity.external import ExternalIdentity, ExternalRefused, ProviderUnavailable
from pilothouse.identity.ldap import Directory, LdapSettings

pytestmark = pytest.mark.anyio


def searching(slapd: RunningDirectory, **changes: object) -> Directory:
    chosen = {
        "url": slapd.url,
        "user_base": slapd.people,
        "bind_dn": slapd.bind_dn,
        "bind_password": slapd.bind_password,
        **changes,
    }
    return Directory(LdapSettings(**chosen))


def by_pattern(slapd: RunningDirectory, **changes: object) -> Directory:
    return Directory(LdapSettings(**({"url": slapd.url, "user_dn_pattern": f"uid={{0}},{slapd.people}"} | changes)))


async def test_a_person_is_found_and_known_by_what_the_directory_says(slapd: RunningDirectory) -> None:
    ann = await searching(slapd).authenticate("ANN", "ann-password")
    assert (ann.username, ann.display_name, ann.email) == ("ann", "Ann Example", "ann@example.org")
    assert ann.issuer == f"ldap:localhost/{slapd.people}"
    assert len(ann.subject) == 36, "an entryUUID, which outlives a new name"
    assert ann.claims["mail"] == ("ann@example.org",)


async def test_a_person_is_found_without_a_search_account(slapd: RunningDirectory) -> None:
    ann = await by_pattern(slapd).authenticate("ann", "ann-password")
    assert (ann.username, ann.issuer) == ("ann", f"ldap:localhost/{slapd.people}")
    assert ann.subject == (await searching(slapd).authenticate("ann", "ann-password")).subject


async def test_a_renamed_person_keeps_the_subject(slapd: RunningDirectory) -> None:
    slapd.change(_person("before", slapd.people))
    before = await searching(slapd).authenticate("before", "a password")
    slapd.change(f"dn: uid=before,{slapd.people}\nchangetype: modrdn\nnewrdn: uid=after\ndeleteoldrdn: 1\n")
    after = await searching(slapd).authenticate("after", "a password")
    slapd.change(f"dn: uid=after,{slapd.people}\nchangetype: delete\n")
    assert (before.subject, before.username, after.username) == (after.subject, "before", "after")


async def test_groups_come_from_the_attribute(slapd: RunningDirectory) -> None:
    ann = await searching(slapd).authenticate("ann", "ann-password")
    assert set(ann.groups) == set(ann.claims["groups"]) == {"operators", "Sales, North", "admins"}
    assert f"cn=operators,{slapd.groups}" in ann.claims["memberOf"]


async def test_groups_outside_of_the_group_base_do_not_count(slapd: RunningDirectory) -> None:
    ann = await searching(slapd, group_base=slapd.groups).authenticate("ann", "ann-password")
    assert set(ann.groups) == {"operators", "Sales, North"}


@pytest.mark.parametrize("kind", ["search", "pattern"])
async def test_groups_come_from_a_search(slapd: RunningDirectory, kind: str) -> None:
    make = searching if kind == "search" else by_pattern
    directory = make(slapd, group_base=slapd.groups, member_of_attribute=None)
    assert set((await directory.authenticate("ann", "ann-password")).groups) == {"operators", "Sales, North"}
    assert (await directory.authenticate("bob", "bob-password")).groups == ("staff",)


async def test_the_pattern_s_entry_must_fit_the_filter(slapd: RunningDirectory) -> None:
    directory = by_pattern(slapd, user_filter=f"(memberOf=cn=operators,{slapd.groups})")
    assert (await directory.authenticate("ann", "ann-password")).username == "ann"
    with pytest.raises(ExternalRefused):
        await directory.authenticate("bob", "bob-password")


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ann", "wrong"),
        ("nobody-of-this-name", "ann-password"),
        ("twin", "twin-password"),
        ("locked", "locked-password"),
        ("ann", ""),
        ("", "ann-password"),
        ("  ", "ann-password"),
        ("*", "ann-password"),
        ("ann\ud800", "ann-password"),
        ("a" * 257, "ann-password"),
        ("ann", "p" * 1025),
    ],
)
async def test_every_refusal_reads_the_same(slapd: RunningDirectory, username: str, password: str) -> None:
    with pytest.raises(ExternalRefused) as refusal:
        await searching(slapd, user_base=slapd.base).authenticate(username, password)
    same = ExternalRefused()
    assert (str(refusal.value), refusal.value.fix, refusal.value.code) == (str(same), same.fix, "SIGN_IN_REFUSED")


async def test_a_name_of_special_characters_is_a_name(slapd: RunningDirectory) -> None:
    assert (await searching(slapd).authenticate(ODD_NAME, "odd-password")).username == ODD_NAME


NASTY = ["*", "(", ")", "\\", "\0", ",", "=", "+", '"', "<", ">", ";", "#", " ", "|", "&", "!", "{0}", "{1}"]
PIECES = [*NASTY, "ann", "uid=", ")(uid=*", "\\2a", "\\28", "objectClass=*", "ou=people", "dc=example", "é", "名"]


@given(name=st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=8).map("".join)), pattern=st.booleans())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_finds_more_than_its_own_entry(slapd: RunningDirectory, name: str, pattern: bool) -> None:
    async def attempt() -> ExternalIdentity | None:
        directory = by_pattern(slapd) if pattern else searching(slapd, user_base=slapd.base)
        try:
            return await directory.authenticate(name, "ann-password")
        except ExternalRefused:
            return None

    found = asyncio.run(attempt())
    assert found is None or (found.username == "ann" and set(name).isdisjoint("*()\\\0,=+{}"))


@pytest.mark.parametrize("way", ["start_tls", "ldaps"])
async def test_the_line_is_encrypted_and_the_authority_checked(slapd: RunningDirectory, way: str) -> None:
    chosen = {"url": slapd.ldaps_url} if way == "ldaps" else {"start_tls": True}
    directory = searching(slapd, ca_file=slapd.ca_file, **chosen)
    await directory.check()
    assert (await directory.authenticate("ann", "ann-password")).username == "ann"


@pytest.mark.parametrize("way", ["start_tls", "ldaps"])
async def test_another_authority_is_not_trusted(slapd: RunningDirectory, tmp_path: Path, way: str) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    chosen = {"url": slapd.ldaps_url} if way == "ldaps" else {"start_tls": True}
    directory = searching(slapd, ca_file=str(tmp_path / "other.pem"), **chosen)
    with pytest.raises(ProviderUnavailable, match="certificate is not trusted"):
        await directory.authenticate("ann", "ann-password")


@pytest.mark.parametrize("way", ["start_tls", "ldaps"])
async def test_a_certificate_of_another_host_is_not_trusted(slapd: RunningDirectory, way: str) -> None:
    url = (slapd.ldaps_url if way == "ldaps" else slapd.url).replace("localhost", "127.0.0.1")
    directory = searching(slapd, ca_file=slapd.ca_file, url=url, start_tls=way == "start_tls")
    with pytest.raises(ProviderUnavailable, match="IP address mismatch"):
        await directory.authenticate("ann", "ann-password")


async def test_a_directory_that_is_down_is_named_and_found_again(tmp_path: Path) -> None:
    with running_slapd(tmp_path / "directory") as own:
        directory = searching(own)
        await directory.check()
        own.stop()
        with pytest.raises(
            ProviderUnavailable, match=r"The directory cannot be asked now.*may still sign in"
        ) as caught:
            await directory.authenticate("ann", "ann-password")
        assert caught.value.code == "PROVIDER_UNAVAILABLE"
        with pytest.raises(ProviderUnavailable):
            await directory.check()
        own.start()
        assert (await directory.authenticate("ann", "ann-password")).username == "ann"


async def test_a_wrong_search_account_is_not_the_person_s_fault(slapd: RunningDirectory) -> None:
    directory = searching(slapd, bind_password="wrong")
    for asked in (directory.check(), directory.authenticate("ann", "ann-password")):
        with pytest.raises(ProviderUnavailable, match="refuses the account that Pilothouse searches with"):
            await asked


async def test_a_base_that_does_not_exist_is_not_the_person_s_fault(slapd: RunningDirectory) -> None:
    with pytest.raises(ProviderUnavailable, match="refuses to search for people"):
        await searching(slapd, user_base="ou=nowhere,dc=example,dc=com").authenticate("ann", "ann-password")


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ldap://directory.example.com"},
        {"url": "ldap://127.0.0.1.example.com"},
        {"url": "https://directory.example.com"},
        {"url": "ldaps://directory.example.com/dc=example"},
        {"url": "ldaps://directory.example.com", "start_tls": True},
        {"url": "ldaps://[broken"},
        {"user_base": None},
        {"user_base": "ou=" + "x" * 255},
        {"bind_dn": "cn=service", "bind_password": None},
        {"user_filter": "(uid={0}"},
        {"user_filter": "(objectClass=person)"},
        {"group_filter": "(objectClass=group)"},
        {"user_dn_pattern": "uid=ann,ou={0}"},
        {"ca_file": "/nowhere/ca.pem"},
    ],
)
def test_settings_that_cannot_be_safe_or_cannot_work_are_refused_at_the_start(changes: dict[str, object]) -> None:
    fine = {"url": "ldaps://directory.example.com", "user_base": "dc=example"}
    Directory(LdapSettings(**fine))
    with pytest.raises(CannotStart) as refusal:
        Directory(LdapSettings(**(fine | changes)))
    assert refusal.value.fix


def test_clear_text_over_a_network_must_be_asked_for() -> None:
    Directory(LdapSettings(url="ldap://directory.example.com", user_base="dc=example", insecure=True))


def test_certificates_are_checked_even_when_clear_text_is_allowed() -> None:
    directory = Directory(LdapSettings(url="ldaps://directory.example.com", user_base="dc=example", insecure=True))
    assert directory._address.tls.check_hostname
    assert directory._address.tls.verify_mode is ssl.CERT_REQUIRED


def _person(uid: str, below: str) -> str:
    return (
        f"dn: uid={uid},{below}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\n"
        "userPassword: a password\n"
    )
