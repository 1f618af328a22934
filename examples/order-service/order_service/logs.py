"""Logging: one line a record on stderr, every member of ``extra`` as key=value."""

import json
import logging
import sys

ORDERS = logging.getLogger("order_service.orders")
SETTLEMENT = logging.getLogger("order_service.settlement")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class KeyValueFormatter(logging.Formatter):
    """``time level logger: message key=value …``, with values as JSON so that they can be taken apart again."""

    def format(self, record: logging.LogRecord) -> str:
        """One record, one line; a traceback follows it."""
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line, newline, trace = super().format(record).partition("\n")
        pairs = "".join(f" {key}={json.dumps(value, default=str)}" for key, value in sorted(extra.items()))
        return f"{line}{pairs}{newline}{trace}"


def configure_logging() -> None:
    """Everything from INFO on; the named loggers have levels of their own, which the console shows."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    ORDERS.setLevel(logging.INFO)
    SETTLEMENT.setLevel(logging.INFO)
