"""Orders: what they are, where they are kept, what may happen to them."""

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

#: The store is memory: the oldest orders that are finished make room for new ones.
ORDER_LIMIT = 10_000
OPENING_STOCK = {"anchor": 40, "compass": 25, "lantern": 60, "rope": 200, "sextant": 8}


class OrderStatus(StrEnum):
    """The life of an order: accepted, then settled or cancelled."""

    ACCEPTED = "accepted"
    SETTLED = "settled"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Order:
    """A customer wants ``quantity`` of ``sku``."""

    id: int
    customer: str
    sku: str
    quantity: int
    status: OrderStatus
    created_at: datetime


class OrderError(Exception):
    """An order cannot be had, made or changed; ``title`` is for people, ``status`` is HTTP's."""

    status = 409

    def __init__(self, title: str) -> None:
        """Say what is in the way."""
        self.title = title
        super().__init__(title)


class OrderNotFoundError(OrderError):
    """There is no such order."""

    status = 404


class OrderStore:
    """All orders and the stock behind them; used from one event loop, so it needs no lock."""

    def __init__(self, *, limit: int = ORDER_LIMIT, stock: dict[str, int] | None = None) -> None:
        """Start empty, with goods on the shelf."""
        self.stock = dict(OPENING_STOCK if stock is None else stock)
        self._limit = limit
        self._orders: dict[int, Order] = {}
        self._ids = itertools.count(1)

    def __len__(self) -> int:
        return len(self._orders)

    def create(self, customer: str, sku: str, quantity: int) -> Order:
        """Take the goods from stock and accept the order."""
        if sku not in self.stock:
            raise OrderError(f"'{sku}' is not sold here; there are: {', '.join(sorted(self.stock))}")
        if self.stock[sku] < quantity:
            raise OrderError(f"Only {self.stock[sku]} of '{sku}' are left")
        self._make_room()
        order = Order(next(self._ids), customer, sku, quantity, OrderStatus.ACCEPTED, datetime.now(UTC))
        self.stock[sku] -= quantity
        self._orders[order.id] = order
        return order

    def get(self, order_id: int) -> Order:
        """One order."""
        try:
            return self._orders[order_id]
        except KeyError:
            raise OrderNotFoundError(f"There is no order {order_id}") from None

    def page(self, *, limit: int, after_id: int) -> tuple[list[Order], int | None]:
        """Orders with a greater id, oldest first, and the id to continue after when there are more."""
        found = list(itertools.islice((order for order in self._orders.values() if order.id > after_id), limit + 1))
        page = found[:limit]
        return page, page[-1].id if len(found) > limit else None

    def cancel(self, order_id: int) -> Order:
        """Put the goods back; a settled order stays."""
        order = self.get(order_id)
        if order.status is not OrderStatus.ACCEPTED:
            raise OrderError(f"Order {order_id} is {order.status.value} and cannot be cancelled")
        self.stock[order.sku] += order.quantity
        return self._changed(order, OrderStatus.CANCELLED)

    def settle(self) -> list[Order]:
        """Finish every accepted order."""
        accepted = [order for order in self._orders.values() if order.status is OrderStatus.ACCEPTED]
        return [self._changed(order, OrderStatus.SETTLED) for order in accepted]

    def _changed(self, order: Order, status: OrderStatus) -> Order:
        changed = replace(order, status=status)
        self._orders[order.id] = changed
        return changed

    def _make_room(self) -> None:
        if len(self._orders) < self._limit:
            return
        oldest = next((order for order in self._orders.values() if order.status is not OrderStatus.ACCEPTED), None)
        if oldest is None:
            raise OrderError(f"The shop has {self._limit} open orders and takes no more until some are settled")
        del self._orders[oldest.id]
