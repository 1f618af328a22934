"""`python -m benchmarks.replicas_under_kills --minutes 10`: replicas on PostgreSQL behind a round-robin proxy, killed in turn.

A fleet beats through a proxy that gives each connection to the next replica; the fleet shares its connections, so that the beats
of one runtime come to any replica, in any order. Replicas are killed (SIGKILL) and started again all the while. It is a failure
when a runtime was called OFFLINE (none ever stops), when a full heartbeat that was acknowledged is not what the database has,
when a command was handed over to two, or again after its result was heard, or carried out twice for one wish, when an event
happened twice, when the chain of the audit is broken, or when what was changed did not reach the fleet.
"""

import argparse
import asyncio
import itertools
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import uvloop
from pilothouse.operations import auditing
from pilothouse.storage.engine import open_readers
from sqlalchemy import Connection, text

from .fleet.__main__ import read_mix
from .fleet.changes import Changes
from .fleet.driver import Driver, Member
from .fleet.plane import Api
from .fleet.run import Plan, make_fleet, provision
from .fleet.runtimes import FULL_PATH, RESULT_PATH, Send, Tally, read_loosely
from .fleet.truth import Verdicts
from .fleet.wires import Target, raise_open_files
from .real_databases import running

_TREE: Final = Path(__file__).parents[1]
sys.path.extend(str(_TREE / room) for room in ("acceptance", "server/tests/faults"))

from replica import ADMINISTRATOR, Replica  # noqa: E402 - found from here on

WALK_EVERY_S: Final = 20.0
_CUT: Final = "connection lost"
"""A Ballerina program of the original's bridge gives up when the connection of its first heartbeat breaks: no answer helps it."""
_OFFLINE: Final = (
    "SELECT events.at, runtimes.runtime_id FROM events JOIN runtimes ON runtimes.key = events.runtime_key"
    " WHERE events.kind = 'runtime.offline'"
)
_KNOWN_ELSEWHERE_S: Final = 3.0
"""So soon every replica knows what one heard: a flush, a look, and what machines are late by."""
_ALL_UP_S: Final = 300.0
"""So long it is waited for the fleet to be up: figures are of a fleet that is, and not of one that registers."""
_REMEMBERED: Final = 50
"""Of each runtime's beats: those of 25 minutes."""
_PAGE: Final = 500
_WALK = """query ($first: Int, $after: String) { runtimes(first: $first, after: $after) {
  nodes { runtimeId status } pageInfo { endCursor hasNextPage } } }"""


class Proxy:
    """Carries each connection to the next replica that takes it, as a balancer of TCP does; on a loop and thread of its own."""

    def __init__(self, ports: list[int]) -> None:
        self.port = 0
        self._ports = ports
        self._turns = itertools.cycle(range(len(ports)))
        self._loop = uvloop.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(is_up,), daemon=True)
        self._thread.start()
        is_up.wait()

    def _run(self, is_up: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._carry, "127.0.0.1", 0, backlog=4096))
        self.port = server.sockets[0].getsockname()[1]
        is_up.set()
        self._loop.run_forever()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(self._turns)
        for port in (*self._ports[first:], *self._ports[:first]):
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue  # killed; the next one takes it
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            return
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await reader.read(65_536):
            writer.write(octets)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.close()


