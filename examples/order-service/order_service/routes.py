"""The doors of the service: what may be asked over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from order_service.logs import ORDERS
from order_service.orders import Order, OrderStatus, OrderStore


class NewOrder(BaseModel):
    """What a customer sends."""

    customer: str = Field(min_length=1, max_length=100, examples=["Ann"])
    sku: str = Field(min_length=1, max_length=50, examples=["rope"])
    quantity: int = Field(ge=1, le=1000)


class OrderView(BaseModel):
    """What a customer sees."""

    id: int
    customer: str
    sku: str
    quantity: int
    status: OrderStatus
    created_at: datetime

    @classmethod
    def of(cls, order: Order) -> "OrderView":
        """Show this order."""
        return cls(**vars(order))


class OrderPage(BaseModel):
    """A part of the list; ``next_cursor`` is absent on the last page."""

    orders: list[OrderView]
    next_cursor: int | None


def _store(request: Request) -> OrderStore:
    store: OrderStore = request.app.state.store
    return store


Store = Annotated[OrderStore, Depends(_store)]
orders = APIRouter(prefix="/orders", tags=["orders"])
service = APIRouter()


@orders.post("", status_code=201)
async def create_order(new: NewOrder, store: Store, response: Response) -> OrderView:
    """Accept an order when there is enough in stock."""
    order = store.create(new.customer, new.sku, new.quantity)
    ORDERS.info("Order accepted", extra={"order_id": order.id, "sku": order.sku, "quantity": order.quantity})
    response.headers["Location"] = f"/orders/{order.id}"
    return OrderView.of(order)


@orders.get("")
async def list_orders(
    store: Store, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: Annotated[int, Query(ge=0)] = 0
) -> OrderPage:
    """List orders, oldest first."""
    page, next_cursor = store.page(limit=limit, after_id=cursor)
    return OrderPage(orders=[OrderView.of(order) for order in page], next_cursor=next_cursor)


@orders.get("/{order_id}")
async def get_order(order_id: int, store: Store) -> OrderView:
    """Show one order."""
    return OrderView.of(store.get(order_id))


@orders.post("/{order_id}/cancel")
async def cancel_order(order_id: int, store: Store) -> OrderView:
    """Cancel an order that is not settled yet."""
    order = store.cancel(order_id)
    ORDERS.info("Order cancelled", extra={"order_id": order.id})
    return OrderView.of(order)


@service.get("/stock")
async def show_stock(store: Store) -> dict[str, int]:
    """What is left of each article."""
    return dict(sorted(store.stock.items()))


@service.get("/health")
async def health(store: Store) -> dict[str, Any]:
    """Whether the service is up, and how much it holds."""
    return {"status": "up", "orders": len(store)}


@service.get("/fail")
async def fail() -> None:
    """Fail on purpose, to see what a failure looks like in the log and in the console."""
    raise RuntimeError("this failure was asked for")
