"""What all database servers have in common: a pool, connections that end when they are lost, and how TLS is asked for."""

import ssl
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from pilothouse.base.errors import CannotStart
from pilothouse.base.place import Database
from pilothouse.storage.dialects.kind import CONNECT_S, RECYCLE_S, Kind, Trouble
from pilothouse.storage.dialects.refusals import Refusal

Arguments: TypeAlias = dict[str, Any]
"""What a driver is opened with. Any: whatever the driver takes."""
_MODES: Final = ("disable", "prefer", "require", "verify-full")


def read_url(database: Database, driver: str) -> tuple[URL, dict[str, str]]:
    """Read a database's URL: for its driver, without parameters, which are returned apart.

    Raises: CannotStart
    """
    try:
        url = make_url(database.url)
    except (ArgumentError, ValueError):
        url = None
    if url is None or "@" in (url.host or ""):  # an @ is of a password that was not escaped: shown to nobody
        raise CannotStart(
            "PILOTHOUSE_DATABASE_URL cannot be read.",
            fix="Signs such as @, / and : in name or password are written as %40, %2F and %3A.",
        )
    told = {name: text if isinstance(text, str) else text[-1] for name, text in url.query.items()}
    return url.set(drivername=driver, query={}), told


def refuse_unknown(told: Mapping[str, str], *known: str) -> None:
    """Refuse parameters of a URL that mean nothing: one that asks for TLS must not be lost by a slip of the pen.

    Raises: CannotStart
    """
    for name in told:
        if name not in known:
            raise CannotStart(
                f"PILOTHOUSE_DATABASE_URL has a parameter '{name[:40]}' that is not known.",
                fix=f"Known are: {', '.join(known)}.",
            )


def tls_of(told: Mapping[str, str]) -> ssl.SSLContext | bool | None:
    """Read how TLS is asked for: a context, False for none, None for what the server offers.

    Raises: CannotStart
    """
    mode = told.get("sslmode", "verify-full" if "sslrootcert" in told else "prefer")
    if mode not in _MODES:
        raise CannotStart(
            f"PILOTHOUSE_DATABASE_URL has sslmode={mode[:20]}, which is not known.", fix=f"Write {', '.join(_MODES)}."
        )
    if mode == "disable":
        return False
    if mode == "prefer":
        return None
    if mode == "require":
        return unchecked_tls()
    try:
        return ssl.create_default_context(cafile=told.get("sslrootcert"))
    except OSError as error:
        raise CannotStart(
            f"The file that sslrootcert names in PILOTHOUSE_DATABASE_URL cannot be used: {error.strerror or error}.",
            fix="Name a PEM file with the one authority that the database is trusted by.",
        ) from error


def unchecked_tls() -> ssl.SSLContext:
    """Make a context for TLS with whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def unreached(error: BaseException, *, tls: str, nobody: tuple[str, ...]) -> Refusal | None:
    """Tell what a driver met on the way to the server, before that said anything.

    tls, nobody: what the driver says when TLS is refused, and how it begins when no connection can be made
    """
    told = str(error.args[-1]) if error.args else ""
    if isinstance(error, ssl.SSLError) or tls in told:
        return Refusal.TLS
    return Refusal.UNREACHABLE if told.startswith(nobody) else None


def open_pool(kind: Kind, url: URL, arguments: Arguments, *, size: int, isolation: str) -> Engine:
    """Make an engine over a pool of connections.

    Raises: CannotStart when the driver is not installed
    """
    try:
        engine = create_engine(
            url,
            pool_size=size,
            max_overflow=0,
            pool_timeout=CONNECT_S,
            pool_recycle=RECYCLE_S,
            isolation_level=isolation,  # pyright: ignore[reportArgumentType] - named by each kind
            connect_args=arguments,
            hide_parameters=True,
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise CannotStart(
            f"The driver for {kind.name} is not installed.",
            fix=f"Install it beside the control plane: pip install 'pilothouse[{kind.name}]'",
        ) from error

    @event.listens_for(engine, "handle_error")
    def end_lost_connections(context: ExceptionContext) -> None:
        if kind.trouble(context.original_exception) is Trouble.GONE:
            context.is_disconnect = True

    return engine
