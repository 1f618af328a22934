"""What is printed when a control plane is ready: where to look, how to get in, what the browser will ask."""

import sys

from rich.console import Console
from rich.text import Text

from pilothouse.app.example import Example
from pilothouse.app.running import Started
from pilothouse.operations.sign_in import FIRST_ADMINISTRATOR


def greet(started: Started, example: Example | None, *, is_first_hour: bool) -> None:
    """Print it. The password goes to the terminal, never to the log."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    console.print()
    console.print(Text("Pilothouse is ready.", style="bold green"))
    console.print()
    _line(console, "Console", started.console_url)
    _line(console, "Runtimes", f"{started.runtime_url}  (serverUrl in Config.toml)")
    _line(console, "Sign in as", FIRST_ADMINISTRATOR)
    if started.first_password is not None:
        _line(console, "Password", started.first_password, style="bold yellow")
        _line(console, "", "shown once; lost? pilothouse admin reset-password")
    else:
        _line(console, "Password", "the one of the first start; lost? pilothouse admin reset-password")
    if example is not None:
        _line(console, "Example", f"order-service, configured by {example.folder / 'Config.toml'}")
    if started.console_url.startswith("https") and started.certificate_is_ours:
        _about_the_certificate(console, started)
    if is_first_hour:
        console.print()
        _line(console, "Stop", "Ctrl-C; everything is kept in " + str(started.plane.settings.home))
    console.print()


def _about_the_certificate(console: Console, started: Started) -> None:
    console.print()
    console.print(Text("The certificate is self-signed: your browser will warn once.", style="bold"))
    console.print("  Chrome, Edge: Advanced → Proceed to localhost.  Firefox: Advanced → Accept the Risk and Continue.")
    console.print("  Compare its SHA-256 fingerprint if you like:")
    console.print(Text(f"  {started.fingerprint}", style="dim"))
    console.print("  No warning at all:  pilothouse tls trust   (this machine trusts the certificate)")
    console.print("             or:      pilothouse up --http-loopback   (plain HTTP, this machine only)")


def _line(console: Console, name: str, value: str, style: str = "") -> None:
    console.print(Text(f"  {name:<11}", style="bold") + Text(value, style=style))
