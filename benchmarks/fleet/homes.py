"""Integrations with what their programs consist of; replicas share it."""

import json
import random
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .tokens import Secret

Members = dict[str, Any]  # Any: JSON


class Kind(StrEnum):
    """What a runtime is, and of which build."""

    BI = "bi"
    BI_PLUS = "bi+"
    MI = "mi"
    MI_PLUS = "mi+"
    PY = "py"


WIRE_TYPE = {Kind.BI: "BI", Kind.BI_PLUS: "BI", Kind.MI: "MI", Kind.MI_PLUS: "MI", Kind.PY: "PY"}
_WORDS = ("orders", "billing", "stock", "intake", "quotes", "claims", "parcels", "payroll", "ledger", "alerts")


@dataclass(slots=True, eq=False)
class Home:
    """One integration in one environment, with the secret that its runtimes use."""

    kind: Kind
    project: str
    integration: str
    environment: str
    artifacts: Members
    levels: dict[str, str]
    secret: Secret | None = None
    _texts: dict[frozenset[str], str] = field(default_factory=dict)

    def artifacts_text(self, disabled: frozenset[str]) -> str:
        """Write the artifacts as JSON, with some listeners (or consumers, schedules) disabled."""
        text = self._texts.get(disabled)
        if text is None:
            shown = dict(self.artifacts)
            for name in ("listeners", "consumers", "schedules"):
                if name in shown:
                    shown[name] = [
                        {**each, "state": "disabled" if each["name"] in disabled else "enabled"} for each in shown[name]
                    ]
            text = self._texts[disabled] = json.dumps(shown, separators=(",", ":"))
        return text


def make_homes(kind: Kind, count: int, seed: int) -> list[Home]:
    """Make integrations of one kind, each with an artifact set of its own size."""
    homes: list[Home] = []
    for number in range(count):
        dice = random.Random(f"{seed} {kind} {number}")  # noqa: S311 - repeatable, nothing secret
        word = dice.choice(_WORDS)
        homes.append(
            Home(
                kind=kind,
                project=f"fleet-{dice.choice(_WORDS)}",
                integration=f"{word}-{kind.replace('+', '-plus')}-{number}",
                environment="dev" if dice.random() < 0.6 else "prod",
                artifacts=_ARTIFACTS[WIRE_TYPE[kind]](dice, word),
                levels={f"acme/{word}": "INFO", f"acme/{word}:audit": "WARN"} if kind is not Kind.PY else
                {"root": "WARN", word: "INFO", f"{word}.audit": "INFO"},
            )
        )  # fmt: skip
    return homes


def _ballerina(dice: random.Random, word: str) -> Members:
    listeners = [
        {
            "name": f"listener_{n}", "package": "ballerina/http:2", "state": "enabled", "protocol": "HTTP",
            "port": 9090 + n, "httpVersion": "2.0", "host": "0.0.0.0", "timeout": 60.0,
            "requestLimits": {"maxUriLength": 4096, "maxHeaderSize": 8192, "maxEntityBodySize": -1},
        }
        for n in range(1, dice.randint(2, 5))
    ]  # fmt: skip
    listeners.append(
        {
            "name": f"listener_{len(listeners) + 1}",
            "package": "ballerinax/kafka:4",
            "state": "enabled",
            "protocol": "kafka",
        }
    )
    services = [
        {
            "name": f"service_{n}",
            "basePath": f"/{word}/{n}",
            "package": f"acme/{word}:1",
            "state": "enabled",
            "listeners": [{"name": dice.choice(listeners)["name"]}],
            "resources": [
                {"methods": [dice.choice(["get", "post", "put"])], "url": f"/{word}/{{id}}/{m}"}
                for m in range(dice.randint(1, 12))
            ],
        }
        for n in range(1, dice.randint(2, 10))
    ]
    return {"listeners": listeners, "services": services}


def _micro_integrator(dice: random.Random, word: str) -> Members:
    def many(most: int) -> range:
        return range(dice.randint(1, most))

    switches = {"tracing": "disabled", "statistics": "disabled"}
    app = f"{word.title()}Car"
    return {
        "apis": [
            {
                "name": f"{word}API{n}", "context": f"/{word}/{n}", "version": "1.0.0", "type": "API", "carbonApp": app,
                "url": f"http://localhost:8290/{word}/{n}", "urls": [f"http://localhost:8290/{word}/{n}"], **switches,
                "resources": [{"path": f"/{{id}}/{m}", "methods": "GET,POST"} for m in many(8)],
            }
            for n in many(6)
        ],
        "proxyServices": [
            {"name": f"{word}Proxy{n}", "type": "ProxyService", "state": "enabled", "endpoints": [], **switches}
            for n in many(3)
        ],
        "endpoints": [
            {
                "name": f"{word}EP{n}", "type": "HTTPEndpoint", "state": "enabled", **switches,
                "attributes": [{"name": "Method", "value": "GET"}, {"name": "URI Template", "value": "https://x.example"}],
            }
            for n in many(10)
        ],
        "inboundEndpoints": [],
        "sequences": [{"name": f"{word}Seq{n}", "type": "Sequence", "carbonApp": app, **switches} for n in many(20)],
        "tasks": [{"name": f"{word}Task", "state": "enabled", "group": "", "class": ""}],
        "templates": [],
        "messageStores": [{"name": f"{word}Store", "type": "InMemoryStore", "size": 0, "carbonApp": app}],
        "messageProcessors": [
            {"name": f"{word}Processor", "type": "Scheduled", "state": "enabled", "messageStore": f"{word}Store"}
        ],
        "localEntries": [{"name": f"{word}Entry{n}", "type": "Inline Text"} for n in many(5)],
        "dataServices": [], "dataSources": [], "connectors": [], "registryResources": [],
        "carbonApps": [{"name": app, "version": "1.2.0", "status": "active", "artifacts": []}],
    }  # fmt: skip


def _python(dice: random.Random, word: str) -> Members:
    return {
        "listeners": [
            {"name": "http", "package": word, "state": "enabled", "protocol": "HTTP", "port": 8080, "host": "0.0.0.0"}
        ],
        "services": [
            {
                "name": f"{word}.app:app", "basePath": "/", "package": word, "state": "enabled",
                "listeners": [{"name": "http"}],
                "resources": [
                    {"methods": ["GET"], "url": f"/{word}/{{item_id}}/{m}", "source": f"{word}/app.py:{30 + 7 * m}"}
                    for m in range(dice.randint(3, 40))
                ],
            }
        ],
        "consumers": [
            {
                "name": f"{word}-events-{n}", "package": word, "state": "enabled", "protocol": "kafka",
                "source": f"{word}.events.{n}", "group": word, "handler": f"{word}/events.py:{12 + 20 * n}",
            }
            for n in range(dice.randint(0, 3))
        ],
        "schedules": [
            {"name": "nightly", "package": word, "state": "enabled", "trigger": "cron: 0 3 * * *"}
        ],
    }  # fmt: skip


_ARTIFACTS = {"BI": _ballerina, "MI": _micro_integrator, "PY": _python}
