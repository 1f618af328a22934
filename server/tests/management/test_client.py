import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trustme
from fake_mi import FakeMi, Trouble
from pilothouse.base.clock import SystemClock
from pilothouse.base.errors import CannotStart
from pilothouse.management import calls
from pilothouse.management.client import ManagementAnswer, ManagementClient, ManagementTarget
from pilothouse.management.failures import Failure, ManagementFailure
from pilothouse.management.policy import AllowList
from pilothouse.management.rules import Limits, ManagementRules
from pilothouse.management.tokens import Signing

pytestmark = pytest.mark.anyio

SECRET = "9f2c11aa.c29tZSBrZXkgbWF0ZXJpYWwgdGhhdCBpcyBsb25nIGVub3VnaA=="
SIGNING = Signing(
    key_id="9f2c11aa",
    material=SECRET.partition(".")[2],
    issuer="icp-runtime-jwt-issuer",
    audiences=("icp-server",),
)
READ = calls.list_loggers()
CHANGE = calls.set_state("endpoint", "StockEP", enabled=False)

Make = Callable[..., ManagementClient]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def mi(authority: trustme.CA) -> Iterator[FakeMi]:
    with FakeMi(SECRET, authority=authority) as fake:
        yield fake


@pytest.fixture
async def make(mi: FakeMi, tmp_path: Path) -> AsyncIterator[Make]:
    made: list[ManagementClient] = []

    def make(resolve: object = None, **rules: object) -> ManagementClient:
        whole = {"ca_file": mi.write_ca(tmp_path / "ca.pem")} | rules
        made.append(ManagementClient(ManagementRules(**whole), SystemClock(), resolve))
        return made[-1]

    yield make
    for client in made:
        await client.close()


def target(mi: FakeMi, **changes: object) -> ManagementTarget:
    return ManagementTarget(
        **{"runtime": "r1", "hostname": mi.url_host, "port": mi.port, "heartbeats_from": "127.0.0.1"} | changes
    )


async def failure(
    client: ManagementClient, at: ManagementTarget, call: calls.ManagementCall = READ, signing: Signing = SIGNING
) -> ManagementFailure:
    with pytest.raises(ManagementFailure) as caught:
        await client.carry_out(at, call, signing)
    error = caught.value
    assert error.code == error.failure.value
    assert error.fix
    assert error.message.isprintable()
    assert SIGNING.material not in error.message
    return error


