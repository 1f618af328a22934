"""`pilothouse db` where it cannot do what it was asked: nothing is made or changed, and it says what is wrong and what mends it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from pilothouse.app.lock import HomeInUse, lock_home
from pilothouse.base.errors import CannotStart, NotFound, PilothouseError, Unavailable
from pilothouse.base.place import embedded
from pilothouse.cli import db
from pilothouse.storage.engine import open_writer
from pilothouse.storage.migrate import newest, upgrade

OLDER = "0008"


@pytest.fixture(autouse=True)
def _only_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PILOTHOUSE_")]:
        monkeypatch.delenv(name)


def made(home: Path, to: str = OLDER) -> Path:
    home.mkdir()
    engine = open_writer(embedded(home / "pilothouse.db"))
    upgrade(engine, to)
    engine.dispose()
    return home


@pytest.mark.parametrize("command", [db.upgrade, db.status], ids=["upgrade", "status"])
def test_a_home_that_is_not_there_is_not_made(command: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("-")
    for home in (tmp_path / "missing", tmp_path, tmp_path / "a-file"):
        with pytest.raises(NotFound) as failure:
            command(home=home)
        assert str(home) in failure.value.message
        assert "--home" in failure.value.fix
        assert failure.value.field == "--home"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a-file"]


def test_a_file_that_a_url_names_is_looked_for_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTHOUSE_DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere.db")
    for command in (db.upgrade, db.status):
        with pytest.raises(NotFound, match=r"elsewhere\.db") as failure:
            command(home=tmp_path)
        assert failure.value.field == "PILOTHOUSE_DATABASE_URL"
    assert not list(tmp_path.iterdir())


def test_a_url_of_no_kind_that_is_known_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTHOUSE_DATABASE_URL", "mongodb://host/db")
    for command in (db.upgrade, db.status):
        with pytest.raises(CannotStart, match="PILOTHOUSE_DATABASE_URL") as failure:
            command(home=tmp_path)
        assert "postgresql://" in failure.value.fix


def test_a_file_that_is_no_database_is_told_as_such_and_stays(tmp_path: Path) -> None:
    (tmp_path / "pilothouse.db").write_bytes(b"no database at all" * 100)
    for command in (db.upgrade, db.status):
        with pytest.raises(PilothouseError) as failure:
            command(home=tmp_path)
        assert isinstance(failure.value, Unavailable | CannotStart)
        assert failure.value.message
        assert failure.value.fix
    assert (tmp_path / "pilothouse.db").read_bytes() == b"no database at all" * 100


def test_an_embedded_database_that_is_served_is_not_upgraded_under_its_control_plane(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = made(tmp_path / "home")
    held = lock_home(home)
    with pytest.raises(HomeInUse, match=str(os.getpid())):
        db.upgrade(home=home)
    with pytest.raises(typer.Exit) as told:
        db.status(home=home)
    assert told.value.exit_code == 1
    assert f"schema: {OLDER}" in capsys.readouterr().out
    os.close(held)
    db.upgrade(home=home)
    assert f"its schema is {newest()} now" in capsys.readouterr().out
    held = lock_home(home)
    db.upgrade(home=home)
    assert "nothing to do" in capsys.readouterr().out
    os.close(held)
