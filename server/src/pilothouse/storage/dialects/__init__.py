"""What differs between databases, and nothing else: one file a kind of database.

Statements are written once, in the rooms of their tables. Here is what SQLAlchemy does not make the same by itself: the types of
columns (lengths, sizes, one order of letters everywhere), how a connection is opened and bounded in time, how writers take
turns, and what a driver's error means.
"""

from pilothouse.storage.dialects.kind import Kind, Trouble
from pilothouse.storage.dialects.mssql import SqlServer
from pilothouse.storage.dialects.mysql import MariaDb, MySql
from pilothouse.storage.dialects.oracle import Oracle
from pilothouse.storage.dialects.postgresql import PostgreSql
from pilothouse.storage.dialects.refusals import Refusal, say
from pilothouse.storage.dialects.sqlite import Sqlite

__all__ = ["KINDS", "Kind", "Refusal", "Trouble", "say"]

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (Sqlite(), PostgreSql(), MySql(), MariaDb(), SqlServer(), Oracle())
}
"""Every kind of database by its name."""
