import datetime as dt
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pilothouse.serving.certificates import CertificateSettings, ensure
from pilothouse.serving.trust import Outcome, Store, Surroundings, carry_out, plan_trust, plan_untrust

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return ensure(CertificateSettings(directory=tmp_path / "tls"), NOW).certificate


def around(tmp_path: Path, **more: Any) -> Surroundings:
    (tmp_path / "usr/local/share/ca-certificates").mkdir(parents=True, exist_ok=True)
    return Surroundings(home=tmp_path / "home", root=tmp_path, **more)


def test_without_rights_or_tools_each_store_says_what_to_run(tmp_path: Path, certificate: Path) -> None:
    reports = {each.store: each for each in carry_out(plan_trust(certificate, around(tmp_path)))}
    system = reports[Store.DEBIAN]
    assert system.outcome is Outcome.TO_DO
    assert system.run.startswith("sudo install -m 0644 ")
    assert system.run.endswith("sudo update-ca-certificates")
    assert "root" in system.reason
    assert reports[Store.RHEL].outcome is Outcome.ABSENT
    assert reports[Store.NSS].outcome is Outcome.TO_DO
    assert "certutil -d sql:" in reports[Store.NSS].run
    assert "libnss3-tools" in reports[Store.NSS].reason


def test_a_missing_tool_is_named_to_root_too(tmp_path: Path, certificate: Path) -> None:
    steps = {each.store: each for each in plan_trust(certificate, around(tmp_path, is_root=True))}
    assert steps[Store.DEBIAN].obstacle == "update-ca-certificates is not installed"


def test_planning_changes_nothing(tmp_path: Path, certificate: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    surroundings = around(tmp_path, is_root=True, tools=frozenset({"certutil"}))
    before = sorted(tmp_path.rglob("*"))
    plan_trust(certificate, surroundings)
    plan_untrust(surroundings)
    assert sorted(tmp_path.rglob("*")) == before


def test_there_is_nothing_to_untrust_where_nothing_was_trusted(tmp_path: Path) -> None:
    reports = carry_out(plan_untrust(around(tmp_path, tools=frozenset({"certutil"}))))
    assert {each.outcome for each in reports} == {Outcome.ABSENT}


@pytest.mark.skipif(shutil.which("certutil") is None, reason="certutil is not installed")
def test_the_browser_store_of_a_home_trusts_and_forgets_it(tmp_path: Path, certificate: Path) -> None:
    surroundings = around(tmp_path, tools=frozenset({"certutil"}))
    database = f"sql:{tmp_path}/home/.pki/nssdb"

    def listed() -> str:
        certutil = shutil.which("certutil")
        assert certutil is not None
        command = [certutil, "-d", database, "-L"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 -- our own command

    for _ in range(2):  # trusting twice is trusting once
        assert carry_out(plan_trust(certificate, surroundings))[-1].outcome is Outcome.DONE
    assert "P,," in listed()
    assert carry_out(plan_untrust(surroundings))[-1].outcome is Outcome.DONE
    assert "Pilothouse" not in listed()


def test_a_command_that_fails_is_reported_with_its_reason(tmp_path: Path, certificate: Path) -> None:
    if shutil.which("certutil") is None:
        pytest.skip("certutil is not installed")
    home = tmp_path / "home"
    home.write_text("a file, no directory")
    report = carry_out(plan_trust(certificate, around(tmp_path, tools=frozenset({"certutil"}))))[-1]
    assert report.outcome is Outcome.TO_DO
    assert report.reason
