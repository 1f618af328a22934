"""A program begins to fail, and people know: its error is in the live tail, in the figures, and at a webhook."""

import hashlib
import hmac
import http.server
import json
import queue
import re
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from stage import PASSWORD, TREE, ControlPlane, Program, serve
from steps import add_runtime, configure, see_it_arrive, sign_in

pytestmark = [pytest.mark.needs_browser, pytest.mark.xdist_group("browser"), pytest.mark.slow, pytest.mark.timeout(300)]

expect.set_options(timeout=20_000)

TOLD_WITHIN_S = 80
"""Figures are sent every few seconds and judged every few more."""
MINUTE_IS_OVER_MS = 120_000
"""A minute is drawn when it is over and its figures have arrived."""


class Receiver(http.server.BaseHTTPRequestHandler):
    """A webhook's receiver on loopback; what it got is in `server.got`."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.put((dict(self.headers), body))  # pyright: ignore[reportAttributeAccessIssue]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got = queue.Queue()  # pyright: ignore[reportAttributeAccessIssue]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def plane(start: Callable[..., Program], tmp_path: Path) -> ControlPlane:
    return serve(start, tmp_path / "home", PILOTHOUSE_ADMIN_PASSWORD=PASSWORD, PILOTHOUSE_NOTIFY_ALLOW="127.0.0.0/8")


@pytest.fixture
def page(browser: Browser, plane: ControlPlane) -> Iterator[Page]:
    context = browser.new_context(
        base_url=plane.console_url,
        ignore_https_errors=True,  # the certificate is self-signed
        viewport={"width": 1440, "height": 900},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(20_000)
    opened = context.new_page()
    sign_in(opened, "admin", PASSWORD, at="/runtimes")
    opened.get_by_role("heading", name="Runtimes", level=1).wait_for()
    yield opened
    context.close()


def ask(page: Page, query: str, **variables: Any) -> dict[str, Any]:
    """Ask as the person who is signed in."""
    answer = page.evaluate(
        """async (body) => (await fetch('/graphql', {
            method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body),
        })).json()""",
        {"query": query, "variables": variables},
    )
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def fail(port: int) -> None:
    """Ask the program for what it cannot do."""
    with pytest.raises(urllib.error.HTTPError, match="500"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/fail", timeout=10)


def test_an_error_is_seen_live_in_the_figures_and_at_a_webhook(
    page: Page,
    plane: ControlPlane,
    receiver: http.server.ThreadingHTTPServer,
    start: Callable[..., Program],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    # a program under the control plane, a channel and a rule
    snippet = add_runtime(page, "Development")
    configure(
        tmp_path, snippet, plane.runtime_url, project="shop", integration="orders", unique_runtime_name="orders-1"
    )
    port = free_port()
    program = start(
        [sys.executable, "-m", "order_service"],
        cwd=tmp_path,
        PYTHONPATH=str(TREE / "examples" / "order-service"),
        ORDER_SERVICE_PORT=str(port),
    )
    see_it_arrive(page, "orders-1")
    program.wait_for("Uvicorn running")
    made = ask(
        page,
        "mutation ($input: AlertChannelInput!) { saveAlertChannel(input: $input) { channel { id } signingSecret } }",
        input={"name": "hook", "kind": "WEBHOOK", "url": f"http://127.0.0.1:{receiver.server_port}/hook"},
    )["saveAlertChannel"]
    rule = {
        "name": "Orders fail",
        "condition": "ERROR_RATE",
        "severity": "CRITICAL",
        "project": "shop",
        "integration": "orders",
        "threshold": 0.1,
        "windowS": 60,
        "forS": 0,
        "channels": [made["channel"]["id"]],
    }
    ask(page, "mutation ($input: AlertRuleInput!) { saveAlertRule(input: $input) { id } }", input=rule)

    # in the live tail within a second
    page.goto("/logs?live=true&level=ERROR")
    said = page.get_by_role("list", name="Logs").get_by_role("listitem").filter(has_text="Request failed")
    fail(port)  # the first one opens connections and starts the store's process
    expect(said).not_to_have_count(0)
    page.mouse.move(0, 0)
    before = said.count()
    asked_s = time.monotonic()
    fail(port)
    page.wait_for_function(
        "(before) => [...document.querySelectorAll('li')].filter((one) => one.textContent.includes('Request failed')).length > before",
        arg=before,
        polling=20,
    )
    assert time.monotonic() - asked_s < 1

    # at the webhook, signed
    headers, body = receiver.got.get(timeout=TOLD_WITHIN_S)  # pyright: ignore[reportAttributeAccessIssue]
    notice = json.loads(body)
    assert (notice["kind"], notice["rule"], notice["severity"]) == ("firing", "Orders fail", "critical")
    assert (notice["place"]["project"], notice["place"]["integration"]) == ("shop", "orders")
    assert notice["value"] > 0.1
    told = dict(part.split("=") for part in headers["X-Pilothouse-Signature"].split(","))
    signed = hmac.new(made["signingSecret"].encode(), told["t"].encode() + b"." + body, hashlib.sha256)
    assert hmac.compare_digest(signed.hexdigest(), told["v1"])

    # on the page of alerts, with who was told
    page.goto("/alerts")
    firing = page.get_by_role("list", name="Firing", exact=True).get_by_role("listitem").filter(has_text="Orders fail")
    expect(firing).to_contain_text("Critical")
    expect(firing).to_contain_text("hook")

    # on the chart, from where a click leads to the lines of that moment
    page.goto("/projects/shop/integrations/orders/metrics")
    errors = page.get_by_role("region", name="Error rate", exact=True)
    expect(errors).to_contain_text(re.compile(r"At most [1-9]\d*(\.\d+)? %"), timeout=MINUTE_IS_OVER_MS)
    errors.get_by_text("As a table").click()
    failed = errors.get_by_role("table").get_by_role("row").filter(has_text=re.compile(r"[1-9]\d*(\.\d+)? %"))
    failed.first.get_by_role("button", name="Look at").click()
    page.get_by_role("link", name="Logs of this moment").click()
    expect(page.get_by_role("listitem").filter(has_text="Request failed").first).to_be_visible()
    program.stop()
