"""Finding a block's words with DuckDB, in the store's process alone: the control plane is spared its library."""

from collections.abc import Mapping
from typing import Final

import duckdb

from pilothouse.telemetry.stores.embedded.index import BLOCK_BITS, TOKEN_OCTETS_MIN

_TOLD_APART: Final = f"""
SELECT block, encode(string_agg(piece, ' ')) FROM (
  SELECT DISTINCT block, piece FROM (
    SELECT number >> {BLOCK_BITS} AS block, unnest(string_split(message, ' ')) AS piece FROM told
  ) WHERE strlen(piece) >= {TOKEN_OCTETS_MIN}
) GROUP BY block"""


def told_apart(cursor: duckdb.DuckDBPyConnection, source: object) -> Mapping[int, bytes] | None:
    """List what stands between spaces in the messages of rows, each of it once a block; None if DuckDB cannot.

    DuckDB does that with half the work of ours, and nine tenths of the words of a block were in it before.
    """
    cursor.register("told", source)
    try:
        rows: list[tuple[int, bytes]] = cursor.execute(_TOLD_APART).fetchall()
    except duckdb.Error:  # most likely questions have its memory: we find the words without it
        return None
    finally:
        cursor.unregister("told")
    return dict(rows)
