"""A runtime as it stands on the other side of the wire."""

import base64
import hashlib
import http
import json
import time
from dataclasses import dataclass, field

from pilothouse_conformance import signing
from pilothouse_conformance.beats import Beat
from pilothouse_conformance.wire import Framing, Json, Line, Request

FULL, DELTA, RESULT = "/icp/heartbeat", "/icp/deltaHeartbeat", "/icp/commandResult"
_CHUNKED_FROM_BYTES = 8_192
"""Ballerina's client sends bodies in chunks from this size on."""
_TOKEN_KEPT_S = 3_300
"""Micro Integrator makes a token anew five minutes before its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one kind of runtime speaks; where they differ, as its own code does it."""

    name: str
    type: str
    user_agent: str
    framing: Framing
    offers_http2: bool = False
    keeps_token: bool = False
    capabilities: tuple[str, ...] | None = None
    """None: the member is not sent."""


BI = Dialect(name="BI", type="BI", user_agent="ballerina", framing=Framing.SPLIT, offers_http2=True)
BI_PLUS = Dialect(
    name="B+",
    type="BI",
    user_agent="ballerina",
    framing=Framing.SPLIT,
    offers_http2=True,
    capabilities=("workflowCommands",),
)
MI = Dialect(name="MI", type="MI", user_agent="Apache-HttpClient", framing=Framing.LENGTH, keeps_token=True)
MI_PLUS = Dialect(name="M+", type="MI", user_agent="Apache-HttpClient", framing=Framing.LENGTH, keeps_token=True)
PY = Dialect(
    name="PY",
    type="PY",
    user_agent="pilothouse-bridge",
    framing=Framing.SPLIT,
    capabilities=("START", "STOP", "SET_LOGGER_LEVEL", "RESET_LOGGER_LEVEL", "LIST_LOGGERS"),
)


def listener(name: str = "listener_1", port: int = 9090, state: str = "enabled") -> dict[str, Json]:
    """Describe an HTTP listener as Ballerina reports it."""
    return {
        "name": name,
        "package": "ballerina/http:2",
        "state": state,
        "protocol": "HTTP",
        "port": port,
        "httpVersion": "2.0",
        "host": "0.0.0.0",
        "timeout": 60.0,
        "requestLimits": {"maxUriLength": 4096, "maxHeaderSize": 8192, "maxEntityBodySize": -1},
    }


def bi_artifacts() -> dict[str, Json]:
    """Describe a Ballerina program with one listener and one service."""
    return {
        "listeners": [listener()],
        "services": [
            {
                "name": "service_1",
                "basePath": "/orders",
                "package": "acme/order_intake:1",
                "state": "enabled",
                "listeners": [{"name": "listener_1"}],
                "resources": [{"methods": ["get"], "url": "/items/{id}"}, {"methods": ["post"], "url": "/items"}],
            }
        ],
    }


def mi_artifacts() -> dict[str, Json]:
    """Describe a Micro Integrator with an API, an endpoint and a task."""
    switches = {"tracing": "disabled", "statistics": "disabled"}
    address = {"name": "Address", "value": "https://stock.example/prices"}
    api: dict[str, Json] = {
        "name": "QuoteAPI",
        "context": "/quote",
        "version": "1.0.0",
        "url": "http://mi-1:8290/quote",
    }
    endpoint: dict[str, Json] = {"name": "StockEP", "type": "AddressEndpoint", "state": "enabled"}
    return {
        "apis": [
            {**api, "urls": [], "type": "API", **switches, "resources": [{"path": "/{symbol}", "methods": "GET"}]}
        ],
        "endpoints": [{**endpoint, **switches, "attributes": [address]}],
        "tasks": [{"name": "NightlyTask", "state": "enabled", "group": "", "class": "acme.Nightly"}],
    }


