"""Ids are stable over restarts and never shared by two live processes."""

import os
import stat
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse_bridge._identity import claim, slug


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".icp_runtime_id"


def test_an_id_survives_a_restart(file: Path) -> None:
    first = claim(file, None)
    first.release()
    again = claim(file, None)
    assert again.runtime_id == first.runtime_id == str(uuid.UUID(first.runtime_id))
    assert file.read_text().strip() == first.runtime_id
    again.release()


def test_a_second_copy_takes_the_next_slot_and_gets_it_again(file: Path) -> None:
    first, second, third = (claim(file, None) for _ in range(3))
    assert [identity.path for identity in (first, second, third)] == [
        file,
        file.with_name(".icp_runtime_id.2"),
        file.with_name(".icp_runtime_id.3"),
    ]
    assert len({first.runtime_id, second.runtime_id, third.runtime_id}) == 3
    second.release()
    again = claim(file, None)
    assert again.runtime_id == second.runtime_id
    for identity in (first, again, third):
        identity.release()


def test_two_names_in_one_directory_are_two_runtimes(file: Path) -> None:
    first, second = claim(file, "node-1"), claim(file, "node-2")
    assert first.path == file.with_name(".icp_runtime_id.node-1")
    assert first.runtime_id != second.runtime_id
    first.release()
    second.release()


@given(first=st.text(min_size=1, max_size=100), second=st.text(min_size=1, max_size=100))
def test_two_names_never_share_a_file(first: str, second: str) -> None:
    assert (slug(first) == slug(second)) == (first == second)


@given(label=st.text(min_size=1, max_size=100))
def test_a_name_makes_a_file_name_that_every_system_takes(label: str) -> None:
    assert slug(label).isascii()
    assert 0 < len(slug(label)) < 80
    assert not set(slug(label)) & set('/\\:. *?"<>|\n\0')
    assert not slug(label).isdigit() or len(slug(label)) == 8


@pytest.mark.parametrize("content", ["", "\n", "not an id!", "x" * 150, "\x00\xff" * 20])
def test_a_file_that_holds_no_id_gets_one(file: Path, content: str) -> None:
    file.write_text(content, encoding="latin-1")
    identity = claim(file, None)
    assert file.read_text().strip() == identity.runtime_id == str(uuid.UUID(identity.runtime_id))
    identity.release()


def test_an_id_that_another_bridge_wrote_is_kept(file: Path) -> None:
    file.write_text("orders-6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a11")
    identity = claim(file, None)
    assert identity.runtime_id == "orders-6f1d2c9a-0b7e-4a55-9c1e-2f4b8f0f7a11"
    identity.release()


def test_the_file_is_private(file: Path) -> None:
    identity = claim(file, None)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    identity.release()


def test_a_directory_that_cannot_be_written_gives_an_id_in_memory_and_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    first, second = (claim(tmp_path / "a-file" / ".icp_runtime_id", None) for _ in range(2))
    assert first.path is None
    assert first.trouble is not None
    assert "a-file" in first.trouble
    assert first.runtime_id != second.runtime_id


def test_a_child_that_lets_go_leaves_the_lock_with_its_parent(file: Path) -> None:
    parent = claim(file, None)
    child = os.fork()
    if child == 0:
        parent.abandon_in_child()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    other = claim(file, None)
    assert other.path == file.with_name(".icp_runtime_id.2")
    parent.release()
    other.release()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here")
def test_a_lock_is_not_handed_to_programs_that_are_started(file: Path) -> None:
    identity = claim(file, None)
    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists() and link.resolve() == file.resolve()]
    assert len(links) == 1
    assert not os.get_inheritable(int(links[0].name))
    identity.release()