class Ledger(Driver):
    """A fleet that remembers what was acknowledged, and what was handed to whom."""

    def __init__(self, target: Target, *, pool: int, offline_after_s: float) -> None:
        super().__init__(target, pool=pool, offline_after_s=offline_after_s)
        self.acknowledged: dict[str, str] = {}
        """The hash of the last full heartbeat that was acknowledged, by runtime."""
        self.fulls = 0
        self.ended_at = 0.0
        self.heard: dict[str, deque[tuple[float, float]]] = {}
        """When the last beats that were acknowledged were sent and answered, by runtime. Unit: seconds of the wall's clock."""
        self.unanswered: dict[str, deque[tuple[float, str]]] = {}
        """When the last requests without an answer ended, and why."""
        self._unheard: dict[str, set[str]] = {}
        """Hashes of full heartbeats that were sent since, and are stored or not."""
        self._handed: dict[str, str] = {}
        self._results: set[str] = set()
        self.doubles: Counter[str] = Counter()

    def may_be(self, runtime_id: str) -> set[str]:
        """Tell which hashes a runtime may be stored with."""
        return {self.acknowledged[runtime_id], *self._unheard.get(runtime_id, ())}

    def _send(self, member: Member, send: Send, line: Any) -> None:  # Any: the driver's own line
        if send.path is FULL_PATH:
            self._unheard.setdefault(member.runtime.runtime_id, set()).add(send.hash)
        super()._send(member, send, line)

    def silence_s(self, runtime_id: str, at: float) -> float:
        """Tell for how long nothing of a runtime was acknowledged before a moment; of what was sent, when that was."""
        return at - max((sent for sent, answered in self.heard.get(runtime_id, ()) if answered <= at), default=0.0)

    def _failed(self, member: Member, send: Send, cause: str) -> None:
        self.unanswered.setdefault(member.runtime.runtime_id, deque(maxlen=_REMEMBERED)).append((time.time(), cause))
        super()._failed(member, send, cause)

    def _answered(self, member: Member, send: Send, sent_at: float, status: int, content: bytes) -> None:
        if 200 <= status < 300:
            runtime_id = member.runtime.runtime_id
            if send.is_beat and read_loosely(content).get("acknowledged") is True:
                now = time.time()
                times = (now - (time.monotonic() - sent_at), now)
                self.heard.setdefault(runtime_id, deque(maxlen=_REMEMBERED)).append(times)
            if send.path is RESULT_PATH:
                self._results.add(json.loads(send.members)["commandId"])
            else:
                self._note(runtime_id, send, read_loosely(content))
        super()._answered(member, send, sent_at, status, content)

    def _note(self, runtime_id: str, send: Send, answer: dict[str, Any]) -> None:
        if send.path is FULL_PATH and answer.get("acknowledged") is True:
            self.fulls += 1
            self.acknowledged[runtime_id] = send.hash
            self._unheard.pop(runtime_id, None)
        for command in answer.get("commands") or ():
            each = command["commandId"]
            if self._handed.setdefault(each, runtime_id) != runtime_id:
                self.doubles["handed to two runtimes"] += 1
            if each in self._results:
                self.doubles["handed over again after its result was heard"] += 1


class Killer:
    """Kills one replica after the other, and starts it again."""

    def __init__(self, replicas: list[Replica], every_s: float, dice: random.Random) -> None:
        self._replicas, self._every_s, self._dice = replicas, every_s, dice
        self.kills = 0
        self.slowest_start_s = 0.0

    async def run(self) -> None:
        """Go on until cancelled; a replica that is being started is started to the end."""
        for replica in itertools.cycle(self._replicas):
            await asyncio.sleep(self._every_s * self._dice.uniform(0.7, 1.3))
            await asyncio.shield(asyncio.to_thread(self._kill, replica, self._dice.uniform(0.2, 5.0)))

    def _kill(self, replica: Replica, gone_s: float) -> None:
        replica.end(signal.SIGKILL)
        self.kills += 1
        time.sleep(gone_s)
        began = time.monotonic()
        replica.start()
        self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - began)


@contextmanager
def replicas_on(url: str, count: int, folder: Path, offline_after_s: float) -> Iterator[list[Replica]]:
    """Start replicas with one key on one database."""
    made = [
        Replica(
            folder / f"replica-{number}",
            url,
            PILOTHOUSE_OFFLINE_AFTER_S=str(offline_after_s),
            PILOTHOUSE_LOG_LEVEL="WARNING",
            # As where it is installed: compiled once, and not with each start.
            PYTHONDONTWRITEBYTECODE="",
            PYTHONPYCACHEPREFIX=str(folder / "bytecode"),
        )
        for number in range(count)
    ]
    try:
        for replica in made:
            if replica is not made[0]:
                shutil.copytree(made[0].home / "keys", replica.home / "keys")
            replica.start()
        yield made
    finally:
        for replica in made:
            replica.end()


async def _walks(api: Api, driver: Driver, verdicts: Verdicts) -> None:
    """Read all runtimes again and again, as the console does; a page that a killed replica did not answer is read again."""
    while True:
        seen: dict[str, Any] = {}
        walk_began, after = time.monotonic(), None
        while True:
            began = time.monotonic()
            try:
                page = (await api.ask_soon(_WALK, first=_PAGE, after=after))["runtimes"]
            except (OSError, RuntimeError, ValueError):
                await asyncio.sleep(0.5)
                continue
            for row in page["nodes"]:
                seen[row["runtimeId"]] = row
                heard_by = began - _KNOWN_ELSEWHERE_S
                verdicts.judge_row(driver.lives[row["runtimeId"]], row["status"], heard_by, time.monotonic())
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        verdicts.judge_walk(driver.lives, seen, walk_began)
        await asyncio.sleep(WALK_EVERY_S)


