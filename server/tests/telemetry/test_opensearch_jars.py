"""What is pinned for the OpenSearch server of the tests is what is used, or nothing is."""

from pathlib import Path

import pytest
from opensearch_home import MODULES, SECURITY
from opensearch_jars import Artifact, Pinned, fetched, pinned

ANY = Artifact("org.example", "any", "1.0")


def keep(folder: Path, content: bytes) -> None:
    path = folder / ANY.path
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def test_every_module_is_pinned_and_nothing_else() -> None:
    expected = {"lib", f"plugins/{SECURITY}", *(f"modules/{name}" for name in MODULES)}
    assert {each.place for each in pinned()} == expected


def test_each_version_and_sum_is_complete() -> None:
    assert all(len(each.sha256) == 64 and each.artifact.version for each in pinned())


def test_a_jar_that_is_kept_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    keep(tmp_path, b"")
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert fetched([Pinned("lib", ANY, nothing)], tmp_path) == tmp_path


def test_a_jar_that_is_not_what_was_pinned_fails_and_is_thrown_away(tmp_path: Path) -> None:
    keep(tmp_path, b"something else")
    with pytest.raises(pytest.fail.Exception, match=r"org\.example:any:1\.0:jar has SHA-256"):
        fetched([Pinned("lib", ANY, "0" * 64)], tmp_path)
    assert not (tmp_path / ANY.path).exists()


@pytest.mark.parametrize(("required", "outcome"), [("1", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_maven_the_package_is_named(
    required: str, outcome: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PILOTHOUSE_REQUIRE_ALL", required)
    with pytest.raises(outcome, match="install the package maven"):
        fetched([Pinned("lib", ANY, "0" * 64)], tmp_path)
