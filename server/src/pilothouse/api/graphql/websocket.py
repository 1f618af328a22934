"""GET /graphql as a WebSocket: any number of operations over one connection, by graphql-transport-ws.

Source: the protocol of the graphql-ws project, PROTOCOL.md.
"""

import asyncio
import contextlib
from collections import Counter
from contextvars import copy_context
from typing import Any, Final

import msgspec
import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from pilothouse.api.answering import ROUTE
from pilothouse.api.context import Caller, Services
from pilothouse.api.graphql import streams
from pilothouse.api.graphql.answers import QueryInvalid, Shaped, defective, json_answer, refusal, shaped
from pilothouse.api.graphql.endpoint import GraphQLEndpoint
from pilothouse.api.graphql.preparing import Body, Prepared
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.socket_messages import (
    SUBPROTOCOL,
    CloseCode,
    Closing,
    Complete,
    Init,
    Ping,
    Pong,
    Subscribe,
    read,
)
from pilothouse.api.graphql.socket_requests import authorization_in, request_of
from pilothouse.api.problems import problem_of, status_of
from pilothouse.api.sessions import still_open
from pilothouse.base.errors import PilothouseError, Refused, Unavailable
from pilothouse.domain.events import Event, EventKind
from pilothouse.observe import requests

RECHECK_S = 15.0
"""Unit: seconds. The session behind a connection is looked at anew this often."""
ID_LENGTH_MAX: Final = 128
"""Characters of an operation's id."""
AT_ONCE_MAX: Final = 4
"""Queries and mutations that run at the same time over one connection; the others wait, and others' connections go on."""
LOOK_GATHER_S: Final = 0.2
"""Unit: seconds. Changes of access that come within this are answered by one look."""
_OF_ACCESS: Final = frozenset(kind for kind in EventKind if kind.value.startswith(("access.", "session.")))
_log = structlog.get_logger(__name__)


class TooManyOperations(Refused):
    """The connection has as many operations under way as it may."""

    code = "TOO_MANY_OPERATIONS"


