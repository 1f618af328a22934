"""In what replicas should be alike, in one sum: equal sums have nothing to tell apart, so that a database can compare them.

What it is a sum of is what `merging` compares, and the states that can be steered. What only measures, and the addresses of a
runtime's own machine and ports that the system chose, are left out.
"""

from hashlib import blake2b
from typing import Any, Final

import msgspec

from pilothouse.domain.artifacts import KINDS, ArtifactState
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.service import Service
from pilothouse.domain.merging import STATES, attached, marks_of, place_of, what_counts, without_found_port
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import STEERABLE

_LISTENER: Final = str(Listener.__struct_config__.tag)
_encode = msgspec.json.Encoder().encode


def likeness(runtime_type: RuntimeType, artifacts: ArtifactSet) -> str:
    """Sum up everything in which replicas of one place should be alike.

    Shape: 32 hexadecimal digits.
    """
    names: dict[tuple[str, str, str], str] = {}
    if runtime_type is RuntimeType.BI:  # there listeners and services are named by accident
        names = {place_of(artifact): mark for artifact, mark in marks_of(artifacts)}
    listeners = {name: mark for (kind, name, _), mark in names.items() if kind == _LISTENER}
    reading = {kind: what_counts(kind, runtime_type)[1] for kind in KINDS}
    steered = {kind.value: sorted(aspects) for kind, aspects in STEERABLE[runtime_type].items()}
    parts: list[bytes] = []
    for artifact in artifacts.artifacts:
        kind, name, package = place = place_of(artifact)
        told = without_found_port(artifact)
        if listeners and isinstance(told, Service):
            told = attached(told, listeners)
        values: list[Any] = [
            getattr(artifact, aspect.value, None) for aspect in steered.get(kind, ())
        ]  # Any: of fields
        parts.append(_encode((kind, names.get(place, name), package, reading[type(artifact)](told), values)))
    return blake2b(b"\n".join(sorted(parts)), digest_size=16).hexdigest()


def count_failed(artifacts: ArtifactSet) -> int:
    """Count the artifacts that failed to be deployed, or to go on."""
    return sum(STATES.get(getattr(artifact, "state", None)) is ArtifactState.FAILED for artifact in artifacts.artifacts)
