"""`pilothouse try`: what it reads from definitions, what it sends, and how it writes what came back."""

import base64
import io
import json
from typing import Any

import pytest
from pilothouse.base.errors import NotFound
from pilothouse.cli import try_it, try_it_answer
from pilothouse.cli.output import Form, Output
from pilothouse.cli.remote import Session
from pilothouse.cli.try_it_request import content_of, encoded_path
from pilothouse.client.errors import NOT_FOUND, NOT_PERMITTED, USAGE, ControlPlaneRefused, Failed, Misused, status_of
from pilothouse.client.openapi import Operation, find_operation, operations_of, unreadable
from pilothouse.client.schema import Schemas

DOCUMENT = {
    "openapi": "3.0.1",
    "info": {"title": "Orders"},
    "servers": [
        {
            "url": "{server}:{port}/shop",
            "variables": {"server": {"default": "http://localhost"}, "port": {"default": "9090"}},
        }
    ],
    "paths": {
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "summary": "Show an order",
                "parameters": [
                    {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
                ],
            },
            "put": {
                "deprecated": True,
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
            },
            "x-owner": "ann",
        },
        "/orders/latest": {"get": {"operationId": "latest"}},
        "/form": {
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": {"type": "object", "properties": {"a": {"example": "b c"}, "n": {"default": 2}}}
                        }
                    },
                }
            }
        },
    },
    "components": {
        "schemas": {
            "Order": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer", "readOnly": True},
                    "state": {"enum": ["open", "sent"]},
                    "at": {"type": ["null", "string"], "format": "date-time"},
                    "lines": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                    "parent": {"anyOf": [{"$ref": "#/components/schemas/Order"}, {"type": "null"}]},
                },
            }
        }
    },
}
DEFINITION = {"fileName": "orders.json", "definition": json.dumps(DOCUMENT)}
OPERATIONS = operations_of([DEFINITION], [], [])
ANSWER = {
    "status": 200,
    "reason": "OK",
    "headers": [{"name": "Content-Type", "value": "application/json"}, {"name": "X-Odd", "value": "a\x1b[2Jb"}],
    "body": '{"id": 7}',
    "bodyIsBase64": False,
    "sizeBytes": 9,
    "cut": None,
    "firstByteMs": 1.5,
    "wholeMs": 2.5,
    "address": "127.0.0.1:8080",
    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
}


def named(method: str, path: str) -> Operation:
    return next(each for each in OPERATIONS if (each.method, each.path) == (method, path))


def test_a_definition_tells_operations_with_base_path_port_parameters_and_bodies() -> None:
    assert [(each.method, each.path) for each in OPERATIONS] == [
        ("POST", "/shop/form"),
        ("GET", "/shop/orders/latest"),
        ("GET", "/shop/orders/{id}"),
        ("PUT", "/shop/orders/{id}"),
    ]
    show = named("GET", "/shop/orders/{id}")
    assert (show.summary, show.source, show.port) == ("Show an order", "Orders", 9090)
    assert [(each.where, each.name, each.kind, each.required) for each in show.parameters] == [
        ("path", "id", "integer", True),
        ("query", "fields", "string[]", False),
    ]
    assert named("PUT", "/shop/orders/{id}").deprecated
    assert named("POST", "/shop/form").bodies[0].example == "a=b+c&n=2"
    assert named("POST", "/shop/form").bodies[0].required


