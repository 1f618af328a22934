"""`pilothouse login`, `logout`, `whoami` and `context`: control planes, and who one is there."""

import getpass
import socket
import sys
import time
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from pilothouse import __version__
from pilothouse.base.errors import NotFound
from pilothouse.cli.output import Column
from pilothouse.cli.remote import Session, ask_or_refuse, remote
from pilothouse.client import documents as ask
from pilothouse.client.credentials import FixedToken, with_tokens
from pilothouse.client.errors import (
    CertificateNotTrusted,
    ControlPlaneRefused,
    Failed,
    Misused,
    NoContext,
    WaitedTooLong,
)
from pilothouse.client.graphql import Client
from pilothouse.client.http import Connection
from pilothouse.client.store import Context
from pilothouse.client.tls import certificate_of, checked_url, fingerprint

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

USUAL_URL = "https://localhost:9446"
_PENDING = "AUTHORIZATION_PENDING"
_SLOW_DOWN = "SLOW_DOWN"
_SLOWER_S = 5.0
_CONTEXT_COLUMNS: tuple[Column, ...] = (
    ("current", lambda row: "*" if row["current"] else ""),
    ("name", "name"),
    ("url", "url"),
    ("user", "username"),
    ("signed in", "signedIn"),
    ("trusts", "trusts"),
)
contexts = typer.Typer(no_args_is_help=True)


@contexts.callback()
def group() -> None:
    """Control planes that you signed in to, and the one that is meant when none is named."""


