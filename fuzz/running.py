"""What the harnesses share: how long they run, what they begin with, where they leave what they find."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import atheris

GOLDENS = Path(__file__).parents[1] / "contracts"
LENGTH_MAX = 65_536
ONE_INPUT_MAX_S = 10
MEMORY_MAX_MB = 2_048


def bodies(folder: str, member: str) -> Iterable[bytes]:
    """The bodies of the goldens of one folder: what runtimes really send."""
    for golden in sorted((GOLDENS / folder).rglob("*.json")):
        told: Any = json.loads(golden.read_bytes())
        if isinstance(told, dict) and member in told:
            given = told[member]
            yield given.encode() if isinstance(given, str) else json.dumps(given).encode()


def fuzz(one: Callable[[bytes], None], corpus: Iterable[bytes]) -> None:
    """Run until the time is over or an input makes `one` fail; then the input is left in `--findings`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--findings", type=Path, default=Path.cwd(), help="Folder for inputs that fail.")
    parser.add_argument("inputs", nargs="*", help="Run these alone.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for number, seed in enumerate(corpus):
            (Path(place) / f"{number:04}").write_bytes(seed)
        settings = [
            f"-max_total_time={chosen.seconds}",
            f"-max_len={LENGTH_MAX}",
            f"-timeout={ONE_INPUT_MAX_S}",
            f"-rss_limit_mb={MEMORY_MAX_MB}",
            f"-artifact_prefix={chosen.findings}/",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *settings, *(chosen.inputs or [place])], one)
        atheris.Fuzz()
