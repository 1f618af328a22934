"""Who sends telemetry, and what of it belongs together before its origin is known."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec

from pilothouse.access.places import Place
from pilothouse.telemetry.model import Origin

R = TypeVar("R")


class RuntimeSender(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime that signed with a secret that is bound."""

    key_id: str
    project_id: str
    integration_id: str
    environment_id: str


class CollectorSender(msgspec.Struct, frozen=True, kw_only=True):
    """A collector with an ingest token; it may speak for every runtime in the token's place."""

    token_id: str
    place: Place


Sender: TypeAlias = RuntimeSender | CollectorSender


class Told(msgspec.Struct, Generic[R], frozen=True, gc=False):
    """Records that name one runtime, or none."""

    runtime_id: str | None
    records: Sequence[R]


class NotYours(Exception):
    """The runtime is known and lies where the sender may not speak for it."""


class Origins(Protocol):
    """Finds whom records belong to."""

    def of_runtime(self, key: Sender, runtime_id: str | None) -> Origin:
        """Find the origin of what a sender says of a runtime; it may be unclaimed.

        Raises: NotYours
        """
        ...
