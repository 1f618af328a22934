"""Fuzz what reads the results of commands: only refusals in our words may come out."""

import json
from collections.abc import Iterator

import atheris
from running import bodies, fuzz

with atheris.instrument_imports(include=["pilothouse.protocol"]):
    from promises import result_or_refused


def results() -> Iterator[bytes]:
    """Results as runtimes post them."""
    told = {"runtimeId": "r-1", "commandId": "2b1e8c1e-6f0f-4a43-8a0e-5d5c4f1f7a11", "status": "COMPLETED"}
    yield json.dumps(told).encode()
    yield json.dumps({**told, "httpStatus": 200, "body": {"loggers": [{"name": "a", "level": "INFO"}]}}).encode()
    yield json.dumps({**told, "status": "FAILED", "httpStatus": 500, "body": {"Error": "it broke"}}).encode()
    yield json.dumps({**told, "httpStatus": None, "body": None, "future": [1.5, True, "\u65e5"]}).encode()
    yield from bodies("heartbeat/v1", "body")


if __name__ == "__main__":
    fuzz(result_or_refused, results())
