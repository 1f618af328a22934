import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from fake_mi import some_state
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.base.errors import InvalidInput
from pilothouse.domain.artifacts import KINDS as ALL_KINDS
from pilothouse.domain.mi_users import NewUser
from pilothouse.management import calls
from pilothouse.management.calls import ManagementCall
from pilothouse.management.failures import CallNotSupported

OURS_ALONE = {"listener", "service", "automation", "consumer", "schedule", "registry-resource"}

names = st.text(min_size=1, max_size=60) | st.sampled_from(
    ["../users", "..%2Fusers", "a&type=endpoint", "a?b=c#d", "a b+c", "%00", "日本", "/", "\r\nHost: x", "a;b", "."]
)


def has_half_a_character(name: str) -> bool:
    return any(0xD800 <= ord(character) <= 0xDFFF for character in name)


@given(st.sampled_from(sorted(calls.KINDS - {"connector"})), names.filter(lambda name: not has_half_a_character(name)))
def test_whatever_the_name_a_source_is_read_at_its_place_and_the_name_arrives_whole(kind: str, name: str) -> None:
    call = calls.read_source(kind, name, "sequence" if kind == "template" else None)

    split = urlsplit(f"https://mi:9164{call.path}")
    query = parse_qs(split.query, strict_parsing=True)
    assert split.hostname == "mi"
    assert split.fragment == ""
    assert re.fullmatch("/management/[a-z-]+", split.path)
    assert [name] in query.values()
    assert set(query) == set(
        parse_qs(urlsplit(calls.read_source(kind, "x", "sequence" if kind == "template" else None).path).query)
    )
    # Java's decoder takes a plus for a space, others do not.
    assert "+" not in call.path
    assert unquote(split.query.split("=", 1)[1].split("&")[0]) == name


@given(names.filter(lambda name: not has_half_a_character(name)).filter(str.strip))
def test_whatever_is_searched_the_text_arrives_whole(text: str) -> None:
    for call, place in ((calls.list_loggers(text), "logging"), (calls.list_log_files(text), "logs")):
        split = urlsplit(call.path)
        assert split.path == f"/management/{place}"
        assert parse_qs(split.query, strict_parsing=True) == {"searchKey": [text]}


@given(st.text(max_size=80), st.text(max_size=10))
def test_a_call_cannot_be_made_outside_the_management_api(path: str, method: str) -> None:
    for attempt in (path, "/management/" + path, "/management/apis?" + path, "/management/apis/" + path):
        try:
            call = ManagementCall(method="GET", path=attempt)
        except InvalidInput:
            continue
        assert call.path.startswith("/management/")
        assert not {".", "\\", "%"} & set(call.path.partition("?")[0])
        assert "//" not in call.path.partition("?")[0]
    if method not in {"GET", "POST", "PUT", "PATCH", "DELETE"}:
        with pytest.raises(InvalidInput):
            ManagementCall(method=method, path="/management/apis")


@pytest.mark.parametrize(
    "path",
    [
        "/management",
        "/management/",
        "/management/../users",
        "/management/%2e%2e/users",
        "/management/apis/..",
        "/management//users",
        "/management/apis\r\nX: y",
        "/management/apis\n",
        "/management/apis#x",
        "//evil/management/apis",
        "https://evil/management/apis",
        "/managementx/apis",
        "/Management/apis",
        "/management/apis?a=b c",
        "/management/apis?" + "a" * 20_000,
    ],
)
def test_a_path_that_leaves_the_management_api_or_could_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        ManagementCall(method="GET", path=path)


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        (
            calls.set_state("endpoint", "StockEP", enabled=False),
            "POST",
            "/management/endpoints",
            {"name": "StockEP", "status": "inactive"},
        ),
        (
            calls.set_state("proxy-service", "P", enabled=True),
            "POST",
            "/management/proxy-services",
            {"name": "P", "status": "active"},
        ),
        (
            calls.set_state("message-processor", "F", enabled=True),
            "POST",
            "/management/message-processors",
            {"name": "F", "status": "active"},
        ),
        (
            calls.set_state("inbound-endpoint", "I", enabled=True),
            "POST",
            "/management/inbound-endpoints",
            {"name": "I", "status": "active"},
        ),
        (calls.set_state("task", "T", enabled=False), "POST", "/management/tasks", {"name": "T", "status": "inactive"}),
        (calls.trigger_task("T"), "POST", "/management/tasks", {"name": "T", "status": "trigger"}),
        (calls.set_tracing("api", "A", enabled=True), "POST", "/management/apis", {"name": "A", "trace": "enable"}),
        (
            calls.set_tracing("sequence", "S", enabled=False),
            "POST",
            "/management/sequences",
            {"name": "S", "trace": "disable"},
        ),
        (
            calls.set_statistics("api", "A", enabled=False),
            "POST",
            "/management/apis",
            {"name": "A", "statistics": "disable"},
        ),
        (
            calls.set_statistics("template", "S", enabled=True),
            "POST",
            "/management/templates",
            {"name": "S", "statistics": "enable", "type": "sequence"},
        ),
        (calls.list_loggers(), "GET", "/management/logging", None),
        (calls.list_log_files(" "), "GET", "/management/logs", None),
        (
            calls.set_logger_level("org-acme", "DEBUG"),
            "PATCH",
            "/management/logging",
            {"loggerName": "org-acme", "loggingLevel": "DEBUG"},
        ),
        (
            calls.set_logger_level("acme", "OFF", "org.acme.Orders"),
            "PATCH",
            "/management/logging",
            {"loggerName": "acme", "loggingLevel": "OFF", "loggerClass": "org.acme.Orders"},
        ),
        (calls.read_source("api", "QuoteAPI"), "GET", "/management/apis?apiName=QuoteAPI", None),
        (calls.read_source("template", "S", "endpoint"), "GET", "/management/templates?name=S&type=endpoint", None),
        (calls.read_source("carbon-app", "C"), "GET", "/management/applications?carbonAppName=C", None),
        (calls.read_source("connector", "kafka"), "GET", "/management/connectors", None),
        (calls.read_log_file("wso2 carbon.log"), "GET", "/management/logs?file=wso2%20carbon.log", None),
        (calls.list_registry(), "GET", "/management/registry-resources?path=registry", None),
        (
            calls.list_registry("registry/config"),
            "GET",
            "/management/registry-resources?path=registry%2Fconfig",
            None,
        ),
        (
            calls.read_registry_file("registry/config/a.xml"),
            "GET",
            "/management/registry-resources/content?path=registry%2Fconfig%2Fa.xml",
            None,
        ),
        (
            calls.registry_properties("registry/config/a.xml"),
            "GET",
            "/management/registry-resources/properties?path=registry%2Fconfig%2Fa.xml",
            None,
        ),
        (calls.list_users(), "GET", "/management/users", None),
        (
            calls.add_user(NewUser(name="grace", password="a-long-one", administrator=True)),
            "POST",
            "/management/users",
            {"userId": "grace", "password": "a-long-one", "isAdmin": True},
        ),
        (calls.remove_user("ada.l@ex"), "DELETE", "/management/users/ada.l@ex", None),
        (calls.remove_user("LD.AP/ada"), "DELETE", "/management/users/ada?domain=LD.AP", None),
    ],
)
def test_each_wish_is_the_documented_call(call: ManagementCall, method: str, path: str, body: object) -> None:
    assert (call.method, call.path, call.body) == (method, path, body)
    assert call.params() == {"method": method, "path": path, "body": body}
    assert call.is_read is (method == "GET")


