"""What may be sent to a service: one request, well formed, without anything that belongs to the connection or to us."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.base.errors import InvalidInput
from pilothouse.try_it.asked import BODY_BYTES_MAX, HEADERS_MAX, Asked, Header, check


def asked(
    method: str = "GET",
    path: str = "/",
    *headers: tuple[str, str],
    text: str | None = None,
    encoded: str | None = None,
    secrets: tuple[str, ...] = (),
) -> Asked:
    return check(method, path, [Header(*one) for one in headers], text=text, encoded=encoded, secrets=secrets)


def test_a_request_is_taken_as_it_is() -> None:
    found = asked("POST", "/a%20b?x=1&y=%23", ("Authorization", "Bearer of the service"), text="é")
    assert (found.method, found.path, found.body) == ("POST", "/a%20b?x=1&y=%23", b"\xc3\xa9")
    assert [(one.name, one.value) for one in found.headers] == [("Authorization", "Bearer of the service")]


def test_the_path_that_the_audit_keeps_has_no_query() -> None:
    assert asked(path="/reset?token=abc").path_alone == "/reset"


@pytest.mark.parametrize("method", ["get", "CONNECT", "TRACE", "", "GET / HTTP/1.1\r\nX: y"])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(method)
    assert refused.value.field == "method"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "http://evil.example/",
        "@evil.example/",
        "/a b",
        "/a#b",
        "/\r\nHost: x",
        "/é",
        "/\x00",
        "/" + "a" * 9_000,
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(path=path)
    assert refused.value.field == "path"


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "Upgrade", "TE", "Expect", "Proxy-Authorization"],
)
def test_headers_of_the_connection_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked("GET", "/", (name, "x"))
    assert refused.value.field == "headers"


@pytest.mark.parametrize(
    ("name", "value"), [("", "x"), ("a b", "x"), ("a:", "x"), ("a", "x\r\nb: y"), ("a", "\x00"), ("a", "☃"), ("ä", "x")]
)
def test_what_is_no_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked("GET", "/", (name, value))
    assert refused.value.field == "headers"


def test_too_many_headers_are_refused() -> None:
    with pytest.raises(InvalidInput):
        asked("GET", "/", *[("a", "b")] * (HEADERS_MAX + 1))
    with pytest.raises(InvalidInput):
        asked("GET", "/", ("a", "b" * 20_000))


def test_what_proves_to_us_who_asks_is_never_sent_on() -> None:
    with pytest.raises(InvalidInput) as refused:
        asked("GET", "/", ("Cookie", "x=1; other=0123456789abcdef"), secrets=("0123456789abcdef",))
    assert "0123456789abcdef" not in refused.value.message


def test_a_body_is_text_or_base64_and_not_too_large() -> None:
    assert asked("POST", "/", encoded=base64.b64encode(b"\x00\xff").decode()).body == b"\x00\xff"
    assert asked("POST", "/", text="").body == b""
    assert asked("POST", "/").body is None
    for text, encoded in (("a", "YQ=="), (None, "no base64!"), ("\ud800", None), ("x" * (BODY_BYTES_MAX + 1), None)):
        with pytest.raises(InvalidInput):
            asked("POST", "/", text=text, encoded=encoded)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_nothing_that_passes_ends_a_line(path: str, name: str, value: str) -> None:
    try:
        found = asked("GET", "/" + path, (name, value))
    except InvalidInput:
        return
    lines = [found.path, *(part for one in found.headers for part in (one.name, one.value))]
    assert not any(c in line for line in lines for c in "\r\n\x00")
    assert "#" not in found.path
