"""The set of artifacts that one runtime reports, and the document that it is stored as.

A set is content-addressed: equal sets have one document and one digest, whatever the order on the wire was.
Replicas that run the same thus share one stored document.
"""

import zlib
from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from typing import Final, TypeVar

import msgspec

from pilothouse.domain.artifacts import KINDS, Artifact, Base
from pilothouse.domain.artifacts.automation import Automation
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.service import Service

_Kind = TypeVar("_Kind", bound=Base)
_ORDER: Final[dict[type[Base], str]] = {kind: str(kind.__struct_config__.tag) for kind in KINDS}
_DEFLATE_LEVEL: Final = 1
_DEFLATE_MARK: Final = b"x"


def _place(artifact: Base) -> tuple[str, ...]:
    return (_ORDER[type(artifact)], *artifact.identity)


class ArtifactSet(msgspec.Struct, frozen=True, dict=True):
    """All artifacts of one runtime: by kind, then by identity, each once. What is computed of it is remembered with it."""

    artifacts: tuple[Artifact, ...] = ()

    @classmethod
    def of(cls, artifacts: Iterable[Artifact]) -> "ArtifactSet":
        """Make a set; of several with one identity the last one stays."""
        by_place = {_place(artifact): artifact for artifact in artifacts}
        return cls(tuple(by_place[place] for place in sorted(by_place)))

    def all(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        """Artifacts of one kind, by identity."""
        return tuple(artifact for artifact in self.artifacts if isinstance(artifact, kind))

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """All services."""
        return self.all(Service)

    @cached_property
    def listeners(self) -> tuple[Listener, ...]:
        """All listeners."""
        return self.all(Listener)

    @cached_property
    def document(self) -> bytes:
        """What it is stored as."""
        return encode(self)

    @cached_property
    def digest(self) -> str:
        """Where it is stored: replicas share one set, which is encoded and summed up once for all of them."""
        return digest(self.document)

    @property
    def automation(self) -> Automation | None:
        """The automation, if that is what the runtime is."""
        return next(iter(self.all(Automation)), None)

    @property
    def is_empty(self) -> bool:
        """True if the runtime reports nothing at all."""
        return not self.artifacts

    @property
    def count(self) -> int:
        """How many artifacts there are, an automation included; their resources are not counted."""
        return len(self.artifacts)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Artifact, ...]).decode


def encode(artifacts: ArtifactSet) -> bytes:
    """Write the canonical document."""
    return _encode(artifacts.artifacts)


def digest(document: bytes) -> str:
    """Compute the document's address; SHA-256, since runtimes of different owners share documents.

    Shape: 64 hexadecimal digits.
    """
    return sha256(document).hexdigest()


def pack(document: bytes) -> bytes:
    """Compress a document for storage: a tenth to a fifth of its size.

    Compressing costs more than encoding, so it is left for the moment when a digest turns out to be new.
    """
    return zlib.compress(document, _DEFLATE_LEVEL)


def decode(document: bytes) -> ArtifactSet:
    """Read a document, packed or not.

    Raises: ValueError if it is none (`msgspec.DecodeError` is one), `zlib.error` if it is damaged
    """
    plain = zlib.decompress(document) if document.startswith(_DEFLATE_MARK) else document
    return ArtifactSet(_decode(plain))
