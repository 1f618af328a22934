"""The fuzzers run for a while with every build, each in a process of its own: they instrument what they import."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[3] / "fuzz"
SECONDS = 5
INPUTS_MIN = 200
"""Far fewer than a busy machine manages in that time; none would mean that nothing ran."""

HARNESSES = sorted(path.name for path in FUZZ.glob("fuzz_*.py"))


def run(harness: str, findings: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    if importlib.util.find_spec("atheris") is None:
        message = "atheris is not installed (it is made for Linux alone)"
        (pytest.fail if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1" else pytest.skip)(message)
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(FUZZ / harness), "--findings", str(findings), *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("harness", HARNESSES)
def test_a_fuzzer_finds_nothing(harness: str, tmp_path: Path) -> None:
    done = run(harness, tmp_path, "--seconds", str(SECONDS))
    found = list(tmp_path.iterdir())
    assert (done.returncode, found) == (0, []), done.stdout[-2_000:] + done.stderr[-4_000:]
    (units,) = re.findall(r"number_of_executed_units:\s+(\d+)", done.stderr)
    assert int(units) > INPUTS_MIN


def test_there_is_a_harness_for_each_way_in() -> None:
    assert HARNESSES == ["fuzz_connection.py", "fuzz_decode_full.py", "fuzz_decode_result.py"]


@pytest.mark.slow
def test_a_finding_fails_and_is_left_to_be_looked_at(tmp_path: Path) -> None:
    broken = tmp_path / "fuzz_broken.py"
    broken.write_text(
        f"import sys\nsys.path.insert(0, {str(FUZZ)!r})\nfrom running import fuzz\n\n\n"
        "def one(data):\n    assert b'xy' not in data\n\n\nfuzz(one, [b'ab xy cd'])\n"
    )
    place = tmp_path / "findings"
    place.mkdir()
    done = run(str(broken), place, "--seconds", "5")
    (finding,) = place.iterdir()
    assert done.returncode != 0
    assert b"xy" in finding.read_bytes()
    assert run(str(broken), place, str(finding)).returncode != 0  # and fails again when it alone is given
