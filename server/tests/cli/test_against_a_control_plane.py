"""The command line against a control plane over TLS: signing in, the organization as code, reading, steering, ending."""

import json
import re
import stat
from pathlib import Path

import pytest
import yaml
from pilothouse.client.errors import (
    CHANGES,
    CONFLICT,
    FAILED,
    NOT_FOUND,
    NOT_PERMITTED,
    NOT_SIGNED_IN,
    UNAVAILABLE,
    USAGE,
)
from pilothouse.client.http import Connection
from served import Run, Served, browser, made_token

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[3] / "examples" / "organization"


@pytest.fixture(scope="session")
def token(served: Served) -> str:
    return made_token(served)


@pytest.fixture
def signed_in(run: Run, served: Served, token: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """As CI is: by the environment alone."""
    monkeypatch.setenv("PILOTHOUSE_URL", served.url)
    monkeypatch.setenv("PILOTHOUSE_TOKEN", token)
    monkeypatch.setenv("PILOTHOUSE_CA_FILE", str(served.home / "tls" / "certificate.pem"))
    return run


def test_a_certificate_that_nobody_looked_at_is_not_trusted(run: Run, served: Served) -> None:
    told = run("login", served.url)

    assert told.exit_code == UNAVAILABLE
    assert told.exception.code == "CERTIFICATE_NOT_TRUSTED"
    assert "--trust" in told.exception.fix


def test_another_fingerprint_than_the_certificates_is_refused(run: Run, served: Served) -> None:
    assert run("login", served.url, "--fingerprint", "00:11:22").exception.code == "CERTIFICATE_NOT_TRUSTED"


def test_a_person_allows_the_code_and_the_session_is_used_refreshed_and_ended(
    run: Run, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def allow(code: str) -> None:
        document = "mutation ($code: String!) { decideDevice(userCode: $code, allow: true) { allowed } }"
        with browser(served) as client:
            answer = client.post("/graphql", json={"query": document, "variables": {"code": code}}).json()
        assert answer["data"]["decideDevice"]["allowed"] is True, answer
        shown.append(code)

    send = Connection.send

    def listening(self: Connection, method: str, path: str, *rest, **more):
        answer = send(self, method, path, *rest, **more)
        if path == "/auth/device":
            allow(answer["userCode"])
        return answer

    monkeypatch.setattr(Connection, "send", listening)
    done = run("login", served.url, "--name", "here", "--trust")

    assert done.exit_code == 0, done.output
    assert shown[0] in done.stderr
    assert "as admin (context here)" in done.stdout
    file = tmp_path / "config" / "pilothouse" / "contexts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(run("whoami", "-o", "json").stdout)["username"] == "admin"

    kept = json.loads(file.read_text())
    before = kept["contexts"]["here"]["accessToken"]
    kept["contexts"]["here"]["accessEndsAt"] = 1.0  # as if a quarter of an hour had passed
    file.write_text(json.dumps(kept))
    assert run("projects", "list").exit_code == 0
    assert json.loads(file.read_text())["contexts"]["here"]["accessToken"] != before

    file.chmod(0o644)
    assert run("projects", "list").exception.code == "CREDENTIALS_UNSAFE"
    file.chmod(0o600)

    assert run("logout").exit_code == 0
    assert run("projects", "list").exit_code == NOT_SIGNED_IN
    assert "accessToken" not in file.read_text()
    assert run("context", "list", "-q").stdout == "here\n"


def test_an_api_token_is_read_from_the_standard_input(run: Run, served: Served, token: str) -> None:
    ca = str(served.home / "tls" / "certificate.pem")

    assert run("login", served.url, "--token", "--ca-file", ca, "--name", "ci", text=f"{token}\n").exit_code == 0
    assert run("whoami", "-q").stdout == "admin\n"
    assert run("login", served.url, "--token", "--ca-file", ca, text="\n").exit_code == USAGE


def test_a_wrong_token_is_told_as_not_signed_in(signed_in: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTHOUSE_TOKEN", "pht_wrong")

    assert signed_in("projects", "list").exit_code == NOT_SIGNED_IN


def test_the_example_organization_is_applied_once_and_then_nothing_is_left_to_change(signed_in: Run) -> None:
    where = ("-f", str(EXAMPLE))

    assert signed_in("diff", *where).exit_code == CHANGES
    assert signed_in("apply", *where).exit_code == USAGE, "nobody is there to say yes"
    first = signed_in("apply", *where, "--yes", "-o", "json")
    assert first.exit_code == 0, first.output
    steps = json.loads(first.stdout)
    assert len(steps) == 17
    assert [bool(step.get("oneTimePassword")) for step in steps if step["thing"] == "USER"] == [True, True, False]

    second = signed_in("apply", *where, "--yes", "--prune")
    assert second.exit_code == 0
    assert "Nothing to change." in second.stdout
    assert signed_in("diff", *where, "--prune").exit_code == 0

    # What somebody changed by hand is seen, and taken back.
    assert signed_in("groups", "add", "Retail Robots", "tomas.berg").exit_code == 0
    assert signed_in("integrations", "update", "order-service", "-p", "retail", "--name", "Orders").exit_code == 0
    assert signed_in("mappings", "map", "Retail Robots", "Deployer", "-p", "retail", "-e", "prod").exit_code == 0
    told = signed_in("diff", *where, "--prune")
    assert told.exit_code == CHANGES
    assert '    displayName: "Orders" → "Order Service"' in told.stdout
    assert "- remove tomas.berg from group Retail Robots" in told.stdout
    assert "- unmap role Deployer for group Retail Robots in retail in prod" in told.stdout
    assert signed_in("apply", *where, "--prune", "--yes").exit_code == 0
    assert signed_in("diff", *where, "--prune").exit_code == 0


def test_an_export_of_a_real_organization_applies_to_nothing(signed_in: Run, tmp_path: Path) -> None:
    written = signed_in("export")
    file = tmp_path / "export.yaml"
    file.write_text(written.stdout)

    assert {document["kind"] for document in yaml.safe_load_all(written.stdout)} >= {"Environment", "User", "Group"}
    assert signed_in("diff", "-f", str(file)).exit_code == 0


def test_a_project_is_renamed_with_its_group_by_one_apply(signed_in: Run, tmp_path: Path) -> None:
    file = tmp_path / "o.yaml"
    text = """
kind: Project
handle: bazaar
displayName: {0}
---
kind: User
username: bazaar-robot
displayName: Robot
type: service
---
kind: Group
name: {1} Admins
exact: true
members: [{2}]
mappings: [{{role: Project Admin, project: bazaar}}{3}]
"""
    where = ("-f", str(file), "--prune", "--yes")
    file.write_text(text.format("Bazaar", "Bazaar", "admin, bazaar-robot", ", {role: Viewer}"))
    assert signed_in("apply", *where).exit_code == 0

    file.write_text(text.format("Market", "Bazaar", "admin", ""))
    refused = signed_in("plan", "-f", str(file))
    assert refused.exit_code == FAILED
    assert "the group Bazaar Admins is renamed with its project to Market Admins" in refused.exception.message

    file.write_text(text.format("Market", "Market", "admin", ""))
    assert signed_in("plan", "-f", str(file), "--prune").exit_code == CHANGES
    done = signed_in("apply", *where, "-o", "json")
    assert done.exit_code == 0, done.exception
    assert [step["what"] for step in json.loads(done.stdout)] == [
        "update project bazaar",
        "unmap role Viewer for group Market Admins in the whole organization",
        "remove bazaar-robot from group Market Admins",
    ]
    assert signed_in("plan", "-f", str(file), "--prune").exit_code == 0
    names = signed_in("groups", "list", "-q").stdout.splitlines()
    assert "Market Admins" in names
    assert "Bazaar Admins" not in names


def test_mappings_of_single_sign_on_are_made_listed_and_deleted(signed_in: Run) -> None:
    where = ("--issuer", "https://idp.example", "--claim", "groups")
    assert signed_in("groups", "create", "Operators").exit_code == 0

    made = json.loads(signed_in("sso-mappings", "create", "ops", "Operators", *where, "-o", "json").stdout)

    assert (made["value"], made["group"]["name"], made["issuer"]) == ("ops", "Operators", "https://idp.example")
    assert signed_in("sso-mappings", "create", "ops", "No such group", *where).exit_code == NOT_FOUND
    assert made["id"] in signed_in("sso-mappings", "list", "-q").stdout.split()
    assert "ops" in signed_in("sso-mappings", "list").stdout
    assert signed_in("sso-mappings", "delete", made["id"]).exit_code == 0
    assert made["id"] not in signed_in("sso-mappings", "list", "-q").stdout.split()
    assert signed_in("sso-mappings", "delete", made["id"]).exit_code == NOT_FOUND


def test_a_failure_halfway_says_what_was_done_and_the_next_apply_does_the_rest(signed_in: Run, tmp_path: Path) -> None:
    file = tmp_path / "o.yaml"
    text = 'kind: Project\nhandle: half-done\ndisplayName: Half done\n---\nkind: Project\nhandle: rest\ndisplayName: "{}"\n'
    file.write_text(text.format("The\\trest"))  # the control plane is stricter about names than the format

    failed = signed_in("apply", "-f", str(file), "--yes")

    assert failed.exit_code == FAILED
    assert "done: create project half-done" in failed.stdout
    assert re.search(r"failed: create project rest \(.*o\.yaml:5\): 1 of 2 changes are done", failed.stderr)
    file.write_text(text.format("The rest"))
    assert "Applied: 1 changes." in signed_in("apply", "-f", str(file), "--yes").stdout


def test_lists_have_one_shape_for_programs_and_all_pages(signed_in: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilothouse.client.graphql.PAGE", 1)

    listed = json.loads(signed_in("environments", "list", "-o", "json").stdout)

    assert {"dev", "prod"} <= {each["handle"] for each in listed}
    assert yaml.safe_load(signed_in("environments", "list", "-o", "yaml").stdout) == listed
    assert signed_in("environments", "list", "-q").stdout.split() == [each["handle"] for each in listed]


@pytest.mark.parametrize(
    "words",
    [
        ("runtimes", "list"),
        ("integrations", "list"),
        ("secrets", "list"),
        ("commands", "list"),
        ("users", "list"),
        ("groups", "list"),
        ("groups", "members", "Super Admins"),
        ("roles", "list"),
        ("roles", "permissions"),
        ("mappings", "list", "--group", "Super Admins"),
        ("mappings", "list", "--role", "Super Admin"),
        ("tokens", "list", "--ended"),
        ("sessions", "list"),
        ("audit", "list", "--from", "1h"),
        ("audit", "check"),
        ("events", "list", "--kind", "runtime."),
        ("whoami",),
        ("why", "admin", "project_mgt:view", "-e", "prod"),
        ("graphql", "{ viewer { username } }"),
    ],
)
def test_every_question_is_answered(signed_in: Run, words: tuple[str, ...]) -> None:
    told = signed_in(*words, "-o", "json")

    assert told.exit_code == 0, told.exception
    assert json.loads(told.stdout) is not None
    assert signed_in(*words).exit_code == 0


def test_a_secret_lives_from_the_command_line(signed_in: Run, served: Served) -> None:
    material = signed_in("secrets", "generate", "-e", "dev", "--expires", "30d", "-q").stdout.strip()
    key_id = material.partition(".")[0]

    assert key_id in signed_in("secrets", "list", "-q").stdout
    assert key_id in signed_in("secrets", "list", "--home", str(served.home)).stdout
    assert material not in signed_in("secrets", "list", "-o", "json").stdout
    assert signed_in("secrets", "expire", key_id, "--at", "never").exit_code == 0
    assert signed_in("secrets", "revoke", key_id, "--yes").exit_code == 0
    assert key_id not in signed_in("secrets", "list", "-q").stdout


def test_an_ingest_token_lives_from_the_command_line(signed_in: Run) -> None:
    token = signed_in("ingest-tokens", "create", "fluent-bit", "-e", "dev", "--expires", "30d", "-q").stdout.strip()
    found = json.loads(signed_in("ingest-tokens", "list", "-e", "dev", "-o", "json").stdout)
    (listed,) = [one for one in found if one["name"] == "fluent-bit"]

    assert token.startswith("phi_")
    assert (listed["name"], listed["hint"], listed["state"]) == ("fluent-bit", token[:10], "ACTIVE")
    assert token not in signed_in("ingest-tokens", "list", "-o", "json").stdout
    assert signed_in("ingest-tokens", "create", "x", "-e", "dev", "-i", "till").exit_code == USAGE
    assert signed_in("ingest-tokens", "revoke", listed["id"]).exit_code == 0
    assert listed["id"] not in signed_in("ingest-tokens", "list", "-q").stdout.split()
    assert listed["id"] in signed_in("ingest-tokens", "list", "--ended", "-q").stdout.split()
    assert signed_in("ingest-tokens", "revoke", "none").exit_code == NOT_FOUND


def test_a_critical_environment_is_confirmed_by_name_and_never_silently(signed_in: Run) -> None:
    material = signed_in("secrets", "generate", "-e", "prod", "-q").stdout.strip()
    key_id = material.partition(".")[0]

    assert signed_in("secrets", "revoke", key_id, "--yes").exit_code == USAGE
    assert signed_in("secrets", "revoke", key_id, "--confirm", "dev").exit_code == USAGE
    assert key_id in signed_in("secrets", "list", "-q").stdout
    assert signed_in("secrets", "revoke", key_id, "--confirm", "prod").exit_code == 0


def test_statuses_tell_what_went_wrong(signed_in: Run, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    assert signed_in("projects", "create", "Shop").exit_code == 0
    assert signed_in("projects", "create", "Shop", "--handle", "shop").exit_code == CONFLICT
    assert signed_in("projects", "update", "none", "--name", "x").exit_code == NOT_FOUND
    assert signed_in("projects", "delete", "shop").exit_code == USAGE
    assert signed_in("projects", "delete", "shop", "--confirm", "shop").exit_code == 0
    assert signed_in("runtimes", "show", "none").exit_code == NOT_FOUND
    assert signed_in("users", "create", "robot", "--service").exit_code == 0
    refused = signed_in("tokens", "create", "pipeline", "--user", "robot", "--expires", "1d")
    assert refused.exit_code == NOT_PERMITTED, "an API token makes no API tokens"
    users = json.loads(signed_in("users", "list", "--search", "robot", "-o", "json").stdout)
    robot = made_token(served, user=users[0]["id"])
    assert signed_in("why", "robot", "audit_mgt:view").exit_code == NOT_PERMITTED
    monkeypatch.setenv("PILOTHOUSE_TOKEN", robot)
    assert signed_in("users", "list").exit_code == NOT_PERMITTED
    monkeypatch.setenv("PILOTHOUSE_URL", "https://127.0.0.1:1")
    monkeypatch.setattr("pilothouse.client.http._FIRST_PAUSE_S", 0.01)
    assert signed_in("users", "list").exit_code == UNAVAILABLE


def test_audit_records_are_exported_as_lines_and_never_over_a_file(signed_in: Run, tmp_path: Path) -> None:
    file = tmp_path / "audit.ndjson"

    assert signed_in("audit", "export", "--file", str(file)).exit_code == 0
    numbers = [json.loads(line)["number"] for line in file.read_text().splitlines()]
    assert numbers == sorted(numbers)
    assert numbers
    assert signed_in("audit", "export", "--file", str(file)).exit_code == USAGE


def test_rules_and_silences_of_alerts_live_from_the_command_line(signed_in: Run) -> None:
    words = ("alerts", "rules", "save", "Nobody home", "--condition", "runtime-offline", "-e", "dev", "--for", "2m")
    rule = signed_in(*words, "-q").stdout.strip()
    (listed,) = json.loads(signed_in("alerts", "rules", "list", "--search", "Nobody", "-o", "json").stdout)
    assert (listed["id"], listed["condition"], listed["forS"]) == (rule, "RUNTIME_OFFLINE", 120)
    assert signed_in(*words, "--id", rule, "--severity", "critical").exit_code == 0
    (changed,) = json.loads(signed_in("alerts", "rules", "list", "--search", "Nobody", "-o", "json").stdout)
    assert (changed["id"], changed["severity"]) == (rule, "CRITICAL")

    silence = signed_in("alerts", "silences", "begin", "We move house", "--until", "2h", "--rule", rule, "-q").stdout
    assert silence.strip() == signed_in("alerts", "silences", "list", "-q").stdout.strip()
    assert signed_in("alerts", "silences", "end", silence.strip()).exit_code == 0
    assert signed_in("alerts", "silences", "list", "-q").stdout.strip() == ""

    assert json.loads(signed_in("alerts", "list", "-o", "json").stdout) == []
    assert signed_in("alerts", "channels", "test", "none").exit_code == NOT_FOUND
    assert signed_in("alerts", "rules", "save", "Slow", "--condition", "latency", "-e", "dev").exit_code == FAILED
    assert signed_in("alerts", "rules", "delete", rule, "--yes").exit_code == 0
    assert signed_in("alerts", "rules", "list", "--search", "Nobody", "-q").stdout.strip() == ""


ALERTS_AS_CODE = """
kind: AlertChannel
name: operators hook
type: webhook
urlFrom: HOOK_URL
---
kind: AlertChannel
name: operators mail
type: email
to: [ops@shop.example, night@shop.example]
---
kind: AlertRule
name: Errors are said
environment: prod
condition: LOG_PATTERN
levels: [FATAL, ERROR]
threshold: 3
windowS: 600
forS: 60
remindS: 3600
channels: [operators hook, operators mail]
---
kind: AlertRule
name: Requests fail
condition: ERROR_RATE
severity: CRITICAL
"""


def test_alerts_are_kept_as_code_and_secrets_stay_out_of_it(
    signed_in: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(ALERTS_AS_CODE)
    where = ("-f", str(file))
    assert "the environment variable HOOK_URL is not set here" in signed_in("diff", *where).exception.message
    monkeypatch.setenv("HOOK_URL", "https://hooks.shop.example/first-secret")

    applied = signed_in("apply", *where, "--yes", "-o", "json")

    assert applied.exit_code == 0, applied.output
    steps = json.loads(applied.stdout)
    assert [(step["thing"], step["action"]) for step in steps] == [
        ("ALERT_CHANNEL", "create"),
        ("ALERT_CHANNEL", "create"),
        ("ALERT_RULE", "create"),
        ("ALERT_RULE", "update"),  # one of those that every organization begins with
    ]
    assert len(steps[0]["signingSecret"]) > 30
    assert "first-secret" not in applied.output
    assert signed_in("diff", *where).exit_code == 0

    # Another secret behind the same name is a change, which says nothing of it.
    monkeypatch.setenv("HOOK_URL", "https://hooks.shop.example/second-secret")
    told = signed_in("diff", *where)
    assert told.exit_code == CHANGES
    assert '    urlFrom: "another value" → "HOOK_URL"' in told.stdout
    assert "secret" not in told.stdout
    assert signed_in("apply", *where, "--yes").exit_code == 0
    assert signed_in("diff", *where).exit_code == 0

    # What an export says applies to nothing, and holds no secret.
    written = signed_in("export").stdout
    export = tmp_path / "export.yaml"
    export.write_text(written)
    monkeypatch.delenv("HOOK_URL")
    assert "second-secret" not in written
    assert signed_in("diff", "-f", str(export)).exit_code == 0
    rules = {each["name"]: each for each in yaml.safe_load_all(written) if each["kind"] == "AlertRule"}
    assert rules["Errors are said"] == {
        "kind": "AlertRule",
        "name": "Errors are said",
        "environment": "prod",
        "condition": "LOG_PATTERN",
        "severity": "WARNING",
        "threshold": 3.0,
        "windowS": 600,
        "levels": ["ERROR", "FATAL"],
        "forS": 60,
        "remindS": 3600,
        "channels": ["operators hook", "operators mail"],
    }
    assert (rules["Requests fail"]["severity"], rules["Requests fail"]["threshold"]) == ("CRITICAL", 0.05)
