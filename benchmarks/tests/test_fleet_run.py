import json
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parent.parent.parent


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_three_hundred_runtimes_of_all_kinds_lose_nothing_and_are_never_called_offline_wrongly(tmp_path):
    figures = tmp_path / "figures.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.fleet", "--runtimes", "300", "--minutes", "0.5", "--interval", "3",
         "--offline-after", "9", "--crashes", "0.2", "--home", str(tmp_path / "home"), "--json", str(figures)],
        cwd=TREE, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert figures.exists(), ran.stderr
    told = json.loads(figures.read_text())

    assert told["lost for good"] == {}
    assert told["false OFFLINE"] == 0
    assert told["gone and still RUNNING"] == 0
    assert told["acknowledged and not listed"] == 0
    assert told["totals that cannot be"] == []
    assert told["answers that do not bind"] == {}
    assert told["refused"] == {}
    assert told["ends and starts"]["crashes"] > 10
    assert told["beats acknowledged"] > 300 * 30 / 3 * 0.7
    assert told["good"], ran.stdout
    assert ran.returncode == 0
