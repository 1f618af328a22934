"""A process answers evenly: the collector has nothing of the start to look through, and a busy thread soon gives way."""

import subprocess
import sys

from pilothouse.app.process import GIVE_WAY_S

_TOLD = """
import gc
from pilothouse.app.process import begin_start, end_start

begin_start()
made = [[number] for number in range(300_000)]
assert not gc.isenabled()
end_start()
assert gc.isenabled()
gc.collect()
print(gc.get_freeze_count() >= 300_000, len(gc.get_objects()) < 10_000)
"""


def test_what_the_start_made_is_not_looked_through_again() -> None:
    done = subprocess.run([sys.executable, "-c", _TOLD], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert done.stdout.split() == ["True", "True"]


def test_a_process_whose_start_was_not_begun_keeps_its_collector() -> None:
    words = "import gc; from pilothouse.app.process import end_start; end_start(); print(gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert done.stdout.strip() == "0"


def test_a_busy_thread_of_a_process_that_serves_soon_gives_way() -> None:
    words = "import sys; from pilothouse.app.process import begin_start; a = sys.getswitchinterval(); begin_start(); print(a, sys.getswitchinterval())"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    before_s, after_s = map(float, done.stdout.split())
    assert after_s == GIVE_WAY_S < before_s
