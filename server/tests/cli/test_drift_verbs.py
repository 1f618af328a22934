"""`pilothouse drift` against a control plane over TLS."""

import json
import time
from collections.abc import Iterator

import pytest
from pilothouse.client.errors import CHANGES, USAGE
from served import Run, Served, made_token, sent

pytestmark = pytest.mark.slow

PLACE = ("--project", "drifting", "--integration", "orders", "--environment", "dev")


def report(runtime_id: str, *services: str) -> dict[str, object]:
    return {
        "runtimeId": runtime_id, "runtimeName": runtime_id, "runtime": runtime_id, "runtimeType": "BI", "status": "RUNNING",
        "environment": "dev", "project": "drifting", "component": "orders", "version": "1.0",
        "nodeInfo": {"platformName": "ballerina"}, "runtimeHash": f"{runtime_id} {services}", "timestamp": [int(time.time()), 0.0],
        "artifacts": {
            "listeners": [],
            "services": [
                {"name": name, "package": "retail/orders", "basePath": f"/{name}", "type": "http:Service", "listeners": [], "resources": []}
                for name in services
            ],
        },
    }  # fmt: skip


@pytest.fixture
def two(run: Run, served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Run, str]]:
    """A script that is signed in, and two copies of an integration of which the second lacks a service."""
    monkeypatch.setenv("PILOTHOUSE_URL", served.url)
    monkeypatch.setenv("PILOTHOUSE_TOKEN", made_token(served, name=f"drift-{time.monotonic_ns()}"))
    monkeypatch.setenv("PILOTHOUSE_CA_FILE", str(served.home / "tls" / "certificate.pem"))
    secret = run("secrets", "generate", "--environment", "dev", "--quiet").stdout.strip()
    assert sent(served, secret, report("drift-1", "orders", "returns")) == 200
    assert sent(served, secret, report("drift-2", "orders")) == 200
    yield run, secret
    for runtime in ("drift-1", "drift-2"):
        assert run("runtimes", "remove", runtime, "--yes").exit_code == 0


def test_a_script_lists_what_differs_and_ends_well_when_nothing_does(two: tuple[Run, str], served: Served) -> None:
    run, secret = two
    listed = run("drift", "list", "--project", "drifting", "--output", "json")
    assert listed.exit_code == 0
    (place,) = json.loads(listed.stdout)
    assert (place["integration"], place["environment"]["handle"]) == ({"handle": "orders"}, "dev")
    assert {name: place[name] for name in ("running", "forms", "failed", "unreached")} == {
        "running": 2, "forms": 2, "failed": 0, "unreached": 0,
    }  # fmt: skip
    assert run("drift", "list", "-p", "drifting", "--quiet").stdout == "drifting/orders dev\n"
    assert "2 differing forms" in run("drift", "list", "-p", "drifting").stdout
    assert run("drift", "list", "-p", "drifting", "--trouble", "failed").stdout == ""
    assert run("drift", "list", "-p", "drifting", "--exit-code").exit_code == CHANGES
    assert sent(served, secret, report("drift-2", "orders", "returns")) == 200
    agreed = run("drift", "list", "-p", "drifting", "--exit-code")
    assert (agreed.exit_code, agreed.stdout, agreed.stderr) == (0, "", "There are none.\n")


def test_in_what_they_differ_is_told_by_the_artifacts_that_do(two: tuple[Run, str]) -> None:
    run, _ = two
    told = json.loads(run("artifacts", "list", *PLACE, "--differing", "--output", "json").stdout)
    assert [(each["name"], [one["runtimeId"] for one in each["missingOn"]]) for each in told] == [
        ("returns", ["drift-2"])
    ]


def test_what_is_no_trouble_is_refused(two: tuple[Run, str]) -> None:
    run, _ = two
    assert run("drift", "list", "--trouble", "sorrow").exit_code == USAGE