class Names:
    """A resolver in the test's hands: each name gives its next answer, the last one for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        answers = self.answers[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


# ---------------------------------------------------------------- what succeeds


async def test_a_change_is_made_with_a_token_of_the_runtimes_own_secret(mi: FakeMi, make: Make) -> None:
    answer = await make().carry_out(target(mi), CHANGE, SIGNING)

    assert answer == ManagementAnswer(status=200, body={"message": "status of StockEP is inactive"})
    assert mi.state["endpoints"]["StockEP"]["status"] == "inactive"
    (received,) = mi.calls
    assert (received.method, received.path) == ("POST", "/management/endpoints")
    assert received.body == {"name": "StockEP", "status": "inactive"}
    assert received.claims is not None
    assert received.claims["sub"] == "icp-artifact-fetcher"
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["Host"] == f"localhost:{mi.port}"


async def test_every_wish_works_on_the_fake(mi: FakeMi, make: Make) -> None:
    client, at = make(), target(mi)
    mi.state["apis"]["a/b?c=d&e #f%20+ü"] = {"configuration": "<api/>"}

    for call in (
        calls.trigger_task("Nightly"),
        calls.set_tracing("sequence", "main", enabled=True),
        calls.set_statistics("template", "Shape", enabled=True),
        calls.set_logger_level("org-apache-synapse", "DEBUG"),
        calls.set_logger_level("acme", "WARN", "org.acme"),
    ):
        assert (await client.carry_out(at, call, SIGNING)).status == 200
    source = await client.carry_out(at, calls.read_source("api", "a/b?c=d&e #f%20+ü"), SIGNING)
    template = await client.carry_out(at, calls.read_source("template", "Shape", "sequence"), SIGNING)
    loggers = await client.carry_out(at, calls.list_loggers("SYNAPSE"), SIGNING)
    files = await client.carry_out(at, calls.list_log_files("carbon"), SIGNING)

    assert mi.triggered == ["Nightly"]
    assert mi.state["sequences"]["main"]["trace"] == "enable"
    assert mi.state["templates"]["Shape"]["statistics"] == "enable"
    assert mi.state["logging"]["acme"] == {"componentName": "org.acme", "level": "WARN"}
    assert source.body == {"name": "a/b?c=d&e #f%20+ü", "configuration": "<api/>"}
    assert template.body["type"] == "sequence"
    assert loggers.body["list"] == [
        {"loggerName": "org-apache-synapse", "componentName": "org.apache.synapse", "level": "DEBUG"}
    ]
    assert files.body["list"] == [{"FileName": "wso2carbon.log", "Size": "1.2 KB"}]


async def test_202_without_a_body_is_a_success(mi: FakeMi, make: Make) -> None:
    mi.trouble = Trouble.EMPTY

    assert await make().carry_out(target(mi), CHANGE, SIGNING) == ManagementAnswer(status=202, body=None)


async def test_no_cookie_is_kept_and_no_proxy_of_the_environment_is_used(
    mi: FakeMi, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    mi.trouble = Trouble.COOKIE
    client = make()

    await client.carry_out(target(mi), READ, SIGNING)
    await client.carry_out(target(mi), READ, SIGNING)

    assert len(mi.calls) == 2
    assert all("Cookie" not in received.headers for received in mi.calls)


async def test_an_address_instead_of_a_name_works_with_a_certificate_for_it(mi: FakeMi, make: Make) -> None:
    answer = await make().carry_out(target(mi, hostname="127.0.0.1"), READ, SIGNING)

    assert answer.body["count"] == 2
    assert mi.calls[0].headers["Host"] == f"127.0.0.1:{mi.port}"


async def test_the_next_address_is_tried_where_nobody_listens_at_the_first(mi: FakeMi, make: Make) -> None:
    names = Names(localhost=[["127.0.0.9", "127.0.0.1"]])

    answer = await make(names).carry_out(target(mi, heartbeats_from="127.0.0.9"), CHANGE, SIGNING)

    assert answer.status == 200
    assert len(mi.calls) == 1


# ---------------------------------------------------------------- whom it calls


async def test_a_name_that_points_elsewhere_the_second_time_is_not_asked_a_second_time(mi: FakeMi, make: Make) -> None:
    names = Names(localhost=[["10.0.0.7"], ["127.0.0.1"]])
    limits = Limits(connect_s=0.2)
    at = target(mi, heartbeats_from="10.0.0.7")

    error = await failure(make(names, limits=limits), at)

    # 10.0.0.7 was judged, so 10.0.0.7 was connected to; the second answer would have led to this machine.
    assert error.failure is Failure.UNREACHABLE
    assert "10.0.0.7" in error.message
    assert names.asked == ["localhost"]
    assert mi.calls == []


async def test_a_name_that_points_to_this_machine_from_the_second_call_on_is_refused_then(
    mi: FakeMi, make: Make
) -> None:
    names = Names(localhost=[["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1"]])
    client = make(names)

    assert (await client.carry_out(target(mi), READ, SIGNING)).status == 200
    assert (await failure(client, target(mi))).failure is Failure.ADDRESS_REFUSED
    assert (await failure(client, target(mi, heartbeats_from="10.0.0.7"))).failure is Failure.ADDRESS_REFUSED
    assert names.asked == ["localhost"] * 3
    assert len(mi.calls) == 1


async def test_of_several_addresses_only_those_that_pass_are_connected_to(mi: FakeMi, make: Make) -> None:
    names = Names(localhost=[["169.254.169.254", "10.9.9.9", "127.0.0.1"]])

    assert (await make(names).carry_out(target(mi), READ, SIGNING)).status == 200


async def test_a_remote_runtime_that_calls_itself_localhost_is_refused_and_told_what_to_set(
    mi: FakeMi, make: Make
) -> None:
    error = await failure(make(), target(mi, heartbeats_from="10.0.0.7"))

    assert error.failure is Failure.ADDRESS_REFUSED
    assert "own machine" in error.message
    assert "`[server]`" in error.fix
    assert "PILOTHOUSE_MI_ALLOW" in error.fix
    assert mi.calls == []


async def test_the_operator_may_allow_it(mi: FakeMi, make: Make) -> None:
    client = make(allowed=AllowList.parse("localhost"))

    assert (await client.carry_out(target(mi, heartbeats_from=None), READ, SIGNING)).status == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"hostname": None}, Failure.ADDRESS_MISSING),
        ({"hostname": "127.1"}, Failure.ADDRESS_INVALID),
        ({"hostname": "localhost/x"}, Failure.ADDRESS_INVALID),
        ({"port": 0}, Failure.ADDRESS_INVALID),
        ({"port": 65_536}, Failure.ADDRESS_INVALID),
        ({"hostname": "169.254.169.254"}, Failure.ADDRESS_REFUSED),
        ({"hostname": "10.0.0.9"}, Failure.ADDRESS_REFUSED),
    ],
)
async def test_what_a_runtime_reports_is_judged_before_anything_is_sent(
    mi: FakeMi, make: Make, changes: dict[str, object], expected: Failure
) -> None:
    assert (await failure(make(), target(mi, **changes))).failure is expected
    assert mi.calls == []


async def test_a_redirect_is_not_followed(mi: FakeMi, make: Make, authority: trustme.CA) -> None:
    with FakeMi(SECRET, authority=authority) as elsewhere:
        mi.trouble = Trouble.REDIRECT
        mi.redirect_to = f"https://localhost:{elsewhere.port}/management/logging"

        error = await failure(make(), target(mi))

        assert (error.failure, error.status) == (Failure.REDIRECTED, 302)
        assert elsewhere.calls == []


async def test_a_name_that_does_not_resolve_or_takes_too_long_is_unreachable(mi: FakeMi, make: Make) -> None:
    async def nothing(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def silence(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    async def empty(host: str, port: int) -> list[str]:
        return ["not an address"]

    assert (await failure(make(nothing), target(mi))).failure is Failure.UNREACHABLE
    assert (await failure(make(silence, limits=Limits(connect_s=0.05)), target(mi))).failure is Failure.UNREACHABLE
    assert (await failure(make(empty), target(mi))).failure is Failure.ADDRESS_INVALID


# ---------------------------------------------------------------- whom it trusts


async def test_a_certificate_of_a_stranger_is_refused_naming_the_setting(mi: FakeMi, make: Make) -> None:
    error = await failure(make(ca_file=None), target(mi))

    assert error.failure is Failure.TLS_NOT_TRUSTED
    assert "PILOTHOUSE_MI_CA_FILE" in error.fix
    assert not error.may_have_happened
    assert mi.calls == []


async def test_a_certificate_for_another_name_is_refused(make: Make, authority: trustme.CA) -> None:
    with FakeMi(SECRET, authority=authority, names=("mi-1.example.com",)) as other:
        error = await failure(make(), target(other), CHANGE)

        assert error.failure is Failure.TLS_NOT_TRUSTED
        assert "localhost" in error.message
        assert other.calls == []


async def test_the_name_in_the_certificate_is_that_of_the_host_not_of_the_address(
    make: Make, authority: trustme.CA
) -> None:
    with FakeMi(SECRET, authority=authority, names=("mi-1.example.com",)) as other:
        client = make(Names(**{"mi-1.example.com": [["127.0.0.1"]]}))

        assert (await client.carry_out(target(other, hostname="mi-1.example.com"), READ, SIGNING)).status == 200


async def test_only_the_operator_can_give_up_the_check(mi: FakeMi, make: Make) -> None:
    assert (await make(ca_file=None, insecure=True).carry_out(target(mi), READ, SIGNING)).status == 200


async def test_the_very_certificate_may_be_what_is_trusted(make: Make, tmp_path: Path) -> None:
    with FakeMi(SECRET) as other:

        def fetch() -> str:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with (
                socket.create_connection(("127.0.0.1", other.port)) as raw,
                context.wrap_socket(raw, server_hostname="localhost") as wrapped,
            ):
                return ssl.DER_cert_to_PEM_cert(wrapped.getpeercert(binary_form=True) or b"")

        file = tmp_path / "leaf.pem"
        file.write_text(await asyncio.to_thread(fetch))

        assert (await make(ca_file=file).carry_out(target(other), READ, SIGNING)).status == 200


async def test_a_file_of_authorities_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for file in (tmp_path / "absent.pem", empty):
        with pytest.raises(CannotStart) as caught:
            ManagementClient(ManagementRules(ca_file=file), SystemClock())
        assert caught.value.field == "PILOTHOUSE_MI_CA_FILE"


async def test_a_port_without_tls_is_said_to_be_one(make: Make, mi: FakeMi) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        error = await failure(make(), target(mi, port=server.sockets[0].getsockname()[1]), CHANGE)

    assert error.failure is Failure.UNREACHABLE
    assert "TLS" in error.message
    assert not error.may_have_happened


# ---------------------------------------------------------------- what fails


@pytest.mark.parametrize(
    ("trouble", "expected", "status", "words"),
    [
        (Trouble.ERROR_500, Failure.FAILED, 500, "Synapse is not itself today"),
        (Trouble.FORBIDDEN, Failure.FORBIDDEN, 403, "Only administrators may do this"),
        (Trouble.NOT_JSON, Failure.ANSWER_NOT_JSON, 200, "not JSON"),
        (Trouble.GZIP, Failure.ANSWER_NOT_JSON, 200, "not JSON"),
        (Trouble.ERROR_WITH_200, Failure.REFUSED, 200, "Missing parameters in payload"),
        (Trouble.HUGE, Failure.ANSWER_TOO_LARGE, 200, "4194304 bytes"),
        (Trouble.ENDLESS, Failure.ANSWER_TOO_LARGE, 200, "4194304 bytes"),
        (Trouble.CLOSES, Failure.BROKE_OFF, None, "ended the connection"),
        (Trouble.BREAKS_OFF, Failure.BROKE_OFF, None, "ended the connection"),
    ],
)
async def test_each_misbehaviour_has_its_own_failure(
    mi: FakeMi, make: Make, trouble: Trouble, expected: Failure, status: int | None, words: str
) -> None:
    mi.trouble = trouble

    error = await failure(make(), target(mi))

    assert (error.failure, error.status) == (expected, status)
    assert words in error.message
    assert not error.may_have_happened
    assert len(mi.calls) == 1


@pytest.mark.parametrize(
    ("trouble", "is_unknown"),
    [
        (Trouble.ERROR_500, True),
        (Trouble.CLOSES, True),
        (Trouble.BREAKS_OFF, True),
        (Trouble.HUGE, True),
        (Trouble.NOT_JSON, True),
        (Trouble.FORBIDDEN, False),
        (Trouble.ERROR_WITH_200, False),
        (Trouble.REDIRECT, False),
    ],
)
async def test_of_a_change_it_is_said_whether_it_may_have_been_made(
    mi: FakeMi, make: Make, trouble: Trouble, is_unknown: bool
) -> None:
    mi.trouble = trouble

    assert (await failure(make(), target(mi), CHANGE)).may_have_happened is is_unknown
    assert len(mi.calls) == 1


async def test_what_is_not_there_is_not_found_and_what_is_wrong_is_refused(mi: FakeMi, make: Make) -> None:
    client = make()

    gone = await failure(client, target(mi), calls.read_source("api", "Gone"))
    odd = await failure(client, target(mi), calls.set_logger_level("nobody", "INFO"))

    assert (gone.failure, gone.status) == (Failure.NOT_FOUND, 404)
    assert "Specified artifact ('Gone') not found" in gone.message
    assert (odd.failure, odd.status) == (Failure.REFUSED, 400)


@pytest.mark.parametrize(
    "changes", [{"key_id": "00000000"}, {"material": "y" * 44}, {"issuer": "x"}, {"audiences": ("x",)}]
)
async def test_a_token_that_is_not_accepted_is_said_to_be_one(
    mi: FakeMi, make: Make, changes: dict[str, object]
) -> None:
    parts = {name: getattr(SIGNING, name) for name in ("key_id", "material", "issuer", "audiences")}

    error = await failure(make(), target(mi), signing=Signing(**parts | changes))

    assert (error.failure, error.status) == (Failure.TOKEN_REFUSED, 401)


async def test_an_answer_that_does_not_come_ends_in_time(mi: FakeMi, make: Make) -> None:
    mi.trouble = Trouble.SLOW
    client = make(limits=Limits(whole_s=0.3))

    read, change = await failure(client, target(mi)), await failure(client, target(mi), CHANGE)

    assert read.failure is change.failure is Failure.TIMEOUT
    assert (read.may_have_happened, change.may_have_happened) == (False, True)


async def gone(mi: FakeMi) -> bool:
    """True as soon as the other side has seen that nobody listens any more."""
    for _ in range(100):
        if mi.under_way == 0:
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("trouble", [Trouble.SLOW, Trouble.ENDLESS, Trouble.HUGE])
async def test_what_was_given_up_leaves_no_connection_behind(mi: FakeMi, make: Make, trouble: Trouble) -> None:
    mi.trouble = trouble

    await failure(make(limits=Limits(whole_s=1)), target(mi))

    assert len(mi.calls) == 1
    assert await gone(mi)


async def test_nobody_at_the_port_is_unreachable(mi: FakeMi, make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        error = await failure(make(), target(mi, port=taken.getsockname()[1]), CHANGE)

    assert error.failure is Failure.UNREACHABLE
    assert "refused" in error.message
    assert not error.may_have_happened


async def test_a_machine_that_says_nothing_is_unreachable_in_time(mi: FakeMi, make: Make) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # TCP is taken by the kernel, and then nobody speaks TLS.
        error = await failure(make(limits=Limits(connect_s=0.2)), target(mi, port=full.getsockname()[1]), CHANGE)

    assert error.failure is Failure.UNREACHABLE
    assert "in time" in error.message
    assert not error.may_have_happened


# ---------------------------------------------------------------- how much at once


async def test_two_calls_of_one_runtime_are_under_way_at_once_and_not_more(mi: FakeMi, make: Make) -> None:
    mi.delay_s = 0.1
    client = make()

    answers = await asyncio.gather(*(client.carry_out(target(mi), READ, SIGNING) for _ in range(6)))

    assert len(answers) == 6
    assert mi.under_way_most == 2


async def test_32_calls_are_under_way_at_once_and_not_more(mi: FakeMi, make: Make) -> None:
    mi.delay_s = 0.4
    client = make()

    await asyncio.gather(*(client.carry_out(target(mi, runtime=f"r{number}"), READ, SIGNING) for number in range(40)))

    assert len(mi.calls) == 40
    assert 16 < mi.under_way_most <= 32


async def test_a_runtime_that_hangs_does_not_hold_up_the_others(mi: FakeMi, make: Make, authority: trustme.CA) -> None:
    mi.trouble = Trouble.SLOW
    client = make(limits=Limits(whole_s=2.5, at_once_max=4))  # enough for one that does not hang
    with FakeMi(SECRET, authority=authority) as well:
        hanging = [asyncio.create_task(failure(client, target(mi))) for _ in range(8)]
        await asyncio.sleep(0.1)

        assert (await client.carry_out(target(well, runtime="r2"), READ, SIGNING)).status == 200
        failures = [error.failure for error in await asyncio.gather(*hanging)]

    assert set(failures) <= {Failure.TIMEOUT, Failure.BUSY}
    assert Failure.TIMEOUT in failures
    assert mi.under_way_most == 2


async def test_a_queue_that_is_full_refuses_at_once_and_counts(mi: FakeMi, make: Make) -> None:
    mi.trouble = Trouble.SLOW
    client = make(limits=Limits(whole_s=0.5, waiting_per_runtime_max=1))
    hanging = [asyncio.create_task(failure(client, target(mi))) for _ in range(3)]
    await asyncio.sleep(0.05)

    assert (await failure(client, target(mi))).failure is Failure.BUSY
    assert client.refused_busy == 1
    await asyncio.gather(*hanging)
    mi.trouble = None
    assert (await client.carry_out(target(mi), READ, SIGNING)).status == 200


async def test_a_cancelled_call_gives_its_place_back(mi: FakeMi, make: Make) -> None:
    mi.trouble = Trouble.SLOW
    client = make(limits=Limits(at_once_max=1, per_runtime_max=1))
    task = asyncio.create_task(client.carry_out(target(mi), READ, SIGNING))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    mi.trouble = None

    assert (await client.carry_out(target(mi), READ, SIGNING)).status == 200


async def test_a_closed_client_takes_no_calls_and_ends_those_under_way(mi: FakeMi, make: Make) -> None:
    mi.trouble = Trouble.SLOW
    client = make()
    under_way = asyncio.create_task(failure(client, target(mi)))
    await asyncio.sleep(0.2)

    await client.close()

    assert (await asyncio.wait_for(under_way, 2)).failure is Failure.BROKE_OFF
    assert (await failure(client, target(mi))).failure is Failure.BUSY
    await client.close()


def test_every_failure_has_a_fix_and_a_place_in_the_how_to_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "a-change-has-stalled.md").read_text()

    for kind in Failure:
        assert ManagementFailure(kind, "x").fix
        assert f"`{kind.value}`" in page
