"""The story of the first hour, in a real browser: secret, snippet, program, RUNNING, kill, OFFLINE, back."""

import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from stage import PASSWORD, TREE, ControlPlane, Program, until
from steps import NEWCOMERS_PROGRAM, add_runtime, card, configure, row, see_it_arrive

pytestmark = [pytest.mark.needs_browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]

expect.set_options(timeout=20_000)


def test_a_newcomers_program_is_seen_lost_and_seen_again(
    page: Page, control_plane: ControlPlane, start: Callable[..., Program], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    # secret → snippet
    snippet = add_runtime(page, "Development")
    assert snippet.startswith('[wso2.icp.runtime.bridge]\nenvironment = "dev"\n')
    secret = re.search(r'secret = "(.+)"', snippet)[1]
    configure(
        tmp_path, snippet, control_plane.runtime_url,
        project="greetings", integration="greeter", unique_runtime_name="greeter-1",
    )  # fmt: skip
    (tmp_path / "program.py").write_text(NEWCOMERS_PROGRAM)

    # program → RUNNING, without a reload
    def run() -> Program:
        return start([sys.executable, "program.py"], cwd=tmp_path, PORT=str(free_port()))

    program = run()
    see_it_arrive(page, "greeter-1")
    shown = row(page, "Development", "greeter-1")
    expect(shown).to_contain_text("Running")
    expect(shown).to_contain_text(re.compile(r"greetings\s*/\s*greeter"))
    program.wait_for("Full heartbeat acknowledged by ICP server")

    # kill → OFFLINE with the reason and since when, without a reload
    assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    expect(shown).to_contain_text("Offline")
    expect(shown).to_contain_text("Its channel from 127.0.0.1 broke and it did not come back")

    # back: the same runtime
    again = run()
    expect(shown).to_contain_text("Running")
    expect(card(page, "Development").get_by_role("link", name="greeter-1", exact=True)).to_have_count(1)

    # what it reports
    page.get_by_role("link", name="greeter-1", exact=True).click()
    page.get_by_role("heading", name="greeter-1", level=1).wait_for()
    expect(page.get_by_text("/hello/{name}")).to_be_visible()
    expect(page.get_by_text(re.compile(r"program\.py:\d+"))).to_be_visible()
    again.stop()
    for told in (control_plane.program.output, program.output, again.output):
        assert secret.partition(".")[2] not in told, "the secret is in a log"


def test_two_nodes_of_one_integration_are_two_entries_and_one_does_not_flicker_when_the_other_stops(
    page: Page, control_plane: ControlPlane, start: Callable[..., Program], tmp_path: Path
) -> None:
    snippet = add_runtime(page, "Development")
    nodes: dict[str, Program] = {}
    for name in ("twin-1", "twin-2"):
        configure(
            tmp_path / name, snippet, control_plane.runtime_url,
            project="twins", integration="twin", unique_runtime_name=name,
        )  # fmt: skip
        nodes[name] = start(
            [sys.executable, "-m", "order_service"],
            cwd=tmp_path / name, PYTHONPATH=str(TREE / "examples" / "order-service"), ORDER_SERVICE_PORT="0",
        )  # fmt: skip
    see_it_arrive(page)
    first, second = row(page, "Development", "twin-1"), row(page, "Development", "twin-2")
    expect(first).to_contain_text("Running")
    expect(second).to_contain_text("Running")

    page.evaluate(
        """(name) => {
            globalThis.flickered = [];
            const row = [...document.querySelectorAll('tr')].find((one) => one.textContent.includes(name));
            new MutationObserver(() => {
                if (!row.isConnected || !row.textContent.includes('Running')) globalThis.flickered.push(row.textContent);
            }).observe(document.body, { subtree: true, childList: true, characterData: true });
        }""",
        "twin-2",
    )
    nodes["twin-1"].stop()
    expect(first).to_contain_text("Offline")
    expect(second).to_contain_text("Running")
    assert page.evaluate("globalThis.flickered") == []
    nodes["twin-2"].stop()


def test_from_an_integration_the_snippet_is_exactly_the_contracts_table(page: Page) -> None:
    page.goto("/projects")
    page.get_by_role("button", name=re.compile("(New|Create) project", re.IGNORECASE)).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("name", re.IGNORECASE)).first.fill("Order service")
    dialog.get_by_role("button", name=re.compile("^Create")).click()
    page.wait_for_url("**/projects/order-service**")
    page.get_by_role("button", name=re.compile("(New|Create) integration", re.IGNORECASE)).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label(re.compile("name", re.IGNORECASE)).first.fill("Order create")
    dialog.get_by_role("button", name=re.compile("^Create")).click()
    page.wait_for_url("**/integrations/order-create**")
    page.goto("/projects/order-service/integrations/order-create/runtimes")
    snippet = add_runtime(page, "Development")
    secret = re.search(r'secret = "(.+)"', snippet)[1]
    contract = (TREE / "contracts" / "config" / "snippet.toml").read_text(encoding="utf-8")
    assert snippet == contract.replace("<generated-secret>", secret)


