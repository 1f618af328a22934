"""What is printed when a control plane is ready: where to look, how to get in, what the browser will ask."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pilothouse.app.example_process import Example
from pilothouse.app.ports import Serving
from pilothouse.cli.admin import FIRST_ADMINISTRATOR
from pilothouse.config import default_home


def greet(started: Serving, example: Example | None, *, is_first_hour: bool) -> None:
    """Print it. The password goes to a terminal, or to who asked for the first hour; never to the log, or a service's journal."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    home = started.home
    console.print()
    console.print(Text("Pilothouse is ready.", style="bold green"))
    console.print()
    _line(console, "Console", started.console_url)
    _line(console, "Runtimes", f"{started.runtime_url}  (serverUrl in Config.toml)")
    _line(console, "Sign in as", FIRST_ADMINISTRATOR)
    reset = _command("admin reset-password", home)
    if started.first_password is None:
        _line(console, "Password", f"the one of the first start; lost? {reset}")
    elif is_first_hour or sys.stdout.isatty():
        _line(console, "Password", started.first_password, style="bold yellow")
        _line(console, "", f"shown once; lost? {reset}")
    else:
        _line(console, "Password", f"not shown, since this is no terminal; make one with: {reset}")
    if example is not None:
        _line(console, "Example", f"order-service, configured by {example.folder / 'Config.toml'}")
    if started.console_url.startswith("https") and started.certificate_is_ours:
        _about_the_certificate(console, started, home, "up" if is_first_hour else "serve")
    if is_first_hour:
        console.print()
        _line(console, "Stop", f"Ctrl-C; everything is kept in {home}")
    console.print()


def _about_the_certificate(console: Console, started: Serving, home: Path, verb: str) -> None:
    console.print()
    console.print(Text("The certificate is self-signed: your browser will warn once.", style="bold"))
    console.print("  Chrome, Edge: Advanced → Proceed to localhost.  Firefox: Advanced → Accept the Risk and Continue.")
    console.print("  Compare its SHA-256 fingerprint if you like:")
    console.print(Text(f"  {started.fingerprint}", style="dim"))
    console.print(Text(f"  No warning at all:  {_command('tls trust', home)}   (this machine trusts the certificate)"))
    console.print(
        Text(f"             or:      {_command(f'{verb} --http-loopback', home)}   (plain HTTP, this machine only)")
    )


def _command(verb: str, home: Path) -> str:
    """Write a command as it can be pasted here: this very program, and this home if it is not the usual one."""
    program = Path(sys.argv[0])
    found = shutil.which("pilothouse")
    if found is not None and Path(found).resolve() == program.resolve():
        words = ["pilothouse"]
    elif program.name == "__main__.py":
        words = ["python", "-m", "pilothouse"]
    else:
        words = [os.path.relpath(program)]
    where = [] if home == default_home(os.environ) else ["--home", os.path.relpath(home)]
    return shlex.join([*words, *verb.split(), *where])


def _line(console: Console, name: str, value: str, style: str = "") -> None:
    console.print(Text(f"  {name:<11}", style="bold") + Text(value, style=style))
