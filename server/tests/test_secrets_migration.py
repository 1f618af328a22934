"""Secrets of the release before are what they were: usable, or revoked for good."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from pilothouse.access.grants import EVERYTHING
from pilothouse.access.secrets import SecretReach
from pilothouse.domain.secrets import SecretState
from pilothouse.storage import migrate
from pilothouse.storage.engine import open_writer
from pilothouse.storage.secrets import find_row, list_to_destroy
from sqlalchemy import text

NOW = 1_790_000_000.0


def test_secrets_of_the_first_schema_keep_their_state_and_their_runtimes(tmp_path: Path) -> None:
    engine = open_writer(tmp_path / "pilothouse.db")
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    try:
        with engine.connect() as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
            for statement in (
                "insert into organizations values ('o', 'default', 'Default')",
                "insert into environments values ('e', 'o', 'dev', 'Development', 0, 0)",
                "insert into projects values ('p', 'o', 'shop', 'Shop', '', 0, 'x')",
                "insert into integrations values ('i', 'p', 'orders', 'Orders', '', 'PY', 0, 'x')",
                "insert into secrets values ('aaaa', 'o', 'e', 'i', x'01', 0, 'x', 0, null, null)",
                "insert into secrets values ('bbbb', 'o', 'e', null, null, 0, 'x', null, null, 1700000000000)",
                "insert into artifact_sets values ('d', x'00', 0, 0, 0)",
                "insert into runtimes values (1, 'r', 'r', 'i', 'e', 'one', 'PY', null, 'aaaa', 'h', 'd', 0, null)",
            ):
                connection.execute(text(statement))
        migrate.upgrade(engine)
        with engine.connect() as connection:
            used, revoked = (find_row(connection, SecretReach(all=EVERYTHING), key_id) for key_id in ("aaaa", "bbbb"))
            assert used is not None
            assert revoked is not None
            assert (used.life.state_at(NOW), used.runtime_count) == (SecretState.ACTIVE, 1)
            assert revoked.life.state_at(NOW) is SecretState.REVOKED
            assert (revoked.revoked_from, revoked.rotated_by) == (1_700_000_000.0, None)
            assert list(list_to_destroy(connection, NOW)) == []
    finally:
        engine.dispose()