def test_every_kind_that_micro_integrator_reports_can_be_read_except_the_registry() -> None:
    tags = {str(kind.__struct_config__.tag) for kind in ALL_KINDS}

    assert tags - calls.KINDS == OURS_ALONE & tags
    assert calls.KINDS - tags == set()
    assert {
        call.split("?")[0].removeprefix("/management/")
        for kind in calls.KINDS
        for call in [calls.read_source(kind, "x", "sequence" if kind == "template" else None).path]
    } == set(some_state()) - {"logging", "logs", "registry", "users"}


@pytest.mark.parametrize("kind", ["sequence", "listener", "", "api", "../users", "x" * 1_000])
def test_what_cannot_be_switched_is_said_with_what_can(kind: str) -> None:
    with pytest.raises(CallNotSupported) as caught:
        calls.set_state(kind, "x", enabled=True)

    assert caught.value.code == "NOT_SUPPORTED"
    assert "proxy-service" in caught.value.fix
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("make", [calls.set_tracing, calls.set_statistics])
@pytest.mark.parametrize("kind", ["task", "message-store", "data-service", "listener"])
def test_what_has_no_tracing_and_no_statistics_is_refused(make: object, kind: str) -> None:
    with pytest.raises(CallNotSupported):
        make(kind, "x", enabled=True)


def test_a_kind_without_a_source_is_refused() -> None:
    with pytest.raises(CallNotSupported):
        calls.read_source("registry-resource", "conf:/x")


@pytest.mark.parametrize("name", ["", "x" * 1_001, "half \ud800"])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    for make in (
        lambda: calls.set_state("task", name, enabled=True),
        lambda: calls.trigger_task(name),
        lambda: calls.read_source("connector", name),
        lambda: calls.set_logger_level(name, "INFO"),
    ):
        with pytest.raises(InvalidInput):
            make()


def test_a_level_and_a_template_type_that_do_not_exist_are_refused() -> None:
    for make in (
        lambda: calls.set_logger_level("x", "LOUD"),
        lambda: calls.read_source("template", "x"),
        lambda: calls.read_source("template", "x", "other"),
        lambda: calls.read_source("api", "x", "sequence"),
    ):
        with pytest.raises(InvalidInput):
            make()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../wso2carbon.log", "a/b.log", "a\\b.log", "C:a.log", "a\x00.log", "a\n"]
)
def test_what_is_no_name_of_a_file_is_no_log_file(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        calls.read_log_file(name)
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    "path", ["", "/", "config", "registry/", "registry//a", "registry/../a", "registry/.", "registry/a\\b", "/registry"]
)
def test_what_leads_out_of_the_registry_is_no_path_of_it(path: str) -> None:
    for read in (calls.read_registry_file, calls.registry_properties):
        with pytest.raises(InvalidInput) as refused:
            read(path)
        assert refused.value.field == "name"


def test_only_texts_are_answered_with_a_text() -> None:
    assert calls.read_log_file("a.log").is_text
    assert calls.read_registry_file("registry/a").is_text
    assert not calls.list_registry().is_text
    assert not calls.list_log_files().is_text


@pytest.mark.parametrize(
    "path", ["/management/users/..", "/management/users/.x", "/management/users/a.b/c", "/management/users/%2e"]
)
def test_a_user_does_not_lead_out_of_the_users(path: str) -> None:
    with pytest.raises(InvalidInput):
        ManagementCall(method="DELETE", path=path)


def test_a_call_is_shown_without_what_it_tells() -> None:
    call = calls.add_user(NewUser(name="grace", password="a-long-one"))
    assert "a-long-one" not in f"{call} {call!r} {NewUser(name='grace', password='a-long-one')!r}"
