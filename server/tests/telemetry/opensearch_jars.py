"""The jars of a real OpenSearch server: pinned in `opensearch-jars.lock`, had through Maven, kept in a folder of the build's.

Where they come from is for Maven's own settings to say.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

LOCK = Path(__file__).with_name("opensearch-jars.lock")
KEPT = Path(__file__).parents[3] / ".make" / "opensearch-jars"
"""Not under version control; `make clean` empties it."""
_FETCH_S = 540.0
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


class Artifact(NamedTuple):
    """Something that is in a Maven repository."""

    group: str
    artifact: str
    version: str
    type: str = "jar"

    @property
    def name(self) -> str:
        return ":".join(self)

    @property
    def path(self) -> Path:
        """Where a repository keeps it."""
        return Path(*self.group.split("."), self.artifact, self.version, f"{self.artifact}-{self.version}.{self.type}")


class Pinned(NamedTuple):
    """An artifact, its SHA-256, and its place in the server's home."""

    place: str
    artifact: Artifact
    sha256: str


def missing(reason: str) -> NoReturn:
    """Skip, unless every real part is required."""
    if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def pinned(lock: Path = LOCK) -> list[Pinned]:
    """Read what is pinned."""
    found: list[Pinned] = []
    place = ""
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            place = line.strip("[]")
        elif line and not line.startswith("#"):
            *artifact, sha256 = line.split(":")
            found.append(Pinned(place, Artifact(*artifact), sha256))
    return found


def fetched(wanted: Iterable[Pinned], kept: Path = KEPT) -> Path:
    """Have everything in one folder, laid out as a repository is; one process at a time fetches."""
    wanted = list(wanted)
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        absent = [each for each in wanted if not (kept / each.artifact.path).is_file()]
        if absent:
            _fetch(absent, kept)
    for each in wanted:
        digest = hashlib.sha256((kept / each.artifact.path).read_bytes()).hexdigest()
        if digest != each.sha256:
            (kept / each.artifact.path).unlink(missing_ok=True)
            pytest.fail(f"{each.artifact.name} has SHA-256 {digest}; {each.sha256} is pinned")
    return kept


def _fetch(absent: list[Pinned], kept: Path) -> None:
    if shutil.which("mvn") is None:
        missing("no `mvn` on this machine: install the package maven; OpenSearch's jars are fetched with it")
    with tempfile.TemporaryDirectory(dir=kept) as folder:
        try:
            copy_with_maven([each.artifact for each in absent], Path(folder))
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
            missing(f"OpenSearch's jars cannot be had: {failure}\n{str(failure.stdout)[-2_000:]}")
        for each in absent:
            target = kept / each.artifact.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / each.artifact.path).rename(target)


def copy_with_maven(artifacts: Iterable[Artifact], folder: Path, *, transitive: bool = False) -> None:
    """Copy artifacts out of the repository that Maven is set up with, laid out as there."""
    with tempfile.TemporaryDirectory() as project:
        (Path(project) / "pom.xml").write_text(_pom(artifacts, transitive=transitive), encoding="utf-8")
        subprocess.run(  # noqa: S603 - our own command
            [
                shutil.which("mvn") or "mvn",
                "--batch-mode",
                "--quiet",
                _COPY,
                f"-DoutputDirectory={folder}",
                "-Dmdep.useRepositoryLayout=true",
            ],
            cwd=project,
            env={"MAVEN_OPTS": "-Xmx256m", **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
            timeout=_FETCH_S,
        )


def _pom(artifacts: Iterable[Artifact], *, transitive: bool) -> str:
    alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    dependencies = "".join(
        f"<dependency><groupId>{each.group}</groupId><artifactId>{each.artifact}</artifactId>"
        f"<version>{each.version}</version><type>{each.type}</type>{'' if transitive else alone}</dependency>"
        for each in artifacts
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>pilothouse</groupId><artifactId>opensearch-jars</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>"
    )
