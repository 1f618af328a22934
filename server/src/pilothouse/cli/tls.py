"""`pilothouse tls`: the certificate, and who trusts it."""

# The server is imported by the commands that need it, so that those that ask a control plane start sooner.

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilothouse.config import load

if TYPE_CHECKING:
    from pilothouse.serving.trust import Report

app = typer.Typer(no_args_is_help=True)
Home = Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")]


@app.command()
def show(home: Home = None) -> None:
    """Show where the certificate lies and its fingerprint; for `cert` in a runtime's Config.toml."""
    from pilothouse.app.ports import tls_files_present
    from pilothouse.serving.certificates import fingerprint_sha256

    files = tls_files_present(load(home=home))
    typer.echo(f"certificate  {files.certificate}")
    typer.echo(f"sha-256      {fingerprint_sha256(files.certificate)}")


@app.command()
def trust(home: Home = None) -> None:
    """Have this machine's certificate stores trust this control plane's certificate, and nothing else by it."""
    from pilothouse.app.ports import tls_files_present
    from pilothouse.serving.trust import carry_out, look_around, plan_trust

    _tell(carry_out(plan_trust(tls_files_present(load(home=home)).certificate, look_around())))


@app.command()
def untrust() -> None:
    """Take the certificate out of this machine's stores."""
    from pilothouse.serving.trust import carry_out, look_around, plan_untrust

    _tell(carry_out(plan_untrust(look_around())))


def _tell(reports: "tuple[Report, ...]") -> None:
    from pilothouse.serving.trust import Outcome

    for report in reports:
        typer.echo(f"{report.store.value}: {report.outcome.value}{f' ({report.reason})' if report.reason else ''}")
        if report.run:
            typer.echo(f"  {report.run}")
    if all(report.outcome is not Outcome.DONE for report in reports):
        raise typer.Exit(1)
