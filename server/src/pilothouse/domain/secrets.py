"""Secrets: what a runtime signs its tokens with. The material itself never travels in these."""

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.runtime_type import RuntimeType


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """The integration that a secret speaks for."""

    project_id: str
    integration_id: str
    project_handle: str
    integration_handle: str
    runtime_type: RuntimeType


class SecretFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as the protocol's edge knows it, without its material."""

    key_id: str
    organization_id: str
    environment_id: str
    environment_handle: str
    binding: Binding | None
    created_by: str


class SecretRow(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as a list shows it."""

    key_id: str
    environment_handle: str
    environment_display_name: str
    environment_critical: bool
    project_handle: str | None
    project_display_name: str | None
    integration_handle: str | None
    integration_display_name: str | None
    created_at: Instant
    created_by: str
    bound_at: Instant | None
    last_used_at: Instant | None
    runtime_count: int

    @property
    def bound(self) -> bool:
        """Whether it speaks for one integration only."""
        return self.integration_handle is not None
