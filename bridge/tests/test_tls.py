"""TLS: unverified when the original's default asks for it, verified when told so, with errors that name the way out."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pilothouse_bridge._config import Endpoint
from pilothouse_bridge._line import Line
from pilothouse_bridge._transport import Transport
from pilothouse_bridge.errors import CertificateRefusedError, ServerUnreachableError
from pilothouse_bridge.testing import FakePilothouse


def test_the_default_encrypts_without_asking_who_is_there(certificates: Any, connect: Callable[..., Any]) -> None:
    with certificates.server_for() as server:
        bridge = connect(server)
        server.wait_for(lambda beat: beat.is_full)
        bridge.close()


def test_an_authority_that_is_named_is_trusted(certificates: Any, connect: Callable[..., Any]) -> None:
    with certificates.server_for() as server:
        bridge = connect(server, cert=certificates.authority)
        server.wait_for(lambda beat: not beat.is_full)
        bridge.close()


def endpoint(server: FakePilothouse, scheme: str = "https", host: str = "localhost") -> Endpoint:
    return Endpoint(scheme, host, int(server.url.rpartition(":")[2]), "")


def test_a_server_that_nobody_vouches_for_is_refused_when_verification_is_on(certificates: Any) -> None:
    with certificates.server_for() as server:
        transport = Transport(Line(endpoint(server), verify=True, authority=None))
        with pytest.raises(CertificateRefusedError, match="set 'cert' to the PEM file") as refused:
            transport.post("/icp/heartbeat", "token", b"{}")
        assert "enableSSL = false" in refused.value.fix
        assert server.beats == []


def test_a_certificate_for_another_name_is_refused(certificates: Any) -> None:
    with certificates.server_for() as server:
        transport = Transport(Line(endpoint(server, host="127.0.0.1"), verify=True, authority=certificates.authority))
        with pytest.raises(CertificateRefusedError):
            transport.post("/icp/heartbeat", "token", b"{}")


def test_a_server_that_speaks_no_tls_is_told_apart() -> None:
    with FakePilothouse() as server:
        transport = Transport(Line(endpoint(server), verify=False, authority=None))
        with pytest.raises(CertificateRefusedError):
            transport.post("/icp/heartbeat", "token", b"{}")


def test_an_authority_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(CertificateRefusedError, match=r"empty\.pem' holds no certificate"):
        Transport(Line(Endpoint("https", "localhost", 1, ""), verify=True, authority=tmp_path / "empty.pem"))


def test_a_host_that_does_not_exist_is_named() -> None:
    transport = Transport(Line(Endpoint("http", "no-such-host.invalid", 9445, ""), verify=False, authority=None))
    with pytest.raises(ServerUnreachableError, match=r"no-such-host\.invalid port 9445"):
        transport.post("/icp/heartbeat", "token", b"{}")


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"server_url": "https://icp.invalid:1"}, True),
        ({"server_url": "http://icp.invalid:1", "enable_ssl": True}, True),
        ({"server_url": "https://icp.invalid:1", "enable_ssl": True}, False),
        ({"server_url": "https://localhost:1"}, False),
    ],
)
def test_an_unverified_server_beyond_this_machine_is_warned_of_once(
    connect: Callable[..., Any], caplog: pytest.LogCaptureFixture, fields: dict[str, Any], warned: bool
) -> None:
    caplog.set_level(logging.WARNING, "pilothouse_bridge")
    connect(**fields)
    lines = [line for line in caplog.messages if "is not verified" in line]
    assert len(lines) == int(warned)
