"""Verbs of the command line, and how its errors are said."""

import os
import sys
from typing import Annotated

import typer
from rich.text import Text

from pilothouse import __version__
from pilothouse.base.errors import PilothouseError
from pilothouse.cli import (
    admin,
    alerts,
    apply,
    audit,
    backup,
    credentials,
    db,
    drift,
    ingest_tokens,
    log_download,
    metrics,
    mi_users,
    people,
    records,
    runtimes,
    secrets,
    sign_in,
    sso,
    steering,
    tenancy,
    tls,
    traces,
    try_it,
    up,
)
from pilothouse.cli.output import clean, console_for
from pilothouse.cli.remote import VARIABLES
from pilothouse.client.errors import ControlPlaneRefused, status_of
from pilothouse.config import unknown_variables

HERE = "On this machine"
SIGN_IN = "Signing in"
FLEET = "The fleet"
TELEMETRY = "Logs, metrics and traces"
ORGANIZATION = "The organization"
ACCESS = "People and access"
RECORDS = "Records and everything else"

app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode="rich")
app.command("up", help="Start a control plane with the example integration: for the first hour.", rich_help_panel=HERE)(
    up.up
)
app.command(
    "serve",
    help="Start a control plane, and nothing else: for everything after the first hour.",
    rich_help_panel=HERE,
)(up.serve)
app.add_typer(tls.app, name="tls", help="The certificate: show it, have this machine trust it.", rich_help_panel=HERE)
app.add_typer(admin.app, name="admin", help="Access for who lost theirs.", rich_help_panel=HERE)

app.add_typer(
    db.app, name="db", help="The database: upgrade its schema, tell its status, move it.", rich_help_panel=HERE
)
app.command("backup", rich_help_panel=HERE)(backup.backup)
app.command("restore", rich_help_panel=HERE)(backup.restore)

app.command("login", rich_help_panel=SIGN_IN)(sign_in.login)
app.command("logout", rich_help_panel=SIGN_IN)(sign_in.logout)
app.command("whoami", rich_help_panel=SIGN_IN)(sign_in.whoami)
app.add_typer(sign_in.contexts, name="context", rich_help_panel=SIGN_IN)

runtimes.app.add_typer(mi_users.app, name="users")
app.add_typer(runtimes.app, name="runtimes", rich_help_panel=FLEET)
app.add_typer(runtimes.artifacts, name="artifacts", rich_help_panel=FLEET)
app.add_typer(steering.listeners, name="listeners", rich_help_panel=FLEET)
app.add_typer(steering.consumers, name="consumers", rich_help_panel=FLEET)
app.add_typer(steering.schedules, name="schedules", rich_help_panel=FLEET)
app.add_typer(steering.log_level, name="log-level", rich_help_panel=FLEET)
app.command("trigger", rich_help_panel=FLEET)(steering.trigger)
app.add_typer(steering.commands, name="commands", rich_help_panel=FLEET)
app.add_typer(drift.app, name="drift", rich_help_panel=FLEET)
app.command("watch", rich_help_panel=FLEET)(runtimes.watch)
app.command("try", rich_help_panel=FLEET)(try_it.try_out)

app.add_typer(log_download.app, name="logs", rich_help_panel=TELEMETRY)
app.add_typer(metrics.app, name="metrics", rich_help_panel=TELEMETRY)
app.add_typer(traces.app, name="traces", rich_help_panel=TELEMETRY)
app.add_typer(alerts.app, name="alerts", rich_help_panel=TELEMETRY)

app.add_typer(tenancy.projects, name="projects", rich_help_panel=ORGANIZATION)
app.add_typer(tenancy.integrations, name="integrations", rich_help_panel=ORGANIZATION)
app.add_typer(tenancy.environments, name="environments", rich_help_panel=ORGANIZATION)
app.add_typer(secrets.app, name="secrets", rich_help_panel=ORGANIZATION)
app.add_typer(ingest_tokens.app, name="ingest-tokens", rich_help_panel=ORGANIZATION)
app.command("diff", rich_help_panel=ORGANIZATION)(apply.diff)
app.command("plan", help="The same as `diff`.", rich_help_panel=ORGANIZATION)(apply.diff)
app.command("apply", rich_help_panel=ORGANIZATION)(apply.apply)
app.command("export", rich_help_panel=ORGANIZATION)(apply.export)
app.command("schema", rich_help_panel=ORGANIZATION)(apply.schema)

app.add_typer(people.users, name="users", rich_help_panel=ACCESS)
app.add_typer(people.groups, name="groups", rich_help_panel=ACCESS)
app.add_typer(people.roles, name="roles", rich_help_panel=ACCESS)
app.add_typer(people.mappings, name="mappings", rich_help_panel=ACCESS)
app.add_typer(sso.mappings, name="sso-mappings", rich_help_panel=ACCESS)
app.command("why", rich_help_panel=ACCESS)(people.why)
app.add_typer(credentials.tokens, name="tokens", rich_help_panel=ACCESS)
app.add_typer(credentials.sessions, name="sessions", rich_help_panel=ACCESS)

app.add_typer(
    audit.app,
    name="audit",
    help="The audit records: read and export them; `verify` reads the database of this machine.",
    rich_help_panel=RECORDS,
)
app.add_typer(records.events, name="events", rich_help_panel=RECORDS)
app.command("graphql", rich_help_panel=RECORDS)(records.graphql)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """Pilothouse: one place to see, steer and prove every running integration."""
    settings = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    for sentence in unknown_variables(settings):
        typer.echo(f"warning: {sentence}", err=True)


def main() -> None:
    """Run the command line; an error says what is wrong and how to mend it."""
    try:
        app()
    except PilothouseError as error:
        console = console_for(sys.stderr)
        told = [clean(line) for line in error.message.splitlines()]
        console.print(Text("error: ", style="bold red") + Text("\n".join(told)) + Text(f" ({clean(error.code)})"))
        if error.fix:
            console.print(Text("  fix: ", style="bold") + Text(clean(error.fix)))
        if isinstance(error, ControlPlaneRefused) and error.request_id:
            console.print(Text("  Reference: ", style="bold") + Text(clean(error.request_id)))
        sys.exit(status_of(error))
