"""The suite's own tools: signatures, certificate, catalogue, framing."""

import json
import socket
import ssl
import threading
from pathlib import Path

import pytest
from pilothouse_conformance import cli, signing
from pilothouse_conformance.catalogue import CASES, COUNT, SECTIONS, choose
from pilothouse_conformance.certificate import self_signed
from pilothouse_conformance.verdict import Failed
from pilothouse_conformance.wire import Address, Exchange, Framing, Line, NoAnswer, Request, Trust

COMMANDS = Path(__file__).parents[2] / "contracts" / "commands" / "v1"


@pytest.mark.parametrize("path", sorted(COMMANDS.glob("*.json")), ids=lambda path: path.stem)
def test_signatures_are_those_of_the_golden_commands(path: Path) -> None:
    golden = json.loads(path.read_text())
    right = signing.signature_of(golden["command"], golden["key_material"]) == golden["command"]["signature"]
    assert right is (path.stem != "bad-signature")


def test_there_are_66_cases_each_with_a_sentence_and_a_section() -> None:
    assert cli
    assert sorted(CASES) == list(range(1, COUNT + 1))
    assert all(case.title and case.section for case in CASES.values())
    assert [first for _, first, _ in SECTIONS[1:]] == [last + 1 for _, _, last in SECTIONS[:-1]]


def test_cases_are_chosen_by_numbers_and_ranges() -> None:
    assert [case.number for case in choose("13,44-47,1")] == [1, 13, 44, 45, 46, 47]
    assert len(choose(None)) == COUNT


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_certificate_serves_a_handshake_and_is_verified_by_who_trusts_it(host: str, tmp_path: Path) -> None:
    path = tmp_path / "certificate.pem"
    path.write_text(self_signed(host))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            accepted, _ = listening.accept()
            with serving.wrap_socket(accepted, server_side=True) as secured:
                secured.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        trusting = ssl.create_default_context(cafile=path)
        plain = socket.create_connection(listening.getsockname())
        with trusting.wrap_socket(plain, server_hostname=host) as secured:
            assert secured.recv(10) == b"hello"
        thread.join(5)


def test_a_token_says_whether_its_signature_is_right() -> None:
    secret = "0a1b2c3d." + "m" * 43
    token = signing.mint(secret, sub="icp-artifact-fetcher")
    read = signing.read(token, secret)
    assert (read.header["kid"], read.claims["sub"], read.is_signed) == ("0a1b2c3d", "icp-artifact-fetcher", True)
    assert signing.read(token, "0a1b2c3d." + "n" * 43).is_signed is False


@pytest.mark.parametrize("framing", Framing)
def test_every_framing_carries_the_same_body(framing: Framing) -> None:
    request = Request(method="POST", path="/", headers={"X": "1"}, body=b'{"a":1}', framing=framing)
    head, _, rest = b"".join(request.segments("host:1")).partition(b"\r\n\r\n")
    assert head.startswith(b"POST / HTTP/1.1\r\nHost: host:1\r\nX: 1\r\n")
    assert rest == (b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n' if framing is Framing.CHUNKED else b'{"a":1}')
    assert len(request.segments("host:1")) == {Framing.LENGTH: 1, Framing.SPLIT: 2, Framing.CHUNKED: 4}[framing]


def test_nobody_listening_is_no_answer_and_is_kept_in_the_trail() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    trail: list[Exchange] = []
    line = Line(Address("http", "127.0.0.1", port), Trust(), trail.append)
    with pytest.raises(NoAnswer):
        line.ask(Request(method="GET", path="/", headers={"Authorization": "Bearer abc.def"}))
    assert "Bearer …" in trail[0].request
    assert "no answer" in trail[0].answer


def test_an_address_is_a_url_with_scheme_and_host() -> None:
    assert Address.of("https://[::1]:9445").authority == "[::1]:9445"
    assert Address.of("http://example.com").port == 80
    for text in ("localhost:9445", "ftp://host", "https://"):
        with pytest.raises(ValueError, match="is not the URL"):
            Address.of(text)


def test_commands_of_the_operator_that_fail_are_told_with_what_they_said() -> None:
    from pilothouse_conformance import hooks

    with pytest.raises(Failed, match="fault command ended with 1"), hooks.broken("false", "true"):
        pass
    with pytest.raises(Failed, match="did not run"):
        hooks.run("/nowhere/to/be/found", "restart")
