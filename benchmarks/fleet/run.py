"""One run: provision, start the fleet, watch, judge."""

import asyncio
import random
import sys
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .ballerina import Ballerina
from .changes import Changes
from .driver import Chaos, Driver
from .homes import Home, Kind, make_homes
from .micro_integrator import MicroIntegrator
from .plane import Api, Plane
from .python_runtime import PythonRuntime
from .report import Report
from .runtimes import Runtime, Tally
from .tokens import Secret
from .truth import Verdicts
from .wires import Target

TOTALS_EVERY_S: Final = 5.0
WALK_EVERY_S: Final = 60.0
_WALKS: Final = 4
"""Short runs walk more often."""
_PAGE: Final = 500
_WALK = """query ($first: Int, $after: String) { runtimes(first: $first, after: $after) {
  nodes { runtimeId status } pageInfo { endCursor hasNextPage } } }"""
_TOTALS = "{ organization { runtimes { total running offline unknown } } }"
_CLASSES: dict[Kind, type[Runtime]] = {
    Kind.BI: Ballerina,
    Kind.BI_PLUS: Ballerina,
    Kind.MI: MicroIntegrator,
    Kind.MI_PLUS: MicroIntegrator,
    Kind.PY: PythonRuntime,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a fleet is to be."""

    runtimes: int
    seconds: float
    mix: dict[Kind, float]
    interval_s: float = 10.0
    offline_after_s: float = 30.0
    replicas: int = 20
    pool: int = 0
    channels: float = 0.5
    busy_stores: float = 0.1
    crashes: float = 0.02
    changes: float = 0.0
    seed: int = 1
    starts_per_s: float = 200.0

    @property
    def ramp_s(self) -> float:
        """Tell how long the starts are spread over."""
        return max(self.interval_s, self.runtimes / self.starts_per_s)


def make_fleet(plan: Plan, tally: Tally) -> tuple[list[Home], list[Runtime]]:
    """Make integrations and their replicas."""
    homes: list[Home] = []
    fleet: list[Runtime] = []
    for kind, share in plan.mix.items():
        count = round(plan.runtimes * share)
        of_kind = make_homes(kind, max(1, -(-count // plan.replicas)), plan.seed) if count else []
        homes += of_kind
        for number in range(count):
            dice = random.Random(f"{plan.seed} {kind} {number}")  # noqa: S311 - repeatable, nothing secret
            home = of_kind[min(int(dice.random() ** 2 * len(of_kind)), len(of_kind) - 1)]
            identity = str(uuid.UUID(int=dice.getrandbits(128), version=4))
            name = f"{home.integration}-{number}" if dice.random() < 0.9 else None
            runtime = _CLASSES[kind](home, identity, name, plan.interval_s, tally, dice)
            if isinstance(runtime, PythonRuntime):
                runtime.wants_channel = dice.random() < plan.channels
            elif isinstance(runtime, MicroIntegrator):
                runtime.is_busy = dice.random() < plan.busy_stores
            fleet.append(runtime)
    return homes, fleet


class _Reading(NamedTuple):
    """What runs up during a run."""

    at_s: float
    beats: int
    cpu_s: float
    own_cpu_s: float
    sql: int

    @classmethod
    def of(cls, plane: Plane, driver: Driver) -> "_Reading":
        """Read it now."""
        return cls(time.monotonic(), driver.figures.acked, plane.cpu_s(), time.process_time(), plane.sql_statements())


async def provision(api: Api, homes: list[Home]) -> None:
    """Give every integration its secret."""
    for home in homes:
        home.secret = Secret(await asyncio.to_thread(api.generate_secret, home.environment))


async def run(plan: Plan, plane: Plane, api: Api) -> Report:
    """Run a fleet against a control plane."""
    await asyncio.to_thread(api.sign_in)
    tally, verdicts = Tally(), Verdicts()
    homes, fleet = make_fleet(plan, tally)
    await provision(api, homes)
    driver = Driver(Target.of(plane.runtime_url), pool=plan.pool, offline_after_s=plan.offline_after_s)
    dice = random.Random(plan.seed)  # noqa: S311 - repeatable, nothing secret
    for runtime in fleet:
        driver.start(driver.add(runtime), dice.random() * plan.ramp_s)
    _say(f"{len(fleet)} runtimes of {len(homes)} integrations start within {plan.ramp_s:.0f} s")
    await asyncio.sleep(plan.ramp_s + plan.interval_s + 6)
    driver.figures.reset()
    chaos = Chaos(driver, plan.crashes, dice, longest_s=3 * plan.offline_after_s)
    changes = Changes(driver, api, homes, plan.changes, plan.interval_s, dice)
    walk_every_s = min(WALK_EVERY_S, plan.seconds / _WALKS)
    watchers = (
        chaos.run(),
        changes.run(),
        _watch_totals(driver, api, verdicts),
        _watch_rows(driver, api, verdicts, walk_every_s),
    )
    watching = [asyncio.create_task(watcher) for watcher in watchers]
    before = _Reading.of(plane, driver)
    rss_mb = await _measure(plane, plan.seconds, watching)
    after = _Reading.of(plane, driver)
    report = Report(
        plan=plan, tally=tally, figures=driver.figures, verdicts=verdicts, chaos=chaos.counts, changes=changes.outcome,
        took_s=after.at_s - before.at_s, beats=after.beats - before.beats, cpu_s=after.cpu_s - before.cpu_s,
        own_cpu_s=after.own_cpu_s - before.own_cpu_s, rss_mb=rss_mb, sql=after.sql - before.sql,
        database_mb=plane.database_mb(), slowest_api_s=api.slowest_s, connections=driver.dialer.opened,
        up=sum(member.runtime.lost is None and member.life.acked_at > 0 and member.life.ended_at == 0 for member in driver.members),
        is_ours=plane.process is not None,
    )  # fmt: skip
    await _walk(driver, api, verdicts)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    await driver.stop()
    return report


async def _measure(plane: Plane, seconds: float, watching: list[asyncio.Task[None]]) -> float:
    """Wait until the time is over; gives the largest resident memory meanwhile."""
    end, largest_mb = time.monotonic() + seconds, plane.rss_mb()
    while (left_s := end - time.monotonic()) > 0:
        await asyncio.wait(watching, timeout=min(1.0, left_s), return_when=asyncio.FIRST_COMPLETED)
        for task in watching:
            if task.done():
                task.result()  # a defect of ours, or an API that does not answer
                await asyncio.sleep(min(1.0, left_s))
        largest_mb = max(largest_mb, plane.rss_mb())
    return largest_mb


async def _watch_totals(driver: Driver, api: Api, verdicts: Verdicts) -> None:
    while True:
        began = time.monotonic()
        counts = (await api.ask_soon(_TOTALS))["organization"]["runtimes"]
        verdicts.judge_totals(driver.lives, counts["running"], counts["unknown"], began, time.monotonic())
        await asyncio.sleep(TOTALS_EVERY_S)


async def _watch_rows(driver: Driver, api: Api, verdicts: Verdicts, every_s: float) -> None:
    while True:
        await _walk(driver, api, verdicts)
        await asyncio.sleep(every_s)


async def _walk(driver: Driver, api: Api, verdicts: Verdicts) -> None:
    """Read all runtimes, page by page."""
    began, seen = time.monotonic(), dict[str, Any]()  # Any: JSON
    after: str | None = None
    while True:
        page_began = time.monotonic()
        page = (await api.ask_soon(_WALK, first=_PAGE, after=after))["runtimes"]
        page_ended = time.monotonic()
        for row in page["nodes"]:
            seen[row["runtimeId"]] = row
            life = driver.lives.get(row["runtimeId"])
            if life is not None:
                verdicts.judge_row(life, row["status"], page_began, page_ended)
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    verdicts.judge_walk(driver.lives, seen, began)


def _say(text: str) -> None:
    sys.stderr.write(f"fleet: {text}\n")
    sys.stderr.flush()
