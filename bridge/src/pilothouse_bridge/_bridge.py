"""The one connection of this process: made once, remade in forked children, never in the program's way."""

import atexit
import os
import sys
from pathlib import Path
from typing import Any, Final, Literal, final

from pilothouse_bridge import _config, _native, _origin, _say, _sources
from pilothouse_bridge._beat import Beat
from pilothouse_bridge._config import Settings
from pilothouse_bridge._status import State, Status
from pilothouse_bridge.discover import Discovery
from pilothouse_bridge.discover._lazy import Lazy
from pilothouse_bridge.discover.starlette import Starlette
from pilothouse_bridge.discover.uvicorn import Uvicorn
from pilothouse_bridge.errors import ConfigurationError

_CLOSING_PATIENCE_S: Final = 2.0
_TELEMETRY_PATIENCE_S: Final = 1.0
_IGNITION: Final = "pilothouse_bridge.telemetry._ignition"
#: Asked for here so that it is known before the program changes its directory.
STARTED_IN: Final = _origin.STARTED_IN
#: Name, place of the discoverer, modules that bring it to life: what is not there costs nothing.
_LISTENERS: Final = (
    ("hypercorn", "pilothouse_bridge.discover.hypercorn:Hypercorn", "hypercorn.asyncio.run"),
    ("waitress", "pilothouse_bridge.discover.waitress:Waitress", "waitress.server"),
    ("http.server", "pilothouse_bridge.discover.httpserver:HttpServer", "http.server"),
    ("gevent", "pilothouse_bridge.discover.gevent:Gevent", "gevent.server"),
)
_SERVICES: Final = (("flask", "pilothouse_bridge.discover.flask:Flask", "flask.app"),)
_CONSUMERS: Final = (
    ("faststream", "pilothouse_bridge.discover.faststream:FastStream", "faststream._internal.broker.broker"),
)
_SCHEDULES: Final = (
    ("apscheduler", "pilothouse_bridge.discover.apscheduler:APScheduler", "apscheduler.schedulers.base"),
)


@final
class Bridge:
    """This program's connection to the control plane."""

    def __init__(self, settings: Settings | None, discovery: Discovery) -> None:
        """Without settings it is a bridge that does nothing: switched off by PILOTHOUSE_BRIDGE_DISABLED."""
        self._settings = settings
        self._discovery = discovery
        self._beat = None if settings is None else Beat(settings, discovery)
        if settings is not None:
            _begin_telemetry(settings)
        if self._beat is not None:
            self._beat.start()

    @property
    def status(self) -> Status:
        """Where the connection stands at this moment."""
        if self._beat is None:
            return Status(State.DISABLED, None, None, None, None)
        return self._beat.status

    def close(self) -> None:
        """Say no more and give the identity back; ``connect`` may be called again afterwards."""
        if self._beat is not None:
            _end_telemetry(_TELEMETRY_PATIENCE_S)
            self._beat.stop(_CLOSING_PATIENCE_S)
        _process.forget(self)

    def __repr__(self) -> str:
        return f"<Bridge {self.status.state.value} {self.status.server_url or ''}>"

    def look_again(self) -> None:
        """Something started or stopped just now: tell it soon. Never blocks."""
        if self._beat is not None:
            self._beat.wake()

    def leave(self) -> None:
        """At the end of the process: send what waits, say goodbye where the server listens for it."""
        if self._beat is not None:
            _end_telemetry(_TELEMETRY_PATIENCE_S)
            self._beat.leave()

    @property
    def settings(self) -> Settings | None:
        """What it was told; None where it is switched off."""
        return self._settings

    def restart_in_child(self) -> None:
        """A forked child is a runtime of its own: own identity, own connection, own thread."""
        inherited = self._beat
        ignition = sys.modules.get(_IGNITION)
        if ignition is not None:
            ignition.after_fork()
        if inherited is None or self._settings is None or inherited.status.state is State.CLOSED:
            return
        inherited.abandon_in_child()
        self._beat = Beat(self._settings, self._discovery)
        self._beat.start()


