"""Commands that ask a control plane: which one, as whom, and how the answer is written."""

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer

from pilothouse.base.errors import NotFound
from pilothouse.cli.output import Form, Output
from pilothouse.client.credentials import Credentials, FixedToken, StoredSession
from pilothouse.client.errors import Misused, NoContext
from pilothouse.client.graphql import Client
from pilothouse.client.http import Connection
from pilothouse.client.store import Context, Contexts, ContextStore, default_path
from pilothouse.client.tls import checked_url, context_for

P = ParamSpec("P")
URL_VARIABLE = "PILOTHOUSE_URL"
TOKEN_VARIABLE = "PILOTHOUSE_TOKEN"  # noqa: S105 - the name of a variable
CA_VARIABLE = "PILOTHOUSE_CA_FILE"
CONTEXT_VARIABLE = "PILOTHOUSE_CONTEXT"
VARIABLES = frozenset({URL_VARIABLE, TOKEN_VARIABLE, CA_VARIABLE, CONTEXT_VARIABLE})

_PANEL = "Control plane and output"
ContextOption = Annotated[
    str | None,
    typer.Option("--context", "-c", help="A control plane that you signed in to.", rich_help_panel=_PANEL),
]
UrlOption = Annotated[
    str | None, typer.Option("--url", help="Its address, e.g. https://host:9446.", rich_help_panel=_PANEL)
]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca-file", help="PEM file of the authorities to trust for it.", rich_help_panel=_PANEL),
]
FormOption = Annotated[Form, typer.Option("--output", "-o", help="How results are written.", rich_help_panel=_PANEL)]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only what names things, one a line.", rich_help_panel=_PANEL)
]
NoColorOption = Annotated[bool, typer.Option("--no-color", help="No colours, as NO_COLOR.", rich_help_panel=_PANEL)]


class Target:
    """The control plane that a command speaks to, and the credentials for it."""

    def __init__(self, url: str, credentials: Credentials, name: str | None, trusted: Context | None) -> None:
        self.url = url
        self.credentials = credentials
        self.name = name
        """Of the context; None when the environment named it."""
        self.trusted = trusted
        """The context whose authorities or certificate count."""


class Session:
    """What a command of this kind works with."""

    def __init__(
        self,
        *,
        context: str | None = None,
        url: str | None = None,
        ca_file: Path | None = None,
        output: Form = Form.TABLE,
        quiet: bool = False,
        no_color: bool = False,
    ) -> None:
        if no_color:
            os.environ["NO_COLOR"] = "1"  # errors are written elsewhere and should know
        self.out = Output(output, quiet=quiet, color=not no_color)
        self.context_given = bool(context or url)
        """Whether the command line itself names a control plane."""
        self.context_named = context or os.environ.get(CONTEXT_VARIABLE) or None
        self.url_named = url or os.environ.get(URL_VARIABLE) or None
        named = os.environ.get(CA_VARIABLE)
        self.ca_file = ca_file or (Path(named) if named else None)
        if context and url:
            raise Misused("--context and --url both name a control plane.", fix="Give one of them.")
        if context:
            self.url_named = None

    @cached_property
    def store(self) -> ContextStore:
        """The file of contexts."""
        return ContextStore(default_path(os.environ))

    @cached_property
    def target(self) -> Target:
        """The control plane that is meant.

        Raises: NoContext, Misused
        """
        return find_target(self.store, self.context_named, self.url_named, os.environ)

    @cached_property
    def client(self) -> Client:
        """The client for it."""
        target = self.target
        return Client(self.connect(target.url, target.trusted), target.credentials)

    def connect(self, url: str, trusted: Context | None) -> Connection:
        """Open a connection with what is trusted for it."""
        kept = None if trusted is None or trusted.ca_file is None else Path(trusted.ca_file)
        pinned = None if trusted is None else trusted.certificate
        return Connection(url, context_for(self.ca_file or kept, pinned))

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        if "client" in self.__dict__:
            self.client.connection.close()

    def note_break(self, why: str) -> None:
        """Tell that a stream broke and is opened again."""
        self.out.note(f"{why.rstrip('.')}. Trying again.")

    @property
    def is_interactive(self) -> bool:
        """Whether somebody sits there and can be asked."""
        return sys.stdin.isatty() and sys.stderr.isatty()


