"""The five minutes of the documentation, walked as they are written: its commands, and what it says one presses and sees."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from stage import TREE, Program

pytestmark = [
    pytest.mark.needs_browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.slow,
    pytest.mark.timeout(400),
]

expect.set_options(timeout=20_000)
PAGE = TREE / "docs" / "tutorial" / "five-minutes.md"
PORT = "8290"
REQUIRE_ALL = os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1"


class Section:
    """A part of the page; what it says must be taken in its order, and all of it."""

    def __init__(self, text: str, port: int) -> None:
        text = text.replace(PORT, str(port))
        commands = r"^```console\n\$ (.+)\n```$"
        self._commands = re.findall(commands, text, re.MULTILINE)
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        self._words = re.findall(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", prose)

    def word(self, expected: str) -> str:
        """Take the next word that one presses or sees."""
        assert self._words, f"the page does not speak of {expected} here"
        assert self._words.pop(0) == expected
        return expected

    def command(self) -> list[str]:
        """Take the next command."""
        return shlex.split(self._commands.pop(0))

    def ends(self) -> None:
        """Make sure that all of it was done."""
        assert (self._words, self._commands) == ([], [])


def read(port: int) -> dict[str, Section]:
    """Read the page by its headings."""
    parts = re.split(r"^## \d+\. (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title: Section(text, port) for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def run(section: Section, expected: str) -> None:
    """Run the page's next command, and see what it prints."""
    told = subprocess.run(section.command(), capture_output=True, text=True, check=False, timeout=30)
    assert told.stdout.strip() == expected


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture
def sections(port: int) -> dict[str, Section]:
    return read(port)


@pytest.fixture
def up(
    start: Callable[..., Program], sections: dict[str, Section], port: int, tmp_path: Path
) -> Iterator[tuple[str, str, Program]]:
    """What the first command starts, on ports of its own: the console's address and the password."""
    # Nothing is installed or built from within a test: other tests use what is there.
    asked = ["make", "-q", ".make/server", "console/dist/index.html"]
    if subprocess.run(asked, cwd=TREE, capture_output=True, check=False, timeout=60).returncode:
        reason = "what `make up` needs is not up to date here: run `make test`"
        if REQUIRE_ALL:
            pytest.fail(reason)
        pytest.skip(reason)
    section = sections["Start"]
    program = start(
        section.command(), cwd=TREE, MAKEFLAGS="", MAKELEVEL="",
        PILOTHOUSE_HOME=str(tmp_path / "home"), PILOTHOUSE_RUNTIME_PORT="0", PILOTHOUSE_CONSOLE_PORT="0",
        ORDER_SERVICE_PORT=str(port),
    )  # fmt: skip
    section.ends()
    console_url = program.wait_for(r"Console +(https://\S+)", within_s=120)[1]
    password = program.wait_for(r"Password +(\S{20})\n")[1]
    program.wait_for("Full heartbeat acknowledged by ICP server")
    yield console_url, password, program
    if program.process.poll() is None:
        os.killpg(program.process.pid, signal.SIGINT)
        program.process.wait(30)


