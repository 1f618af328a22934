"""Fuzz what reads heartbeats, full and delta: only refusals in our words may come out."""

import atheris
from running import bodies, fuzz

with atheris.instrument_imports(include=["pilothouse.protocol", "pilothouse.domain"]):
    from promises import delta_or_refused, full_or_refused


def one(body: bytes) -> None:
    """Read one body both ways."""
    full_or_refused(body)
    delta_or_refused(body)


if __name__ == "__main__":
    fuzz(one, bodies("heartbeat/v1", "body"))
