"""What the tests of this room share: a real OpenSearch server, one for a worker process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from opensearch_server import RunningOpenSearch, running_opensearch


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOpenSearch]:
    with running_opensearch(tmp_path_factory.mktemp("opensearch")) as running:
        yield running
