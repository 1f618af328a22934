"""What people do in every story: sign in, generate a secret, paste the snippet, find a row, make what is needed."""

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


def sign_in(page: Page, username: str, password: str, *, at: str) -> None:
    """Open an address and sign in where it asks for it."""
    page.goto(at)
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")


def change_first_password(page: Page, first: str, own: str) -> None:
    """Do what a first password demands, before anything else is open."""
    page.get_by_label("Current password").fill(first)
    page.get_by_label("New password", exact=True).fill(own)
    page.get_by_label("New password again").fill(own)
    page.get_by_role("button", name="Change password").click()


def create_project(page: Page, name: str) -> None:
    page.goto("/projects?create=true")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Display name").fill(name)
    dialog.get_by_role("button", name="Create project").click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def create_group(page: Page, name: str) -> None:
    """Leads to the page of the group."""
    page.goto("/access/groups?create=true")
    dialog = page.get_by_role("dialog", name="Create group")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Create group").click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def map_role(page: Page, role: str, *, project: str) -> None:
    """Map a role to the group whose page is open, in one project."""
    page.get_by_role("button", name="Map role").click()
    dialog = page.get_by_role("dialog", name="Map a role")
    dialog.get_by_label("Role", exact=True).select_option(role)
    dialog.get_by_label("Project", exact=True).select_option(project)
    dialog.get_by_role("button", name="Map role").click()
    page.get_by_role("row").filter(has_text=role).filter(has_text=project).wait_for()


def create_user(page: Page, username: str, display_name: str, *, group: str) -> str:
    """Make a person; gives the first password, which the page shows once."""
    page.goto("/access/users?create=true")
    dialog = page.get_by_role("dialog", name="Create user")
    dialog.get_by_label("Username").fill(username)
    dialog.get_by_label("Display name").fill(display_name)
    dialog.get_by_role("checkbox", name=group).check()
    dialog.get_by_role("button", name="Create user").click()
    shown = page.get_by_role("dialog", name=f"First password of {username}")
    expect(shown.get_by_text("This password is shown once.")).to_be_visible()
    password = shown.locator("pre").inner_text().strip()
    shown.get_by_role("button", name="Copy", exact=True).click()
    shown.get_by_role("button", name="Done").click()
    page.get_by_role("link", name=username, exact=True).wait_for()
    assert password not in page.content()
    return password
