"""One row a setting: its variable, its default as people read it, and its meaning."""

import msgspec

PREFIX = "PILOTHOUSE_"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be set."""

    variable: str
    field: str
    default: str
    """As the page shows it."""
    meaning: str
    secret: bool = False


_OPENSEARCH: tuple[tuple[str, str, str], ...] = (
    (
        "opensearch_url",
        "none",
        "Address of the cluster, such as `https://search.example.com:9200`; several nodes by commas.",
    ),
    ("opensearch_username", "none", "Who signs in to the cluster."),
    ("opensearch_password", "none", "Their password."),
    ("opensearch_api_key", "none", "Sent as `Authorization: ApiKey` in the place of name and password."),
    (
        "opensearch_ca_file",
        "the system's authorities",
        "PEM file with the one authority that the cluster is trusted by.",
    ),
    ("opensearch_insecure", "off", "`on` believes any certificate of the cluster: for trials only."),
    (
        "opensearch_prefix",
        "pilothouse",
        "Begin of the names of all indices; control planes with the same one share them.",
    ),
    (
        "opensearch_wso2",
        "off",
        "`on` answers questions about logs and metrics from the indices of WSO2's Fluent Bit set-up too.",
    ),
)
_TRY_IT: tuple[tuple[str, str, str], ...] = (
    (
        "try_it_allow",
        "none",
        (
            "Hosts (`*.svc.example.com`) and networks (`10.20.0.0/16`), separated by commas, at which services of runtimes may be tried "
            "out beside those that live where their heartbeats come from."
        ),
    ),
    (
        "try_it_ca_file",
        "the system's authorities",
        "PEM file with the authorities, or the very certificates, that services are trusted by when they are tried out.",
    ),
    ("try_it_insecure", "off", "`on` gives up the check of services' certificates when they are tried out."),
    ("try_it_timeout_s", "30", "Seconds that a service may take to answer when it is tried out: 1 to 55."),
)
_USER_STORES: tuple[tuple[str, str, str], ...] = (
    ("password_sign_in", "on", "`off`: passwords that are kept here open no sessions; a directory's still do."),
    (
        "oidc_issuer",
        "none",
        "Issuer of the identity provider, as its discovery document has it. Without it there is none.",
    ),
    ("oidc_client_id", "none", "Client id at the identity provider."),
    ("oidc_client_secret", "none", "Its secret; none for a public client."),
    ("oidc_scopes", "openid profile email", "What is asked for, separated by blanks."),
    ("oidc_username_claim", "preferred_username", "The claim that names a person."),
    ("oidc_groups_claim", "groups", "The claim with a person's groups, or a path with dots to it."),
    ("oidc_ca_file", "the system's authorities", "PEM file with the one authority that the provider is trusted by."),
    (
        "oidc_unknown_users",
        "deny",
        "`deny`: who comes for the first time must be in a mapped group; `allow`: anybody may come.",
    ),
    ("oidc_display_name", "Single sign-on", "What the console calls the identity provider."),
    ("ldap_url", "none", "`ldaps://host[:636]` or `ldap://host[:389]` of the directory. Without it there is none."),
    ("ldap_start_tls", "off", "`on` encrypts an `ldap://` line before anything is said."),
    ("ldap_ca_file", "the system's authorities", "PEM file with the one authority that the directory is trusted by."),
    ("ldap_insecure", "off", "`on` allows passwords in clear text over a network."),
    ("ldap_bind_dn", "none: anonymous", "Who searches in the directory."),
    ("ldap_bind_password", "none", "The password of who searches."),
    ("ldap_user_dn_pattern", "none", "Where people are found without a search: `uid={0},ou=people,dc=example,dc=com`."),
    ("ldap_user_base", "none", "Below which people are searched."),
    ("ldap_user_filter", "(&(objectClass=person)(uid={0}))", "Which entry is meant; `{0}` is the name that was typed."),
    ("ldap_username_attribute", "uid", "What a person is called here."),
    ("ldap_group_base", "none", "Below which groups are searched."),
    (
        "ldap_group_filter",
        "(&(objectClass=groupOfNames)(member={0}))",
        "Groups of a person: `{0}` the DN, `{1}` the name.",
    ),
    ("ldap_group_name_attribute", "cn", "What a group is called in mappings."),
    (
        "ldap_unknown_users",
        "deny",
        "`deny`: who comes for the first time must be in a mapped group; `allow`: anybody may come.",
    ),
)
"""Field, default and meaning of the settings about user stores; their variables are called like the fields."""

TABLE: tuple[Setting, ...] = (
    Setting(
        variable="PILOTHOUSE_HOME",
        field="home",
        default="~/.local/share/pilothouse",
        meaning="Directory of database, certificate and key. `make up` uses `.pilothouse` in the source tree.",
    ),
    Setting(variable="PILOTHOUSE_HOST", field="host", default="0.0.0.0", meaning="Address that both ports listen on."),
    Setting(
        variable="PILOTHOUSE_PUBLIC_HOST",
        field="public_host",
        default="this machine's name",
        meaning="Name by which people and runtimes reach this server; it is put into the certificate and shown in the console.",
    ),
    Setting(
        variable="PILOTHOUSE_DATABASE_URL",
        field="database_url",
        default="`pilothouse.db` in the home directory",
        meaning=(
            "`postgresql://user:password@host:5432/database`, `mariadb://…` or `mysql://…`; `?sslmode=verify-full` and "
            "`&sslrootcert=file` have the server's certificate checked. Its schema is made by `pilothouse db upgrade`."
        ),
        secret=True,
    ),
    Setting(
        variable="PILOTHOUSE_DATABASE_POOL",
        field="database_pool",
        default="4",
        meaning="Connections of this process that read the database at the same time; one more writes.",
    ),
    Setting(
        variable="PILOTHOUSE_DATABASE_TIMEOUT_S",
        field="database_timeout_s",
        default="30",
        meaning="Seconds that a database server may take for a statement, and that a lock or the network is waited for.",
    ),
    Setting(variable="PILOTHOUSE_RUNTIME_PORT", field="runtime_port", default="9445", meaning="Port for runtimes."),
    Setting(
        variable="PILOTHOUSE_CONSOLE_PORT",
        field="console_port",
        default="9446",
        meaning="Port for the console and the APIs.",
    ),
    Setting(
        variable="PILOTHOUSE_WORKERS",
        field="workers",
        default="1",
        meaning=(
            "Processes that serve both ports, on a database server alone; as many as there are cores is the most that helps. "
            "Each has connections of its own to the database."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_CONSOLE_TLS",
        field="console_tls",
        default="on",
        meaning="`off` serves the console over plain HTTP, and then on loopback (127.0.0.1) alone.",
    ),
    Setting(
        variable="PILOTHOUSE_TLS_CERTIFICATE",
        field="tls_certificate",
        default="self-signed, made at the first start",
        meaning="PEM file with your own certificate and its chain.",
    ),
    Setting(
        variable="PILOTHOUSE_TLS_KEY",
        field="tls_key",
        default="made with it",
        meaning="PEM file with the certificate's private key.",
    ),
    Setting(
        variable="PILOTHOUSE_SECRET_KEY_FILE",
        field="secret_key_file",
        default="`keys/secret.key` in the home directory",
        meaning=(
            "File of 32 random bytes that secrets are sealed under; made at the first start. "
            "Without it the stored secrets cannot be opened: back it up, apart from the database."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_ADMIN_PASSWORD",
        field="admin_password",
        default="generated, shown once",
        meaning="Password of the first administrator, `admin`; read at the first start only. 12 characters at least.",
        secret=True,
    ),
    Setting(
        variable="PILOTHOUSE_METRICS_TOKEN",
        field="metrics_token",
        default="none",
        meaning="Bearer token that lets other machines read `/metrics`; without one only loopback may.",
        secret=True,
    ),
    Setting(
        variable="PILOTHOUSE_OFFLINE_AFTER_S",
        field="offline_after_s",
        default="30",
        meaning="Seconds of silence before a runtime counts as offline, at least; three of its own intervals if that is longer.",
    ),
    Setting(
        variable="PILOTHOUSE_BEATS_PER_S_MAX",
        field="beats_per_s_max",
        default="3000",
        meaning=(
            "Heartbeats per second that the fleet may send: when there would be more, Python runtimes are told a slower pace, "
            "and are called offline that much later."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_HEARTBEATS_CREATE",
        field="heartbeats_create",
        default="on",
        meaning=(
            "`off`: the first heartbeat of a secret that is not bound makes no project and no integration; it is not "
            "acknowledged until somebody made them."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_RETRY_WAITS_S",
        field="retry_waits_s",
        default="0,0,60,120,240,480",
        meaning=(
            "Seconds after each delivery of a command until it is offered again if the runtime still reports something else: "
            "six numbers. After the sixth delivery it is called failed."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_WRITE_DEADLINE_S",
        field="write_deadline_s",
        default="120",
        meaning="Seconds in which the outcome of what is asked once (run a job) must be known; then it is called expired.",
    ),
    Setting(
        variable="PILOTHOUSE_MI_ALLOW",
        field="mi_allow",
        default="none",
        meaning=(
            "Hosts (`*.mi.example.com`) and networks (`10.20.0.0/16`), separated by commas, whose management APIs may be called "
            "beside those that live where their heartbeats come from."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_MI_CA_FILE",
        field="mi_ca_file",
        default="the system's authorities",
        meaning="PEM file with the authorities, or the very certificates, that Micro Integrators' management APIs are trusted by.",
    ),
    Setting(
        variable="PILOTHOUSE_MI_INSECURE",
        field="mi_insecure",
        default="off",
        meaning="`on` gives up the check of Micro Integrators' certificates; for trying out only.",
    ),
    *(
        Setting(variable=PREFIX + field.upper(), field=field, default=default, meaning=meaning)
        for field, default, meaning in _TRY_IT
    ),
    Setting(
        variable="PILOTHOUSE_TRUSTED_PROXIES",
        field="trusted_proxies",
        default="none",
        meaning=(
            "Addresses and networks (`10.1.2.3, 10.20.0.0/16`), separated by commas, of proxies before the console whose "
            "`X-Forwarded-For` is believed: without them all people behind one share its address."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_AUDIT_RETENTION_DAYS",
        field="audit_retention_days",
        default="365",
        meaning="Days that audit records are kept; 0 keeps them for good.",
    ),
    Setting(
        variable="PILOTHOUSE_TOKEN_ISSUER",
        field="token_issuer",
        default="icp-runtime-jwt-issuer",
        meaning="Issuer that runtimes' tokens must name.",
    ),
    Setting(
        variable="PILOTHOUSE_TOKEN_AUDIENCE",
        field="token_audience",
        default="icp-server",
        meaning="Audiences that runtimes' tokens may name, separated by commas.",
    ),
    Setting(
        variable="PILOTHOUSE_TOKEN_SKEW_S",
        field="token_skew_s",
        default="60",
        meaning="Seconds by which a runtime's clock may be off before its tokens are refused.",
    ),
    Setting(
        variable="PILOTHOUSE_GRAPHQL_INTROSPECTION",
        field="graphql_introspection",
        default="on",
        meaning="`off` keeps the GraphQL schema from telling itself, also to those who are signed in.",
    ),
    Setting(
        variable="PILOTHOUSE_GRAPHQL_PERSISTED_ONLY",
        field="graphql_persisted_only",
        default="off",
        meaning="`on` runs the console's own queries alone, whoever asks: no scripts, no GraphiQL.",
    ),
    Setting(
        variable="PILOTHOUSE_GRAPHIQL",
        field="graphiql",
        default="off",
        meaning="`on` serves `/graphiql`, a page to write GraphQL queries on.",
    ),
    Setting(
        variable="PILOTHOUSE_FOLLOW_EVENTS_S",
        field="follow_events_s",
        default="`0` with the embedded database, `0.5` with any other",
        meaning="Seconds between two looks at what other processes wrote into the same database; 0 where this process writes alone.",
    ),
    *(
        Setting(
            variable=PREFIX + field.upper(),
            field=field,
            default=default,
            meaning=meaning,
            secret=field.endswith(("_secret", "_bind_password")),
        )
        for field, default, meaning in _USER_STORES
    ),
    *(
        Setting(
            variable=PREFIX + field.upper(),
            field=field,
            default=default,
            meaning=meaning,
            secret=field.endswith(("_password", "_api_key")),
        )
        for field, default, meaning in _OPENSEARCH
    ),
    Setting(
        variable="PILOTHOUSE_TELEMETRY_STORE",
        field="telemetry_store",
        default="embedded",
        meaning="Where logs, metrics and traces are kept: `embedded` in the home, `opensearch`, or `memory`, which forgets at each stop.",
    ),
    Setting(
        variable="PILOTHOUSE_TELEMETRY_DISK_MB",
        field="telemetry_disk_mb",
        default="20480",
        meaning="Disk that the embedded store may use, in MiB. Before it would be exceeded the oldest records go.",
    ),
    Setting(
        variable="PILOTHOUSE_TELEMETRY_MEMORY_MB",
        field="telemetry_memory_mb",
        default="384",
        meaning="Memory, in MiB, that the embedded store's process may use for questions; it takes about 250 MiB beside it.",
    ),
    Setting(
        variable="PILOTHOUSE_TELEMETRY_KEEP",
        field="telemetry_keep",
        default="logs=14d metrics=90d spans=7d",
        meaning=(
            "How long logs, metrics and spans are kept, separated by blanks, in hours (`h`) or days (`d`); before a dot the handle of "
            "an environment that keeps them otherwise, after a slash the most that is kept: `logs=14d prod.logs=30d/50GB`."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_NOTIFY_ALLOW",
        field="notify_allow",
        default="none",
        meaning=(
            "Hosts (`*.hooks.example.com`) and networks (`10.20.0.0/16`), separated by commas, that alerts may be sent to though "
            "they are not public; loopback by its network or its very host name."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_NOTIFY_CA_FILE",
        field="notify_ca_file",
        default="the system's authorities",
        meaning="PEM file with authorities that receivers of alerts and the mail server are trusted by, beside the system's.",
    ),
    Setting(
        variable="PILOTHOUSE_SMTP_URL",
        field="smtp_url",
        default="none",
        meaning=(
            "`smtp://user:password@host:587` (STARTTLS is required; `?starttls=never` without a password) or "
            "`smtps://user:password@host:465` of the mail server for alerts. Without it no e-mail is sent."
        ),
        secret=True,
    ),
    Setting(
        variable="PILOTHOUSE_SMTP_FROM",
        field="smtp_from",
        default="none",
        meaning="The address that alerts come from; needed with `PILOTHOUSE_SMTP_URL`.",
    ),
    Setting(
        variable="PILOTHOUSE_SLOW_STATEMENT_MS",
        field="slow_statement_ms",
        default="200",
        meaning=(
            "Milliseconds from which on a statement of the database is slow: it is counted, and written to the log by its text "
            "(never its values). 0: none is."
        ),
    ),
    Setting(
        variable="PILOTHOUSE_LOG_LEVEL", field="log_level", default="INFO", meaning="DEBUG, INFO, WARNING or ERROR."
    ),
    Setting(
        variable="PILOTHOUSE_LOG_FORMAT",
        field="log_format",
        default="text",
        meaning="`text` for people, `json` for machines.",
    ),
)
