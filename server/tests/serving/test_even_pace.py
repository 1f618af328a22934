"""A process answers evenly: the collector has nothing of the start to look through, and a busy thread soon gives way."""

import subprocess
import sys

_TOLD = """
import gc, sys, threading, time
from pilothouse.app.process import begin_start, end_start

begin_start()
made = [[number] for number in range(300_000)]
assert not gc.isenabled()
end_start()
assert gc.isenabled()
before = time.process_time()
gc.collect()
print(gc.get_freeze_count() >= 300_000, round(time.process_time() - before, 6), len(gc.get_objects()) < 10_000)
"""


def test_what_the_start_made_is_not_looked_through_again() -> None:
    done = subprocess.run([sys.executable, "-c", _TOLD], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    is_frozen, took_s, is_little_left = done.stdout.split()
    assert (is_frozen, is_little_left) == ("True", "True")
    assert float(took_s) < 0.02, "300,000 lists take more"


def test_a_process_whose_start_was_not_begun_keeps_its_collector() -> None:
    words = "import gc; from pilothouse.app.process import end_start; end_start(); print(gc.get_freeze_count())"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert done.stdout.strip() == "0"


_ASKED = """
import sys, threading, time
from pilothouse.app.process import begin_start

if sys.argv[1] == "prepared":
    begin_start()
ends = time.monotonic() + 30


def compute() -> None:
    while not is_over.is_set() and time.monotonic() < ends:
        sum(range(100))


is_over = threading.Event()
threading.Thread(target=compute).start()
began, turns = time.monotonic(), 0
while turns < 100:
    time.sleep(0.000_001)  # as one that waits for a database does after each statement
    turns += 1
is_over.set()
print(time.monotonic() - began)
"""


def _waits_s(how: str) -> float:
    done = subprocess.run([sys.executable, "-c", _ASKED, how], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    return float(done.stdout)


def test_a_thread_that_waits_often_gets_on_beside_one_that_computes() -> None:
    pairs = [(_waits_s("prepared"), _waits_s("as it is")) for _ in range(3)]
    assert min(prepared for prepared, _ in pairs) < 0.6 * min(plain for _, plain in pairs), pairs
