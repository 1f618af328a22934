"""The application: routes, the settlement job, and errors as problem documents."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from order_service import routes
from order_service.logs import ORDERS, SETTLEMENT
from order_service.orders import OrderError, OrderStore

SETTLE_EVERY_S = 5.0


def create_app(*, store: OrderStore | None = None, settle_every_s: float = SETTLE_EVERY_S) -> FastAPI:
    """Put the service together."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        job = asyncio.create_task(settle_for_ever(app.state.store, settle_every_s), name="settlement")
        try:
            yield
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

    app = FastAPI(title="Order Service", version="1.0.0", lifespan=lifespan)
    app.state.store = OrderStore() if store is None else store
    app.include_router(routes.orders)
    app.include_router(routes.service)
    app.add_exception_handler(OrderError, _refuse)
    app.add_exception_handler(Exception, _apologise)
    return app


async def settle_for_ever(store: OrderStore, every_s: float) -> None:
    """The scheduled job: settle what was accepted, every few seconds; a failed round does not end it."""
    while True:
        await asyncio.sleep(every_s)
        try:
            settled = store.settle()
        except Exception:  # noqa: BLE001 - the job must outlive one bad round
            SETTLEMENT.exception("Settlement failed")
            continue
        if settled:
            SETTLEMENT.info(
                "Orders settled", extra={"count": len(settled), "order_ids": [order.id for order in settled]}
            )
        else:
            SETTLEMENT.debug("Nothing to settle")


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    status, title = (error.status, error.title) if isinstance(error, OrderError) else (500, "Unexpected")
    ORDERS.warning("Request refused", extra={"path": request.url.path, "reason": title})
    return _problem(status, title)


async def _apologise(request: Request, error: Exception) -> JSONResponse:
    ORDERS.error("Request failed", exc_info=error, extra={"path": request.url.path})
    return _problem(500, "Something went wrong on our side")


def _problem(status: int, title: str) -> JSONResponse:
    """Source: RFC 9457, problem details."""
    body = {"type": "about:blank", "title": title, "status": status}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
