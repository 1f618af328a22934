"""One connection: retries, redirects, errors, streams, and credentials that are kept safe."""

import importlib
import json
import os
import stat
import threading
from pathlib import Path

import httpx2
import pytest
from pilothouse.base.errors import NotSignedIn
from pilothouse.client.credentials import FixedToken, StoredSession
from pilothouse.client.errors import ControlPlaneRefused, CredentialsUnsafe, Misused, NotAControlPlane, Unreachable
from pilothouse.client.graphql import Client
from pilothouse.client.http import ATTEMPTS, Connection
from pilothouse.client.store import Context, Contexts, ContextStore
from pilothouse.client.tls import checked_url, context_for


class Scripted:
    """A control plane that answers as it was told, and notes what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def connection(self) -> Connection:
        return Connection(
            "https://localhost:9446",
            context_for(None, None),
            sleep=self.pauses.append,
            transport=httpx2.MockTransport(self),
        )

    def client(self, token: str | None = "t") -> Client:
        return Client(self.connection(), FixedToken(token), sleep=self.pauses.append)


def ok(**data: object) -> httpx2.Response:
    return httpx2.Response(200, json={"data": data})


BUSY = {"code": "UNAVAILABLE", "message": "busy", "fix": "later"}


def test_a_question_is_asked_again_when_the_connection_fails() -> None:
    script = Scripted(httpx2.ConnectError("refused"), httpx2.ReadError("broke"), ok(a=1))

    assert script.client().ask("query { a }") == {"a": 1}
    assert script.pauses == [0.25, 0.5]


def test_a_change_is_sent_once_whatever_happens_on_the_way() -> None:
    script = Scripted(httpx2.ReadTimeout("slow"), ok())

    with pytest.raises(Unreachable, match="did not answer in time"):
        script.client().ask("mutation { a }")
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_change_waits_for_as_long_as_the_control_plane_says(status: int) -> None:
    script = Scripted(httpx2.Response(status, headers={"retry-after": "7"}, json=BUSY), ok(a=2))

    assert script.client().ask("mutation { a }") == {"a": 2}
    assert script.pauses == [7.0]


def test_a_change_that_is_refused_without_a_time_is_not_sent_again() -> None:
    script = Scripted(httpx2.Response(503, json=BUSY))

    with pytest.raises(ControlPlaneRefused, match="busy") as told:
        script.client().ask("mutation { a }")
    assert (told.value.code, told.value.fix) == ("UNAVAILABLE", "later")


@pytest.mark.parametrize("header", ["3600", "inf", "nan", "soon", "-5"])
def test_nobody_waits_for_ever(header: str) -> None:
    script = Scripted(*(httpx2.Response(503, headers={"retry-after": header}, json=BUSY) for _ in range(ATTEMPTS)))

    with pytest.raises(ControlPlaneRefused):
        script.client().ask("query { a }")
    assert all(pause <= 30 for pause in script.pauses)


def test_a_redirect_is_not_followed() -> None:
    script = Scripted(httpx2.Response(302, headers={"location": "https://elsewhere/"}))

    with pytest.raises(NotAControlPlane, match="redirect to https://elsewhere/"):
        script.client().ask("query { a }")
    assert len(script.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff", b"null"])
def test_an_answer_that_is_no_object_is_told(body: bytes) -> None:
    with pytest.raises(NotAControlPlane):
        Scripted(httpx2.Response(200, content=body)).client().ask("query { a }")


def test_errors_are_told_in_the_control_planes_own_words() -> None:
    error = {"message": "It is in use.", "extensions": {"code": "IN_USE", "fix": "Empty it.", "field": "handle"}}

    with pytest.raises(ControlPlaneRefused) as told:
        Scripted(httpx2.Response(200, json={"data": None, "errors": [error]})).client().ask("query { a }")
    assert (told.value.message, told.value.code, told.value.fix, told.value.field) == (
        "It is in use.",
        "IN_USE",
        "Empty it.",
        "handle",
    )


def test_all_pages_are_read() -> None:
    def page(node: int, cursor: str | None) -> httpx2.Response:
        return ok(a={"b": {"nodes": [node], "pageInfo": {"endCursor": cursor, "hasNextPage": cursor is not None}}})

    script = Scripted(page(1, "x"), page(2, "y"), page(3, None))

    assert list(script.client().pages("query { a }", "a.b")) == [1, 2, 3]
    sent = [json.loads(request.content)["variables"]["after"] for request in script.requests]
    assert sent == [None, "x", "y"]


def stream(*changes: dict, end: bytes = b"event: complete\ndata: \n\n") -> httpx2.Response:
    parts = [b": still here\n\n"]
    parts += [
        b"event: next\ndata: " + json.dumps({"data": {"changed": change}}).encode() + b"\n\n" for change in changes
    ]
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=b"".join([*parts, end]))


def test_a_stream_that_breaks_goes_on_after_what_was_seen_last() -> None:
    script = Scripted(
        stream({"sequence": 5}, {"sequence": 6}),
        httpx2.ConnectError("gone"),
        httpx2.Response(503, json=BUSY),
        stream({"sequence": 7}, end=b""),
        httpx2.Response(401, json={"code": "NOT_SIGNED_IN", "message": "no", "fix": ""}),
    )
    seen, broken = [], []

    changes = script.client().follow("subscription { changed }", "changed", {}, broken.append)
    with pytest.raises(NotSignedIn):
        seen.extend(change["sequence"] for change in changes)

    assert seen == [5, 6, 7]
    after = [json.loads(request.content)["variables"]["after"] for request in script.requests]
    assert after == [None, 6, 6, 6, 7]
    assert [why.partition(": ")[0] for why in broken] == [
        "The stream has ended.",
        "https://localhost:9446 cannot be reached",
        "busy",
        "The stream has ended.",
    ]


@pytest.mark.parametrize("first", [httpx2.ConnectError("gone"), httpx2.Response(503, json=BUSY)])
def test_a_stream_that_never_opened_is_told_at_once(first: httpx2.Response | Exception) -> None:
    script = Scripted(first)

    with pytest.raises((Unreachable, ControlPlaneRefused)):
        next(script.client().follow("subscription { changed }", "changed", {}))
    assert script.pauses == []


def test_a_stream_whose_token_ended_meanwhile_is_opened_with_a_new_one(tmp_path: Path) -> None:
    store = kept(tmp_path, refresh_token="refresh-0", access_token="access-0", access_ends_at=1e12)
    ended = httpx2.Response(401, json={"code": "SESSION_EXPIRED", "message": "ended", "fix": ""})
    script = Scripted(stream({"sequence": 1}), ended, tokens(1), stream({"sequence": 2}))
    client = Client(script.connection(), StoredSession(store, "here"), sleep=script.pauses.append)

    changes = client.follow("subscription { changed }", "changed", {})

    assert [next(changes)["sequence"], next(changes)["sequence"]] == [1, 2]
    assert [request.headers.get("authorization") for request in script.requests] == [
        "Bearer access-0",
        "Bearer access-0",
        None,
        "Bearer access-1",
    ]


def test_what_is_read_as_it_comes_is_asked_for_again_with_a_new_token(tmp_path: Path) -> None:
    store = kept(tmp_path, refresh_token="refresh-0", access_token="access-0", access_ends_at=1e12)
    ended = httpx2.Response(401, json={"code": "SESSION_EXPIRED", "message": "ended", "fix": ""})
    script = Scripted(ended, tokens(1), httpx2.Response(200, content=b"{}\n"))
    client = Client(script.connection(), StoredSession(store, "here"))

    with client.stream("GET", "/audit/export", accept="application/x-ndjson") as response:
        assert b"".join(response.iter_bytes()) == b"{}\n"


def test_a_fixed_token_that_ended_is_told_as_not_signed_in_when_a_stream_opens() -> None:
    ended = httpx2.Response(401, json={"code": "SESSION_EXPIRED", "message": "ended", "fix": ""})

    with (
        pytest.raises(NotSignedIn, match="ended"),
        Scripted(ended).client().stream("GET", "/audit/export", accept="application/x-ndjson"),
    ):
        pass


def test_a_stream_of_something_else_is_told() -> None:
    page = httpx2.Response(200, headers={"content-type": "text/html"}, content=b"<html>")

    with pytest.raises(NotAControlPlane):
        next(Scripted(page).client().follow("subscription { changed }", "changed", {}))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("host:9446", "https://host:9446"),
        ("https://host", "https://host"),
        ("https://[::1]:9446/", "https://[::1]:9446"),
        ("http://127.0.0.1:9446", "http://127.0.0.1:9446"),
    ],
)
def test_an_address_has_one_form(text: str, url: str) -> None:
    assert checked_url(text) == url


@pytest.mark.parametrize(
    "text", ["http://host:9446", "ftp://host", "https://", "https://host/path", "https://a:b@host", "https://host:x", "https://h?token=x"]
)  # fmt: skip
def test_an_address_that_is_more_or_less_than_one_is_refused(text: str) -> None:
    with pytest.raises(Misused):
        checked_url(text)


def kept(tmp_path: Path, **fields: object) -> ContextStore:
    store = ContextStore(tmp_path / "pilothouse" / "contexts.json")
    store.put("here", Context(url="https://localhost:9446", **fields))
    return store


def tokens(number: int) -> httpx2.Response:
    return httpx2.Response(
        200,
        json={
            "accessToken": f"access-{number}",
            "accessExpiresInSeconds": 900,
            "refreshToken": f"refresh-{number}",
            "refreshExpiresInSeconds": 9000,
            "username": "ann",
            "displayName": "Ann",
            "mustChangePassword": False,
        },
    )


def test_the_file_is_its_owners_alone_from_the_first_moment(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = kept(tmp_path, api_token="t")
    finally:
        os.umask(before)

    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    store = kept(tmp_path, api_token="t")
    store.path.chmod(mode)

    with pytest.raises(CredentialsUnsafe):
        store.load()


def test_a_link_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    store = kept(tmp_path, api_token="t")
    store.path.rename(tmp_path / "elsewhere")
    store.path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CredentialsUnsafe):
        store.load()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"contexts": {"a": {}}}'])
def test_a_file_that_is_something_else_is_told(tmp_path: Path, text: str) -> None:
    store = kept(tmp_path)
    store.path.write_text(text)

    with pytest.raises(CredentialsUnsafe, match="not what this program wrote"):
        store.load()


def test_an_access_token_is_refreshed_once_by_however_many_commands_at_a_time(tmp_path: Path) -> None:
    store = kept(tmp_path, refresh_token="refresh-0", access_token="access-0", access_ends_at=0.0)
    script = Scripted(tokens(1))  # a second refresh would find no answer
    connection = script.connection()
    found: list[str | None] = []
    sessions = [StoredSession(store, "here") for _ in range(8)]
    threads = [threading.Thread(target=lambda one=one: found.append(one.token(connection))) for one in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["access-1"] * 8
    assert len(script.requests) == 1
    assert store.load().contexts["here"].refresh_token == "refresh-1"


def test_a_token_that_ended_early_is_renewed_and_the_request_sent_again(tmp_path: Path) -> None:
    store = kept(tmp_path, refresh_token="refresh-0", access_token="access-0", access_ends_at=1e12)
    ended = httpx2.Response(401, json={"code": "SESSION_EXPIRED", "message": "ended", "fix": ""})
    script = Scripted(ended, tokens(1), ok(a=1))

    assert Client(script.connection(), StoredSession(store, "here")).ask("mutation { a }") == {"a": 1}
    assert [request.headers.get("authorization") for request in script.requests] == [
        "Bearer access-0",
        None,
        "Bearer access-1",
    ]


def test_a_session_that_is_over_is_forgotten_and_told(tmp_path: Path) -> None:
    store = kept(tmp_path, refresh_token="refresh-0")
    script = Scripted(httpx2.Response(401, json={"code": "REFRESH_REFUSED", "message": "no", "fix": ""}))

    with pytest.raises(NotSignedIn, match="Your session has ended"):
        StoredSession(store, "here").token(script.connection())
    assert not store.load().contexts["here"].is_signed_in


def test_contexts_are_kept_used_and_forgotten(tmp_path: Path) -> None:
    store = kept(tmp_path)
    store.put("there", Context(url="https://there:9446"))
    assert store.load().current == "here"
    store.use("there")
    assert store.load().current == "there"
    store.remove("there")

    assert store.load() == Contexts(current=None, contexts={"here": Context(url="https://localhost:9446")})


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx2.Response(404, json={"code": "NOT_FOUND", "message": "m", "requestId": "7d41"}), "7d41"),
        (httpx2.Response(200, json={"errors": [{"message": "m", "extensions": {"requestId": "7d42"}}]}), "7d42"),
        (httpx2.Response(502, text="no JSON", headers={"X-Request-Id": "7d43"}), "7d43"),
        (httpx2.Response(404, json={"code": "NOT_FOUND", "message": "m"}), None),
    ],
)
def test_an_error_keeps_the_reference_by_which_the_log_knows_it(answer: httpx2.Response, told: str | None) -> None:
    script = Scripted(*[answer] * 4)
    with pytest.raises(ControlPlaneRefused) as refused:
        script.client().ask("mutation { a }")
    assert refused.value.request_id == told


def test_the_reference_is_the_last_that_an_error_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise ControlPlaneRefused(
            "It is not there.", code="NOT_FOUND", fix="Look again.", request_id="7d41f0c29ab35e68"
        )

    main = importlib.import_module("pilothouse.cli.main")  # the package has a function of this name
    monkeypatch.setattr(main, "app", refuse)
    with pytest.raises(SystemExit):
        main.main()
    assert capsys.readouterr().err.splitlines()[-1] == "  Reference: 7d41f0c29ab35e68"
