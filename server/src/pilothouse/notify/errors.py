"""What comes of an attempt to tell somebody."""


class NotDelivered(Exception):
    """A notice did not arrive, as far as can be told. `reason` never holds a secret of the channel."""

    def __init__(self, reason: str, *, retry: bool, retry_after_s: float | None = None) -> None:
        self.reason = reason
        """One sentence for people."""
        self.retry = retry
        """Whether the same attempt may come to another end later."""
        self.retry_after_s = retry_after_s
        """What the receiver asked to wait at least. Units: seconds; None: it did not say."""
        super().__init__(reason)
