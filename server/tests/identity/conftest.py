"""What the tests of this room share: a real directory and a real identity provider, one of each for a worker process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from directory import RunningDirectory, running_slapd
from oidc_provider import RunningProvider, running_provider


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the product runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDirectory]:
    with running_slapd(tmp_path_factory.mktemp("slapd") / "directory") as running:
        yield running


@pytest.fixture(scope="session")
def provider() -> Iterator[RunningProvider]:
    with running_provider() as running:
        yield running
