"""A real control plane in a process of its own, real programs beside it, a real browser in front of it."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from stage import PASSWORD, ControlPlane, Program, chromium, serve

REQUIRE_ALL = os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1"
CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., Program]]:
    """Start a program; whatever still runs at the end is ended."""
    started: list[Program] = []

    def run(arguments: list[str], *, cwd: Path, **environment: str) -> Program:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")}
        process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env={**kept, "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        program = Program(process)
        started.append(program)
        return program

    yield run
    for program in started:
        if program.process.poll() is None:
            os.killpg(program.process.pid, signal.SIGKILL)
            program.process.wait(10)
        program.process.stdout.close()  # pyright: ignore[reportOptionalMemberAccess]


@pytest.fixture(scope="session")
def control_plane(start: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """One control plane for all stories, quick to judge: silence of three seconds is offline."""
    home = tmp_path_factory.mktemp("control-plane") / "home"
    return serve(start, home, PILOTHOUSE_OFFLINE_AFTER_S="3", PILOTHOUSE_ADMIN_PASSWORD=PASSWORD)


@pytest.fixture(
    scope="module"
)  # Playwright runs an event loop in this thread while it lives: other modules want their own
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        if REQUIRE_ALL:
            pytest.fail("Chromium is required (PILOTHOUSE_REQUIRE_ALL=1) and is not on this machine")
        pytest.skip("Chromium is not on this machine: install your system's chromium package, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser, control_plane: ControlPlane) -> Iterator[BrowserContext]:
    opened = browser.new_context(
        base_url=control_plane.console_url,
        ignore_https_errors=True,  # the certificate is self-signed
        viewport={"width": 1440, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """The console, signed in; a test also fails when the page itself complains."""
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto("/runtimes")
    opened.get_by_label("Username").fill("admin")
    opened.get_by_label("Password", exact=True).fill(PASSWORD)
    opened.keyboard.press("Enter")
    opened.get_by_role("heading", name="Runtimes", level=1).wait_for()
    yield opened
    assert complaints == []


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find
