"""Two live processes under one id, as after a copied disk image: their heartbeats come in turn.

What tells them apart is the address that a beat comes from and the hash that it bears. One process does not go to and fro
between the same two with every beat. Source: reference/runtime-protocol.md section 4.2.
"""

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.runtime import Notice

RETURNS_MIN = 20
"""So many beats in a row that each differ from the one before and are like an earlier one: no chance, and no operator."""
FOLLOW_UP_S = 1.0
"""A delta and the full heartbeat that it was asked for are one."""
TOLD_FOR_S = 300.0
_FACES_MAX = 4


class Face(msgspec.Struct, frozen=True):
    """What a beat looks like."""

    address: str | None
    runtime_hash: str


class Faces(msgspec.Struct, frozen=True):
    """The different looks of the latest beats, the last one last."""

    seen: tuple[Face, ...]
    returns: int
    """How many beats in a row differed from the one before, and looked like an earlier one."""
    at: Instant


def begin(face: Face, at: Instant) -> Faces:
    """Begin with what a beat looked like."""
    return Faces((face,), 0, at)


def note(faces: Faces, face: Face, now: Instant) -> Faces:
    """Note what the next beat looks like."""
    if face == faces.seen[-1]:
        return faces if abs(now - faces.at) < FOLLOW_UP_S else begin(face, now)
    others = tuple(one for one in faces.seen if one != face)[1 - _FACES_MAX :]
    return Faces((*others, face), faces.returns + 1 if face in faces.seen else 0, now)


def notice_of(faces: Faces, now: Instant) -> Notice | None:
    """Warn when they are of two processes."""
    if faces.returns < RETURNS_MIN or now - faces.at > TOLD_FOR_S:
        return None
    addresses = sorted({face.address or "?" for face in faces.seen})
    told = f"from {' and '.join(addresses)}" if len(addresses) > 1 else "with different reports"
    return Notice(
        code="SAME_ID_TWICE",
        message=f"More than one process seems to live under its runtimeId: heartbeats come in turn {told}.",
        fix="Give each process its own working directory or `runtimeIdFile`; do not bake the id file into an image."
        " If it is one process behind several proxies, nothing is wrong.",
    )
