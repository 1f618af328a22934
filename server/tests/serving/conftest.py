"""What the tests of this room share; the helpers they call by name are in `loopback.py`."""

import asyncio
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from pilothouse.serving.settings import TlsFiles

sys.path.insert(0, str(Path(__file__).parent))


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


@pytest.fixture
def run() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """Run a coroutine on uvloop, as the product does."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        async def whole(work: Awaitable[Any]) -> Any:
            return await asyncio.wait_for(work, 100)

        yield lambda work: runner.run(whole(work))