def test_a_wrong_secret_is_explained_on_both_sides(
    page: Page, control_plane: ControlPlane, start: Callable[..., Program], tmp_path: Path
) -> None:
    snippet = add_runtime(page, "Development")
    page.keyboard.press("Escape")
    configure(
        tmp_path, snippet.replace('environment = "dev"', 'environment = "prod"'), control_plane.runtime_url,
        project="lost", integration="lost", unique_runtime_name="lost-1",
    )  # fmt: skip
    (tmp_path / "program.py").write_text("import pilothouse_bridge.auto, time\ntime.sleep(60)\n")
    program = start([sys.executable, "program.py"], cwd=tmp_path)
    line = program.wait_for(r"Full heartbeat rejected.*")[0]
    assert "its secret is for 'dev'" in line
    assert 'environment = "dev"' in line  # the fix
    until(lambda: "ENVIRONMENT_MISMATCH" in control_plane.program.output)
    page.reload()
    page.get_by_role("button", name="Show why").click()
    expect(page.get_by_role("dialog")).to_contain_text("its secret is for 'dev'")
    program.stop(signal.SIGKILL)


def test_a_restart_of_the_control_plane_marks_nobody_offline(
    start: Callable[..., Program], browser: Browser, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Its own control plane: the ports stay, the process goes; the page tells the truth all the way through."""
    environment = {"PILOTHOUSE_OFFLINE_AFTER_S": "30", "PILOTHOUSE_ADMIN_PASSWORD": PASSWORD}
    ports = ["--runtime-port", str(free_port()), "--console-port", str(free_port())]

    def serve_again() -> tuple[Program, str, str]:
        program = start(
            [sys.executable, "-m", "pilothouse", "serve", *ports],
            cwd=tmp_path, PILOTHOUSE_HOME=str(tmp_path / "home"), **environment,
        )  # fmt: skip
        return program, program.wait_for(r"Console +(\S+)")[1], program.wait_for(r"Runtimes +(\S+)")[1]

    plane, console_url, runtime_url = serve_again()
    context = browser.new_context(
        base_url=console_url, ignore_https_errors=True, permissions=["clipboard-read", "clipboard-write"]
    )
    page = context.new_page()
    page.goto("/runtimes")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    snippet = add_runtime(page, "Development")
    configure(
        tmp_path / "node", snippet, runtime_url, project="steady", integration="steady", unique_runtime_name="steady-1"
    )
    node = start(
        [sys.executable, "-m", "order_service"],
        cwd=tmp_path / "node", PYTHONPATH=str(TREE / "examples" / "order-service"), ORDER_SERVICE_PORT="0",
    )  # fmt: skip
    see_it_arrive(page)
    shown = row(page, "Development", "steady-1")
    expect(shown).to_contain_text("Running")

    assert plane.stop(signal.SIGKILL) == -signal.SIGKILL
    page.get_by_text(re.compile("Cut off since")).wait_for()
    plane, *_ = serve_again()
    page.locator("[data-line=live]").wait_for()
    expect(shown).to_contain_text("Running")
    assert "status=OFFLINE" not in plane.output
    node.stop()
    assert plane.stop() == 0
    context.close()
