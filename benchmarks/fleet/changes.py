"""Somebody changes what is desired while the fleet runs; the truth is what the processes then are."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from .driver import Driver, Member
from .homes import WIRE_TYPE, Home
from .plane import Api

_CHANGE = """mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { waiting commands { id } } }"""
_BEATS: Final = 4
"""A change has reached every living runtime after so many intervals."""


@dataclass(slots=True)
class Outcome:
    """What became of the changes."""

    counts: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    """From the answer to the change until every living runtime of the integration was so."""


class Changes:
    """Starts and stops listeners of Ballerina and Python integrations."""

    def __init__(
        self, driver: Driver, api: Api, homes: list[Home], per_minute: float, interval_s: float, dice: random.Random
    ) -> None:
        self.outcome = Outcome()
        self._driver = driver
        self._api = api
        self._homes = [home for home in homes if WIRE_TYPE[home.kind] in {"BI", "PY"}]
        self._every_s = 60 / per_minute if per_minute else 0.0
        self._interval_s = interval_s
        self._dice = dice
        self._wanted: dict[tuple[int, str], bool] = {}

    async def run(self) -> None:
        """Go on until cancelled."""
        while self._every_s and self._homes:
            await asyncio.sleep(self._every_s)
            home = self._dice.choice(self._homes)
            name = self._dice.choice(home.artifacts["listeners"])["name"]
            self._driver.spawn(self._change(home, name))

    async def _change(self, home: Home, name: str) -> None:
        enabled = not self._wanted.get((id(home), name), True)
        self._wanted[id(home), name] = enabled
        package = next(each["package"] for each in home.artifacts["listeners"] if each["name"] == name)
        try:
            await self._api.ask_soon(_CHANGE, input={
                "project": home.project, "integration": home.integration, "environment": home.environment,
                "kind": "LISTENER", "name": name, "package": package, "aspect": "STATE",
                "value": "ENABLED" if enabled else "DISABLED",
                **({"confirm": home.environment} if home.environment == "prod" else {}),
            })  # fmt: skip
        except RuntimeError as error:
            self.outcome.counts[f"refused: {error}"[:160]] += 1
            return
        began = time.monotonic()
        while self._wanted[id(home), name] is enabled:
            if not self._behind(home, name, enabled=enabled, began=began):
                self.outcome.counts["reached every living runtime"] += 1
                self.outcome.took_s.append(time.monotonic() - began)
                return
            if time.monotonic() - began > _BEATS * self._interval_s:
                self.outcome.counts["did not reach every living runtime in time"] += 1
                return
            await asyncio.sleep(0.1)
        self.outcome.counts["overtaken by another one"] += 1

    def _behind(self, home: Home, name: str, *, enabled: bool, began: float) -> list[Member]:
        """List the replicas that ran when the change was made, still do, and are not so."""
        return [
            member
            for member in self._driver.members
            if member.runtime.home is home
            and member.life.ended_at == 0.0
            and member.runtime.lost is None
            and member.life.first_acked_at > 0.0
            and member.life.first_acked_at < began
            and (name not in member.runtime.disabled) is not enabled
        ]
