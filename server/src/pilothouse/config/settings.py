"""What was set: one value a setting, typed."""

import socket
from pathlib import Path

import msgspec

from pilothouse.base.place import POOL, TIMEOUT_S, Database, embedded

FOLLOW_EVENTS_S = 0.5
"""Unit: seconds between two looks, where several processes may write."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was set, checked."""

    home: Path
    database_url: str = ""
    database_pool: int = POOL
    database_timeout_s: float = TIMEOUT_S
    host: str = "0.0.0.0"
    public_host: str = ""
    runtime_port: int = 9445
    console_port: int = 9446
    workers: int = 1
    console_tls: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    secret_key_file: Path | None = None
    admin_password: str | None = None
    metrics_token: str | None = None
    offline_after_s: float = 30.0
    beats_per_s_max: float = 3_000.0
    heartbeats_create: bool = True
    retry_waits_s: str = "0,0,60,120,240,480"
    write_deadline_s: float = 120.0
    mi_allow: str = ""
    mi_ca_file: Path | None = None
    mi_insecure: bool = False
    try_it_allow: str = ""
    try_it_ca_file: Path | None = None
    try_it_insecure: bool = False
    try_it_timeout_s: float = 30.0
    audit_retention_days: int = 365
    trusted_proxies: str = ""
    token_issuer: str = "icp-runtime-jwt-issuer"  # noqa: S105 - the wire's name
    token_audience: str = "icp-server"  # noqa: S105 - the wire's name
    token_skew_s: int = 60
    graphql_introspection: bool = True
    graphql_persisted_only: bool = False
    graphiql: bool = False
    follow_events_s: float | None = None
    password_sign_in: bool = True
    oidc_issuer: str | None = None
    oidc_client_id: str = ""
    oidc_client_secret: str | None = None
    oidc_scopes: str = "openid profile email"
    oidc_username_claim: str = "preferred_username"
    oidc_groups_claim: str = "groups"
    oidc_ca_file: Path | None = None
    oidc_unknown_users: str = "deny"
    oidc_display_name: str = "Single sign-on"
    ldap_url: str | None = None
    ldap_start_tls: bool = False
    ldap_ca_file: Path | None = None
    ldap_insecure: bool = False
    ldap_bind_dn: str | None = None
    ldap_bind_password: str | None = None
    ldap_user_dn_pattern: str | None = None
    ldap_user_base: str | None = None
    ldap_user_filter: str | None = None
    ldap_username_attribute: str = "uid"
    ldap_group_base: str | None = None
    ldap_group_filter: str = "(&(objectClass=groupOfNames)(member={0}))"
    ldap_group_name_attribute: str = "cn"
    ldap_unknown_users: str = "deny"
    telemetry_store: str = "embedded"
    telemetry_disk_mb: int = 20_480
    telemetry_memory_mb: int = 384
    opensearch_url: str = ""
    opensearch_username: str = ""
    opensearch_password: str | None = None
    opensearch_api_key: str | None = None
    opensearch_ca_file: Path | None = None
    opensearch_insecure: bool = False
    opensearch_prefix: str = "pilothouse"
    opensearch_wso2: bool = False
    telemetry_keep: str = "logs=14d metrics=90d spans=7d"
    notify_allow: str = ""
    notify_ca_file: Path | None = None
    smtp_url: str | None = None
    smtp_from: str = ""
    slow_statement_ms: int = 200
    log_level: str = "INFO"
    log_format: str = "text"

    @property
    def waits_s(self) -> tuple[float, ...]:
        """After each delivery of a command without an effect, how long until the next one.

        Raises: ValueError
        """
        return tuple(float(part) for part in self.retry_waits_s.split(","))

    @property
    def proxies(self) -> tuple[str, ...]:
        """Addresses and networks of proxies that are believed."""
        return tuple(part.strip() for part in self.trusted_proxies.split(",") if part.strip())

    @property
    def database(self) -> Database:
        """The database: the one that was named, or the embedded one in the home directory."""
        url = self.database_url or embedded(self.home / "pilothouse.db").url
        return Database(url=url, pool=self.database_pool, timeout_s=self.database_timeout_s)

    @property
    def database_path(self) -> Path:
        """Where the embedded database lies."""
        return self.database.path

    @property
    def looks_for_events_every_s(self) -> float:
        """Seconds between two looks at what other processes wrote; 0: this process writes alone.

        Raises: CannotStart when the database's URL is of no known kind
        """
        if self.follow_events_s is not None:
            return self.follow_events_s
        return 0.0 if self.database.is_embedded else FOLLOW_EVENTS_S

    @property
    def secret_key_path(self) -> Path:
        """Where the key that seals secrets lies: beside the database, not in it, unless it is put elsewhere."""
        return self.secret_key_file or self.home / "keys" / "secret.key"

    @property
    def hostname(self) -> str:
        """The name by which people and runtimes reach this server."""
        return self.public_host or socket.gethostname()
