# A foreign key takes the type of what it points to, which the checker cannot know:
# pyright: reportUnknownArgumentType=false
"""The tables of alerts: rules, what they found, silences, channels, and the outbox of what is to be said."""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from pilothouse.storage.columns import BigKey, InstantMs
from pilothouse.storage.tables import metadata

alert_channels = Table(
    "alert_channels",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("kind", String(12), nullable=False),
    # What may be shown of it: a host, or addresses.
    Column("target", String(500), nullable=False),
    # JSON with all that sending needs, as a whole under the key outside the database: a URL is a secret as often as not.
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("last_sent_at", InstantMs),
    Column("last_failed_at", InstantMs),
    Column("last_failure", Text),
)

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("condition", String(24), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("enabled", Boolean, nullable=False),
    # A rule goes with the place that it watches.
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), index=True),
    Column("integration_id", ForeignKey("integrations.id", ondelete="CASCADE"), index=True),
    Column("environment_id", ForeignKey("environments.id", ondelete="CASCADE"), index=True),
    # Whether it looks at critical environments alone, whichever these are.
    Column("critical_only", Boolean, nullable=False),
    Column("threshold", Float),
    Column("percentile", Float),
    Column("window_s", Integer, nullable=False),
    Column("pattern", Text),
    # JSON list of the levels' names.
    Column("levels", String(100), nullable=False),
    Column("for_s", Integer, nullable=False),
    Column("remind_s", Integer),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("trouble", Text),
    Column("judged_at", InstantMs),
    # Which of the rules that every organization begins with it was; null: somebody made it.
    Column("built_in", String(40)),
)

alert_rules_begun = Table(
    "alert_rules_begun",
    metadata,
    # What an organization was given to begin with stays known here: who deletes such a rule does not get it back.
    Column("organization_id", ForeignKey("organizations.id"), primary_key=True),
    Column("code", String(40), primary_key=True),
)

alert_rule_channels = Table(
    "alert_rule_channels",
    metadata,
    Column("rule_id", ForeignKey("alert_rules.id", ondelete="CASCADE"), primary_key=True),
    Column("channel_id", ForeignKey("alert_channels.id"), primary_key=True, index=True),
)

alerts = Table(
    "alerts",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    # No foreign key: the history outlives its rule, whose name it keeps.
    Column("rule_id", String(36), nullable=False),
    Column("rule_name", String(100), nullable=False),
    # What it is about within its rule.
    Column("subject", String(200), nullable=False),
    # Digest of rule and subject while it is open, the alert's own id afterwards: one is open of each at most, whoever opens it.
    Column("open_key", String(64), nullable=False, unique=True),
    Column("severity", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("message", Text, nullable=False),
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), index=True),
    Column("integration_id", ForeignKey("integrations.id", ondelete="CASCADE"), index=True),
    Column("environment_id", ForeignKey("environments.id", ondelete="CASCADE"), index=True),
    Column("runtime_key", BigKey),
    Column("value", Float),
    Column("since", InstantMs, nullable=False),
    Column("fired_at", InstantMs),
    Column("resolved_at", InstantMs),
    # When it was put into the outbox last, and how often; null: nobody was told yet.
    Column("told_at", InstantMs),
    Column("told_count", Integer, nullable=False),
    Column("measured_at", InstantMs, nullable=False),
    # Grows with every change: who changes it must have seen what is there.
    Column("version", Integer, nullable=False),
    Index("ix_alerts_rule_id_state", "rule_id", "state"),
    Index("ix_alerts_state_resolved_at", "state", "resolved_at"),
    sqlite_autoincrement=True,
)

alert_silences = Table(
    "alert_silences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    Column("rule_id", ForeignKey("alert_rules.id", ondelete="CASCADE"), index=True),
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), index=True),
    Column("integration_id", ForeignKey("integrations.id", ondelete="CASCADE"), index=True),
    Column("environment_id", ForeignKey("environments.id", ondelete="CASCADE"), index=True),
    Column("reason", String(500), nullable=False),
    Column("from_at", InstantMs, nullable=False),
    Column("to_at", InstantMs, nullable=False, index=True),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
)

alert_notifications = Table(
    "alert_notifications",
    metadata,
    Column("number", BigKey, primary_key=True, autoincrement=True),
    # Also the key by which receivers know a message again.
    Column("id", String(36), nullable=False, unique=True),
    Column("channel_id", ForeignKey("alert_channels.id", ondelete="SET NULL"), index=True),
    # What it is gathered under: rule and kind, and for some channels the alert.
    Column("gather_key", String(120), nullable=False),
    Column("rule_id", String(36)),
    Column("kind", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("alert_count", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("created_at", InstantMs, nullable=False),
    Column("sent_at", InstantMs),
    Column("next_attempt_at", InstantMs),
    # Who sends it now, and until when nobody else may.
    Column("lease_owner", String(36)),
    Column("lease_until", InstantMs),
    Index("ix_alert_notifications_state_next_attempt_at", "state", "next_attempt_at"),
    sqlite_autoincrement=True,
)

alert_notices = Table(
    "alert_notices",
    metadata,
    Column("alert_number", ForeignKey("alerts.number", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column(
        "notification_number",
        ForeignKey("alert_notifications.number", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
    # No foreign key: it is half of what makes this row the only one.
    Column("channel_id", String(36), nullable=False),
    # `firing`, `reminder` or `resolved`, and the how-manieth time the alert is spoken of.
    Column("transition", String(24), nullable=False),
    UniqueConstraint("alert_number", "channel_id", "transition"),
)
