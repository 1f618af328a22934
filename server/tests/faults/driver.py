"""Who drives a control plane that is killed, and remembers what it was told: sent, acknowledged, received."""

import http.client
import json
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import jwt

CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { desired { version } } }"
ASK = "mutation ($input: AskRuntimeInput!) { askRuntime(input: $input) { id } }"
PLACE = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
GONE = (OSError, http.client.HTTPException)
TIMEOUT_S = 20


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


TLS = trusting()


@dataclass
class Sender:
    """A runtime: everything that it reports bears the number of the heartbeat, so that halves cannot hide."""

    runtime_id: str
    secret: str
    integration: str = "order_intake"
    state: str = "enabled"
    sent: int = 0
    acknowledged: int = 0
    """The number of the last heartbeat that was acknowledged."""
    heard: int = 0
    """How many were."""
    received: set[str] = field(default_factory=set)
    results_taken: set[str] = field(default_factory=set)

    def body(self) -> dict[str, Any]:
        listener = {"name": "listener_1", "package": "demo", "state": self.state, "protocol": "HTTP", "port": 9090}
        return {
            "runtimeId": self.runtime_id,
            "runtimeType": "PY",
            "environment": "dev",
            "project": "Retail Core",
            "component": self.integration,
            "version": str(self.sent),
            "runtimeHash": f"h{self.sent}",
            "logLevels": {"app": f"L{self.sent}"},
            "capabilities": ["START", "STOP", "LIST_LOGGERS"],
            "artifacts": {
                "listeners": [listener],
                "services": [{"name": f"s{self.sent}", "package": self.runtime_id, "state": "enabled"}],
            },
        }

    def beat(self, line: http.client.HTTPConnection) -> None:
        """Send a full heartbeat, carry out what it brings, post the results."""
        self.sent += 1
        status, answer = self.post(line, "/icp/heartbeat", self.body())
        if status != 200 or not answer["acknowledged"]:
            return
        self.acknowledged = self.sent
        self.heard += 1
        for command in answer["commands"]:
            self.received.add(command["commandId"])
            self.state = {"STOP": "disabled", "START": "enabled"}.get(command["action"], self.state)
            told = {"runtimeId": self.runtime_id, "commandId": command["commandId"], "status": "COMPLETED"}
            status, _ = self.post(line, "/icp/commandResult", {**told, "body": {"loggers": []}})
            if status == 202:
                self.results_taken.add(command["commandId"])

    def post(self, line: http.client.HTTPConnection, path: str, body: Any) -> tuple[int, Any]:
        key_id, _, material = self.secret.partition(".")
        claims = {
            "iss": "icp-runtime-jwt-issuer",
            "aud": "icp-server",
            "scope": "runtime_agent",
            "exp": int(time.time()) + 3600,
        }
        token = jwt.encode(claims, material, algorithm="HS256", headers={"kid": key_id})
        line.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {token}"})
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())

    def beat_on(self, port: int) -> None:
        """Beat until nobody answers any more."""
        line = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=TLS)
        with suppress(*GONE):
            while True:
                self.beat(line)
        line.close()


@dataclass
class Person:
    """The administrator, who wishes and asks without a pause."""

    password: str
    cookie: str = ""
    wished: int = 0
    wish_acknowledged: int = 0
    asked: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def sign_in(self, port: int) -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        told = json.dumps({"username": "admin", "password": self.password})
        line.request("POST", "/auth/sign-in", told, {"Content-Type": "application/json"})
        answer = line.getresponse()
        assert answer.status == 200, answer.read()
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        line.close()

    def ask(self, line: http.client.HTTPConnection, query: str, **variables: Any) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Cookie": self.cookie}
        line.request("POST", "/graphql", json.dumps({"query": query, "variables": variables}), headers)
        answer = json.loads(line.getresponse().read())
        self.refused.extend(error["extensions"]["code"] for error in answer.get("errors", ()))
        return answer.get("data") or {}

    def secret(self, port: int) -> str:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        query = 'mutation { generateSecret(input: {environment: "dev"}) { secret } }'
        secret = self.ask(line, query)["generateSecret"]["secret"]
        line.close()
        return secret

    def wish(self, line: http.client.HTTPConnection, value: str) -> None:
        self.wished += 1
        given = {
            **PLACE,
            "kind": "LISTENER",
            "name": "listener_1",
            "package": "demo",
            "aspect": "STATE",
            "value": value,
        }
        made = self.ask(line, CHANGE, input=given)
        if made:
            self.wish_acknowledged = made["changeArtifact"]["desired"]["version"]

    def steer_on(self, port: int, runtimes: list[str]) -> None:
        """Wish and ask until nobody answers any more."""
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        with suppress(*GONE):
            while True:
                self.wish(line, "DISABLED" if self.wished % 2 else "ENABLED")
                time.sleep(0.01)
                for runtime in runtimes:
                    made = self.ask(line, ASK, input={"runtime": runtime, "question": "LOGGERS"})
                    if made:
                        self.asked.add(made["askRuntime"]["id"])
        line.close()
