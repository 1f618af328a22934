"""Steering from the console, with a real program at the other end: what is shown is what is observed."""

import http.client
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from stage import ControlPlane, Program, until
from steps import NEWCOMERS_PROGRAM, add_runtime, configure, row, see_it_arrive

pytestmark = [pytest.mark.needs_browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]

expect.set_options(timeout=20_000)


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def hello(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/hello/you")
        return connection.getresponse().status
    finally:
        connection.close()


def entry(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=3, name=name, exact=True))


@pytest.fixture
def greeter(
    page: Page, control_plane: ControlPlane, start: Callable[..., Program], tmp_path: Path, free_port: Callable[[], int]
) -> Iterator[tuple[Program, int]]:
    """A newcomer's program that runs and is shown under a name of its own, `steered-<port>`."""
    port = free_port()
    snippet = add_runtime(page, "Development")
    configure(
        tmp_path, snippet, control_plane.runtime_url,
        project="steering", integration="greeter", unique_runtime_name=f"steered-{port}",
    )  # fmt: skip
    (tmp_path / "program.py").write_text(NEWCOMERS_PROGRAM)
    program = start([sys.executable, "program.py"], cwd=tmp_path, PORT=str(port))
    see_it_arrive(page)
    expect(row(page, "Development", f"steered-{port}")).to_contain_text("Running")
    until(lambda: is_open(port))
    yield program, port
    program.stop()


def test_a_listener_is_stopped_from_the_console_and_the_command_is_seen_confirmed(
    page: Page, greeter: tuple[Program, int]
) -> None:
    program, port = greeter
    assert hello(port) == 200
    page.goto("/projects/steering/integrations/greeter/steering?environment=dev")
    listener = entry(page, f"http-{port}")
    switch = listener.get_by_role("switch")
    expect(switch).to_have_attribute("aria-checked", "true")

    # asked before it interrupts; then the switch shows what is observed, and the command its life
    switch.click()
    listener.get_by_role("button", name="Stop", exact=True).click()
    expect(listener.get_by_text("Confirmed", exact=True)).to_be_visible()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(listener.get_by_text("as asked")).to_be_visible()
    assert not is_open(port)
    assert program.process.poll() is None

    # started again in the same process
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    until(lambda: is_open(port))
    assert hello(port) == 200

    # the runtime's own page tells the same story
    page.goto("/runtimes?environment=dev")
    page.get_by_role("link", name=f"steered-{port}", exact=True).first.click()
    page.get_by_role("heading", name=f"steered-{port}", level=1).wait_for()
    commands = page.get_by_role("region", name=re.compile("commands", re.IGNORECASE))
    expect(commands.get_by_text("Confirmed", exact=True).first).to_be_visible()


def test_a_crash_is_seen_without_waiting_for_heartbeats(page: Page, greeter: tuple[Program, int]) -> None:
    program, port = greeter
    shown = row(page, "Development", f"steered-{port}")
    program.stop(signal.SIGKILL)
    expect(shown).to_contain_text("Its channel from 127.0.0.1 broke and it did not come back", timeout=5_000)