@final
class _Process:
    """What this process has at most one of."""

    def __init__(self) -> None:
        self.lock = _native.lock()
        self.current: Bridge | None = None
        self._discovery: Discovery | None = None
        self._leaves_in_order = False
        self._held: Any = None  # the module of telemetry's beginning, while somebody forks

    def connect(self, arguments: dict[str, object]) -> Bridge:
        with self.lock:
            if not self._leaves_in_order:
                self._leaves_in_order = True
                atexit.register(self.leave)
            if self.current is not None:
                _say.info("The bridge is connected already; this call changes nothing")
                return self.current
            _say.be_heard()
            if _sources.is_disabled(os.environ):
                _say.debug("The bridge is switched off by %s", _sources.DISABLED_VARIABLE)
                self.current = Bridge(None, self._watching())
            else:
                settings = _loaded(arguments)
                self.current = Bridge(settings, self._watching())
            return self.current

    def forget(self, bridge: Bridge) -> None:
        with self.lock:
            if self.current is bridge:
                self.current = None

    def wake(self) -> None:
        bridge = self.current
        if bridge is not None:
            bridge.look_again()

    def leave(self) -> None:
        """The interpreter ends: a second at most for the goodbye, and nothing where no channel is open."""
        bridge = self.current
        if bridge is not None:
            bridge.leave()

    def before_fork(self) -> None:
        self._held = sys.modules.get(_IGNITION)
        if self._held is not None:
            self._held.before_fork()

    def after_fork_in_parent(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        self._held = None
        self.lock = _native.lock()
        _say.after_fork()
        if self._discovery is not None:
            self._discovery.after_fork()
        if self.current is not None:
            self.current.restart_in_child()

    def _watching(self) -> Discovery:
        """Hooks are set once a process and stay: they cost nothing while no bridge is connected."""
        if self._discovery is None:
            self._discovery = Discovery(
                [Uvicorn(), *(Lazy(*one) for one in _LISTENERS)],
                [Starlette(), *(Lazy(*one) for one in _SERVICES)],
                [Lazy(*one) for one in _CONSUMERS],
                [Lazy(*one) for one in _SCHEDULES],
            )
            self._discovery.install(self.wake)
        return self._discovery


_process: Final = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_process.before_fork,
        after_in_parent=_process.after_fork_in_parent,
        after_in_child=_process.after_fork_in_child,
    )


def connect(
    *,
    environment: str | None = None,
    project: str | None = None,
    integration: str | None = None,
    runtime: str | None = None,
    secret: str | None = None,
    version: str | None = None,
    server_url: str | None = None,
    heartbeat_interval: float | None = None,
    cert: str | os.PathLike[str] | None = None,
    enable_ssl: bool | None = None,
    jwt_issuer: str | None = None,
    jwt_audience: str | None = None,
    runtime_id_file: str | os.PathLike[str] | None = None,
    restart: str | None = None,
    telemetry: bool | None = None,
    telemetry_logs: bool | Literal["auto"] | None = None,
    telemetry_metrics: bool | Literal["auto"] | None = None,
    telemetry_traces: bool | Literal["auto"] | None = None,
    telemetry_log_level: str | None = None,
    telemetry_sampling: float | None = None,
    telemetry_metrics_interval: float | None = None,
    telemetry_queue_records: int | None = None,
    telemetry_queue_megabytes: float | None = None,
) -> Bridge:
    """Connect this process; a second call answers the same bridge.

    Arguments stand above Config.toml and below the environment; those not given are taken from there.
    Raises: ConfigurationError.
    """
    return _process.connect(
        {
            "environment": environment,
            "project": project,
            "integration": integration,
            "runtime": runtime,
            "secret": secret,
            "version": version,
            "server_url": server_url,
            "heartbeat_interval": heartbeat_interval,
            "cert": None if cert is None else os.fspath(cert),
            "enable_ssl": enable_ssl,
            "jwt_issuer": jwt_issuer,
            "jwt_audience": jwt_audience,
            "runtime_id_file": None if runtime_id_file is None else os.fspath(runtime_id_file),
            "restart": restart,
            "telemetry": telemetry,
            "telemetry_logs": telemetry_logs,
            "telemetry_metrics": telemetry_metrics,
            "telemetry_traces": telemetry_traces,
            "telemetry_log_level": telemetry_log_level,
            "telemetry_sampling": telemetry_sampling,
            "telemetry_metrics_interval": telemetry_metrics_interval,
            "telemetry_queue_records": telemetry_queue_records,
            "telemetry_queue_megabytes": telemetry_queue_megabytes,
        }
    )


def current_settings() -> Settings | None:
    """What the bridge of this process was told; None where none is connected."""
    bridge = _process.current
    return None if bridge is None else bridge.settings


def connect_or_log() -> Bridge | None:
    """Connect by configuration alone; what cannot be used is logged once, and the program runs on."""
    try:
        return connect()
    except ConfigurationError as error:
        _say.error("Not connected to an ICP server: %s", error)
    except Exception as error:  # noqa: BLE001 - an import may not fail because of us
        _say.error("Not connected to an ICP server: %r", error)
    return None


def _begin_telemetry(settings: Settings) -> None:
    """A program that sends none need not pay for it; one that does is not failed by it."""
    if settings.telemetry.sends_nothing:
        return
    try:
        from pilothouse_bridge.telemetry import _ignition

        _ignition.prepare(settings.telemetry)
    except Exception as error:  # noqa: BLE001 - whatever the program has done to logging or to a framework
        _say.warning("Telemetry could not be begun: %r", error)


def _end_telemetry(patience_s: float) -> None:
    ignition = sys.modules.get(_IGNITION)
    if ignition is not None:
        ignition.end(patience_s)


def _loaded(arguments: dict[str, object]) -> Settings:
    loaded = _config.load(arguments, directory=Path.cwd())
    for warning in loaded.warnings:
        _say.warning("%s", warning)
    settings = loaded.settings
    _say.info("ICP agent initialized with server URL: %s", settings.server)
    if not settings.server.is_loopback and (settings.server.scheme == "http" or not settings.verifies_server):
        _say.warning(
            "The ICP server's identity is not verified (%s). Fix: set 'cert' to its CA's PEM file, or enableSSL = true",
            settings.server,
        )
    return settings