@remote
def login(
    session: Session,
    address: Annotated[str | None, typer.Argument(metavar="[URL]", help=f"{USUAL_URL} unless given.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="What to call it here; its host unless given.")] = None,
    token: Annotated[
        bool, typer.Option("--token", help="With an API token, read from the standard input or asked for.")
    ] = False,
    browser: Annotated[bool, typer.Option("--browser", help="Also open the page in a browser.")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Show a certificate that is not trusted, and trust it from now on.")
    ] = False,
    pin: Annotated[
        str | None, typer.Option("--fingerprint", help="Trust the certificate if this is its SHA-256 fingerprint.")
    ] = None,
) -> None:
    """Sign in to a control plane: allow the code that is shown here in the console."""
    url = checked_url(address or session.url_named or _current_url(session) or USUAL_URL)
    called = name or session.context_named or url.partition("://")[2]
    kept = session.store.load().contexts.get(called)
    trusted = kept if kept is not None and kept.url == url else Context(url=url)
    if session.ca_file is not None:
        trusted = msgspec.structs.replace(trusted, ca_file=str(session.ca_file.resolve()), certificate=None)
    trusted = _with_certificate(session, trusted, trust=trust, pin=pin)
    connection = session.connect(url, trusted)
    try:
        context = _by_token(connection, trusted) if token else _by_device(session, connection, trusted, browser=browser)
    finally:
        connection.close()
    session.store.put(called, context, use=True)
    session.out.done(
        {"context": called, "url": url, "username": context.username},
        f"Signed in at {url} as {context.username} (context {called}).",
        "context",
    )


def _current_url(session: Session) -> str | None:
    kept = session.store.load()
    named = session.context_named or kept.current
    context = None if named is None else kept.contexts.get(named)
    return None if context is None else context.url


def _with_certificate(session: Session, context: Context, *, trust: bool, pin: str | None) -> Context:
    """Look at a certificate that nothing here trusts: on first use only, and only when asked to."""
    if not (trust or pin) or not context.url.startswith("https"):
        return context
    connection = session.connect(context.url, context)
    try:
        connection.send("GET", "/auth/methods", repeatable=True)
    except CertificateNotTrusted:
        if context.certificate is not None and pin is None:
            raise  # it is not the one that was looked at: --trust is for the first time
    except ControlPlaneRefused:
        return context
    else:
        return context
    finally:
        connection.close()
    shown = certificate_of(context.url)
    print_ = fingerprint(shown)
    if pin is not None and pin.replace(":", "").upper() != print_.replace(":", ""):
        raise CertificateNotTrusted(
            f"The certificate at {context.url} has the fingerprint {print_}, not the one given.",
            fix="Compare with `pilothouse tls show` at the control plane; somebody may stand in between.",
        )
    session.out.note(f"The certificate at {context.url} has the SHA-256 fingerprint\n  {print_}".replace("\n", " "))
    if pin is None and session.is_interactive and not typer.confirm("Is it the right one?", err=True):
        raise Failed("The certificate was not trusted.", fix="Compare with `pilothouse tls show` at the control plane.")
    return msgspec.structs.replace(context, certificate=shown, ca_file=None)


def _by_token(connection: Connection, context: Context) -> Context:
    text = getpass.getpass("API token: ") if sys.stdin.isatty() else sys.stdin.readline()
    text = text.strip()
    if not text or not text.isascii() or not text.isprintable():
        raise Misused(
            "There is no API token on the standard input.", fix="Write it there: `pilothouse login --token < file`."
        )
    viewer = Client(connection, FixedToken(text)).ask(ask.VIEWER)["viewer"]
    return msgspec.structs.replace(context.signed_out(), username=viewer["username"], api_token=text)


def _by_device(session: Session, connection: Connection, context: Context, *, browser: bool) -> Context:
    client = f"pilothouse {__version__} on {socket.gethostname()}"[:100]
    begun = connection.send("POST", "/auth/device", {"client": client})
    where, code = str(begun["verificationUri"]), str(begun["userCode"])
    session.out.errors.print(f"Open  {where}", markup=False)
    session.out.errors.print(f"Code  {code}", markup=False)
    session.out.note("Sign in there and allow this code; it waits for you here.")
    if browser and where.startswith(("https://", "http://")):
        webbrowser.open(where)
    answer = _wait_for_device(connection, begun)
    signed_in = with_tokens(context, answer, time.time())
    if answer.get("mustChangePassword"):
        session.out.note("Your password must be changed before anything else: do so in the console.")
    return signed_in


def _wait_for_device(connection: Connection, begun: Json) -> Json:
    interval_s = max(0.0, float(begun["intervalSeconds"]))
    end = time.monotonic() + float(begun["expiresInSeconds"])
    while time.monotonic() < end:
        time.sleep(interval_s)
        try:
            return connection.send("POST", "/auth/device/token", {"deviceCode": begun["deviceCode"]}, repeatable=False)
        except ControlPlaneRefused as error:
            if error.code == _SLOW_DOWN:
                interval_s += _SLOWER_S
            elif error.code != _PENDING:
                raise
    raise WaitedTooLong("Nobody allowed the code in time.", fix="Run `pilothouse login` again.")


@remote
def logout(session: Session) -> None:
    """End the session at the control plane and forget the credentials; an API token is only forgotten."""
    kept = session.store.load()
    name = session.context_named or kept.current
    context = None if name is None else kept.contexts.get(name)
    if name is None or context is None:
        raise NoContext("You are not signed in anywhere.", fix="See `pilothouse context list`.")
    if context.is_signed_in:
        _end_session(session, name, context)
        session.store.put(name, context.signed_out())
    session.out.done({"context": name, "url": context.url}, f"Signed out of {context.url} (context {name}).", "context")


def _end_session(session: Session, name: str, context: Context) -> None:
    if context.api_token is not None:
        session.out.note("The API token stays valid: `pilothouse tokens revoke` ends it.")
        return
    session.context_named, session.url_named = name, None
    client = session.client
    try:
        client.authorized(lambda token: client.connection.send("POST", "/auth/sign-out", {}, token=token))
    except NoContext:
        raise
    except Exception as error:  # noqa: BLE001 - the credentials are forgotten here whatever happens there
        session.out.note(f"The session could not be ended at {context.url}: {error}")


@remote
def whoami(session: Session) -> None:
    """Tell who you are, where, and what you may do somewhere."""
    answer = session.client.ask(ask.VIEWER)
    row: Json = {
        "context": session.target.name,
        "url": session.target.url,
        "version": answer["controlPlane"]["version"],
        **answer["viewer"],
    }
    session.out.item(
        row,
        (
            ("control plane", "url"),
            ("version", "version"),
            ("context", "context"),
            ("user name", "username"),
            ("name", "displayName"),
            ("signed in by", "method"),
            ("groups", "groups"),
            ("permissions", "permissions"),
        ),
        "username",
    )


@contexts.command("list")
@remote
def list_contexts(session: Session) -> None:
    """List the control planes that are kept here, never their credentials."""
    kept = session.store.load()
    rows: list[Json] = [
        {
            "name": name,
            "url": context.url,
            "username": context.username,
            "current": name == kept.current,
            "signedIn": context.is_signed_in,
            "trusts": context.ca_file or ("one certificate" if context.certificate else "the machine's authorities"),
        }
        for name, context in kept.contexts.items()
    ]
    session.out.items(rows, _CONTEXT_COLUMNS, "name")


@contexts.command("use")
@remote
def use_context(session: Session, name: Annotated[str, typer.Argument(help="As `context list` tells.")]) -> None:
    """Make a control plane the one that is meant when none is named."""
    _check_known(session, name)
    session.store.use(name)
    session.out.done({"context": name}, f"{name} is used from now on.", "context")


@contexts.command("remove")
@remote
def remove_context(
    session: Session,
    name: Annotated[str, typer.Argument(help="As `context list` tells.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Without asking.")] = False,
) -> None:
    """Forget a control plane with its credentials; `logout` ends the session there, this does not."""
    _check_known(session, name)
    if yes or ask_or_refuse(session, f"Forget {name}?", "Add --yes."):
        session.store.remove(name)
        session.out.done({"context": name}, f"{name} is forgotten.", "context")


def _check_known(session: Session, name: str) -> Path:
    if name not in session.store.load().contexts:
        raise NotFound(f"There is no context '{name}'.", fix="See `pilothouse context list`.")
    return session.store.path
