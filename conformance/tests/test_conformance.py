"""The real control plane, judged by the whole suite: one test a case."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pilothouse_conformance import cli, goldens
from pilothouse_conformance.catalogue import CASES
from pilothouse_conformance.certificate import self_signed
from real_server import PASSWORD, SETTINGS, Server, command, restartable, without_tls

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # the first one waits for the whole run
    pytest.mark.xdist_group("conformance"),  # one run for all
]
TREE = Path(__file__).parents[2]
GOLDENS = TREE / "contracts" / "heartbeat" / "v1"
REQUIRE_ALL = os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1"
PATIENCE_S = 600 if REQUIRE_ALL else 150
"""Case 46 sees six attempts in seven minutes; where not everything is required it is skipped."""
RUN_S = 700


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict]]:
    """Judge a fresh control plane by the cases of which there are tests to be run; gives the verdicts by their labels."""
    folder = tmp_path_factory.mktemp("conformance")
    wanted = [getattr(item, "callspec", None) for item in request.session.items]
    # Tests of other rooms may have a parameter of that name too.
    params = [spec.params["number"] for spec in wanted if spec and "number" in spec.params]
    numbers = {number for number in params if isinstance(number, int)}
    with_goldens = any(spec and "message" in spec.params for spec in wanted)
    pem = folder / "fake-mi.pem"
    pem.write_text(self_signed("127.0.0.1"))
    server = Server(folder, {**SETTINGS, "PILOTHOUSE_MI_CA_FILE": str(pem)})
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        report = folder / "report.json"
        arguments = [
            *_place(server, folder),
            *_hooks(server, stack),
            *("--patience", str(PATIENCE_S)),
            *("--mi-host", "127.0.0.1", "--mi-certificate", str(pem), "--mi-key", str(pem)),
            *("--only", ",".join(map(str, sorted(numbers or {1}))), "--json", str(report)),
            *(("--goldens", str(GOLDENS)) if with_goldens else ()),
        ]
        path = os.pathsep.join(filter(None, [str(Path(cli.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "pilothouse_conformance", *arguments],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr[-4_000:]
        yield {case["case"]: case for case in json.loads(report.read_text())["cases"]}


def _place(server: Server, folder: Path) -> list[str]:
    password = folder / "password"
    password.write_text(PASSWORD)
    people = ["--console", server.console, "--user", "admin", "--password-file", str(password)]
    return [server.url, *people, "--ca", str(server.certificate), "--offline-after", "3"]


def _hooks(server: Server, stack: ExitStack) -> list[str]:
    database = server.home / "pilothouse.db"
    return [
        *("--fault", command("rename", database, "secrets", "secrets_away")),
        *("--heal", command("rename", database, "secrets_away", "secrets")),
        *("--restart", stack.enter_context(restartable(server))),
        *("--cleartext", stack.enter_context(without_tls(server))),
        *("--data", str(server.home), "--bodies-limit", str(256 * 1024 * 1024)),
    ]


def demand_passed(verdict: dict) -> None:
    if verdict["outcome"] == "skipped" and not REQUIRE_ALL:
        pytest.skip(verdict["reason"])
    told = "\n\n".join(f"{each['request']}\n\n{each['answer']}" for each in verdict["exchanges"][-1:])
    assert verdict["outcome"] == "passed", f"{verdict['title']}\n{verdict['reason']}\n\n{told}"


@pytest.mark.parametrize("number", sorted(CASES))
def test_case(verdicts: dict[str, dict], number: int) -> None:
    demand_passed(verdicts[str(number)])


@pytest.mark.parametrize("message", [golden.label for golden in goldens.read(str(GOLDENS))])
def test_golden_heartbeat(verdicts: dict[str, dict], message: str) -> None:
    demand_passed(verdicts[message])
