"""What the tests of bad input and faults share: real ports around a real control plane, on the product's own loop."""

import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from pilothouse.app.control_plane import ControlPlane
from pilothouse.protocol.exchange import ExchangeSettings
from pilothouse.serving.carrier import Carrier
from pilothouse.serving.settings import CarrierSettings, TlsFiles

TESTS = Path(__file__).parents[1]
sys.path.extend(str(TESTS / room) for room in ("faults", "serving"))


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[TlsFiles, ssl.SSLContext]:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    place = tmp_path_factory.mktemp("tls")
    files = TlsFiles(place / "certificate.pem", place / "key.pem")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files.certificate, append=True)
    issued.private_key_pem.write_to_path(files.key)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return files, client


@dataclass
class Edge:
    """The runtimes' port of a control plane, open on loopback."""

    plane: ControlPlane
    carrier: Carrier
    tls: ssl.SSLContext | None

    @property
    def port(self) -> int:
        return self.carrier.ports["runtimes"]

    @property
    def connections(self) -> int:
        return self.carrier.connections()["runtimes"]


@pytest.fixture(params=["plain", "tls"])
async def edge(request: Any, plane: ControlPlane, tls_files: Any) -> AsyncIterator[Edge]:
    """The port as it is in the product; a module may shorten its deadlines by `DEADLINE_S`."""
    from loopback import carried

    deadline_s = getattr(request.module, "DEADLINE_S", 15.0)
    files, client = tls_files
    is_secure = request.param == "tls"
    async with carried(
        plane.runtime_handler,
        exchange=ExchangeSettings(body_timeout_s=deadline_s),
        settings=CarrierSettings(idle_timeout_s=deadline_s, grace_s=0.5),
        tls=files if is_secure else None,
    ) as carrier:
        yield Edge(plane, carrier, client if is_secure else None)
