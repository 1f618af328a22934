"""What a control plane left in its database after a fault: all that was acknowledged, and nothing by halves or twice."""

from typing import Any

import msgspec
from driver import Person, Sender
from pilothouse.base.place import Database
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.runtime import ReportDocument
from pilothouse.operations import auditing
from pilothouse.storage.engine import open_readers
from sqlalchemy import Connection, text
from storm import Storm


def rows(database: Connection, query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in database.execute(text(query)).mappings()]


def check_all(database: Database, storm: Storm) -> int:
    """Read what is there after a storm; how many heartbeats were found that nobody was told of."""
    engine = open_readers(database)
    try:
        with engine.connect() as connection:
            unheard = check_runtimes(connection, storm.everybody)
            check_commands(connection, storm.runtimes, storm.person)
            check_wishes(connection, storm.person)
            made = {row["handle"] for row in rows(connection, "select handle from projects")}
            assert storm.person.projects <= made
            check_once(connection, storm)
            return unheard
    finally:
        engine.dispose()


def check_once(database: Connection, storm: Storm) -> None:
    """Nobody was called offline, no command was carried out twice, and the audit is one chain without a gap."""
    assert rows(database, "select detail from events where kind = 'runtime.offline'") == []
    verdict = auditing.verify(database)
    assert (verdict.intact, verdict.complete) == (True, True), verdict
    for runtime in storm.runtimes:
        # What was lost on its way is handed over again, under its one id; what was answered for is not.
        assert runtime.again == set(), runtime.runtime_id
    ids = [each for runtime in storm.runtimes for each in runtime.handed_over]
    assert len(ids) == len(set(ids)), "one command went to two runtimes"
    met = "select runtime_key, wish_number, count(*) as n from commands where wish_number is not null and state = 'confirmed'"
    assert [row for row in rows(database, f"{met} group by runtime_key, wish_number") if row["n"] > 1] == []


STORED = """
select r.*, p.status, p.seen_at, e.document as report, a.document as artifacts, s.integration_id as bound_to,
  i.display_name as integration,
  (select count(*) from events v where v.runtime_key = r.key and v.kind = 'runtime.registered') as registered,
  (select count(*) from events v where v.key_id = r.key_id and v.kind = 'secret.bound') as bindings
from runtimes r
join runtime_presence p on p.runtime_key = r.key
join runtime_reports e on e.runtime_key = r.key
join artifact_sets a on a.digest = r.artifact_digest
join secrets s on s.key_id = r.key_id
join integrations i on i.id = r.integration_id
"""


def check_runtimes(database: Connection, fleet: list[Sender]) -> int:
    stored = {row["runtime_id"]: row for row in rows(database, STORED)}
    (whole,) = rows(database, "select count(*) as n from runtimes")
    assert whole["n"] == len(stored), "a runtime without its report, presence, artifacts, secret or integration"
    unheard = 0
    for sender in fleet:
        row = stored.pop(sender.runtime_id, None)
        if row is None:
            assert sender.acknowledged == 0
            assert unbound(database, sender), "bound by a heartbeat that left no runtime"
            continue
        number = int(row["version"])
        assert sender.acknowledged <= number <= sender.sent, sender.runtime_id
        unheard += number > sender.acknowledged
        assert halves(row, number, sender.runtime_id) == []
        assert (row["status"], row["registered"], row["bindings"]) == ("RUNNING", 1, 1)
        assert row["bound_to"] == row["integration_id"]
    assert stored == {}
    return unheard


def unbound(database: Connection, sender: Sender) -> bool:
    key_id = sender.secret.partition(".")[0]
    (secret,) = rows(database, f"select integration_id, bound_at from secrets where key_id = '{key_id}'")
    made = rows(database, f"select 1 from integrations where display_name = '{sender.integration}'")
    return secret == {"integration_id": None, "bound_at": None} and made == []


def halves(row: dict[str, Any], number: int, runtime_id: str) -> list[str]:
    """What of a stored runtime is of another heartbeat than its version."""
    report = msgspec.json.decode(row["report"], type=ReportDocument)
    artifacts = artifact_set.decode(row["artifacts"])
    told = {
        "hash": row["runtime_hash"] == f"h{number}",
        "report": report.log_levels == {"app": f"L{number}"},
        "artifacts": [(each.name, each.package) for each in artifacts.services] == [(f"s{number}", runtime_id)],
        "digest": row["artifact_digest"] == artifact_set.digest(artifact_set.encode(artifacts)),
    }
    return [name for name, is_of_it in told.items() if not is_of_it]


def check_commands(database: Connection, fleet: list[Sender], person: Person) -> None:
    stored = {row["id"]: row for row in rows(database, "select * from commands")}
    assert person.asked <= stored.keys()
    for sender in fleet:
        for each in sender.received:  # it counted as delivered before it left
            assert stored[each]["delivered_at"] is not None
            assert stored[each]["attempts"] > 0
            assert stored[each]["state"] != "queued"
        for each in sender.results_taken:
            command = stored[each]
            if command["wish_number"] is None:
                assert (command["state"], command["result"] is None) == ("confirmed", False)
    ends = "select 1 from events where kind = 'command.ended'"
    assert len(rows(database, ends)) == sum(row["ended_at"] is not None for row in stored.values())
    for row in stored.values():
        assert (row["ended_at"] is None) == (row["state"] in {"queued", "delivered"})
        # A wish may be met before its command left: by what another one did that was handed over before.
        is_handed_over = row["delivered_at"] is not None
        assert is_handed_over or row["state"] != "delivered", row
        assert is_handed_over or row["state"] != "confirmed" or row["wish_number"] is not None, row


def check_wishes(database: Connection, person: Person) -> None:
    versions = [row["version"] for row in rows(database, "select version from desired_changes order by number")]
    assert versions == list(range(1, len(versions) + 1))
    assert person.wish_acknowledged <= len(versions) <= person.wished
    current = rows(
        database, "select c.version from desired_states d join desired_changes c on c.number = d.change_number"
    )
    assert [row["version"] for row in current] == versions[-1:]
    (told,) = rows(database, "select count(*) as n from events where kind = 'desired.changed'")
    assert told["n"] == len(versions)
