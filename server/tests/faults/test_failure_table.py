"""What the documentation says of failures is what the tests show: no row without its test, and no test without its row."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "howto" / "when-something-fails.md"
ROOMS = (
    "test_cut_from_the_database.py",
    "test_database_gone.py",
    "test_database_server_ends.py",
    "test_disk_full.py",
    "test_killed.py",
    "test_no_free_connection.py",
    "test_several_replicas.py",
    "test_waits_end.py",
)
"""The files of tests that make something fail."""
COLUMNS = 5


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def named() -> list[str]:
    return [name for row in rows() for name in re.findall(r"`(test_\w+\.py::test_\w+)`", row[-1])]


def there_are() -> set[str]:
    found: set[str] = set()
    for room in ROOMS:
        told = (HERE / room).read_text()
        found |= {f"{room}::{name}" for name in re.findall(r"^(?:async )?def (test_\w+)", told, re.MULTILINE)}
    return found


def test_every_row_tells_what_is_seen_for_how_long_and_what_is_lost_and_names_its_tests() -> None:
    assert len(rows()) > 8
    for row in rows():
        assert len(row) == COLUMNS, row
        assert all(row), row
        assert re.search(r"`test_\w+\.py::test_\w+`", row[-1]), row


def test_every_test_that_a_row_names_is_there() -> None:
    assert set(named()) - there_are() == set()


def test_every_test_of_a_fault_stands_in_one_row() -> None:
    assert there_are() - set(named()) == set()
    assert len(named()) == len(set(named()))
