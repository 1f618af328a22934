"""One process's dealings with one server: look, encode, sign, send, understand. Imported by our thread only."""

import os
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from pilothouse_bridge import _node, _restart, _wire
from pilothouse_bridge._answers import understand
from pilothouse_bridge._channel import Channel, Listening
from pilothouse_bridge._config import Settings
from pilothouse_bridge._line import Line
from pilothouse_bridge._token import TokenCache
from pilothouse_bridge._transport import Transport
from pilothouse_bridge._wire import Answer, FullMessage, Report
from pilothouse_bridge.discover import Discovery
from pilothouse_bridge.discover.loggers import log_handlers, log_levels

if TYPE_CHECKING:
    from pilothouse_bridge._commands import Commands
    from pilothouse_bridge.telemetry._sender import Destination

#: Everything but what depends on the process, in the order in which a heartbeat declares it.
CAPABILITIES: Final = ("channel", "START", "STOP", "SET_LOGGER_LEVEL", "RESET_LOGGER_LEVEL", "LIST_LOGGERS", "TRIGGER")


@final
class Session:
    """Says who we are in every message, over one connection."""

    def __init__(self, settings: Settings, runtime_id: str, discovery: Discovery) -> None:
        """Nothing is sent yet.

        Raises: CertificateRefusedError when the authority's file holds no certificate.
        """
        self._settings = settings
        self._runtime_id = runtime_id
        self._discovery = discovery
        self._node = _node.describe()
        self._line = Line(settings.server, verify=settings.verifies_server, authority=settings.cert)
        self._transport = Transport(self._line)
        self._tokens = TokenCache(
            settings.secret, issuer=settings.jwt_issuer, audience=settings.jwt_audience, clock=time.time
        )
        can_restart = _restart.means(settings.restart) is not None
        self._capabilities = (*CAPABILITIES, "RESTART") if can_restart else CAPABILITIES

    def look(self) -> FullMessage:
        """What there is to say about this process now."""
        settings = self._settings
        return _wire.full(
            Report(
                runtime_id=self._runtime_id,
                runtime=settings.runtime,
                environment=settings.environment,
                project=settings.project,
                integration=settings.integration,
                version=settings.version,
                heartbeat_interval_s=settings.heartbeat_interval_s,
                node=self._node,
                inventory=self._discovery.look(log_levels, log_handlers),
                capabilities=self._capabilities,
            )
        )

    def send_full(self, message: FullMessage) -> Answer:
        """Tell everything.

        Raises: DeliveryError.
        """
        return self._send(_wire.FULL_PATH, message.encode(time.time()))

    def send_delta(self, message: FullMessage) -> Answer:
        """Tell that nothing has changed.

        Raises: DeliveryError.
        """
        return self._send(_wire.DELTA_PATH, _wire.delta(self._runtime_id, message.hash, time.time()))

    def channel(self, listening: Listening) -> Channel:
        """A channel to this server, not opened yet."""
        return Channel(self._line, self._tokens.current, self._runtime_id, listening, random.random)

    def commands(self, tell: Callable[[float], object], farewell: Callable[[], None]) -> "Commands":
        """The door for commands of this server; ``farewell`` says goodbye before the process restarts."""
        from pilothouse_bridge._actions import Actions
        from pilothouse_bridge._commands import Commands
        from pilothouse_bridge._outbox import Outbox

        steerables = self._discovery.steerables
        restarter = _restart.Restarter(self._settings.restart, steerables, farewell)
        return Commands(
            self._runtime_id,
            self._settings.secret.key,
            Actions(steerables, self._discovery.services, restarter),
            Outbox(Transport(self._line), self._tokens.current, self._runtime_id, random.random),
            tell,
        )

    def destination(self) -> "Destination":
        """Where telemetry goes: a connection of its own, and who we are there."""
        from pilothouse_bridge.telemetry._sender import Destination

        settings = self._settings
        resource: dict[str, object] = {
            "service.name": settings.integration,
            "service.namespace": settings.project,
            "service.instance.id": self._runtime_id,
            "deployment.environment.name": settings.environment,
            "icp.runtimeId": self._runtime_id,
            "host.name": self._node.hostname,
            "process.pid": os.getpid(),
            "telemetry.sdk.name": "pilothouse-bridge",
            "telemetry.sdk.language": "python",
        }
        if settings.version is not None:
            resource["service.version"] = settings.version
        return Destination(Transport(self._line), self._tokens.current, self._tokens.forget, resource)

    def forget_token(self) -> None:
        """Sign anew next time."""
        self._tokens.forget()

    def abort(self) -> None:
        """From another thread: end a wait for an answer at once."""
        self._transport.abort()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def abandon_in_child(self) -> None:
        """In a forked child: close our copy of the parent's connection."""
        self._transport.abandon_in_child()

    def _send(self, path: str, body: bytes) -> Answer:
        return understand(self._transport.post(path, self._tokens.current(), body))