async def _rage(
    plan: Plan, proxies: tuple[Proxy, Proxy], replicas: list[Replica], kill_every_s: float
) -> dict[str, Any]:
    api = Api(f"http://127.0.0.1:{proxies[1].port}", "admin", ADMINISTRATOR)
    await asyncio.to_thread(api.sign_in)
    tally, verdicts, dice = Tally(), Verdicts(), random.Random(plan.seed)  # noqa: S311 - repeatable, nothing secret
    homes, fleet = make_fleet(plan, tally)
    await provision(api, homes)
    driver = Ledger(
        Target.of(f"https://127.0.0.1:{proxies[0].port}"), pool=plan.pool, offline_after_s=plan.offline_after_s
    )
    began = time.monotonic()
    for runtime in fleet:
        driver.start(driver.add(runtime), dice.random() * plan.ramp_s)
    give_up_at = began + plan.ramp_s + _ALL_UP_S
    while time.monotonic() < give_up_at and any(  # noqa: ASYNC110 - a figure of the driver's
        each.runtime.lost is None and each.runtime.runtime_id not in driver.acknowledged for each in driver.members
    ):
        await asyncio.sleep(1.0)
    up_s = time.monotonic() - began
    await asyncio.sleep(2 * plan.interval_s + 6)
    driver.figures.reset()
    killer = Killer(replicas, kill_every_s, dice)
    changes = Changes(driver, api, homes, plan.changes, plan.interval_s, dice)
    watching = [asyncio.create_task(each) for each in (_walks(api, driver, verdicts), changes.run())]
    killing, before = asyncio.create_task(killer.run()), driver.figures.acked
    await asyncio.sleep(plan.seconds)
    killing.cancel()
    while any(replica.program is None for replica in replicas):  # noqa: ASYNC110 - threads start them
        await asyncio.sleep(0.2)
    await asyncio.sleep(2 * plan.interval_s + 5)  # everybody says once more how it is, and the last results are in
    for each in watching:
        each.cancel()
    found = await asyncio.gather(*watching, return_exceptions=True)
    driver.ended_at = time.time()  # whoever holds a channel is rightly called OFFLINE from here on
    await driver.stop()
    defects = [repr(each) for each in found if isinstance(each, Exception)]
    return {
        "driver": driver, "tally": tally, "verdicts": verdicts, "killer": killer, "changes": changes,
        "beats": driver.figures.acked - before, "defects": defects, "up_s": up_s,
    }  # fmt: skip


def _column(connection: Connection, query: str) -> list[Any]:
    return [tuple(row) for row in connection.execute(text(query))]


def _look(connection: Connection, driver: Ledger, offline_after_s: float) -> dict[str, Any]:
    """Hold the database against what was acknowledged."""
    stored = dict(_column(connection, "SELECT runtime_id, runtime_hash FROM runtimes WHERE retired_at IS NULL"))
    lost = [each for each in driver.acknowledged if stored.get(each) not in driver.may_be(each)]
    twice = "SELECT runtime_key, wish_number FROM commands WHERE wish_number IS NOT NULL AND state IN ('confirmed', 'delivered')"
    events = "SELECT kind, runtime_key, count(*) FROM events WHERE kind IN ('runtime.registered', 'runtime.retired')"
    ends = _column(connection, "SELECT count(*) FROM events WHERE kind = 'command.ended'")[0][0]
    ended = _column(connection, "SELECT count(*) FROM commands WHERE ended_at IS NOT NULL")[0][0]
    numbers = _column(connection, "SELECT count(*), count(DISTINCT sequence) FROM events")[0]
    verdict = auditing.verify(connection)
    offline = _column(connection, _OFFLINE)
    called = [
        (runtime_id, at / 1000, driver.silence_s(runtime_id, at / 1000))
        for at, runtime_id in offline
        if at / 1000 < driver.ended_at
    ]
    wrongly = [one for one in called if one[2] < offline_after_s]
    for runtime_id, at, silence_s in (wrongly or called)[:5]:
        failed = [f"{at - then:.0f} s before: {cause}" for then, cause in driver.unanswered.get(runtime_id, ())]
        print(f"called OFFLINE {silence_s:.1f} s after its last beat: {runtime_id} {failed}", file=sys.stderr)
    return {
        "called OFFLINE within the allowed silence": len(wrongly),
        "called OFFLINE since nobody answered it for so long": len(called) - len(wrongly),
        "acknowledged full heartbeats that are lost": len(lost),
        "wishes with two commands": len(_column(connection, f"{twice} GROUP BY runtime_key, wish_number HAVING count(*) > 1")),
        "events that happened twice": len(_column(connection, f"{events} GROUP BY kind, runtime_key HAVING count(*) > 1"))
        + abs(ends - ended) + numbers[0] - numbers[1],
        "audit is broken": int(not verdict.intact),
    }  # fmt: skip


