import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parent.parent.parent
sys.path.append(str(TREE / "server" / "tests"))

from database_servers import PostgreSqlServer  # noqa: E402 - found from here on


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_fleet_behind_a_round_robin_loses_nothing_while_replicas_are_killed_and_started_again(tmp_path):
    if (missing := PostgreSqlServer.missing()) is not None:
        reason = f"{missing} is not installed: apt-get install {PostgreSqlServer.package}"
        (pytest.fail if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1" else pytest.skip)(reason)
    figures = tmp_path / "figures.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.replicas_under_kills", "--runtimes", "120", "--replicas", "2", "--minutes", "1",
         "--interval", "5", "--offline-after", "45", "--kill-every", "12", "--pool", "24", "--json", str(figures)],
        cwd=TREE, capture_output=True, text=True, check=False, timeout=560,
    )  # fmt: skip
    assert figures.exists(), ran.stderr
    told = json.loads(figures.read_text())

    assert set(told["must be none"].values()) == {0}, told
    assert told["said"] == []
    assert told["kills"] > 0
    assert told["beats acknowledged"] > 120 * 60 / 5 * 0.3
    assert told["full heartbeats acknowledged"] >= 120
    assert told["good"], ran.stdout
    assert ran.returncode == 0
