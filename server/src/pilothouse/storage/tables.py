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

from pilothouse.storage.columns import BigKey, InstantMs, Number
from pilothouse.storage.computed import NAME_LENGTH_MAX, lowered_or_last

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
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
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
    # The sum of everything in which replicas should be alike; null where nobody has computed it yet.
    Column("likeness", String(32)),
    # Artifacts of it that failed; null as above.
    Column("failed_count", Integer),
)

runtimes = Table(
    "runtimes",
    metadata,
    Column("key", BigKey, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("runtime_id", String(100), nullable=False),
    Column("integration_id", ForeignKey("integrations.id"), nullable=False),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("name", String(NAME_LENGTH_MAX)),
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
    # By which lists are sorted: ADR 0023.
    Column("sort_name", String(NAME_LENGTH_MAX), lowered_or_last("name")),
    UniqueConstraint("runtime_id", "integration_id", "environment_id"),
    Index("ix_runtimes_place", "integration_id", "environment_id", "name"),
    # Lists hide who was retired: with that in front, a page is read from one end to the other, and counting reads no row.
    Index("ix_runtimes_by_name", "retired_at", "sort_name", "id"),
    Index("ix_runtimes_by_age", "retired_at", "registered_at", "id"),
    Index("ix_runtimes_environment_by_name", "environment_id", "retired_at", "sort_name", "id"),
    # Which sets are in use where, without a look at any runtime: what tells in a moment where replicas may differ.
    Index("ix_runtimes_artifacts", "retired_at", "integration_id", "environment_id", "artifact_digest"),
    sqlite_autoincrement=True,  # events outlive runtimes: a key is never given twice
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
    # Where several processes serve one database, each hears of some beats, and reads here what the others heard:
    # The replica that heard the last beat.
    Column("via", String(36)),
    # The writers' turn in which somebody wrote that it was seen. Not indexed: it changes all the time, and PostgreSQL
    # renews a row in its place only while no index has to be told.
    Column("seen_number", Number),
    # The turn in which anything else changed: a full heartbeat, a verdict.
    Column("change_number", Number, index=True),
    # When its newest channel was opened, by whichever replica.
    Column("channel_at", InstantMs),
    # The end of its channel, where that came after its last beat, and how: goodbye · broken.
    Column("departed_at", InstantMs),
    Column("departed_how", String(10)),
    # Sum of what its last full heartbeat said, in hexadecimal.
    Column("told", String(32)),
    # Room beside each row: PostgreSQL renews it there, and tells no index, if both fit on the page.
    postgresql_with={"fillfactor": 45},
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
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    # Lower case; unique in all of the database, since people sign in without naming an organization.
    Column("username", String(100), nullable=False, unique=True),
    Column("display_name", String(100), nullable=False),
    Column("email", String(255)),
    # person · service
    Column("kind", String(10), nullable=False),
    # Null: signs in elsewhere (single sign-on, directory), or never (a service account).
    Column("password_hash", String(255)),
    Column("password_changed_at", InstantMs),
    Column("must_change_password", Boolean, nullable=False),
    # Identity in another store: OIDC's issuer and sub, or the directory's entry.
    Column("issuer", String(255)),
    Column("external_subject", String(255)),
    Column("disabled_at", InstantMs),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("last_sign_in_at", InstantMs),
    UniqueConstraint("issuer", "external_subject"),
)

groups = Table(
    "groups",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    # Which of the groups of the beginning it is; never found by name.
    Column("built_in", String(20)),
    # The project whose Admins it is: made and deleted with it.
    Column("project_id", ForeignKey("projects.id"), index=True),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    UniqueConstraint("organization_id", "name"),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    # local: a person put them in; sso: the provider's groups did, and take them out again at the next sign-in.
    Column("source", String(10), nullable=False),
    Column("added_at", InstantMs, nullable=False),
)

roles = Table(
    "roles",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("built_in", String(20)),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    UniqueConstraint("organization_id", "name"),
)

role_permissions = Table(
    "role_permissions",
    metadata,
    Column("role_id", ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True),
    Column("permission", String(60), primary_key=True),
)

role_mappings = Table(
    "role_mappings",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), nullable=False),
    Column("role_id", ForeignKey("roles.id"), nullable=False, index=True),
    Column("project_id", ForeignKey("projects.id"), index=True),
    Column("integration_id", ForeignKey("integrations.id"), index=True),
    Column("environment_id", ForeignKey("environments.id"), index=True),
    # The three ids joined, `-` for null: nulls are never equal, so they could be in no unique key.
    Column("scope", String(120), nullable=False),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    UniqueConstraint("group_id", "role_id", "scope"),
    sqlite_autoincrement=True,
)

