"""`pilothouse runtimes users` against a control plane over TLS, and a management API: `fake_mi`, a fake."""

import getpass
import json
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pilothouse.cli import remote
from pilothouse.client.errors import FAILED, USAGE
from served import PASSWORD, Run, Served, sent

sys.path.insert(0, str(Path(__file__).parent.parent / "management"))

from fake_mi import FakeMi

pytestmark = pytest.mark.slow

TOLD = "graces-password-42"


@pytest.fixture
def mi(served: Served, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMi]:
    """A Micro Integrator that has just reported, and a script that is signed in."""
    context = ssl.create_default_context(cafile=str(served.home / "tls" / "certificate.pem"))
    with httpx.Client(base_url=served.url, verify=context, trust_env=False, timeout=60) as client:
        assert client.post("/auth/sign-in", json={"username": "admin", "password": PASSWORD}).status_code == 200

        def asked(document: str, **given: object) -> dict[str, dict[str, str]]:
            answer = client.post("/graphql", json={"query": document, "variables": {"input": given}}).json()
            assert "errors" not in answer, answer
            return answer["data"]

        made = "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { token } }"
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3_600))
        token = asked(made, name=f"users-{time.monotonic_ns()}", expiresAt=ends)["createApiToken"]["token"]
        generate = "mutation ($input: GenerateSecretInput!) { generateSecret(input: $input) { secret } }"
        secret = asked(generate, environment="dev")["generateSecret"]["secret"]
    monkeypatch.setenv("PILOTHOUSE_URL", served.url)
    monkeypatch.setenv("PILOTHOUSE_TOKEN", token)
    monkeypatch.setenv("PILOTHOUSE_CA_FILE", str(served.home / "tls" / "certificate.pem"))
    with FakeMi(secret) as fake:
        body = {
            "runtimeId": "mi-cli", "runtime": "mi-cli", "runtimeType": "MI", "status": "RUNNING", "environment": "dev",
            "project": "Mi Users", "component": f"quotes-{time.monotonic_ns()}", "nodeInfo": {"platformName": "wso2-mi"},
            "artifacts": {}, "runtimeHash": "one", "timestamp": [int(time.time()), 0.0],
            "runtimeHostname": "localhost", "runtimePort": str(fake.port),
        }  # fmt: skip
        assert sent(served, secret, body) == 200
        yield fake
    assert run("runtimes", "remove", "mi-cli", "--yes").exit_code == 0


def test_a_script_lists_adds_and_removes_users(run: Run, mi: FakeMi) -> None:
    assert run("runtimes", "users", "list", "mi-cli", "--quiet").stdout.split() == ["admin", "ada"]
    added = run("runtimes", "users", "add", "mi-cli", "grace", "--administrator", text=f"{TOLD}\n")
    assert (added.exit_code, mi.state["users"]["grace"]) == (0, {"password": TOLD, "isAdmin": True})
    assert "Confirmed by 1 of 1 runtime" in added.stdout
    removed = run("runtimes", "users", "remove", "mi-cli", "ada", "--yes", "--output", "json")
    assert [each["state"] for each in json.loads(removed.stdout)] == ["CONFIRMED"]
    assert set(mi.state["users"]) == {"admin", "grace"}
    shown = run("commands", "list", "--output", "json").stdout + run("audit", "list", "--output", "json").stdout
    assert "grace" in shown
    assert TOLD not in shown + added.stdout + added.stderr


def test_what_it_refuses_ends_with_a_status_and_the_reason(run: Run, mi: FakeMi) -> None:
    result = run("runtimes", "users", "add", "mi-cli", "ada", text=f"{TOLD}\n")
    assert result.exit_code == FAILED
    assert "MI_USER_EXISTS" in str(result.exception)
    assert run("runtimes", "users", "remove", "mi-cli", "ada").exit_code != 0  # nobody said yes
    assert "ada" in mi.state["users"]


@pytest.mark.parametrize("text", ["", "\n", "short\n"])
def test_a_password_that_cannot_be_one_does_not_travel(run: Run, mi: FakeMi, text: str) -> None:
    assert run("runtimes", "users", "add", "mi-cli", "grace", text=text).exit_code == USAGE
    assert mi.calls == []


def test_a_person_types_it_twice(run: Run, mi: FakeMi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote.Session, "is_interactive", property(lambda _: True))
    typed = iter([TOLD, "another-thing", TOLD, TOLD])
    monkeypatch.setattr(getpass, "getpass", lambda _: next(typed))
    assert run("runtimes", "users", "add", "mi-cli", "grace").exit_code == USAGE
    assert mi.calls == []
    assert run("runtimes", "users", "add", "mi-cli", "grace").exit_code == 0
    assert mi.state["users"]["grace"]["password"] == TOLD
