"""What all kinds of artifacts share."""

from enum import StrEnum, unique

import msgspec


@unique
class ArtifactState(StrEnum):
    """Whether an artifact, its tracing or its statistics is switched on."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    GATED = "gated"
    """Its port is held by a parent process: requests are answered 503. Serves as disabled, and is never called so."""
    DRAINING = "draining"
    """It takes no new work and finishes what it has."""
    FAILED = "failed"
    """It should be enabled and is not."""
    UNKNOWN = "unknown"
    """The runtime did not say, or said something that is neither."""


@unique
class DeploymentState(StrEnum):
    """Whether a deployed unit works."""

    ACTIVE = "active"
    FAULTY = "faulty"
    UNKNOWN = "unknown"
    """The runtime did not say, or said something that is neither."""


class Base(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """Something that a runtime runs and reports under a name.

    A new field needs a default: stored sets of older releases are read with it.
    """

    name: str

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells it from others of its kind in one runtime."""
        return (self.name,)


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an artifact: a resource, an attribute."""

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells it from others in one artifact: all that it says, where a kind names no key."""
        return tuple(str(value) for value in msgspec.structs.astuple(self))