class GraphQLWebSockets:
    """All connections of one endpoint."""

    def __init__(self, endpoint: GraphQLEndpoint, services: Services) -> None:
        self._endpoint = endpoint
        self._services = services
        # By who is signed in. Cap: as many entries as the port has connections.
        self.by_subject: Counter[str] = Counter()
        # Cap: as the port's connections.
        self._open: set[_Connection] = set()
        services.bus.follow(self._follow)
        services.figures.gauge(
            "pilothouse_web_sockets", "WebSockets of people who are signed in.", lambda: sum(self.by_subject.values())
        )

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection to its end."""
        socket.scope[ROUTE] = "/graphql"
        try:
            self._endpoint.refuse_at_the_door(request_of(socket))
        except PilothouseError as error:
            await socket.send_denial_response(json_answer(dict(problem_of(error)), status_of(error)))
            return
        if SUBPROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(CloseCode.SUBPROTOCOL_UNKNOWN, f"Ask for the subprotocol {SUBPROTOCOL}.")
            return
        with contextlib.suppress(WebSocketDisconnect):
            await socket.accept(SUBPROTOCOL)
            connection = _Connection(self._endpoint, self._services, socket, self.by_subject)
            self._open.add(connection)
            try:
                await connection.serve()
            finally:
                self._open.discard(connection)

    def _follow(self, event: Event) -> None:
        """Have every connection look at its session when anything about sessions or access changed."""
        if event.kind in _OF_ACCESS:
            for connection in self._open:
                connection.look_soon.set()


class _Connection:
    """One connection and the operations that are under way over it."""

    def __init__(
        self, endpoint: GraphQLEndpoint, services: Services, socket: WebSocket, by_subject: "Counter[str]"
    ) -> None:
        self._endpoint = endpoint
        self._services = services
        self._socket = socket
        self._by_subject = by_subject
        self._request = request_of(socket)
        self._told_id = next((value for name, value in socket.scope["headers"] if name == requests.HEADER), None)
        self._caller: Caller | None = None
        self._counted_as: str | None = None
        # Cap of both: operations_per_connection_max. An entry leaves when its operation ends.
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._contexts: dict[str, GraphQLRequest] = {}
        self.look_soon = asyncio.Event()
        """Set when the session may have ended, or may hold something else than before."""
        self._turn = asyncio.Semaphore(AT_ONCE_MAX)
        self._ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Serve until the peer goes, the session ends or the control plane stops."""
        works = [asyncio.create_task(self._converse()), asyncio.create_task(self._watch())]
        try:
            await asyncio.wait([*works, self._ending], return_when=asyncio.FIRST_COMPLETED)
            for ended in (self._ending, *works):
                if ended.done():
                    ended.result()
        except Closing as closing:
            await self._close(closing)
        except WebSocketDisconnect:
            pass
        except Exception as defect:  # noqa: BLE001 - the edge
            request_id = defective(defect)["extensions"]["requestId"]  # the connection's own
            await self._close(Closing(CloseCode.DEFECT, f"Something went wrong inside: {request_id}"))
        finally:
            await self._let_go(works)

    async def _let_go(self, works: list[asyncio.Task[None]]) -> None:
        tasks = [*works, *self._operations.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._ending.done() and not self._ending.cancelled():
            self._ending.exception()  # it is told already, or another end came first
        if self._counted_as is not None:
            self._by_subject[self._counted_as] -= 1
            self._by_subject += Counter()  # drops those who have none left

    async def _close(self, closing: Closing) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self._socket.close(closing.code, closing.reason)

    def _end(self, closing: Closing) -> None:
        if not self._ending.done():
            self._ending.set_exception(closing)

    async def _converse(self) -> None:
        """Read messages until the peer goes."""
        try:
            async with asyncio.timeout(self._services.settings.connection_init_s):
                while self._caller is None:
                    await self._greet(await self._hear())
        except TimeoutError:
            raise Closing(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout") from None
        while True:
            match await self._hear():
                case Subscribe() as asked:
                    await self._begin(asked)
                case Complete(id=id_):
                    self._stop(id_)
                case Ping(payload=payload):
                    await self._pong(payload)
                case Pong():
                    pass
                case Init():
                    raise Closing(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")

    async def _hear(self) -> Init | Ping | Pong | Subscribe | Complete:
        frame = await self._socket.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code", 1006))
        return read(dict(frame))

    async def _say(self, message: Shaped) -> None:
        if self._socket.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect  # another word did not reach the peer already
        await self._socket.send_text(msgspec.json.encode(message).decode())

    async def _pong(self, payload: dict[str, Any] | None) -> None:  # Any: JSON values
        await self._say({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    async def _greet(self, message: Init | Ping | Pong | Subscribe | Complete) -> None:
        """Hear what comes before the connection is acknowledged."""
        match message:
            case Init(payload=payload):
                self._request = request_of(self._socket, authorization_in(payload or {}))
                caller = await self._find_caller()
                self._count(caller.subject.id)
                self._caller = caller
                await self._say({"type": "connection_ack"})
            case Subscribe():
                raise Closing(CloseCode.UNAUTHORIZED, "Unauthorized: send connection_init first.")
            case Ping(payload=payload):
                await self._pong(payload)
            case Pong() | Complete():
                pass

    def _count(self, subject_id: str) -> None:
        most = self._services.settings.connections_per_subject_max
        if self._by_subject[subject_id] >= most:
            raise Closing(CloseCode.TRY_LATER, f"{most} connections are open for you already.")
        self._by_subject[subject_id] += 1
        self._counted_as = subject_id

    async def _find_caller(self) -> Caller:
        try:
            return await self._endpoint.caller(self._request, self._services)
        except Unavailable as error:
            raise Closing(CloseCode.TRY_LATER, f"{error.code}: {error.message}") from None
        except PilothouseError as error:
            raise Closing(CloseCode.FORBIDDEN, f"{error.code}: {error.message}") from None

    async def _watch(self) -> None:
        """Look at the session again and again; what it may now holds for the operations under way, too."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_S):
                    await self.look_soon.wait()
                    await asyncio.sleep(LOOK_GATHER_S)
            self.look_soon.clear()
            if self._caller is None:
                continue
            try:
                self._caller = await still_open(self._request, self._services, self._caller)
            except Unavailable as error:
                _log.warning("websocket.session_not_checked", cause=error.message)
                continue
            if self._caller is None:
                raise Closing(CloseCode.FORBIDDEN, "NOT_SIGNED_IN: The session or the token has ended.")
            for context in self._contexts.values():
                context.subject = self._caller.subject

    async def _begin(self, asked: Subscribe) -> None:
        if not 0 < len(asked.id) <= ID_LENGTH_MAX:
            raise Closing(CloseCode.BAD_REQUEST, f"An id has 1 to {ID_LENGTH_MAX} characters.")
        if asked.id in self._operations:
            raise Closing(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {asked.id} already exists")
        most = self._services.settings.operations_per_connection_max
        if len(self._operations) >= most:
            error = TooManyOperations(
                f"{most} operations are under way over this connection.",
                fix="Complete some, or open another connection.",
            )
            context = copy_context()  # the refused operation has an id of its own, too
            context.run(requests.begin, self._told_id)
            payload = [context.run(refusal, error)]
            await self._say({"type": "error", "id": asked.id, "payload": payload})
            return
        self._operations[asked.id] = asyncio.create_task(self._run(asked.id, asked.payload))

    def _stop(self, id_: str) -> None:
        self._contexts.pop(id_, None)
        task = self._operations.pop(id_, None)
        if task is not None:
            task.cancel()

    async def _run(self, id_: str, body: Body) -> None:
        """Run one operation and say what it comes to; whatever is said last frees its id."""
        requests.begin(self._told_id)  # this task is the operation's own
        try:
            last = await self._results(id_, body)
        except QueryInvalid as invalid:
            last = {"type": "error", "id": id_, "payload": invalid.errors}
        except PilothouseError as error:
            last = {"type": "error", "id": id_, "payload": [refusal(error)]}
        except WebSocketDisconnect:
            return  # the conversation hears of it as well
        except Exception as defect:  # noqa: BLE001 - the edge
            last = {"type": "error", "id": id_, "payload": [defective(defect)]}
        if self._operations.get(id_) is asyncio.current_task():
            del self._operations[id_]
            self._contexts.pop(id_, None)
        if last is not None:
            self._endpoint.noted(self._services, {"errors": last.get("payload", ())})
            with contextlib.suppress(WebSocketDisconnect):
                await self._say(last)

    async def _results(self, id_: str, body: Body) -> Shaped | None:
        """Say an operation's results; give the word that ends it, or None when the whole connection ends."""
        if self._caller is None:
            return None
        prepared = self._endpoint.prepare(body)
        context = self._contexts[id_] = self._endpoint.context(self._services, self._caller)
        if prepared.is_subscription:
            with self._endpoint.one_stream(self._services):
                return await self._follow(id_, prepared, context)
        async with self._turn:
            result = await streams.run_once(self._endpoint.schema, prepared, context)
            await self._say(
                {"type": "next", "id": id_, "payload": self._endpoint.noted(self._services, shaped(result))}
            )
        return {"type": "complete", "id": id_}

    async def _follow(self, id_: str, prepared: Prepared, context: GraphQLRequest) -> Shaped | None:
        """Say what a subscription tells, to its end."""
        source = streams.results(self._endpoint.schema, prepared, context)
        async with contextlib.aclosing(source) as results:
            async for result in results:
                if result is None:
                    continue
                if result.data is None and result.errors:  # it could not be opened, or broke: such a stream ends
                    return {"type": "error", "id": id_, "payload": shaped(result)["errors"]}
                await self._say({"type": "next", "id": id_, "payload": shaped(result)})
        if self._services.bus.closed:
            self._end(Closing(CloseCode.STOPPING, "The control plane stops; come back soon."))
            return None
        return {"type": "complete", "id": id_}
