"""People and what they may do, in two browsers at once: a person comes, sees their project, and loses it again."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from stage import PASSWORD, ControlPlane, Program, serve
from steps import change_first_password, create_group, create_project, create_user, map_role, sign_in

pytestmark = [pytest.mark.slow, pytest.mark.needs_browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]

expect.set_options(timeout=20_000)

OWN_PASSWORD = "seven quiet lanterns"


@pytest.fixture
def elsewhere(browser: Browser, control_plane: ControlPlane) -> Iterator[BrowserContext]:
    """Another browser: nothing of the first one's session is in it."""
    opened = browser.new_context(base_url=control_plane.console_url, ignore_https_errors=True)
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def theirs(elsewhere: BrowserContext) -> Iterator[Page]:
    """A page of the other browser; a test also fails when it complains."""
    opened = elsewhere.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    assert complaints == []


def test_a_person_sees_the_project_they_were_given_and_loses_it_without_a_reload(page: Page, theirs: Page) -> None:
    create_project(page, "Ledger")
    create_project(page, "Vault")
    create_group(page, "Ledger readers")
    map_role(page, "Viewer", project="Ledger")
    first_password = create_user(page, "nora", "Nora Quist", group="Ledger readers")

    # the first password opens nothing but its own change
    sign_in(theirs, "nora", first_password, at="/projects")
    change_first_password(theirs, first_password, OWN_PASSWORD)

    # one project, and no button that would be refused
    theirs.get_by_role("heading", name="Projects", level=1).wait_for()
    expect(theirs.get_by_role("link", name="Ledger", exact=True)).to_be_visible()
    expect(theirs.get_by_role("link", name="Vault", exact=True)).to_have_count(0)
    navigation = theirs.get_by_role("navigation", name="Pages")
    for hidden in ("Secrets", "Access", "Audit"):
        expect(navigation.get_by_role("link", name=hidden, exact=True)).to_have_count(0)
    theirs.get_by_role("link", name="Ledger", exact=True).click()
    theirs.get_by_role("heading", name="Ledger", level=1).wait_for()
    for refused in ("Create integration", "Edit project", "Delete project"):
        button = theirs.get_by_role("button", name=refused).or_(theirs.get_by_role("link", name=refused))
        expect(button.first).to_have_attribute("aria-disabled", "true")
    theirs.evaluate("globalThis.sameProgram = true")

    # who may do what names the way
    page.goto("/access/who-may?permission=INTEGRATION_MGT_VIEW&project=ledger")
    way = page.get_by_role("row").filter(has_text="Nora Quist")
    expect(way).to_contain_text(re.compile(r"Ledger readers\s*→\s*Viewer\s*→\s*Ledger"))

    # taken away: the page that is open tells it
    page.goto("/access/groups")
    page.get_by_role("link", name="Ledger readers").click()
    page.get_by_role("button", name=re.compile("^Unmap Viewer")).click()
    page.get_by_role("dialog").get_by_role("button", name="Unmap").click()
    expect(theirs.get_by_text("Nothing is open to you yet").first).to_be_visible()
    expect(theirs.get_by_text("Please put the user nora into a group")).to_be_visible()
    assert theirs.evaluate("globalThis.sameProgram"), "the program was loaded again"

    # the audit has all of it, whole
    page.goto("/audit?actor=user:admin")
    for action in ("user.create", "group.create", "role.map", "role.unmap", "project.create"):
        expect(page.get_by_role("cell", name=action, exact=True).first).to_be_visible()
    page.get_by_role("button", name="Check integrity").click()
    expect(page.get_by_text("The records are intact.")).to_be_visible()


def test_a_token_is_shown_once_an_ended_access_is_renewed_and_signing_out_everywhere_ends_the_other_browser(
    page: Page, context: BrowserContext, theirs: Page, control_plane: ControlPlane
) -> None:
    sign_in(theirs, "admin", PASSWORD, at="/projects")
    theirs.get_by_role("heading", name="Projects", level=1).wait_for()

    page.goto("/profile")
    page.get_by_role("button", name="Create token").first.click()
    dialog = page.get_by_role("dialog", name="Create token")
    dialog.get_by_label("Name").fill("nightly report")
    dialog.get_by_role("button", name="Create token").click()
    shown = page.get_by_role("dialog", name="nightly report")
    expect(shown.get_by_text("This token is shown once.")).to_be_visible()
    token = shown.locator("pre").inner_text().strip()
    asked = {"query": "{ viewer { username } }"}
    headers = {"Authorization": f"Bearer {token}"}
    script = page.request.post("/graphql", data=asked, headers=headers)
    assert script.json()["data"]["viewer"]["username"] == "admin"
    shown.get_by_role("button", name="Copy", exact=True).click()
    shown.get_by_role("button", name="Done").click()
    assert token not in page.content()
    page.get_by_role("button", name="Revoke nightly report").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Token nightly report is revoked.")).to_be_visible()
    assert page.request.post("/graphql", data=asked, headers=headers).status == 401
    assert token not in control_plane.program.output

    # the access ends, the session does not: nobody notices
    context.clear_cookies(name=re.compile(r"^(__Host-)?pilothouse$"))
    with page.expect_response("**/auth/refresh") as renewed:
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Projects").click()
    assert renewed.value.status == 200
    page.get_by_role("heading", name="Projects", level=1).wait_for()

    page.goto("/profile")
    page.get_by_role("button", name="Sign out everywhere").click()
    page.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_text("You are signed out everywhere.")).to_be_visible()
    expect(theirs.get_by_text("Your session has ended.")).to_be_visible()


def test_graphiql_runs_a_query_under_its_own_content_security_policy(
    start: Callable[..., Program], context: BrowserContext, tmp_path: Path
) -> None:
    own = serve(start, tmp_path / "home", PILOTHOUSE_GRAPHIQL="on", PILOTHOUSE_ADMIN_PASSWORD=PASSWORD)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    sign_in(page, "admin", PASSWORD, at=f"{own.console_url}/environments")
    page.get_by_role("heading", name="Environments", level=1).wait_for()
    complaints.clear()  # before the sign-in there is no session, which the browser calls an error
    answer = page.goto(f"{own.console_url}/graphiql")
    assert answer is not None
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    result = page.get_by_role("region", name="Result Window")
    for editor in (page.get_by_role("region", name="Query Editor"), result):
        editor.get_by_role("textbox").wait_for(state="attached")
    page.get_by_role("button", name=re.compile("^Execute query")).click()
    expect(result).to_contain_text('"running": 0')
    assert complaints == []
    own.program.stop()
