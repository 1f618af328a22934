"""Settings: one table, read once, every mistake named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.config import TABLE, InvalidSetting, Settings, load, unknown_variables

HOME = {"XDG_DATA_HOME": "/data"}


def test_every_setting_has_exactly_one_row_that_says_what_it_means() -> None:
    assert sorted(setting.field for setting in TABLE) == sorted(Settings.__struct_fields__)
    assert all(setting.meaning.endswith(".") and setting.default for setting in TABLE)
    assert [setting.variable for setting in TABLE] == [f"PILOTHOUSE_{setting.field.upper()}" for setting in TABLE]


def test_the_command_line_comes_before_the_environment_and_that_before_the_default() -> None:
    assert load(HOME).runtime_port == 9445
    assert load({**HOME, "PILOTHOUSE_RUNTIME_PORT": "1"}).runtime_port == 1
    assert load({**HOME, "PILOTHOUSE_RUNTIME_PORT": "1"}, runtime_port=2).runtime_port == 2


@pytest.mark.parametrize("word", ["off", "false", "0", "NO"])
def test_switches_are_read_in_any_common_spelling(word: str) -> None:
    assert load({**HOME, "PILOTHOUSE_CONSOLE_TLS": word}).console_tls is False


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PILOTHOUSE_RUNTIME_PORT", "70000"),
        ("PILOTHOUSE_RUNTIME_PORT", "-1"),
        ("PILOTHOUSE_RUNTIME_PORT", "9446"),
        ("PILOTHOUSE_CONSOLE_TLS", "maybe"),
        ("PILOTHOUSE_OFFLINE_AFTER_S", "0"),
        ("PILOTHOUSE_OFFLINE_AFTER_S", "nan"),
        ("PILOTHOUSE_TOKEN_SKEW_S", "1e9"),
        ("PILOTHOUSE_LOG_LEVEL", "LOUD"),
        ("PILOTHOUSE_LOG_FORMAT", "xml"),
        ("PILOTHOUSE_TLS_KEY", "/key.pem"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        load({**HOME, variable: value})
    assert refused.value.field in (variable, "PILOTHOUSE_CONSOLE_PORT", "PILOTHOUSE_TLS_CERTIFICATE")
    assert refused.value.fix


@given(
    st.sampled_from([setting.variable for setting in TABLE]),
    st.text(st.characters(exclude_characters="\0"), max_size=20),
)
def test_no_text_gets_through_unchecked_or_as_a_traceback(variable: str, value: str) -> None:
    try:
        assert isinstance(load({**HOME, variable: value}), Settings)
    except InvalidSetting as refused:
        assert refused.message


def test_a_secret_is_not_repeated_in_an_error() -> None:
    with pytest.raises(InvalidSetting, match="PILOTHOUSE_DATABASE_URL") as refused:
        load({**HOME, "PILOTHOUSE_DATABASE_URL": "postgrex://somebody:hush-hush@somewhere/pilothouse"})
    assert "hush-hush" not in refused.value.message + refused.value.fix
    assert {setting.variable for setting in TABLE if setting.secret} >= {
        "PILOTHOUSE_ADMIN_PASSWORD",
        "PILOTHOUSE_DATABASE_URL",
    }


def test_a_variable_that_is_nearly_ours_is_pointed_out_and_a_bridges_is_not() -> None:
    assert unknown_variables({"PILOTHOUSE_HOST": "x", "PILOTHOUSE_BRIDGE_SECRET": "x", "PATH": "x"}) == []
    (told,) = unknown_variables({"PILOTHOUSE_HOMME": "x"})
    assert "PILOTHOUSE_HOME" in told
