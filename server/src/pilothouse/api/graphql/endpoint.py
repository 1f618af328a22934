"""POST /graphql: one operation a request, as JSON, or as server-sent events for a subscription."""

import contextlib
import time
from collections.abc import AsyncIterator, Generator
from typing import cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pilothouse.api.bodies import read_json
from pilothouse.api.context import Caller, Services
from pilothouse.api.graphql import streams
from pilothouse.api.graphql.answers import QueryInvalid, Shaped, json_answer, refusal, shaped
from pilothouse.api.graphql.persisted import PersistedQueryNotFound
from pilothouse.api.graphql.preparing import Body, Preparation, Prepared
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.schema import load_schema
from pilothouse.api.problems import status_of
from pilothouse.api.sessions import caller_of, refuse_cross_origin, still_open
from pilothouse.base.errors import InvalidInput, PilothouseError, Unavailable

RECHECK_S = 15.0
"""Unit: seconds. A stream's session is looked at anew this often; a quiet one sends a comment each time."""
COST_HEADER = "x-pilothouse-cost"
"""Sent with any value, it has `extensions.cost` told."""
LEFT = 499
"""The status that nobody reads: the client left. As proxies write it in their logs."""
_STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_TELL_TALE = ("token", "auth", "bearer", "jwt", "password", "secret", "session", "apikey", "api_key", "api-key")


class BatchRefused(InvalidInput):
    """A request carries one operation, not a list of them."""

    code = "BATCH_REFUSED"


class TokenInAddress(InvalidInput):
    """An address is written into logs and histories: it never carries a token."""

    code = "TOKEN_IN_URL"


class GraphQLEndpoint:
    """The endpoint, with its schema and its parsed queries; WebSockets share it."""

    def __init__(self, services: Services) -> None:
        self.schema = load_schema(services.schema_path)
        self._preparation = Preparation(self.schema, services.settings)
        self._streams = 0
        services.figures.gauge("pilothouse_subscriptions", "Subscriptions that are open.", lambda: self._streams)

    def refuse_at_the_door(self, request: Request) -> None:
        """Refuse what must not even be asked who it is.

        Raises: CrossOrigin, TokenInAddress
        """
        refuse_cross_origin(request)
        for name in request.query_params:
            if any(tale in name.lower() for tale in _TELL_TALE):
                raise TokenInAddress(
                    field=name[:80],
                    fix="Send `Authorization: Bearer …` as a header, or `authorization` in the payload of connection_init.",
                )

    async def caller(self, request: Request, services: Services) -> Caller:
        """Find out who asks.

        Raises: NotSignedIn
        """
        return await caller_of(request, services)

    def context(self, services: Services, caller: Caller) -> GraphQLRequest:
        """Make what one operation carries to its resolvers."""
        return GraphQLRequest(services, caller.subject)

    def prepare(self, body: Body) -> Prepared:
        """Make what a client sent ready to run.

        Raises: QueryInvalid, InvalidInput, NotFound, NotPermitted
        """
        return self._preparation.prepare(body)

    def noted(self, services: Services, answer: Shaped) -> Shaped:
        """Count the errors of an answer that is about to leave; gives it back."""
        for error in answer.get("errors", ()):
            services.figures.problems[error["extensions"]["code"]] += 1
        return answer

    @contextlib.contextmanager
    def one_stream(self, services: Services) -> Generator[None]:
        """Count a subscription for as long as it is open.

        Raises: Unavailable
        """
        self.refuse_more_streams(services)
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def refuse_more_streams(self, services: Services) -> None:
        """Refuse when there are as many as an operator allows.

        Raises: Unavailable
        """
        if self._streams >= services.settings.streams_max:
            raise Unavailable(f"{self._streams} subscriptions are open already.", fix="Try again later.")

    async def answer(self, request: Request, services: Services) -> Response:
        """Answer a request."""
        self.refuse_at_the_door(request)
        caller = await self.caller(request, services)
        # A list is read as one so that it is refused by its name.
        shape = cast("type[Body | list[object]]", Body | list[object])
        body = await read_json(request, shape, services.settings.body_limit_bytes)
        if isinstance(body, list):
            raise BatchRefused(fix="Send each operation as a request of its own, or several fields in one operation.")
        try:
            prepared = self.prepare(body)
        except QueryInvalid as invalid:
            return json_answer(self.noted(services, {"errors": invalid.errors}), 400)
        except PilothouseError as error:
            # By the convention of persisted queries the client hears "not found" in an answer that is well.
            status = 200 if isinstance(error, PersistedQueryNotFound) else status_of(error)
            return json_answer(self.noted(services, {"errors": [refusal(error)]}), status)
        context = self.context(services, caller)
        if "text/event-stream" in request.headers.get("accept", ""):
            self.refuse_more_streams(services)
            stream = self._stream(request, services, prepared, context, caller)
            return StreamingResponse(stream, media_type="text/event-stream", headers=_STREAM_HEADERS)
        if prepared.is_subscription:
            raise InvalidInput(
                "A subscription is answered as a stream of events.",
                field="Accept",
                fix="Send `Accept: text/event-stream`, or use a WebSocket.",
            )
        work = streams.run_once(self.schema, prepared, context)
        try:
            # A change is carried through, whoever waits for it.
            result = await (streams.unless_left(request.receive, work) if prepared.is_query else work)
        except streams.AskerLeft:
            return Response(status_code=LEFT)
        return json_answer(self.noted(services, shaped(result, self._extensions(request, services, prepared))))

    def _extensions(self, request: Request, services: Services, prepared: Prepared) -> Shaped | None:
        if COST_HEADER not in request.headers:
            return None
        settings, measured = services.settings, prepared.measured
        return {
            "cost": {
                "fields": measured.cost,
                "fieldsMax": settings.query_cost_max,
                "depth": measured.depth,
                "depthMax": settings.query_depth_max,
            }
        }

    async def _stream(
        self, request: Request, services: Services, prepared: Prepared, context: GraphQLRequest, caller: Caller
    ) -> AsyncIterator[bytes]:
        """Write results as they come; ends with the session, at the latest when it is looked at anew."""
        looked_at_s = time.monotonic()
        with self.one_stream(services):
            source = streams.results(self.schema, prepared, context, RECHECK_S)
            async with contextlib.aclosing(source) as results:
                async for result in results:
                    if time.monotonic() - looked_at_s >= RECHECK_S:
                        looked_at = await still_open(request, services, caller)
                        if looked_at is None:
                            break
                        context.subject = looked_at.subject
                        looked_at_s = time.monotonic()
                    yield (
                        streams.STILL_HERE
                        if result is None
                        else streams.server_sent(self.noted(services, shaped(result)))
                    )
            yield streams.COMPLETE
