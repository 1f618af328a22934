"""What the tests of this room share: a notice, certificates of an authority of their own."""

import sys
from pathlib import Path

import pytest
import trustme
from pilothouse.base.clock import FakeClock

sys.path.insert(0, str(Path(__file__).parent))

NOW = 1_790_000_000.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path