@pytest.fixture
def page(browser: Browser, up: tuple[str, str, Program]) -> Iterator[Page]:
    context = browser.new_context(base_url=up[0], ignore_https_errors=True, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(20_000)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


def entry(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", level=3, name=name, exact=True))


def go(page: Page, name: str) -> None:
    """Press an entry of the navigation; its name may tell how many alerts fire."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=re.compile(f"^{name}\\b")).click()


def test_the_five_minutes_are_as_they_are_written(
    page: Page, up: tuple[str, str, Program], sections: dict[str, Section], port: int
) -> None:
    sign_in(page, sections["Sign in"], up[1])
    look(page, sections["Look"], port)
    stop_and_start(page, sections["Stop it, and start it"], port)
    hear_more(page, sections["Hear more of it"])
    see_it_fail(page, sections["See it fail"])
    be_told(page, sections["Be told"])
    sections["Stop"].ends()
    os.killpg(up[2].process.pid, signal.SIGINT)
    up[2].process.wait(30)
    assert 'Traceback (most recent call last):\n  File "pilothouse' not in up[2].output


def sign_in(page: Page, told: Section, password: str) -> None:
    page.goto("/")
    page.get_by_label(told.word("Username")).fill("admin")
    page.get_by_label(told.word("Password"), exact=True).fill(password)
    page.get_by_role("button", name=told.word("Sign in")).click()
    page.get_by_role("heading", level=1, name=told.word("Overview")).wait_for()
    told.ends()


def look(page: Page, told: Section, port: int) -> None:
    go(page, told.word("Runtimes"))
    card = page.get_by_role("region", name=told.word("Development"), exact=True)
    link = page.get_by_role("link", name=told.word("order-node-1"), exact=True)
    expect(card.get_by_role("row").filter(has=link)).to_contain_text(told.word("Running"))
    card.get_by_role("link", name="order-node-1", exact=True).click()
    page.get_by_role("heading", level=1, name="order-node-1").wait_for()
    page.get_by_text(told.word("Order Service")).first.wait_for()
    page.get_by_text(told.word(f"http-{port}")).first.wait_for()
    told.ends()


def stop_and_start(page: Page, told: Section, port: int) -> None:
    run(told, "200")
    steer = told.word("Steer")
    name = told.word(f"http-{port}")
    page.get_by_role("link", name=f"{steer}: Listeners", exact=True).click()
    listener = entry(page, name)
    switch = listener.get_by_role("switch", name=re.compile(f": {told.word('State')}$"))
    switch.click()
    listener.get_by_role("button", name=told.word("Stop"), exact=True).click()
    expect(listener.get_by_text(told.word("Confirmed"), exact=True)).to_be_visible()
    expect(switch).to_have_attribute("aria-checked", "false")
    run(told, "000")
    assert told.word("State")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    run(told, "200")
    told.ends()


def hear_more(page: Page, told: Section) -> None:
    go(page, told.word("Steering"))
    page.get_by_label(told.word("Search by name")).fill("settlement")
    logger = entry(page, told.word("order_service.settlement"))
    logger.get_by_role("combobox").select_option(told.word("DEBUG"))
    logger.get_by_role("button", name=told.word("Set DEBUG"), exact=True).click()
    expect(logger.get_by_text(told.word("Confirmed"), exact=True)).to_be_visible()
    go(page, told.word("Logs"))
    live = page.get_by_role("switch", name=told.word("Live"))
    live.click()
    expect(live).to_have_attribute("aria-checked", "true")
    expect(page.get_by_role("list", name="Logs").get_by_text(told.word("Nothing to settle")).first).to_be_visible()
    told.ends()


def see_it_fail(page: Page, told: Section) -> None:
    run(told, "500")
    line = (
        page.get_by_role("list", name="Logs").get_by_role("button", name=re.compile(told.word("Request failed"))).first
    )
    line.click()
    expect(page.get_by_text(told.word("this failure was asked for")).first).to_be_visible()
    told.ends()


def be_told(page: Page, told: Section) -> None:
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_role("combobox").fill("alerts")
    page.get_by_role("option", name=told.word("Alerts"), exact=True).click()
    page.get_by_role("link", name=told.word("Rules"), exact=True).click()
    page.get_by_role("button", name=told.word("Create rule")).click()
    form = page.get_by_role("dialog")
    form.get_by_label(told.word("Name"), exact=True).fill("Orders fail")
    form.get_by_label(told.word("When"), exact=True).select_option(label=told.word("Lines in the logs match"))
    form.get_by_role("group", name=told.word("Levels")).get_by_label(told.word("Error")).check()
    form.get_by_label(told.word("Lines that are still fine")).fill("0")
    form.get_by_role("button", name=told.word("Create rule")).click()
    form.wait_for(state="detached")
    run(told, "500")
    go(page, told.word("Alerts"))
    firing = page.get_by_role("list", name=told.word("Firing"), exact=True)
    expect(firing.get_by_role("link", name=told.word("Orders fail"), exact=True).first).to_be_visible(timeout=60_000)
    told.ends()
