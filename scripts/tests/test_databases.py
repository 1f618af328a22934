"""The page that tells what ran on which database is what the tests are."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "databases.py"


@pytest.mark.slow
def test_the_page_of_databases_names_the_tests_that_there_are() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
