"""All cases, by sections of the protocol."""

from pilothouse_conformance.cases import (
    access,
    content,
    deltas,
    identity,
    placing,
    reports,
    secrets,
    steering,
    tunnel,
    wire,
)

__all__ = [
    "access",
    "content",
    "deltas",
    "identity",
    "placing",
    "reports",
    "secrets",
    "steering",
    "tunnel",
    "wire",
]