def test_an_example_fits_the_schema_and_what_refers_to_itself_has_an_end() -> None:
    example = json.loads(named("PUT", "/shop/orders/{id}").bodies[0].example)

    assert (example["state"], example["at"], example["lines"]) == ("open", "2026-01-31T10:00:00Z", [1])
    assert "id" not in example
    assert example["parent"]["state"] == "open"

    many = {"properties": {f"p{number}": {"$ref": "#/many"} for number in range(40)}}
    schemas = Schemas({"many": many, "a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}})
    assert len(json.dumps(schemas.example_of({"$ref": "#/many"}))) < 100_000
    assert schemas.example_of({"$ref": "#/a"}) is None
    assert schemas.example_of({"$ref": "https://elsewhere.example/x.json"}) is None
    assert schemas.example_of(
        {"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"default": 2}}}]}
    ) == {
        "a": 1,
        "b": 2,
    }
    assert schemas.kind_of({"type": "array", "items": {"oneOf": [{"type": "string"}, {"enum": [1]}]}}) == "string | 1[]"


@pytest.mark.parametrize(
    "odd",
    [
        "", "null", "[]", "{", '{"paths": 7}', "[" * 100_000,
        '{"paths": {"/a": {"get": 1, "post": {"parameters": {}, "requestBody": []}}}}',
        '{"paths": {"/a": {"get": {"parameters": [{"$ref": "#/x"}], "responses": {"200": null}}}}}',
        '{"servers": [{"url": "http://[", "variables": 3}], "paths": {"": {"post": {"requestBody": {"content": {"": 1}}}}}}',
        '{"paths": {"/a": {"post": {"requestBody": {"content": {"x/json": {"schema": {"type": ["array", 1], "items": 7}}}}}}}}',
    ],
)  # fmt: skip
def test_nothing_that_a_definition_may_hold_breaks_the_list(odd: str) -> None:
    assert isinstance(operations_of([{"fileName": "odd", "definition": odd}], [], []), list)
    assert unreadable([DEFINITION]) == []
    assert unreadable([{"fileName": "odd", "definition": "{"}]) == ["odd"]


def test_what_services_report_is_added_where_no_definition_tells_of_it() -> None:
    service = {
        "name": "orders",
        "basePath": "/shop",
        "listeners": ["l"],
        "resources": [
            {"methods": ["GET"], "path": "/orders/{number}"},
            {"methods": ["DELETE", "REMOTE"], "path": "/orders/{number}"},
            {"methods": ["ANY"], "path": "/"},
        ],
    }
    all_of_them = operations_of([DEFINITION], [service], [{"name": "l", "port": 8080}])

    added = [(each.method, each.path, each.port) for each in all_of_them if each.source == "orders"]
    assert added == [("GET", "/shop", 8080), ("DELETE", "/shop/orders/{number}", 8080)]


def test_a_request_finds_its_operation_and_a_path_without_parts_comes_first() -> None:
    def found(method: str, path: str) -> str | None:
        operation = find_operation(OPERATIONS, method, path)
        return operation and operation.path

    assert found("GET", "/shop/orders/latest") == "/shop/orders/latest"
    assert found("GET", "/shop/orders/4711?fields=a") == "/shop/orders/{id}"
    assert found("PUT", "/shop/orders/{id}") == "/shop/orders/{id}"
    assert found("PUT", "/shop/orders/1/lines") is None
    assert found("DELETE", "/shop/orders/1") is None


def test_a_path_is_encoded_once() -> None:
    assert encoded_path("/a b/é?x=%20&y=100%#z") == "/a%20b/%C3%A9?x=%20&y=100%25%23z"


def test_a_body_has_the_type_that_fits_it_unless_another_is_typed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"\xff\x00")
    form = named("POST", "/shop/form")

    def sent(asked: Operation | None, data: str, *headers: str) -> tuple[dict, Any]:
        content = content_of(asked, headers, data)
        return {each["name"]: each["value"] for each in content["headers"]}, content

    assert sent(None, '{"a": 1}')[0] == {"Content-Type": "application/json"}
    assert sent(None, "hello")[0] == {"Content-Type": "text/plain; charset=utf-8"}
    assert sent(form, "a=b")[0] == {"Content-Type": "application/x-www-form-urlencoded"}
    headers, content = sent(None, "{}", "content-type: application/merge-patch+json", "X-Tenant:acme:1")
    assert headers == {"content-type": "application/merge-patch+json", "X-Tenant": "acme:1"}
    assert content["body"] == "{}"
    headers, content = sent(None, f"@{file}")
    assert (headers["Content-Type"], content["bodyBase64"]) == ("application/octet-stream", "/wA=")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"piped\r\n")))
    assert sent(None, "-")[1]["body"] == "piped\r\n"
    assert content_of(None, [], None) == {"headers": []}


@pytest.mark.parametrize(("headers", "data"), [(["no colon"], None), ([": x"], None), ([], "@/there/is/no/such/file")])
def test_what_cannot_be_sent_is_the_command_lines_fault(headers: list[str], data: str | None) -> None:
    with pytest.raises(Misused):
        content_of(None, headers, data)


