"""What runs here, as people see it: versions, settings with their origin, and never a secret."""

import json
import sys
from pathlib import Path

import msgspec
import pytest
from pilothouse import __version__
from pilothouse.app.installation import components, installation_of
from pilothouse.base.place import embedded
from pilothouse.config import TABLE, Settings, load
from pilothouse.config.origin import Origin, origins, shown

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

pytestmark = pytest.mark.anyio

INSTALLATION = """{ installation { version startedAt python platform database databaseVersion telemetryStore replicaCount
    replicas { host process version answers } components { name version licence url } } }"""
SETTINGS = "{ settings { variable value origin secret isSet default meaning } }"


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


async def test_an_administrator_sees_what_runs_and_who_serves(admin) -> None:
    found = (await admin.ask(INSTALLATION))["installation"]
    assert (found["version"], found["startedAt"]) == (__version__, "2026-09-21T14:13:20.000Z")
    assert found["python"].endswith(".".join(str(part) for part in sys.version_info[:3]))
    assert found["database"]
    assert found["databaseVersion"].split(".")[0].isdigit()
    assert (found["telemetryStore"], found["replicaCount"]) == ("embedded", 1)
    assert [one["answers"] for one in found["replicas"]] == [True]


def test_every_package_tells_its_licence_and_development_tools_are_none_of_them() -> None:
    found = {one.name.lower(): one for one in components()}
    assert {"pilothouse", "pilothouse-bridge", "sqlalchemy", "duckdb", "starlette", "aiohttp"} <= found.keys()
    assert [one.name for one in found.values() if one.licence == "not told"] == []
    assert not {"pytest", "ruff", "playwright", "hypothesis"} & found.keys()
    assert found["pilothouse"].licence == "Apache-2.0"
    assert all(one.url is None or one.url.startswith("https://") for one in found.values())


async def test_settings_tell_value_and_origin_in_the_order_of_the_reference(admin) -> None:
    found = (await admin.ask(SETTINGS))["settings"]
    assert [one["variable"] for one in found] == [setting.variable for setting in TABLE]
    by_name = {one["variable"]: one for one in found}
    assert by_name["PILOTHOUSE_OFFLINE_AFTER_S"]["value"] == "30"
    assert by_name["PILOTHOUSE_OFFLINE_AFTER_S"]["origin"] == "DEFAULT"
    assert by_name["PILOTHOUSE_CONSOLE_TLS"]["value"] == "on"
    assert by_name["PILOTHOUSE_HOME"]["origin"] == "ARGUMENT"


async def test_who_manages_only_some_environment_sees_no_settings_and_no_hosts(staff, admin) -> None:
    await admin.ask('mutation { createEnvironment(input: {displayName: "Lab", critical: true}) { handle } }')
    await staff.holder("ann", "ENVIRONMENT_MGT_MANAGE", environment="lab")
    async with staff.signed_in("ann") as ann:
        assert (await staff.refusal(ann, SETTINGS))[0] == "NOT_PERMITTED"
        found = (await ann.ask(INSTALLATION))["installation"]
    assert (found["replicas"], found["replicaCount"], found["version"]) == (None, 1, __version__)


def secrets_of() -> dict[str, str]:
    return {setting.field: f"tell-nobody-{setting.field}" for setting in TABLE if setting.secret}


def test_no_secret_is_among_the_values(tmp_path: Path) -> None:
    hidden = secrets_of()
    assert {
        "admin_password",
        "metrics_token",
        "oidc_client_secret",
        "ldap_bind_password",
        "opensearch_api_key",
    } <= hidden.keys()
    settings = Settings(
        home=tmp_path,
        **(
            hidden
            | {"database_url": embedded(tmp_path / "tell-nobody.db").url, "smtp_url": "smtp://me:tell-nobody@mail"}
        ),
        opensearch_url="https://me:tell-nobody@one:9200,https://me:tell/nobody,or-else@two:9200",
    )
    found = installation_of(settings)
    told = msgspec.json.encode(found.settings).decode()
    assert "nobody" not in told
    by_name = {one.variable: one for one in found.settings}
    assert by_name["PILOTHOUSE_OPENSEARCH_URL"].value == "https://…@two:9200"
    assert (by_name["PILOTHOUSE_SMTP_URL"].value, by_name["PILOTHOUSE_SMTP_URL"].is_set) == (None, True)


def test_whatever_is_named_like_a_secret_is_marked_as_one() -> None:
    named = ("password", "secret", "api_key", "_token", "smtp_url", "database_url")
    harmless = {"secret_key_file", "password_sign_in"}
    assert {s.field for s in TABLE if any(part in s.field for part in named)} - harmless <= secrets_of().keys()


def test_a_setting_is_of_the_environment_of_an_argument_or_of_neither(tmp_path: Path) -> None:
    environment = {"PILOTHOUSE_CONSOLE_PORT": "9000", "PILOTHOUSE_LOG_LEVEL": "DEBUG", "PILOTHOUSE_WORKERS": ""}
    settings = load(environment, runtime_port=9001, log_level="ERROR", home=tmp_path)
    found = origins(settings, environment)
    assert found["console_port"] is Origin.ENVIRONMENT
    assert (found["runtime_port"], found["log_level"], found["home"]) == (Origin.ARGUMENT,) * 3
    assert (found["workers"], found["host"]) == (Origin.DEFAULT, Origin.DEFAULT)
    assert origins(load({}), {})["home"] is Origin.DEFAULT
    row = {setting.field: setting for setting in TABLE}
    assert json.loads(
        json.dumps([shown(row[one], settings) for one in ("console_port", "offline_after_s", "mi_insecure", "tls_key")])
    ) == ["9000", "30", "off", None]
