# A foreign key takes the type of what it points to, which the checker cannot know:
# pyright: reportUnknownArgumentType=false
"""Every table, once: the schema of all dialects. The migrations must give the same, which a test proves.

Narrow and hot (`runtime_presence`) never shares a row with wide and cold (`runtime_reports`, `artifact_sets`): performance.md section 4.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from pilothouse.storage.columns import BigKey, InstantMs

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

organizations = Table(
    "organizations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("handle", String(64), nullable=False, unique=True),
    Column("display_name", String(100), nullable=False),
)

environments = Table(
    "environments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("handle", String(64), nullable=False),
    Column("display_name", String(100), nullable=False),
    Column("critical", Boolean, nullable=False),
    Column("created_at", InstantMs, nullable=False),
    UniqueConstraint("organization_id", "handle"),
)

projects = Table(
    "projects",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("handle", String(64), nullable=False),
    Column("display_name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    UniqueConstraint("organization_id", "handle"),
)

integrations = Table(
    "integrations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("handle", String(64), nullable=False),
    Column("display_name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("runtime_type", String(2), nullable=False),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    UniqueConstraint("project_id", "handle"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("environment_id", ForeignKey("environments.id"), nullable=False, index=True),
    Column("integration_id", ForeignKey("integrations.id"), index=True),
    # Sealed under the key outside the database; null once revoked: the material is destroyed, the record stays.
    Column("sealed_material", LargeBinary),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("bound_at", InstantMs),
    Column("last_used_at", InstantMs),
    # When the material was destroyed.
    Column("revoked_at", InstantMs),
    Column("expires_at", InstantMs),
    # From then on it is revoked for good, to come while it is being revoked.
    Column("revoked_from", InstantMs),
    Column("revoked_by", String(100)),
    # Key id of the secret that it replaces. No foreign key: SQLite adds none to a table that others point to; rows stay for good.
    Column("rotates", String(16), index=True),
)

artifact_sets = Table(
    "artifact_sets",
    metadata,
    # Content-addressed: replicas that report the same share one document.
    Column("digest", String(64), primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("service_count", Integer, nullable=False),
    Column("listener_count", Integer, nullable=False),
    Column("stored_at", InstantMs, nullable=False),
)

runtimes = Table(
    "runtimes",
    metadata,
    Column("key", BigKey, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("runtime_id", String(100), nullable=False),
    Column("integration_id", ForeignKey("integrations.id"), nullable=False),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("name", String(100)),
    Column("runtime_type", String(2), nullable=False),
    Column("version", String(50)),
    Column("key_id", ForeignKey("secrets.key_id"), index=True),
    Column("runtime_hash", String(128), nullable=False),
    Column("artifact_digest", ForeignKey("artifact_sets.digest"), nullable=False, index=True),
    Column("registered_at", InstantMs, nullable=False),
    Column("retired_at", InstantMs),
    # Whether a Micro Integrator carries out what comes through the tunnel: asked once a day, proved by its answer.
    Column("tunnel_probed_at", InstantMs),
    Column("tunnel_proved_at", InstantMs),
    UniqueConstraint("runtime_id", "integration_id", "environment_id"),
    Index("ix_runtimes_place", "integration_id", "environment_id", "name"),
    Index("ix_runtimes_environment_id_name", "environment_id", "name"),
)

runtime_reports = Table(
    "runtime_reports",
    metadata,
    Column("runtime_key", ForeignKey("runtimes.key", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("document", LargeBinary, nullable=False),
)

runtime_presence = Table(
    "runtime_presence",
    metadata,
    Column("runtime_key", ForeignKey("runtimes.key", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("seen_at", InstantMs, nullable=False),
    Column("interval_s", Float),
    Column("address", String(64)),
    Column("running_since", InstantMs, nullable=False),
    Column("status", String(10), nullable=False),
)

desired_changes = Table(
    "desired_changes",
    metadata,
    # Every change of what is desired, with its author: the log that answers who asked for what, and when.
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("integration_id", ForeignKey("integrations.id"), nullable=False),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("target", String(32), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("name", String(255), nullable=False),
    Column("package", String(255), nullable=False),
    Column("aspect", String(12), nullable=False),
    # Null: the wish was forgotten.
    Column("value", String(40)),
    Column("version", Integer, nullable=False),
    Column("author", String(120), nullable=False),
    Column("set_at", InstantMs, nullable=False),
    # JSON: what bore the name when the wish was made.
    Column("fingerprints", Text, nullable=False),
    Index("ix_desired_changes_target", "integration_id", "environment_id", "target", "number"),
    sqlite_autoincrement=True,
)

desired_states = Table(
    "desired_states",
    metadata,
    # What is desired now: one row per target, pointing at the change that made it so.
    Column("integration_id", ForeignKey("integrations.id"), primary_key=True),
    Column("environment_id", ForeignKey("environments.id"), primary_key=True),
    # Digest of kind, name, package and aspect: names are longer than a key may be on some databases.
    Column("target", String(32), primary_key=True),
    Column("change_number", ForeignKey("desired_changes.number"), nullable=False),
    Column("absent_since", InstantMs),
)

commands = Table(
    "commands",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("runtime_key", ForeignKey("runtimes.key", ondelete="CASCADE"), nullable=False),
    Column("action", String(24), nullable=False),
    Column("kind", String(24)),
    Column("name", String(255), nullable=False),
    Column("package", String(255), nullable=False),
    Column("aspect", String(12)),
    Column("value", String(100)),
    # The change of the desired state that it serves; null when a person asked this once.
    Column("wish_number", BigKey, index=True),
    Column("payload", Text),
    Column("author", String(120), nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", Text, nullable=False),
    Column("route", String(16)),
    Column("attempts", Integer, nullable=False),
    Column("queued_at", InstantMs, nullable=False),
    Column("delivered_at", InstantMs),
    Column("ended_at", InstantMs),
    Column("next_attempt_at", InstantMs),
    Column("deadline", InstantMs),
    # What the runtime answered: packed JSON, kept for a while.
    Column("result", LargeBinary),
    Index("ix_commands_runtime_key_state", "runtime_key", "state"),
    Index("ix_commands_state_ended_at", "state", "ended_at"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("sequence", BigKey, primary_key=True, autoincrement=True),
    Column("at", InstantMs, nullable=False, index=True),
    Column("kind", String(40), nullable=False),
    # No foreign keys: an event outlives what it tells of.
    Column("runtime_key", BigKey),
    Column("environment_id", String(36)),
    Column("project_id", String(36)),
    Column("integration_id", String(36)),
    Column("key_id", String(16)),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)

users = Table(
    "users",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("username", String(100), nullable=False, unique=True),
    Column("display_name", String(100), nullable=False),
    Column("password_hash", String(255), nullable=False),
    Column("role", String(40), nullable=False),
    Column("created_at", InstantMs, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    # SHA-256 of the token: who reads the database cannot sign in with it.
    Column("token_digest", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", InstantMs, nullable=False),
    Column("expires_at", InstantMs, nullable=False, index=True),
)

audit_records = Table(
    "audit_records",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("at", InstantMs, nullable=False, index=True),
    Column("actor", String(120), nullable=False),
    Column("action", String(60), nullable=False),
    Column("target", String(200), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("address", String(64)),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)
