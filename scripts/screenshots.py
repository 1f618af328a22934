"""Makes the pictures of the documentation: a real control plane, real programs, a real browser.

Run it in the development environment (`make test` sets it up): `.venv/bin/python scripts/screenshots.py`.
It starts a control plane on free ports in a temporary home, connects the example integration several times, kills one
node, waits until it is OFFLINE, and writes every page in both themes to `docs/images/`. Nothing of it stays behind.

What is arranged for the picture, and nothing else: host names and the interpreter's folder that the nodes report, and
the port in the address that the console shows to runtimes (9445 instead of the free one).
"""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

TREE = Path(__file__).parent.parent
sys.path.insert(0, str(TREE / "acceptance"))
from stage import Program, chromium, until  # noqa: E402 - it lies beside the stories

IMAGES = TREE / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
SIZE_BYTES_MAX = 120_000
PASSWORD = "a password for the pictures"  # noqa: S105 - of a home that is gone when this script ends
PUBLIC_HOST = "pilothouse.example.com"
PALETTE_MAX = 256
"""As many colours as a byte tells apart."""
SETTLE_S = 0.6
"""For fonts, transitions and the last answer."""
DISCOVERY_S = 3.0
"""The bridge tells of services and listeners within a second of their start."""
NODES = (
    # environment, project, integration, runtime
    ("dev", "order-service", "order-create", "order-node-1"),
    ("dev", "order-service", "order-create", "order-node-2"),
    ("dev", "order-service", "order-create", "order-node-3"),
    ("dev", "billing", "invoice-export", "invoice-export-1"),
    ("prod", "order-service", "order-create", "order-prod-1"),
    ("prod", "order-service", "order-create", "order-prod-2"),
)
KILLED = "order-node-3"
LAUNCH = """\
import platform, runpy, sys
platform.node = lambda: sys.argv[1]
platform.release = lambda: "6.8"
sys.prefix = "/opt/" + sys.argv[2]
runpy.run_module("order_service", run_name="__main__", alter_sys=True)
"""
GENERATE = "mutation Make($input: GenerateSecretInput!) { generateSecret(input: $input) { configToml } }"


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stage:
    """The programs of one session of pictures; all of them end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime_port, self.console_port = free_port(), free_port()
        self.console_url = f"https://localhost:{self.console_port}"
        self.nodes: dict[str, Program] = {}
        self._started: list[Program] = []

    def start(self, arguments: list[str], folder: Path, **environment: str) -> Program:
        """Start a program with nothing of this shell's own settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PILOTHOUSE_", "BAL_"))}
        folder.mkdir(exist_ok=True)
        program = Program(
            subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, *arguments],
                cwd=folder,
                env={**kept, "PYTHONUNBUFFERED": "1", **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        self._started.append(program)
        return program

    def start_control_plane(self) -> None:
        """Start it and wait until it serves."""
        ports = ["--runtime-port", str(self.runtime_port), "--console-port", str(self.console_port)]
        plane = self.start(
            ["-m", "pilothouse", "serve", *ports],
            self.folder,
            PILOTHOUSE_HOME=str(self.folder / "home"),
            PILOTHOUSE_HOST="127.0.0.1",
            PILOTHOUSE_PUBLIC_HOST=PUBLIC_HOST,
            PILOTHOUSE_ADMIN_PASSWORD=PASSWORD,
        )
        plane.wait_for("Pilothouse is ready")

    def start_node(self, config_toml: str, project: str, integration: str, runtime: str) -> None:
        """Paste a snippet beside the example, fill in what it leaves open, run it."""
        for placeholder, value in (
            ("project", project),
            ("integration", integration),
            ("unique-runtime-name", runtime),
        ):
            config_toml = config_toml.replace(f"<{placeholder}>", value)
        config_toml = config_toml.replace(
            '# serverUrl = "https://<hostname>:9445"', f'serverUrl = "https://localhost:{self.runtime_port}"'
        )
        folder = self.folder / runtime
        folder.mkdir(exist_ok=True)
        (folder / "Config.toml").write_text(config_toml, encoding="utf-8")
        self.nodes[runtime] = self.start(
            ["-c", LAUNCH, f"host-{len(self.nodes) + 1}", integration],
            folder,
            PYTHONPATH=str(TREE / "examples" / "order-service"),
            ORDER_SERVICE_PORT="0",
        )

    def end(self) -> None:
        """End what still runs, the youngest first."""
        for program in reversed(self._started):
            if program.process.poll() is None:
                program.stop(signal.SIGTERM)


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """Set up a stage in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="pilothouse-pictures-") as folder:
        stage = Stage(Path(folder))
        try:
            yield stage
        finally:
            stage.end()


def open_context(browser: Browser, stage: Stage, theme: str) -> BrowserContext:
    """Open a browser window of the right size that says 9445 where the stage uses a free port."""
    context = browser.new_context(
        base_url=stage.console_url,
        ignore_https_errors=True,
        viewport=SIZE,  # pyright: ignore[reportArgumentType] - a literal
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )

    def show_the_usual_port(route: Route) -> None:
        if "event-stream" in route.request.headers.get("accept", ""):
            route.continue_()
            return
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(f":{stage.runtime_port}", ":9445"))

    context.route("**/graphql", show_the_usual_port)
    return context


def sign_in(page: Page) -> None:
    """Sign in as a person does."""
    page.goto("/sign-in")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("[data-line=live]").wait_for()


def generate_secret(page: Page, environment: str) -> str:
    """Generate a secret through the API, with the session of the page."""
    answer = page.request.post(
        "/graphql", data={"query": GENERATE, "variables": {"input": {"environment": environment}}}
    )
    return answer.json()["data"]["generateSecret"]["configToml"]


def connect_everything(stage: Stage, page: Page) -> None:
    """Start all nodes, wait until each is acknowledged, kill one and wait until that is seen."""
    for environment, project, integration, runtime in NODES:
        stage.start_node(generate_secret(page, environment), project, integration, runtime)
    for program in stage.nodes.values():
        program.wait_for("Full heartbeat acknowledged by ICP server")
    time.sleep(DISCOVERY_S)
    stage.nodes[KILLED].stop(signal.SIGKILL)
    page.goto("/runtimes")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=KILLED, exact=True))
    until(lambda: "Offline" in row.inner_text(), within_s=60)


def smaller(png: bytes) -> bytes:
    """Pack an RGB picture anew, by a palette: of the shades at the edges of letters the rarest become their nearest."""
    chunks: list[tuple[bytes, bytes]] = []
    at = 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        chunks.append((kind, png[at + 8 : at + 8 + length]))
        at += 12 + length
    filtered = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    width, height, depth, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    assert (depth, colour) == (8, 2), "an RGB picture is expected"  # noqa: S101 - a script's own premise
    row_bytes, above, pixels = width * 3, bytearray(width * 3), bytearray()
    for y in range(height):
        start = y * (row_bytes + 1)
        above = _unfilter(filtered[start], bytearray(filtered[start + 1 : start + 1 + row_bytes]), above)
        pixels += above
    colours = [bytes(pixels[at : at + 3]) for at in range(0, len(pixels), 3)]
    palette, index = _palette(colours)
    numbers = bytes(index[colour] for colour in colours)
    # Text on plain ground packs best without the filters that browsers use.
    rows = b"".join(b"\0" + numbers[at : at + width] for at in range(0, len(numbers), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    packed = png[:8]
    for kind, content in (
        (b"IHDR", header),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ):
        packed += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return packed


def _palette(colours: list[bytes]) -> tuple[list[bytes], dict[bytes, int]]:
    """Choose colours: those used most, then whatever is farthest from all of them, so that a small green dot stays green.

    Tells for every colour which of the chosen ones stands for it.
    """
    used = [colour for colour, _ in Counter(colours).most_common()]
    palette = used[: PALETTE_MAX // 2]
    nearest = {each: min((_distance(each, one), number) for number, one in enumerate(palette)) for each in used}
    while len(palette) < min(PALETTE_MAX, len(used)):
        farthest = max(nearest, key=lambda each: nearest[each][0])
        palette.append(farthest)
        for each, known in nearest.items():
            nearest[each] = min(known, (_distance(each, farthest), len(palette) - 1))
    return palette, {each: number for each, (_, number) in nearest.items()}


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _unfilter(kind: int, row: bytearray, above: bytearray) -> bytearray:
    """Take the filter off a row. Source: PNG, third edition, section 9."""
    for x in range(len(row)) if kind else ():
        left, up, corner = (row[x - 3], above[x], above[x - 3]) if x > 2 else (0, above[x], 0)  # noqa: PLR2004
        match kind:
            case 1:
                base = left
            case 2:
                base = up
            case 3:
                base = (left + up) // 2
            case _:
                guess = left + up - corner
                base = min((left, up, corner), key=lambda value: abs(guess - value))
        row[x] = (row[x] + base) & 0xFF
    return row


def shoot(page: Page, name: str, theme: str) -> None:
    """Write one picture."""
    page.mouse.move(0, 0)
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    expect(page.locator(".breathe")).to_have_count(
        0
    )  # nothing is still being read; the page lets no script in to ask it
    time.sleep(SETTLE_S)
    path = IMAGES / f"{name}-{theme}.png"
    path.write_bytes(smaller(page.screenshot(animations="disabled", caret="hide")))
    size_bytes = path.stat().st_size
    sys.stdout.write(f"{path.relative_to(TREE)}  {size_bytes / 1000:.0f} kB\n")
    if size_bytes > SIZE_BYTES_MAX:
        sys.exit(f"{path.name} is larger than {SIZE_BYTES_MAX} bytes")


def shoot_all(context: BrowserContext, theme: str) -> None:
    """Walk through the console and take every picture."""
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Username").fill("admin")
    shoot(page, "sign-in", theme)
    sign_in(page)
    for name, address in (
        ("overview", "/"),
        ("runtimes", "/runtimes"),
        ("projects", "/projects"),
        ("integration-runtimes", "/projects/order-service/integrations/order-create/runtimes"),
        ("environments", "/environments"),
        ("secrets", "/secrets"),
        ("steering", "/projects/order-service/integrations/order-create/steering?environment=dev"),
        ("access", "/access/groups"),
        ("who-may", "/access/who-may?permission=INTEGRATION_MGT_EDIT&project=order-service"),
        ("audit", "/audit?action=secret."),
        ("profile", "/profile"),
    ):
        page.goto(address)
        page.locator("[data-line=live]").wait_for()
        page.get_by_role("heading", level=1).first.wait_for()
        shoot(page, name, theme)
    page.goto("/projects/order-service/integrations/order-create/runtimes")
    page.get_by_role("button", name="Add Runtime: Development").click()
    dialog = page.get_by_role("dialog", name="Add Runtime")
    dialog.get_by_role("button", name="Generate Secret").click()
    dialog.get_by_role("figure", name="Config.toml").wait_for()
    shoot(page, "add-runtime", theme)
    page.goto("/runtimes")
    for runtime, name in (("order-node-1", "runtime"), (KILLED, "runtime-offline")):
        page.goto("/runtimes")
        page.get_by_role("link", name=runtime, exact=True).click()
        page.get_by_role("heading", name=runtime, level=1).wait_for()
        shoot(page, name, theme)
    page.close()


def refuse_one(stage: Stage, page: Page) -> None:
    """Start a node that names another environment than its secret is for."""
    config_toml = generate_secret(page, "dev").replace('environment = "dev"', 'environment = "prod"')
    stage.start_node(config_toml, "order-service", "order-create", "order-prod-3")
    stage.nodes["order-prod-3"].wait_for("Full heartbeat rejected")


def shoot_refusal(context: BrowserContext, theme: str) -> None:
    """Take the picture of a refused heartbeat."""
    page = context.new_page()
    page.goto("/runtimes")
    page.get_by_role("button", name="Show why").click()
    page.get_by_role("dialog").wait_for()
    shoot(page, "refused", theme)
    page.close()


def main() -> None:
    """Set the stage and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with staged() as stage, sync_playwright() as playwright:
        stage.start_control_plane()
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        )
        contexts = {theme: open_context(browser, stage, theme) for theme in ("light", "dark")}
        first = contexts["light"].new_page()
        sign_in(first)
        connect_everything(stage, first)
        contexts["light"].clear_cookies()
        for theme, context in contexts.items():
            shoot_all(context, theme)
        page = contexts["light"].new_page()
        refuse_one(stage, page)
        for theme, context in contexts.items():
            shoot_refusal(context, theme)
        browser.close()


if __name__ == "__main__":
    main()