@dataclass
class Runtime:
    """One process of a runtime."""

    line: Line
    secret: str
    runtime_id: str
    environment: str
    project: str
    component: str
    dialect: Dialect = BI
    name: str | None = None
    artifacts: dict[str, Json] = field(default_factory=bi_artifacts)
    log_levels: dict[str, str] | None = None
    extra: dict[str, Json] = field(default_factory=dict[str, Json])
    """Members that are added, or put in the place of others."""
    hash: str | None = None
    """None: worked out of what is reported, as the clients do."""
    longest_gap_s: float = 0.0
    """The longest time that may have passed between two of its beats, as the server saw them."""
    _token: tuple[float, str, str] = (0.0, "", "")
    _beat: tuple[float, float] | None = None
    """When the last beat was sent, and when it was answered; by the monotonic clock."""

    @property
    def key_id(self) -> str:
        """The secret's key id."""
        return signing.split(self.secret)[0]

    def full_body(self) -> dict[str, Json]:
        """Say everything."""
        report: dict[str, Json] = {
            "runtimeId": self.runtime_id,
            "runtime": self.name,
            "runtimeType": self.dialect.type,
            "heartbeatVersion": "v1.0",
            "status": "RUNNING",
            "environment": self.environment,
            "project": self.project,
            "component": self.component,
            "nodeInfo": {"platformName": "ballerina" if self.dialect.type == "BI" else "WSO2 Micro Integrator"},
            "artifacts": self.artifacts,
        }
        if self.log_levels is not None:
            report["logLevels"] = self.log_levels
        digest = hashlib.md5(json.dumps(report).encode(), usedforsecurity=False).digest()
        report["runtimeHash"] = self.hash or base64.b64encode(digest).decode()
        report["timestamp"] = _instant()
        if self.dialect.capabilities is not None:
            report["capabilities"] = list(self.dialect.capabilities)
        return {**report, **self.extra}

    def delta_body(self) -> dict[str, Json]:
        """Say that nothing changed."""
        return {
            "heartbeatVersion": "v1.0",
            "runtimeId": self.runtime_id,
            "runtimeHash": self.full_body()["runtimeHash"],
            "timestamp": _instant(),
        }

    def full(self, **token: Json) -> Beat:
        """Send a full heartbeat."""
        return self.post(FULL, self.full_body(), **token)

    def delta(self, **token: Json) -> Beat:
        """Send a delta heartbeat, and nothing after it whatever is answered."""
        return self.post(DELTA, self.delta_body(), **token)

    def beat(self) -> Beat:
        """Send a delta and, as Micro Integrator does, at once a full heartbeat when it is demanded; give what counts."""
        beat = self.delta()
        return self.full() if beat.ok().wants_full else beat

    def result(self, command_id: str, body: Json, **told: Json) -> Beat:
        """Post what came of a command."""
        result = {
            "runtimeId": self.runtime_id,
            "commandId": command_id,
            "status": "COMPLETED",
            "httpStatus": 200,
            "body": body,
        }
        return self.post(RESULT, {**result, **told})

    def post(
        self,
        path: str,
        body: Json,
        *,
        authorization: str | None = "",
        framing: Framing | None = None,
        headers: dict[str, str] | None = None,
        pause_s: float = 0.0,
        **token: Json,
    ) -> Beat:
        """Send anything. `authorization` "" makes a token, None sends none."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"User-Agent": self.dialect.user_agent, "Content-Type": "application/json", **(headers or {})}
        if authorization is not None:
            told["Authorization"] = authorization or f"Bearer {self._mint(token)}"
        self.line.offers_http2 = self.dialect.offers_http2
        chunks = self.dialect.type == "BI" and len(raw) >= _CHUNKED_FROM_BYTES
        framing = framing or (Framing.CHUNKED if chunks else self.dialect.framing)
        request = Request(method="POST", path=path, headers=told, body=raw, framing=framing)
        began_s = time.monotonic()
        answer = self.line.ask(request, pause_s=pause_s)
        if path in {FULL, DELTA} and answer.status == http.HTTPStatus.OK:
            self._note_beat(began_s, time.monotonic())
        kind = {FULL: "the full heartbeat", DELTA: "the delta", RESULT: "the result"}.get(path, path)
        return Beat(kind, answer)

    def silence_s(self) -> tuple[float, float]:
        """Tell for how long it has been silent: at least, and at most, as the server sees it."""
        began_s, ended_s = self._beat or (time.monotonic(), time.monotonic())
        return time.monotonic() - ended_s, time.monotonic() - began_s

    def _note_beat(self, began_s: float, ended_s: float) -> None:
        if self._beat is not None:
            self.longest_gap_s = max(self.longest_gap_s, ended_s - self._beat[0])
        self._beat = began_s, ended_s

    def switch(self, name: str, state: str) -> None:
        """Set what the runtime reports of its listener."""
        for one in self.artifacts["listeners"]:
            if one["name"] == name:
                one["state"] = state

    def _mint(self, wishes: dict[str, Json]) -> str:
        """Make a token, or take the one that is kept where the dialect keeps one."""
        if not wishes and self.dialect.keeps_token:
            made_at, secret, _ = self._token
            if secret != self.secret or time.time() - made_at > _TOKEN_KEPT_S:
                self._token = (time.time(), self.secret, signing.mint(self.secret))
            return self._token[2]
        if self.dialect.type == "BI":  # Ballerina's issuer says from when on a token holds
            wishes = {"nbf": int(time.time()), **wishes}
        return signing.mint(self.secret, **wishes)


def _instant() -> list[float]:
    now = time.time()
    return [int(now), round(now % 1, 3)]
