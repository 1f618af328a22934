"""Requests made up from the descriptions, at a control plane of its own: nothing breaks it, and every refusal says why.

The descriptions are /openapi.json and contracts/schema.graphql. The requests are the same in every run, unless
PILOTHOUSE_SCHEMATHESIS_SEED says otherwise; PILOTHOUSE_SCHEMATHESIS_EXAMPLES makes more of them.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import schemathesis
from database_servers import ends_with_us
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pilothouse.app import bundled
from schemathesis import checks
from schemathesis.graphql import nodes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("schemathesis")]
PASSWORD = "correct horse battery staple"
SEED = int(os.environ.get("PILOTHOUSE_SCHEMATHESIS_SEED", "1"))
EXAMPLES = int(os.environ.get("PILOTHOUSE_SCHEMATHESIS_EXAMPLES", "0"))

schemathesis.graphql.scalar(
    "DateTime",
    st.sampled_from(
        ["2030-01-31T12:00:00Z", "2026-01-01T00:00:00.5+01:00", "yesterday", "", "2030-01-31T12:00:00"]
    ).map(nodes.String),
)
REST = schemathesis.openapi.from_path(bundled.schema_path().parent / "openapi.json")
GRAPHQL = schemathesis.graphql.from_path(bundled.schema_path())


@dataclass
class Tried:
    """A control plane in a process of its own, and what was tried with it."""

    url: str
    token: str
    """An API token: no request ends it."""
    answers: Counter[str] = field(default_factory=Counter)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    runtime_port, console_port = free_ports()
    url = f"http://127.0.0.1:{console_port}"
    home = tmp_path_factory.mktemp("schemathesis")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")} | {
        "PILOTHOUSE_HOME": str(home),
        "PILOTHOUSE_HOST": "127.0.0.1",
        "PILOTHOUSE_RUNTIME_PORT": str(runtime_port),
        "PILOTHOUSE_CONSOLE_PORT": str(console_port),
        "PILOTHOUSE_CONSOLE_TLS": "off",
        "PILOTHOUSE_ADMIN_PASSWORD": PASSWORD,
    }
    log = (home / "log.txt").open("w")
    command = [*ends_with_us(signal.SIGKILL), sys.executable, "-m", "pilothouse", "serve"]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own program
    try:
        wait_for(url, process, home / "log.txt")
        started = Tried(url, make_token(url))
        yield started
        assert process.poll() is None, "it lives on"
        assert httpx.get(f"{url}/readyz").json()["ready"] is True
        defects = [line for line in (home / "log.txt").read_text().splitlines() if "defect" in line]
        assert not defects, "\n".join(defects[:20])
        sys.stdout.write(
            f"\nschemathesis, seed {SEED}: {started.answers.total()} requests; {dict(started.answers.most_common(12))}"
        )
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def make_token(url: str) -> str:
    """Sign in and make an API token that carries all that the administrator holds."""
    wish = {"username": "admin", "password": PASSWORD, "mode": "bearer"}
    session = httpx.post(f"{url}/auth/sign-in", json=wish).json()["accessToken"]
    expires_at = datetime.now(UTC) + timedelta(days=1)
    made = httpx.post(
        f"{url}/graphql",
        headers={"Authorization": f"Bearer {session}"},
        json={
            "query": 'mutation ($at: DateTime) { createApiToken(input: {name: "t", expiresAt: $at}) { token } }',
            "variables": {"at": expires_at.isoformat()},
        },
    )
    return made.json()["data"]["createApiToken"]["token"]


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def made_up(default: int):
    return settings(
        max_examples=EXAMPLES or default,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def operations(schema: schemathesis.BaseSchema) -> list[schemathesis.APIOperation]:
    return [result.ok() for result in schema.get_all_operations()]


def check_problem(problem: dict[str, object], of: str) -> None:
    """Every error has a stable code, a sentence, and what mends it."""
    assert {"code", "message", "fix"} <= set(problem) <= {"code", "message", "fix", "field", "requestId"}, (
        f"{of}: {problem}"
    )
    assert isinstance(problem["code"], str), of
    assert problem["code"].isupper(), of
    assert problem["message"], of


@pytest.mark.parametrize("operation", operations(REST), ids=lambda one: one.label)
def test_rest_answers_whatever_it_is_asked(tried: Tried, operation: schemathesis.APIOperation) -> None:
    @seed(SEED)
    @made_up(15)
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    def ask(case: schemathesis.Case) -> None:
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
        response = case.call(base_url=tried.url, headers=tried.headers(), allow_redirects=False, timeout=10)
        tried.answers[f"REST {response.status_code}"] += 1
        assert response.status_code < 500, f"{response.status_code}: {response.text}"
        if response.status_code >= 400:
            check_problem(json.loads(response.text), case.operation.label)
        case.validate_response(
            response,
            checks=[checks.CHECKS.get_one("response_schema_conformance"), checks.CHECKS.get_one("not_a_server_error")],
        )

    ask()


@pytest.mark.parametrize("operation", operations(GRAPHQL), ids=lambda one: one.label)
def test_graphql_answers_whatever_it_is_asked(tried: Tried, operation: schemathesis.APIOperation) -> None:
    client = httpx.Client(base_url=tried.url, headers=tried.headers(), timeout=10)

    @seed(SEED)
    @made_up(8)
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        response = client.post("/graphql", json={"query": case.body})
        answer = response.json()
        tried.answers[f"GraphQL {response.status_code}"] += 1
        assert response.status_code in (200, 400, 401, 403), f"{response.status_code}: {response.text}"
        if "code" in answer:
            check_problem(answer, case.operation.label)
        for error in answer.get("errors", ()):
            assert error["message"], case.body
            check_problem(error["extensions"], case.operation.label)
            assert error["extensions"]["code"] not in ("UNAVAILABLE", "PILOTHOUSE"), f"{error} for {case.body}"

    with client:
        ask()
