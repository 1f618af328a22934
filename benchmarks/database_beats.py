"""Heartbeats on a database: the original server's way (an UPDATE and an audit record for each) against ours.

The reference is given everything: no HTTP, no token, no JSON, one transaction for both statements, and the very driver that we
use. Ours is the whole way: HTTP, the token's signature, the document, and the flush of last-seen every five seconds,
which runs meanwhile. Both are counted in CPU of this side and of the database's server together, so that a ratio is one per core.
"""

import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from pilothouse.base.place import Database
from pilothouse.storage.engine import kind_of
from real_databases import Running
from wrk_load import answered, serving, write_script

CONNECTIONS = 10
"""As many as the original's pool has."""
SETTLE_S = 5.5


@dataclass(slots=True)
class Cost:
    """What heartbeats cost."""

    per_s: float
    side_us: float
    """CPU of the process that speaks to the database, for each."""
    server_us: float
    """CPU of the database's server, for each."""

    @property
    def cpu_us(self) -> float:
        """CPU of both, for each."""
        return self.side_us + self.server_us


class Reference:
    """One UPDATE and one INSERT for each heartbeat, in a transaction of its own, over ten connections."""

    def __init__(self, run: Running, runtimes: int) -> None:
        self._run = run
        self._database: Database = run.fresh()
        self._runtimes = runtimes
        self._mark = "?" if self._database.is_embedded else "%s"
        self._connections = 1 if self._database.is_embedded else CONNECTIONS  # SQLite has one writer
        self._engine = kind_of(self._database).engine(self._database, read_only=False, size=self._connections)
        number = {"postgresql": "BIGSERIAL", "mariadb": "BIGINT AUTO_INCREMENT", "sqlite": "INTEGER"}[run.kind]
        raw = self._engine.raw_connection()
        cursor = raw.cursor()
        cursor.execute("CREATE TABLE seen (runtime_id VARCHAR(64) PRIMARY KEY, status VARCHAR(16), last_seen BIGINT)")
        cursor.execute(
            f"CREATE TABLE told (number {number} PRIMARY KEY, runtime_id VARCHAR(64), action VARCHAR(32), at BIGINT, detail VARCHAR(255))"
        )
        for at in range(0, runtimes, 500):
            rows = ", ".join(f"('runtime-{n:05}', 'RUNNING', 0)" for n in range(at, min(at + 500, runtimes)))
            cursor.execute(f"INSERT INTO seen VALUES {rows}")  # noqa: S608 - our own numbers
        raw.commit()
        raw.close()

    def measure(self, count: int) -> Cost:
        """Note so many heartbeats."""
        each = count // self._connections
        threads = [
            threading.Thread(target=self._work, args=(number, each), daemon=True) for number in range(self._connections)
        ]
        server_s, side_s, began = self._run.cpu_s(), time.process_time(), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s, side_s = time.perf_counter() - began, time.process_time() - side_s
        done, server_s = each * self._connections, self._run.cpu_s() - server_s
        return Cost(done / took_s, side_s / done * 1e6, server_s / done * 1e6)

    def _work(self, first: int, count: int) -> None:
        mark, begins = self._mark, self._database.is_embedded
        change = f"UPDATE seen SET last_seen = {mark}, status = {mark} WHERE runtime_id = {mark}"  # noqa: S608
        tell = f"INSERT INTO told (runtime_id, action, at, detail) VALUES ({mark}, {mark}, {mark}, {mark})"  # noqa: S608
        raw = self._engine.raw_connection()
        cursor = raw.cursor()
        for turn in range(count):
            now, name = time.time_ns(), f"runtime-{(first + turn * self._connections) % self._runtimes:05}"
            if begins:
                cursor.execute("BEGIN IMMEDIATE")
            cursor.execute(change, (now, "RUNNING", name))
            cursor.execute(tell, (name, "DELTA_HEARTBEAT", now, "Delta heartbeat processed"))
            raw.commit()
        raw.close()

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()


def ours(run: Running, runtimes: int, seconds: int, connections: int = 64, settle_s: float = SETTLE_S) -> Cost:
    """Let `wrk` send delta heartbeats of so many runtimes to a control plane over this database.

    settle_s: so long it is looked on afterwards, until the last of them is flushed
    """
    arguments = ("edge", "--runtimes", str(runtimes), "--database", run.fresh().url)
    with serving(*arguments, ends_s=60.0) as (server_id, ready), tempfile.TemporaryDirectory() as folder:
        script = write_script(Path(folder), Path(ready["runtimes"]))
        process = psutil.Process(server_id)
        load = ["wrk", "-t1", f"-c{connections}", "--latency", "-s", str(script)]
        url = f"http://127.0.0.1:{ready['port']}"
        subprocess.run([*load, "-d1s", url], check=True, capture_output=True)
        side_s, server_s = sum(process.cpu_times()[:2]), run.cpu_s()
        told = subprocess.run([*load, f"-d{seconds}s", url], check=True, capture_output=True, text=True).stdout
        time.sleep(settle_s)
        side_s, server_s = sum(process.cpu_times()[:2]) - side_s, run.cpu_s() - server_s
    count = answered(told)
    return Cost(count / seconds, side_s / count * 1e6, server_s / count * 1e6)


def measure(run: Running, *, runtimes: int, seconds: int, references: int, rounds: int) -> float:
    """Print a database's rows; gives the ratio."""
    reference = Reference(run, runtimes)
    costs: list[Cost] = []
    own: list[Cost] = []
    for _ in range(rounds):  # in turn, so that both meet the same neighbours
        costs.append(reference.measure(references))
        own.append(ours(run, runtimes, seconds))
    reference.close()
    base, best = (min(found, key=lambda cost: cost.cpu_us) for found in (costs, own))
    ratio = base.cpu_us / best.cpu_us
    for name, cost in (("UPDATE and INSERT each", base), ("ours", best)):
        print(
            f"| {run.kind} | {name} | {cost.per_s:,.0f} | {cost.cpu_us:,.1f} | {cost.side_us:,.1f} | {cost.server_us:,.1f} | "
            f"{1e6 / cost.cpu_us:,.0f} |"
        )
    print(f"| {run.kind} | **times as many per core** | | | | | **{ratio:.1f}** |", flush=True)
    return ratio