def _story(wanted: argparse.Namespace, told: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
    driver, verdicts, changes = told["driver"], told["verdicts"], told["changes"].outcome
    latencies = sorted([*driver.figures.deltas_s, *driver.figures.fulls_s]) or [0.0]
    must_be_none = held | {
        "commands handed over twice": sum(driver.doubles.values()),
        "false OFFLINE": sum(verdicts.false_offline.values()),
        "acknowledged and not listed": sum(verdicts.missing.values()),
        "lost for good by an answer": sum(count for cause, count in told["tally"].lost.items() if _CUT not in cause),
        "defects": len(told["defects"]),
    }
    return {
        "runtimes": wanted.runtimes, "replicas": wanted.replicas, "minutes": wanted.minutes, "interval_s": wanted.interval,
        "fleet_up_after_s": round(told["up_s"], 1),
        "kills": told["killer"].kills, "slowest_start_s": round(told["killer"].slowest_start_s, 1),
        "beats acknowledged": told["beats"], "full heartbeats acknowledged": driver.fulls,
        "beat_p50_ms": round(1000 * latencies[len(latencies) // 2], 1),
        "beat_p99_ms": round(1000 * latencies[int(len(latencies) * 0.99)], 1),
        "beat_slowest_ms": round(1000 * latencies[-1], 1),
        "beats slower than 1 s": sum(each > 1 for each in latencies),
        "of them full": sum(each > 1 for each in driver.figures.fulls_s),
        "beats slower than 3 s": sum(each > 3 for each in latencies),
        "requests without an answer": dict(driver.figures.failures), "refused": dict(told["tally"].refused),
        "commands": dict(told["tally"].commands), "changes": dict(changes.counts),
        "rows looked at": verdicts.rows, "of them unknown while alive": verdicts.unknown_alive,
        "must be none": must_be_none, "gave up": dict(told["tally"].lost), "said": told["defects"][:5],
        "good": not any(must_be_none.values()) and told["killer"].kills > 0 and told["beats"] > 0,
    }  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.replicas_under_kills", description=__doc__)
    parser.add_argument("--runtimes", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=10.0, help="after the fleet is up")
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two heartbeats")
    parser.add_argument("--offline-after", type=float, default=90.0, help="the control planes' setting, in seconds")
    parser.add_argument(
        "--kill-every", type=float, default=25.0, help="seconds from one start to the next kill, on average"
    )
    parser.add_argument("--changes", type=float, default=6.0, help="desired states changed each minute")
    parser.add_argument("--mix", type=read_mix, default=read_mix("py=0.4,bi=0.4,mi=0.2"))
    parser.add_argument("--channels", type=float, default=0.1, help="share of Python runtimes that hold a channel")
    parser.add_argument("--pool", type=int, default=256, help="connections that the fleet shares")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the result there")
    return parser.parse_args()


def main() -> int:
    """Run it and print the result as JSON; 1 when something happened that must not."""
    wanted = _arguments()
    raise_open_files()
    plan = Plan(
        runtimes=wanted.runtimes, seconds=wanted.minutes * 60, mix=wanted.mix, interval_s=wanted.interval,
        offline_after_s=wanted.offline_after, pool=wanted.pool, channels=wanted.channels, crashes=0.0,
        changes=wanted.changes, seed=wanted.seed,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, running("postgresql") as server:
        database = server.fresh()
        with replicas_on(database.url, wanted.replicas, Path(folder), wanted.offline_after) as replicas:
            proxies = (Proxy([each.runtimes for each in replicas]), Proxy([each.console for each in replicas]))
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                told = runner.run(_rage(plan, proxies, replicas, wanted.kill_every))
        engine = open_readers(database)
        with engine.connect() as connection:
            held = _look(connection, told["driver"], wanted.offline_after)
        engine.dispose()
    story = _story(wanted, told, held)
    print(json.dumps(story, indent=2))
    if wanted.json:
        wanted.json.write_text(json.dumps(story, indent=2))
    return 0 if story["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
