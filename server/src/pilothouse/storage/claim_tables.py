"""Tables by which processes that share a database do nothing twice: whose a piece of work is, and how often somebody failed."""

from sqlalchemy import Column, Index, Integer, String, Table

from pilothouse.storage.columns import InstantMs, Number
from pilothouse.storage.tables import metadata

chores = Table(
    "chores",
    metadata,
    # Work that comes round again and again and that one process at a time does for all.
    Column("name", String(30), primary_key=True),
    # Who does it; null when nobody does.
    Column("owner", String(36)),
    # Grows whenever the owner says that it goes on: who sees it stand still for long takes over. No clock is compared.
    Column("renewals", Number, nullable=False),
    # When it was done last.
    Column("done_at", InstantMs, nullable=False),
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    # Digests: what is typed as a name may be a password.
    Column("account", String(64), primary_key=True),
    # `anywhere`, or the digest of a network from which the account was signed in to before: it is counted apart there.
    Column("place", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    # When the first of them was.
    Column("since", InstantMs, nullable=False),
    # The last sign-in from there, or the last attempt.
    Column("seen_at", InstantMs, nullable=False),
    Index("ix_sign_in_attempts_seen_at", "seen_at"),
)

round_trips = Table(
    "round_trips",
    metadata,
    # Sign-ins at an identity provider that came back: none comes back twice, to whichever process.
    Column("digest", String(64), primary_key=True),
    Column("ends_at", InstantMs, nullable=False, index=True),
)
