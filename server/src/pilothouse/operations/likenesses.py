"""Sums of what replicas should share, of artifact sets that were stored before there were any, or by an earlier release."""

import zlib
from typing import Final

from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.likeness import count_failed, likeness
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage import runtimes
from pilothouse.storage.unit import Transaction

AT_ONCE: Final = 200
"""Sets in one transaction: some hundredths of a second of the writer's time."""


def sum_up(tx: Transaction) -> int:
    """Compute the sums of some sets that have none; returns of how many, 0 when all have theirs."""
    found = runtimes.list_unsummed_artifacts(tx.connection, AT_ONCE)
    runtimes.sum_up_artifacts(
        tx.connection, [(digest, *_sums(digest, document, kind)) for digest, document, kind in found]
    )
    return len(found)


def _sums(digest: str, document: bytes, runtime_type: RuntimeType) -> tuple[str, int]:
    try:
        artifacts = artifact_set.decode(document)
    except (ValueError, zlib.error):
        return digest[:32], 0  # what cannot be read is like nothing else
    return likeness(runtime_type, artifacts), count_failed(artifacts)
