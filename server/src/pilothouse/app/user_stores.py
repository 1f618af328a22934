"""The user stores beside our own, made from the settings."""

from pilothouse.config import Settings
from pilothouse.identity.ldap import Directory, LdapSettings
from pilothouse.identity.oidc import OidcProvider, OidcSettings
from pilothouse.operations.external_sign_in import ExternalStores

_ALLOW = "allow"


def user_stores(settings: Settings) -> ExternalStores:
    """Make the identity provider and the directory, as far as they are set.

    Raises: CannotStart when one of them cannot be safe or cannot work as it is set
    """
    return ExternalStores(
        oidc=None if settings.oidc_issuer is None else _provider(settings, settings.oidc_issuer),
        oidc_display_name=settings.oidc_display_name,
        oidc_allows_unknown=settings.oidc_unknown_users == _ALLOW,
        directory=None if settings.ldap_url is None else _directory(settings, settings.ldap_url),
        directory_allows_unknown=settings.ldap_unknown_users == _ALLOW,
    )


def redirect_uri(settings: Settings) -> str:
    """Tell where the identity provider sends the browser back: it must know this address to the letter."""
    scheme, host, usual = ("https", settings.hostname, 443) if settings.console_tls else ("http", "127.0.0.1", 80)
    port = "" if settings.console_port == usual else f":{settings.console_port}"
    return f"{scheme}://{host}{port}/auth/oidc/callback"


def _provider(settings: Settings, issuer: str) -> OidcProvider:
    return OidcProvider(
        OidcSettings(
            issuer=issuer,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret,
            redirect_uri=redirect_uri(settings),
            scopes=tuple(settings.oidc_scopes.split()),
            username_claim=settings.oidc_username_claim,
            groups_claim=settings.oidc_groups_claim,
            ca_file=None if settings.oidc_ca_file is None else str(settings.oidc_ca_file),
        )
    )


def _directory(settings: Settings, url: str) -> Directory:
    return Directory(
        LdapSettings(
            url=url,
            start_tls=settings.ldap_start_tls,
            ca_file=None if settings.ldap_ca_file is None else str(settings.ldap_ca_file),
            insecure=settings.ldap_insecure,
            bind_dn=settings.ldap_bind_dn,
            bind_password=settings.ldap_bind_password,
            user_dn_pattern=settings.ldap_user_dn_pattern,
            user_base=settings.ldap_user_base,
            user_filter=settings.ldap_user_filter,
            username_attribute=settings.ldap_username_attribute,
            group_base=settings.ldap_group_base,
            group_filter=settings.ldap_group_filter,
            group_name_attribute=settings.ldap_group_name_attribute,
        )
    )