sso_group_mappings = Table(
    "sso_group_mappings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("issuer", String(255), nullable=False),
    Column("claim", String(128), nullable=False),
    Column("value", String(255), nullable=False),
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), nullable=False, index=True),
    # Digest of issuer, claim, value and group: together they are longer than a key may be on some databases.
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    # console: in cookies; script: bearer; device: bearer, allowed in the console
    Column("kind", String(10), nullable=False),
    # password · oidc · ldap
    Column("method", String(10), nullable=False),
    # SHA-256 of the access token of now: who reads the database cannot sign in with it.
    Column("access_digest", String(64), nullable=False, unique=True),
    # Of the one before it, which is good for a moment longer: the requests that are on their way may arrive at any process.
    Column("replaced_digest", String(64), index=True),
    Column("replaced_at", InstantMs),
    Column("access_expires_at", InstantMs, nullable=False),
    Column("created_at", InstantMs, nullable=False),
    Column("expires_at", InstantMs, nullable=False, index=True),
    Column("last_used_at", InstantMs, nullable=False),
    Column("address", String(64)),
    Column("user_agent", String(200), nullable=False),
    Column("ended_at", InstantMs),
    Column("ended_because", String(40)),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    # Each is used once: the second use ends the session, since one of the two users stole it.
    Column("digest", String(64), primary_key=True),
    Column("session_id", ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("issued_at", InstantMs, nullable=False),
    Column("used_at", InstantMs),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    # How it begins, so that people can tell theirs apart.
    Column("hint", String(16), nullable=False),
    # JSON list; null: all that its owner holds.
    Column("permissions", Text),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("expires_at", InstantMs),
    Column("last_used_at", InstantMs),
    Column("last_used_address", String(64)),
    Column("revoked_at", InstantMs),
    Column("revoked_by", String(100)),
)

device_grants = Table(
    "device_grants",
    metadata,
    # A command line that asks a person to allow it in the console: RFC 8628.
    Column("device_digest", String(64), primary_key=True),
    Column("user_code", String(12), nullable=False, unique=True),
    Column("client", String(100), nullable=False),
    Column("address", String(64)),
    Column("created_at", InstantMs, nullable=False),
    Column("expires_at", InstantMs, nullable=False, index=True),
    Column("polled_at", InstantMs),
    Column("decided_at", InstantMs),
    Column("allowed", Boolean, nullable=False),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE")),
)

audit_records = Table(
    "audit_records",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("organization_id", String(36), nullable=False),
    Column("at", InstantMs, nullable=False, index=True),
    # user:<name> · secret:<key id> · console:local
    Column("actor", String(120), nullable=False, index=True),
    Column("actor_id", String(36)),
    # session · token · local · heartbeat, and which one
    Column("via", String(12), nullable=False),
    Column("credential_id", String(36)),
    Column("action", String(60), nullable=False, index=True),
    Column("target", String(200), nullable=False),
    # done · refused · failed
    Column("outcome", String(20), nullable=False),
    Column("address", String(64)),
    Column("detail", Text, nullable=False),
    # JSON objects: what it was and what it became; never a secret.
    Column("before", Text),
    Column("after", Text),
    # Where it happened, for the filters; no foreign keys: a record outlives what it tells of.
    Column("project_id", String(36), index=True),
    Column("integration_id", String(36)),
    Column("environment_id", String(36)),
    # SHA-256 over this record and the digest of the one before; empty before the chain began.
    Column("digest", String(64), nullable=False),
    sqlite_autoincrement=True,
)

audit_anchors = Table(
    "audit_anchors",
    metadata,
    # Retention deletes the oldest records: where the chain begins since then.
    Column("number", BigKey, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("at", InstantMs, nullable=False),
)
