"""What can go wrong between a record and its store.

Unavailable
├── StoreBusy          more arrives than is taken away: come back later
├── StoreDown          its process ended and is being started again
└── QuestionTimeout    the answer took longer than it may
StorageUnavailable
└── StorageFull        (base) the disk, or what of it telemetry may use, is full
"""

from pilothouse.base.errors import Unavailable


class StoreBusy(Unavailable):
    """More telemetry arrives than can be stored."""

    code = "TELEMETRY_BUSY"

    def __init__(self, *, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(fix=f"Send it again in {wait_s:g} s.")


class StoreDown(Unavailable):
    """The telemetry store is being started again."""

    code = "TELEMETRY_DOWN"


class QuestionTimeout(Unavailable):
    """The question took longer than it may."""

    code = "TELEMETRY_TIMEOUT"

    def __init__(self, *, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        super().__init__(
            f"The question took longer than {timeout_s:g} s.", fix="Ask for a shorter time, or name what you look for."
        )
