"""Every organization begins with a few rules, which are its own from then on; some look at critical environments alone."""

import pytest
from alembic import command
from alembic.config import Config
from pilothouse.app.database import seed
from pilothouse.storage import alert_rules_begun, migrate
from pilothouse.storage.alert_rules_begun import RULES
from pilothouse.storage.alert_tables import alert_rules
from pilothouse.storage.engine import open_writer
from sqlalchemy import delete, select, text

pytestmark = pytest.mark.anyio

NAMES = {rule.name for rule in RULES.values()}
LIST = "{ alertRules { nodes { id name enabled builtIn criticalOnly channels { id } createdBy } } }"


async def start(plane) -> None:
    """Do what every start does."""
    await plane.store.write(lambda tx: seed(tx, plane.clock.now()))


async def test_they_are_enabled_and_marked_and_whoever_deletes_or_changes_one_does_not_get_it_back(alerts) -> None:
    plane, admin = alerts.plane, alerts.admin
    await plane.store.write(lambda tx: tx.connection.execute(delete(alert_rules_begun.alert_rules_begun)))
    await start(plane)
    rules = (await admin.ask(LIST))["alertRules"]["nodes"]
    assert {rule["name"] for rule in rules} == NAMES
    assert {(rule["enabled"], rule["builtIn"], rule["createdBy"]) for rule in rules} == {(True, True, "pilothouse")}
    assert all(rule["channels"] == [] for rule in rules)
    assert [rule["name"] for rule in rules if rule["criticalOnly"]] == [RULES["runtime-offline"].name]

    by_name = {rule["name"]: rule["id"] for rule in rules}
    gone, changed = RULES["expiring"].name, RULES["error-rate"].name
    await admin.ask(f'mutation {{ deleteAlertRule(id: "{by_name[gone]}") {{ id }} }}')
    await alerts.rule("ERROR_RATE", id=by_name[changed], name="Mine", threshold=0.5, enabled=False)
    await start(plane)
    rules = (await admin.ask(LIST))["alertRules"]["nodes"]
    assert {rule["name"] for rule in rules} == NAMES - {gone, changed} | {"Mine"}
    assert [(rule["builtIn"], rule["enabled"]) for rule in rules if rule["name"] == "Mine"] == [(True, False)]


def test_an_organization_from_before_gets_them_once_by_its_next_start(tmp_path) -> None:
    engine = open_writer(tmp_path / "pilothouse.db")
    config = Config()
    config.set_main_option("script_location", str(migrate._HERE))
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        connection.execute(text("insert into organizations (id, handle, display_name) values ('o', 'default', 'O')"))
        connection.execute(
            text(
                "insert into alert_rules (id, organization_id, name, condition, severity, enabled, window_s, levels, for_s,"
                " created_at, created_by) values ('r', 'o', 'Telemetry is lost', 'NO_TRAFFIC', 'INFO', 1, 300, '[]', 0, 0, 'me')"
            )
        )
    migrate.upgrade(engine)
    for _ in range(2):
        with engine.connect() as connection, connection.begin():
            alert_rules_begun.begin(connection, "o", 0.0)
    with engine.connect() as connection:
        rows = connection.execute(select(alert_rules.c.name, alert_rules.c.built_in, alert_rules.c.critical_only)).all()
    engine.dispose()
    # Their own rule of the same name stays the only one of it.
    assert sorted((name, built_in) for name, built_in, _ in rows) == sorted(
        (rule.name, None if code == "telemetry-dropped" else code) for code, rule in RULES.items()
    )
    assert [critical for name, _, critical in rows if name == "Telemetry is lost"] == [False]


async def test_a_rule_on_critical_environments_follows_what_is_critical(alerts, runtime) -> None:
    await alerts.rule(criticalOnly=True)
    await alerts.silent_runtime(runtime)
    assert await alerts.look() == []
    change = 'mutation ($c: Boolean!) { updateEnvironment(handle: "dev", input: {critical: $c}) { handle } }'
    await alerts.admin.ask(change, c=True)
    (found,) = await alerts.look()
    assert (found["state"], found["environment"]["handle"]) == ("FIRING", "dev")
    await alerts.admin.ask(change, c=False)
    (found,) = await alerts.look()
    assert (found["state"], found["message"]) == (
        "RESOLVED",
        "The environment of orders-node-1 is not critical any more.",
    )
