"""Realistic log lines, the same for the same seed: what a thousand copies of fifty integrations say while they work.

A request has a trace id on each of its one to six lines, and every second line a span id. Text is about 90 octets in the mean.
"""

import random
from collections.abc import Iterator

from pilothouse.telemetry.model import LogBatch, LogRecord, Origin

INTEGRATIONS, RUNTIMES = 50, 1_000
START_NS = 1_790_000_000_000_000_000
HOURS = 47.0

_TEMPLATES = (
    "request GET /api/v1/orders/{n}?expand=positions answered {s} in {m} ms for tenant acme-{k} user {c}",
    "accepted order {o} of customer {c} with {k} positions, delivery from warehouse north-{k}",
    "calling inventory at http://inventory.internal:8080/api/items/{n}/availability, timeout 3000 ms",
    "inventory answered {s} after {m} ms for item {n}, {k} pieces are available in the nearest warehouse",
    "published message of 1532 bytes with key customer-{c} {o} to topic orders.accepted partition {k} offset {n}",
    "database query took {m} ms and gave {k} rows: SELECT id, customer, total, state FROM orders WHERE id = {n}",
    "cache miss for key customer:{c}:profile, loading it from the customer service in region eu-central-{k}",
    "token of caller {c} verified, scopes orders:read orders:write, expires in {m} s",
    "retrying delivery of {o}, attempt {k} of 5, the last one failed: connection reset by peer",
    "scheduled job sync-stock finished: {n} rows read, {m} changed, none refused, next run in {k} minutes",
)
_LOGGERS = ("orders.http", "orders.service", "orders.client.inventory", "orders.events", "orders.db", "http.listener")


def origins() -> list[Origin]:
    """Name the copies: twenty of each integration, in two environments."""
    return [
        Origin(
            project_id=f"project-{number % INTEGRATIONS % 5}",
            integration_id=f"integration-{number % INTEGRATIONS}",
            environment_id="production",
            runtime_id=f"3f2b8c1e-0000-4000-8000-{number:012d}",
            runtime_key=number,
        )
        for number in range(RUNTIMES)
    ]


def frames(lines: int, seed: int = 1, a_frame: int = 5_000) -> Iterator[list[LogBatch]]:
    """Give the lines in frames of batches, as intake hands them on, spread over 47 hours."""
    dice = random.Random(seed)  # noqa: S311 - a benchmark
    random_, integer, choice, bits = dice.random, dice.randrange, dice.choice, dice.getrandbits
    everybody = origins()
    gap_ns = int(HOURS * 3600e9 / lines)
    at_ns, said = START_NS, 0
    while said < lines:
        by_runtime: dict[int, list[LogRecord]] = {}
        held = 0
        while held < a_frame and said + held < lines:
            runtime = min(int(dice.paretovariate(1.2) * 20) - 20, RUNTIMES - 1)
            trace = f"{bits(128):032x}" if random_() < 0.8 else ""
            records = by_runtime.setdefault(runtime, [])
            for _ in range(1 + integer(6)):
                at_ns += int(random_() * 2 * gap_ns) // 1000 * 1000
                luck = random_()
                records.append(
                    LogRecord(
                        at_ns=at_ns,
                        message=choice(_TEMPLATES).format(
                            n=integer(99_999),
                            s=200 if random_() < 0.9 else 500,
                            m=integer(900),
                            o=f"ord-{bits(40):010x}",
                            c=integer(9_999),
                            k=1 + integer(9),
                        ),
                        severity=9 if luck < 0.8 else 5 if luck < 0.9 else 13 if luck < 0.97 else 17,
                        logger=choice(_LOGGERS),
                        trace_id=trace,
                        span_id=f"{bits(64):016x}" if trace and random_() < 0.5 else "",
                        attributes={"http.route": "/orders/{id}", "thread": f"worker-{integer(8)}"}
                        if luck < 0.3
                        else {},
                    )
                )
                held += 1
        said += held
        yield [LogBatch(everybody[runtime], records) for runtime, records in by_runtime.items()]