def test_the_body_alone_is_on_the_standard_output_and_nothing_steers_the_terminal(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    try_it_answer.write_answer(Output(), ANSWER)

    told = capfdbinary.readouterr()
    assert told.out == b'{"id": 7}'
    lines = told.err.decode().splitlines()
    assert lines[:3] == ["200 OK", "Content-Type: application/json", "X-Odd: a\ufffd[2Jb"]
    assert lines[3].endswith("2.5 ms, by 127.0.0.1:8080, trace 4bf92f3577b34da6a3ce929d0e0e4736")


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"body": base64.b64encode(b"\xff\x00\n").decode(), "bodyIsBase64": True}, b"\xff\x00\n"),
        (
            {"body": "é", "headers": [{"name": "content-type", "value": "text/plain; charset=iso-8859-1"}]},
            b"\xe9",
        ),
        ({"body": "é", "headers": [{"name": "content-type", "value": "text/plain; charset=odd"}]}, b"\xc3\xa9"),
    ],
)
def test_a_body_is_written_as_it_came(
    more: dict[str, Any], wanted: bytes, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    try_it_answer.write_answer(Output(quiet=True), {**ANSWER, **more})

    told = capfdbinary.readouterr()
    assert (told.out, told.err) == (wanted, b"")


class Screen(io.TextIOWrapper):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_is_shown_text_without_what_could_steer_it_and_never_octets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", Screen(shown, encoding="utf-8"))

    try_it_answer.write_answer(Output(), {**ANSWER, "body": "a\tb\x1b[2J\nc"})
    assert shown.getvalue().decode() == "a\tb\ufffd[2J\nc\n"

    try_it_answer.write_answer(Output(), {**ANSWER, "body": "/wA=", "bodyIsBase64": True, "sizeBytes": 2})
    assert shown.getvalue().decode() == "a\tb\ufffd[2J\nc\n"
    assert "The body is no text, 2 octets" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"status": 404, "reason": "Not Found"}, "The service answered 404 Not Found."),
        ({"cut": "TIME"}, "The body is not whole: the service had not ended it when the time was over."),
    ],
)
def test_an_answer_that_is_none_ends_with_a_failure_after_its_body_was_written(
    more: dict[str, Any], said: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    with pytest.raises(Failed) as failed:
        try_it_answer.write_answer(Output(), {**ANSWER, **more})

    assert (failed.value.message, capfdbinary.readouterr().out) == (said, b'{"id": 7}')
    assert "pilothouse traces show 4bf92f3577b34da6a3ce929d0e0e4736" in failed.value.fix


def test_programs_get_the_whole_answer(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    try_it_answer.write_answer(Output(Form.JSON), ANSWER)

    told = capfdbinary.readouterr()
    assert (json.loads(told.out), told.err) == (ANSWER, b"")


class Asked:
    """A control plane that knows one runtime, and keeps what it is sent."""

    def __init__(self, *ports: int, critical: bool = False, blocked: dict[str, str] | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.connection = self
        doors = [{"listener": f"l{port}", "scheme": "http", "port": port, "open": True} for port in ports]
        self._runtime = {
            "id": "r1",
            "runtimeId": "rt-1",
            "name": "orders-1",
            "environment": {"handle": "live", "critical": critical},
            "tryIt": {"blocked": blocked, "doors": doors, "definitions": [DEFINITION]},
            "services": {"nodes": []},
            "listeners": {"nodes": []},
        }

    def ask(self, _document: str, **variables: str) -> dict[str, Any]:
        return {"runtime": self._runtime if variables["id"] in {"r1", "orders-1"} else None}

    def pages(self, _document: str, _path: str, **variables: Any) -> Any:
        matches = (variables.get("filter") or {}).get("integration") == "orders"
        return iter([self._runtime] if matches else [])

    def authorized(self, send: Any) -> dict[str, Any]:
        return send("token")

    def send(self, _method: str, _path: str, body: dict[str, Any], *, token: str) -> dict[str, Any]:
        assert token == "token"
        self.sent.append(body)
        return ANSWER

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Call the command for a control plane, and give what it wrote."""

    def call(plane: Asked, *words: str | None, **options: Any) -> tuple[str, str]:
        monkeypatch.setattr(Session, "client", plane)
        names = ("runtime", "method", "path")
        defaults = dict.fromkeys(
            (
                "project",
                "integration",
                "environment",
                "port",
                "header",
                "data",
                "search",
                "confirm",
                "context",
                "url",
                "ca_file",
            )
        )
        flags = {"example": False, "whole": False, "output": Form.TABLE, "quiet": False, "no_color": True}
        given = {**dict.fromkeys(names), **dict(zip(names, words, strict=False))}
        try_it.try_out(**{**defaults, **flags, **given, **options})
        told = capfd.readouterr()
        return told.out, told.err

    return call


def test_what_can_be_asked_for_is_listed_with_ports_and_with_what_is_in_the_way(run) -> None:
    blocked = {"code": "TRY_IT_OFF", "message": "It is closed.", "fix": "Open it."}

    out, err = run(Asked(9090, blocked=blocked), "orders-1")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["POST", "/shop/form"], ["GET", "/shop/orders/latest"], ["GET", "/shop/orders/{id}"], ["PUT", "/shop/orders/{id}"],
    ]  # fmt: skip
    assert "Ports: 9090 (http)." in err
    assert "Nothing can be sent now: It is closed. Open it. (TRY_IT_OFF)" in err

    assert run(Asked(9090), "orders-1", search="show", quiet=True)[0] == "GET /shop/orders/{id}\n"
    assert json.loads(run(Asked(9090), "orders-1", search="form", whole=True)[0])[0]["bodies"][0]["required"] is True


def test_a_request_is_sent_to_the_port_that_is_given_or_told_or_the_only_one(run) -> None:
    plane = Asked(8080, 9090)
    run(plane, "orders-1", "get", "/shop/orders/latest")
    run(plane, "orders-1", "get", "/other", port=8080)
    assert [each["port"] for each in plane.sent] == [9090, 8080]
    with pytest.raises(Misused) as misused:
        run(plane, "orders-1", "GET", "/other")
    assert "Add --port: 8080 (http), 9090 (http)." in misused.value.fix

    only = Asked(8080)
    assert run(only, "orders-1", "GET", "/shop/orders/latest")[0] == '{"id": 7}'
    assert only.sent == [{"runtime": "r1", "port": 8080, "method": "GET", "path": "/shop/orders/latest", "headers": []}]


def test_a_runtime_is_named_or_one_that_runs_in_a_place_is_asked(run) -> None:
    plane = Asked(9090)
    place = {"project": "shop", "integration": "orders", "environment": "live"}

    _, err = run(plane, "GET", "/shop/orders/latest", **place)
    assert (len(plane.sent), err.splitlines()[0]) == (1, "Of orders-1:")
    for words, options in (
        ((), {}),
        (("orders-1", "GET", "/x"), place),
        (("orders-1", "GET"), {}),
        (("GET", "/x"), {"integration": "orders"}),
    ):
        with pytest.raises(Misused):
            run(plane, *words, **options)
    with pytest.raises(NotFound):
        run(plane, "GET", "/x", **{**place, "integration": "none"})
    assert len(plane.sent) == 1


def test_what_may_change_something_in_a_critical_environment_is_confirmed_by_its_name(run) -> None:
    plane = Asked(9090, critical=True)
    run(plane, "orders-1", "GET", "/shop/orders/latest")
    for wrong in (None, "prod"):
        with pytest.raises(Misused) as misused:
            run(plane, "orders-1", "POST", "/shop/form", data="a=b", confirm=wrong)
        assert status_of(misused.value) == USAGE
    assert len(plane.sent) == 1
    run(plane, "orders-1", "POST", "/shop/form", data="a=b", confirm="live")
    assert plane.sent[1]["body"] == "a=b"


@pytest.mark.parametrize(("code", "status"), [("TRY_IT_OFF", NOT_PERMITTED), ("TRY_IT_NO_SUCH_PORT", NOT_FOUND)])
def test_what_is_blocked_is_not_sent_and_ends_with_its_own_status(run, code: str, status: int) -> None:
    plane = Asked(blocked={"code": code, "message": "No.", "fix": "Do this."})
    with pytest.raises(ControlPlaneRefused) as refused:
        run(plane, "orders-1", "GET", "/shop/orders/latest")
    assert (status_of(refused.value), refused.value.fix, plane.sent) == (status, "Do this.", [])


def test_an_example_is_written_and_nothing_is_sent(run) -> None:
    plane = Asked(9090)
    assert json.loads(run(plane, "orders-1", "PUT", "/shop/orders/7", example=True)[0])["state"] == "open"
    with pytest.raises(NotFound):
        run(plane, "orders-1", "GET", "/shop/orders/7", example=True)
    assert plane.sent == []
