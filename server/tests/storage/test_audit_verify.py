"""`pilothouse audit verify`, at a database on the disk."""

import socket
import sqlite3
from pathlib import Path

import pytest
from pilothouse.base.errors import InvalidInput, NotFound, StorageUnavailable
from pilothouse.cli.audit import app
from pilothouse.operations.auditing import AuditBroken
from typer.testing import CliRunner

pytestmark = [pytest.mark.anyio, pytest.mark.embedded]


def verify(home: Path, *more: str) -> str:
    done = CliRunner().invoke(app, ["verify", "--home", str(home), *more])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


async def test_it_tells_that_the_chain_is_intact_and_what_to_note(plane, settings) -> None:
    told = verify(settings.home)
    assert told.startswith("intact: All 1 records fit together.")
    noted = told.split("--expect ")[1].strip()
    assert verify(settings.home, "--expect", noted).startswith("intact")
    with pytest.raises(AuditBroken, match="Record 1 has another digest"):
        verify(settings.home, "--expect", "1:1.another")
    with pytest.raises(AuditBroken, match="Record 7 is not there"):
        verify(settings.home, "--expect", "7:1.another")


async def test_it_fails_when_a_record_was_changed(plane, settings) -> None:
    with sqlite3.connect(settings.database_path) as database:
        database.execute("UPDATE audit_records SET target = 'somebody-else'")
    database.close()
    with pytest.raises(AuditBroken, match="Record 1 is not as it was written"):
        verify(settings.home)


def test_it_says_where_there_is_no_database_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no control plane in"):
        verify(tmp_path)
    assert not list(tmp_path.iterdir())


def test_it_says_why_a_database_on_a_server_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # nobody listens at it
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://pilothouse:hidden@127.0.0.1:{taken.getsockname()[1]}/pilothouse"
        monkeypatch.setenv("PILOTHOUSE_DATABASE_URL", url)
        with pytest.raises(StorageUnavailable, match="The database server cannot be reached") as refused:
            verify(tmp_path)
    assert "hidden" not in refused.value.message + refused.value.fix


def test_it_says_what_a_note_looks_like(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a record's number and digest"):
        verify(tmp_path, "--expect", "the newest")
