"""What people do in every story: generate a secret, paste the snippet, find a row."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

NEWCOMERS_PROGRAM = """\
import os

import pilothouse_bridge.auto
import uvicorn
from fastapi import FastAPI

app = FastAPI(title="Greeter")


@app.get("/hello/{name}")
async def hello(name: str) -> str:
    return f"Hello {name}"


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]))
"""


def card(page: Page, environment: str) -> Locator:
    return page.get_by_role("region", name=environment, exact=True)


def row(page: Page, environment: str, runtime: str) -> Locator:
    return card(page, environment).get_by_role("row").filter(has=page.get_by_role("link", name=runtime, exact=True))


def add_runtime(page: Page, environment: str) -> str:
    """Generate a secret in the dialog and copy the snippet, as a newcomer does."""
    page.get_by_role("button", name=f"Add Runtime: {environment}").click()
    dialog = page.get_by_role("dialog", name="Add Runtime")
    dialog.get_by_role("button", name="Generate Secret").click()
    expect(dialog.get_by_text("This secret is shown once.")).to_be_visible()
    dialog.get_by_role("figure", name="Config.toml").get_by_role("button", name="Copy").click()
    return page.evaluate("navigator.clipboard.readText()")


def see_it_arrive(page: Page, runtime: str | None = None) -> None:
    """Wait until the dialog tells of the first heartbeat, then close it with the pointer out of the table's way.

    A row that comes while the pointer rests on the table waits behind "1 new", as it should.
    """
    told = f"Got it: {runtime} is RUNNING" if runtime else "Got it"
    expect(page.get_by_role("dialog", name="Add Runtime").get_by_text(told)).to_be_visible()
    page.mouse.move(0, 0)
    page.keyboard.press("Escape")


def configure(folder: Path, snippet: str, runtime_url: str, **values: str) -> None:
    """Paste the snippet beside a program and fill in what it leaves open."""
    for placeholder, value in values.items():
        snippet = snippet.replace(f"<{placeholder.replace('_', '-')}>", value)
    snippet = snippet.replace('# serverUrl = "https://<hostname>:9445"', f'serverUrl = "{runtime_url}"')
    assert "<" not in snippet
    folder.mkdir(exist_ok=True)
    (folder / "Config.toml").write_text(snippet + "heartbeatInterval = 1\n")
