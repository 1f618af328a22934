"""Settings come from where the product says, in the order it says, and errors name field, origin and fix."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse_bridge import _config
from pilothouse_bridge._config import Settings
from pilothouse_bridge.errors import ConfigFileUnusableError, ConfigurationError, FieldInvalidError, FieldMissingError

SECRET = "0badcafe.a-material-that-nobody-may-ever-see-in-a-log"
REQUIRED = {"environment": "dev", "project": "shop", "integration": "orders", "secret": SECRET}
TABLE = "[wso2.icp.runtime.bridge]\n" + "".join(f'{key} = "{value}"\n' for key, value in REQUIRED.items())
SNIPPET = Path(__file__).parents[2] / "contracts" / "config" / "snippet.toml"


def load(directory: Path, arguments: dict[str, object] | None = None, **environ: str) -> _config.Loaded:
    return _config.load(arguments or {}, environ=environ, directory=directory)


def write(directory: Path, text: str, name: str = "Config.toml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_pasted_table_is_enough(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    loaded = load(tmp_path)
    settings = loaded.settings
    assert (settings.environment, settings.project, settings.integration) == ("dev", "shop", "orders")
    assert str(settings.server) == "https://localhost:9445"
    assert (settings.heartbeat_interval_s, settings.cert, settings.enable_ssl, settings.runtime) == (
        10,
        None,
        False,
        None,
    )
    assert (settings.jwt_issuer, settings.jwt_audience) == ("icp-runtime-jwt-issuer", "icp-server")
    assert settings.runtime_id_file == tmp_path / ".icp_runtime_id"
    assert loaded.warnings == ()


def test_the_snippet_of_the_console_is_read_once_its_placeholders_are_filled(tmp_path: Path) -> None:
    snippet = SNIPPET.read_text(encoding="utf-8")
    filled = snippet.replace("<unique-runtime-name>", "node-1").replace("<generated-secret>", SECRET)
    filled = filled.replace("# serverUrl", "serverUrl").replace("<hostname>", "icp.example.com")
    write(tmp_path, filled)
    loaded = load(tmp_path)
    assert loaded.settings.runtime == "node-1"
    assert str(loaded.settings.server) == "https://icp.example.com:9445"
    assert loaded.warnings == ()


def test_a_placeholder_left_in_place_is_named(tmp_path: Path) -> None:
    write(tmp_path, SNIPPET.read_text(encoding="utf-8").replace("<generated-secret>", SECRET))
    with pytest.raises(FieldInvalidError, match=r"'runtime' \(from .*Config\.toml:5\) is still the placeholder"):
        load(tmp_path)


LAYERS = ("environment", "argument", "data", "file")


@given(present=st.sets(st.sampled_from(LAYERS)))
def test_environment_beats_arguments_beat_data_beats_files_beat_defaults(
    tmp_path_factory: pytest.TempPathFactory, present: set[str]
) -> None:
    directory = tmp_path_factory.mktemp("precedence")
    address = {layer: f"https://{layer}:1" for layer in LAYERS}
    write(directory, TABLE + (f'serverUrl = "{address["file"]}"\n' if "file" in present else ""))
    environ = {"PILOTHOUSE_BRIDGE_SERVER_URL": address["environment"]} if "environment" in present else {}
    if "data" in present:
        environ["PILOTHOUSE_BRIDGE_CONFIG_DATA"] = f'[pilothouse.bridge]\nserverUrl = "{address["data"]}"'
    arguments: dict[str, object] = {"server_url": address["argument"]} if "argument" in present else {}
    strongest = next((address[layer] for layer in LAYERS if layer in present), "https://localhost:9445")
    assert str(load(directory, arguments, **environ).settings.server) == strongest


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("PILOTHOUSE_BRIDGE_ENABLE_SSL", "true", "enable_ssl", True),
        ("PILOTHOUSE_BRIDGE_HEARTBEAT_INTERVAL", "2.5", "heartbeat_interval_s", 2.5),
        ("PILOTHOUSE_BRIDGE_RUNTIME", "12", "runtime", "12"),
        ("BAL_CONFIG_VAR_WSO2_ICP_RUNTIME_BRIDGE_RUNTIME", "ballerina", "runtime", "ballerina"),
        (
            "BAL_CONFIG_VAR_WSO2_ICP_RUNTIME_BRIDGE_JWTISSUER",
            "as-ballerina-writes-it",
            "jwt_issuer",
            "as-ballerina-writes-it",
        ),
        ("BAL_CONFIG_VAR_WSO2_ICP_RUNTIME_BRIDGE_JWT_ISSUER", "as-people-write-it", "jwt_issuer", "as-people-write-it"),
        ("PILOTHOUSE_BRIDGE_JWT_AUDIENCE", "  ", "jwt_audience", "icp-server"),
    ],
)
def test_each_field_has_its_variable(tmp_path: Path, name: str, value: str, attribute: str, expected: object) -> None:
    write(tmp_path, TABLE)
    loaded = load(tmp_path, **{name: value})
    assert getattr(loaded.settings, attribute) == expected
    assert loaded.warnings == ()


def test_our_table_wins_field_by_field_over_the_original_one(tmp_path: Path) -> None:
    write(tmp_path, '[pilothouse.bridge]\nproject = "ours"\n' + TABLE)
    settings = load(tmp_path).settings
    assert (settings.project, settings.integration) == ("ours", "orders")


def test_of_several_named_files_the_first_wins_as_in_ballerina(tmp_path: Path) -> None:
    first = write(tmp_path, '[pilothouse.bridge]\nproject = "first"', "secrets.toml")
    second = write(tmp_path, TABLE + 'runtime = "second"\n', "common.toml")
    settings = load(tmp_path, BAL_CONFIG_FILES=f"{first}:{second}").settings
    assert (settings.project, settings.runtime) == ("first", "second")


def test_a_named_file_replaces_the_default_one(tmp_path: Path) -> None:
    write(tmp_path, TABLE + 'runtime = "default"\n')
    write(tmp_path, TABLE, "other.toml")
    assert load(tmp_path, PILOTHOUSE_BRIDGE_CONFIG_FILES="other.toml").settings.runtime is None


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigFileUnusableError, match=r"gone\.toml' \(named by environment variable BAL_CONFIG_FILES\)"
    ):
        load(tmp_path, BAL_CONFIG_FILES="gone.toml")


@pytest.mark.parametrize("field", ["environment", "project", "integration", "secret"])
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_missing_field_is_named_with_the_places_searched_and_the_fix(tmp_path: Path, field: str, how: str) -> None:
    lines = [f'{key} = "{value}"' for key, value in REQUIRED.items() if key != field]
    lines += [f'{field} = ""'] if how == "empty" else []
    write(tmp_path, "[pilothouse.bridge]\n" + "\n".join(lines))
    with pytest.raises(FieldMissingError) as missing:
        load(tmp_path)
    assert missing.value.field == field
    assert missing.value.code == "FIELD_MISSING"
    assert str(tmp_path / "Config.toml") in missing.value.message
    assert f"PILOTHOUSE_BRIDGE_{field.upper()}" in missing.value.fix


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("heartbeatInterval = true", "must be a number"),
        ('heartbeatInterval = "10"', "must be a number"),
        ("heartbeatInterval = 0", "between 0.1 and 3600"),
        ("heartbeatInterval = nan", "between 0.1 and 3600"),
        ("heartbeatInterval = inf", "between 0.1 and 3600"),
        ('enableSSL = "true"', "must be true or false"),
        ("runtime = 7", "must be text, not int"),
        (f'runtime = "{"n" * 101}"', "101 characters"),
        ('serverUrl = "icp.example.com:9445"', "must begin with https://"),
        ('serverUrl = "ftp://icp.example.com"', "must begin with https://"),
        ('serverUrl = "https://icp.example.com:99999"', "is not a URL"),
        ('serverUrl = "https://user:word@icp"', "may not hold a user name"),
        ('serverUrl = "https://icp.example.com/a b"', "holds a space"),
        ('cert = "no-such.pem"', "does not exist"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    write(tmp_path, TABLE + line + "\n")
    with pytest.raises(FieldInvalidError, match=problem) as invalid:
        load(tmp_path)
    assert invalid.value.origin.endswith("Config.toml:6")
    assert invalid.value.fix


def test_a_bad_variable_is_named_as_the_origin(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    with pytest.raises(FieldInvalidError, match="environment variable PILOTHOUSE_BRIDGE_HEARTBEAT_INTERVAL"):
        load(tmp_path, PILOTHOUSE_BRIDGE_HEARTBEAT_INTERVAL="soon")


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ('serverURL = "https://x:1"', "'serverURL' is ignored; did you mean 'serverUrl'?"),
        ('enviroment = "x"', "'enviroment' is ignored; did you mean 'environment'?"),
        ("zzzzzzzz = 1", "'zzzzzzzz' is ignored; known are: environment,"),
    ],
)
def test_an_unknown_key_is_a_warning_that_guesses(tmp_path: Path, line: str, warning: str) -> None:
    write(tmp_path, TABLE + line)
    (told,) = load(tmp_path).warnings
    assert warning in told
    assert "Config.toml:6" in told


def test_an_unknown_variable_of_ours_is_a_warning_that_guesses(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    (told,) = load(tmp_path, PILOTHOUSE_BRIDGE_SERVERURL="https://x").warnings
    assert "did you mean 'PILOTHOUSE_BRIDGE_SERVER_URL'?" in told


def test_tables_of_others_are_none_of_our_business(tmp_path: Path) -> None:
    write(tmp_path, "port = 9090\n[acme.orders]\nurl = 1\n" + TABLE)
    assert load(tmp_path).warnings == ()


def test_a_file_from_windows_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "Config.toml").write_bytes(b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode())
    assert load(tmp_path).settings.project == "shop"


@given(noise=st.text(max_size=60), at=st.integers(0, 200))
def test_no_error_about_a_file_ever_shows_the_secret(
    tmp_path_factory: pytest.TempPathFactory, noise: str, at: int
) -> None:
    directory = tmp_path_factory.mktemp("noise")
    text = TABLE[:at] + noise + TABLE[at:]
    (directory / "Config.toml").write_bytes(text.encode("utf-8", errors="replace"))
    try:
        shown = repr(load(directory))
    except ConfigurationError as error:
        shown = f"{error} {error!r} {error.__cause__!r}"
        if not error.__suppress_context__:  # then a traceback would print the context, too
            shown += repr(error.__context__)
    assert SECRET.partition(".")[2] not in shown


def test_settings_show_the_key_id_at_most(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    settings: Settings = load(tmp_path).settings
    assert "0badcafe" in repr(settings)
    assert SECRET.partition(".")[2] not in repr(settings)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("https://localhost:9445", True),
        ("https://127.0.0.1:9445", True),
        ("https://[::1]:9445", True),
        ("https://127.0.0.1.evil.example:9445", False),
        ("https://icp.example.com", False),
    ],
)
def test_loopback_is_told_from_the_world(tmp_path: Path, url: str, loopback: bool) -> None:
    write(tmp_path, TABLE)
    assert load(tmp_path, {"server_url": url}).settings.server.is_loopback is loopback


def test_a_server_behind_a_path_is_kept(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    server = load(tmp_path, {"server_url": "https://gate.example.com/pilothouse/"}).settings.server
    assert (server.host, server.port, server.prefix) == ("gate.example.com", 443, "/pilothouse")
