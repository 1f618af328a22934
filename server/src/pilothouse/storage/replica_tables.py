"""The tables by which the processes that serve one database together know each other and tell each other."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from pilothouse.storage.columns import InstantMs, Number
from pilothouse.storage.tables import metadata

replicas = Table(
    "replicas",
    metadata,
    Column("id", String(36), primary_key=True),
    # Where it runs: the machine's name and the process's number there.
    Column("host", String(255), nullable=False),
    Column("process", BigInteger, nullable=False),
    Column("release", String(40), nullable=False),
    # Which key it seals secrets with, in hexadecimal; never the key.
    Column("key_number", String(8), nullable=False),
    Column("started_at", InstantMs, nullable=False),
    # Counts its renewals: whoever sees it stand still for long knows, without any clock, that the process is gone.
    Column("beat", Number, nullable=False),
    # What it heard before is stored; a moment of the database's clock, as all that replicas compare.
    Column("flushed_at", InstantMs, nullable=False),
    # Set when it stopped in order, or when another one found that it had ended.
    Column("ended_at", InstantMs),
)

heard_batches = Table(
    "heard_batches",
    metadata,
    # What each flush says of beats, packed, for those who read it within the minute: what they read follows what changed.
    # `runtime_presence` has the same by runtime; an index over who was seen when would cost every flush more than it saves.
    # The writers' turn of the flush.
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    # The replica that heard it.
    Column("via", String(36), nullable=False),
    Column("at", InstantMs, nullable=False),
    # MessagePack: a list of what was heard, each with its fields in order.
    Column("heard", LargeBinary, nullable=False),
)

tellings = Table(
    "tellings",
    metadata,
    # What each process knows alone and people want to see of all: refused senders, telemetry that was lost.
    Column("replica", String(36), primary_key=True),
    Column("sort", String(20), primary_key=True),
    # Grows with each change.
    Column("version", Number, nullable=False),
    Column("document", LargeBinary, nullable=False),
)
