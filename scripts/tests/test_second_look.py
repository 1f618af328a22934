"""A whole run, beside others and in groups, then the second look at what failed in it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "second_look.py"

#: Fails once: the second time its note is there.
UNSTEADY = """
import pathlib, pytest
def fails_once(name):
    note = pathlib.Path("seen-" + name)
    if not note.exists():
        note.touch()
        raise RuntimeError(name)
"""
ODD = ["a@b", "a/b", "a::b", "a]@b", "a[b", "@", "a b", "ä"]


def _look() -> object:
    spec = importlib.util.spec_from_file_location("second_look", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of its own, whose tests keep together as ours do."""
    shutil.copy(ROOT / "conftest.py", tmp_path / "conftest.py")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (tmp_path / "at@home").mkdir()
    return tmp_path


def _python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))}
    # Most of such a run is the loading of plugins that it does not use.
    environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, *arguments], cwd=tree, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def _twice(tree: Path, body: str) -> tuple[int, subprocess.CompletedProcess[str]]:
    """The status of the whole run, and the second look."""
    (tree / "at@home" / "test_it.py").write_text(UNSTEADY + body, encoding="utf-8")
    whole = _python(tree, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup")
    return whole.returncode, _python(tree, str(SCRIPT), str(whole.returncode))


@pytest.mark.parametrize("name", ["x/test_a.py::test_it", "x@y/test_a.py::test_it", "test_a.py::TestIt::test_it"])
@pytest.mark.parametrize("parameters", ["", "[a]", "[a@b]", "[a/b@c/d]", "[a::b]", "[a]@b]"])
@pytest.mark.parametrize("group", ["", "@kafka", "@a_b-2"])
def test_a_test_is_known_without_its_group(name: str, parameters: str, group: str) -> None:
    assert _look().without_group(name + parameters + group) == name + parameters  # type: ignore[attr-defined]


def test_a_file_is_known_by_its_own_name() -> None:
    assert _look().without_group("x@y/test_a.py") == "x@y/test_a.py"  # type: ignore[attr-defined]


@pytest.mark.slow
def test_what_passes_alone_is_named_and_fails_the_run_no_more(tree: Path) -> None:
    status, look = _twice(
        tree,
        f"""
@pytest.mark.xdist_group("odd-1")
@pytest.mark.parametrize("name", {ODD!r})
def test_in_a_group(name):
    fails_once("group" + str({ODD!r}.index(name)))

@pytest.mark.parametrize("name", ["x@y"])
def test_in_none(name):
    fails_once("none")

@pytest.fixture
def before():
    fails_once("before")

@pytest.fixture
def after():
    yield
    fails_once("after")

@pytest.mark.xdist_group("odd-1")
def test_that_cannot_be_begun(before): ...

def test_that_cannot_be_undone(after): ...

def test_that_is_well(): ...
""",
    )
    assert status == 1
    assert look.returncode == 0, look.stdout + look.stderr
    assert f"UNSTEADY: {len(ODD) + 3} failed beside others" in look.stdout
    rows = [line.split(maxsplit=2) for line in look.stdout.splitlines() if line.startswith(("passed ", "failed "))]
    assert len(rows) == len(ODD) + 3
    assert all(float(seconds) >= 0 for _, seconds, _ in rows)
    assert "at@home/test_it.py::test_in_a_group[a::b]" in [name for _, _, name in rows]
    assert "at@home/test_it.py::test_that_cannot_be_begun" in [name for _, _, name in rows]
    assert "test_that_is_well" not in look.stdout


@pytest.mark.slow
def test_what_fails_alone_too_fails_the_run(tree: Path) -> None:
    status, look = _twice(
        tree,
        """
@pytest.fixture
def before():
    raise RuntimeError("never")

def test_never(): assert not "never"

def test_never_begun(before): ...

def test_once(): fails_once("once")
""",
    )
    assert (status, look.returncode) == (1, 1)
    said = {tuple(line.split()[::2]) for line in look.stdout.splitlines() if "::" in line}
    for row in (("failed", "test_never"), ("error", "test_never_begun"), ("passed", "test_once")):
        assert (row[0], f"at@home/test_it.py::{row[1]}") in said, look.stdout
    assert "UNSTEADY: 1 failed" in look.stdout


@pytest.mark.slow
def test_many_are_not_tried_again(tree: Path) -> None:
    status, look = _twice(
        tree, '@pytest.mark.parametrize("n", range(16))\ndef test_many(n): fails_once("many" + str(n))\n'
    )
    assert (status, look.returncode) == (1, 1)
    assert "16 tests failed" in look.stdout


@pytest.mark.slow
def test_a_run_that_did_not_come_to_its_end_is_not_saved_by_what_it_saw(tree: Path) -> None:
    status, look = _twice(tree, 'fails_once("reading the file")\ndef test_unseen(): raise ValueError\n')
    assert status == look.returncode
    assert status in {1, 2}
    assert "UNSTEADY" not in look.stdout, look.stdout


@pytest.mark.slow
def test_an_interrupted_run_keeps_its_status(tree: Path) -> None:
    look = _python(tree, str(SCRIPT), "2")
    assert look.returncode == 2
    assert "did not come to its end" in look.stdout
