"""The suite itself: it passes what keeps the rules, and notices each rule that is broken."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from pilothouse_conformance.cli import main
from tiny_server import TinyServer

KEPT = "1-4,6-11,24,42,44"
"""The cases that the tiny server keeps."""
BROKEN = [
    ("anybody", {1, 2}),
    ("unknown-key-401", {4}),
    ("any-algorithm", {6}),
    ("no-skew", {8}),
    ("scope-list", {9}),
    ("any-version", {10}),
    ("long-ids", {11}),
    ("delta-not-acknowledged", {24, 42}),
    ("fields-reversed", {11, 24, 42, 44}),
    ("no-full-with-commands", {44}),
    ("unsigned", {44}),
    ("signs-without-package", {44}),
    ("status-sent", {44}),
    ("no-fix", {1, 2, 3, 4, 6, 7, 8, 9, 10, 11}),
    ("created", {6, 7, 8, 10, 11, 24, 42, 44}),
    ("plain-text", {1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 24, 42, 44}),
    ("null-member", {24}),
]


def judge(server: TinyServer, folder: Path, *more: str, password: str = "right") -> tuple[int, dict]:
    (folder / "password").write_text(f"{password}\n")
    report = folder / "report.json"
    where = [server.url, "--console", server.url, "--user", "admin", "--password-file", str(folder / "password")]
    code = main([*where, "--json", str(report), "--quiet", *more])
    return code, json.loads(report.read_text()) if report.exists() else {}


def failed(report: dict) -> set[int]:
    return {int(case["case"]) for case in report["cases"] if case["outcome"] == "failed"}


def test_a_server_that_keeps_the_rules_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with TinyServer() as server:
        code, report = judge(server, tmp_path, "--only", KEPT)
    assert failed(report) == set(), [case for case in report["cases"] if case["reason"]]
    assert code == 0
    assert "13 of 13 passed\n" in capsys.readouterr().out


@pytest.mark.parametrize(("fault", "cases"), BROKEN, ids=[fault for fault, _ in BROKEN])
def test_each_broken_rule_fails_the_cases_that_are_about_it(fault: str, cases: set[int], tmp_path: Path) -> None:
    with TinyServer(fault) as server:
        code, report = judge(server, tmp_path, "--only", KEPT)
    assert code == 1
    assert failed(report) == cases, [(case["case"], case["reason"]) for case in report["cases"] if case["reason"]]


def test_a_failure_tells_its_reason_with_request_and_answer_and_without_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TinyServer("unknown-key-401") as server:
        _, report = judge(server, tmp_path, "--only", "3,4", "--junit", str(tmp_path / "junit.xml"))
        materials = list(server.materials.values())
    (case,) = (case for case in report["cases"] if case["case"] == "4")
    assert case["reason"] == "the full heartbeat was answered 401 instead of 400"
    assert case["title"].startswith("Kid unknown")
    exchange = case["exchanges"][-1]
    assert exchange["request"].startswith("POST /icp/heartbeat HTTP/1.1\n")
    assert exchange["answer"].startswith("401\n")
    printed = capsys.readouterr().out
    assert "1 of 2 passed, 1 failed" in printed
    assert "> POST /icp/heartbeat HTTP/1.1" in printed
    everything = printed + (tmp_path / "report.json").read_text() + (tmp_path / "junit.xml").read_text()
    assert "Bearer …" in everything
    assert not any(material in everything for material in materials)
    junit = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - written by the suite just now
    assert [(suite.get("tests"), suite.get("failures")) for suite in junit] == [("2", "1")]


def test_what_cannot_be_looked_at_is_skipped_by_name_with_what_it_needs(tmp_path: Path) -> None:
    with TinyServer() as server:
        code, report = judge(server, tmp_path, "--only", "5,63,66")
    assert code == 0
    reasons = {case["case"]: (case["outcome"], case["reason"].partition(",")[0]) for case in report["cases"]}
    assert reasons == {
        "5": ("skipped", "needs --fault and --heal"),
        "63": ("skipped", "needs --cleartext"),
        "66": ("skipped", "needs --mi-host"),
    }


def test_a_server_that_hangs_up_fails_every_case_and_ends_the_run(tmp_path: Path) -> None:
    with TinyServer() as server:

        def hang_up(*_: object) -> None:
            raise ConnectionAbortedError

        server.heartbeat = hang_up
        server.http.handle_error = lambda *_: None
        code, report = judge(server, tmp_path, "--only", "1-4")
    assert code == 1
    assert failed(report) == {1, 2, 3, 4}
    assert "got no answer" in report["cases"][0]["reason"]


def test_without_a_session_nothing_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with TinyServer() as server:
        code, report = judge(server, tmp_path, password="wrong")
    assert (code, report) == (2, {})
    assert "was answered 401" in capsys.readouterr().err


def test_wishes_that_make_no_sense_are_refused_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TinyServer() as server:
        for wish in (["--only", "67"], ["--only", "x"], ["--fault", "true"], ["--goldens", str(tmp_path)]):
            assert judge(server, tmp_path, *wish)[0] == 2
            assert capsys.readouterr().err
        assert server.materials == {}