def find_target(store: ContextStore, name: str | None, url: str | None, environment: Mapping[str, str]) -> Target:
    """Find the control plane that is meant: a named context, an address, or the current context.

    Raises: NoContext, Misused
    """
    kept, token = store.load(), environment.get(TOKEN_VARIABLE) or None
    if name is not None and not (url and token):
        return _of_context(store, kept, name)
    if url is not None:
        address = checked_url(url)
        same = _same_address(kept, address)
        trusted = None if same is None else kept.contexts[same]
        if token is not None:
            return Target(address, FixedToken(token), None, trusted)
        if same is None:
            raise NoContext(f"You are not signed in at {address}.", fix=f"Run `pilothouse login {address}`.")
        return _of_context(store, kept, same)
    if token is not None:
        raise Misused(f"{TOKEN_VARIABLE} is set, but not where it is for.", fix=f"Set {URL_VARIABLE}, too.")
    if kept.current is None:
        raise NoContext(fix="Run `pilothouse login https://host:9446`, or name one with --context.")
    return _of_context(store, kept, kept.current)


def _of_context(store: ContextStore, kept: Contexts, name: str) -> Target:
    context = kept.contexts.get(name)
    if context is None:
        known = ", ".join(kept.contexts) or "none yet"
        raise NoContext(f"There is no context '{name}'.", fix=f"Known: {known}. See `pilothouse context list`.")
    if not context.is_signed_in:
        raise NoContext(f"You are not signed in at {context.url}.", fix=f"Run `pilothouse login {context.url}`.")
    return Target(context.url, StoredSession(store, name), name, context)


def _same_address(kept: Contexts, url: str) -> str | None:
    names = [name for name, context in kept.contexts.items() if context.url == url]
    return kept.current if kept.current in names else next(iter(names), None)


_COMMON: dict[str, tuple[Any, object]] = {  # Any: annotations
    "context": (ContextOption, None),
    "url": (UrlOption, None),
    "ca_file": (CaOption, None),
    "output": (FormOption, Form.TABLE),
    "quiet": (QuietOption, False),
    "no_color": (NoColorOption, False),
}


def remote(function: Callable[Concatenate[Session, P], None]) -> Callable[..., None]:
    """Make a command of a function of a session: the options that name control plane and output are added to it.

    A function that has an option of one of these names itself gets its value, and the session does not.
    """
    signature = inspect.signature(function)
    hints = get_type_hints(function, include_extras=True)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
        for parameter in list(signature.parameters.values())[1:]
    ]
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _COMMON.items()
        if name not in signature.parameters
    ]
    for_session = [parameter.name for parameter in common]

    def command(**values: Any) -> None:  # Any: what typer read
        session = Session(**{name: values.pop(name) for name in for_session})
        try:
            function(session, **values)  # pyright: ignore[reportCallIssue] - the same parameters, by their names
        finally:
            session.close()

    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__module__ = function.__module__
    command.__signature__ = inspect.Signature([*own, *common])  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *common)}
    return command


def ask_or_refuse(session: Session, question: str, fix: str) -> bool:
    """Ask somebody who sits there; a script is refused.

    Raises: Misused
    """
    if not session.is_interactive:
        raise Misused("This asks for a confirmation, and nobody is there to give it.", fix=fix)
    return typer.confirm(question, err=True)


def confirmed_name(session: Session, name: str, what: str, given: str | None) -> str:
    """Have somebody write the name of what they are about to touch.

    Raises: Misused
    """
    if given is None:
        if not session.is_interactive:
            raise Misused(f"{what} is confirmed by its name.", fix=f"Add `--confirm {name}`.")
        given = typer.prompt(f"{what} is confirmed by its name. Name", err=True)
    if given != name:
        raise Misused(f"'{given}' is not '{name}': nothing was done.", fix=f"Write `--confirm {name}`.")
    return name


def one_by_name(session: Session, document: str, path: str, field: str, name: str) -> dict[str, Any]:  # Any: JSON
    """Find the thing of a list by its name, or by its id.

    Raises: NotFound
    """
    variables = {"filter": {"search": name}} if path == "users" else {"search": name}
    for node in session.client.pages(document, path, **variables):
        if name in (node[field], node["id"]):
            return node
    for node in session.client.pages(document, path):
        if node["id"] == name:
            return node
    raise NotFound(
        f"There is no {path.rstrip('s')} '{name}', or you may not see it.", fix=f"See `pilothouse {path} list`."
    )
