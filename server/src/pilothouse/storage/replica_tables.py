"""The table of the processes that serve one database together."""

from sqlalchemy import BigInteger, Column, String, Table

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
