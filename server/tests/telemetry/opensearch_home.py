"""The home of a real OpenSearch server, laid out as its distribution does: jars, modules, plugins, configuration.

The jars of modules come without what the distribution puts beside them, a descriptor and the permissions that Java's
security manager is to grant; both are written here, in our own words. The security plugin brings its own.
"""

import base64
import hashlib
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from opensearch_jars import Pinned, fetched, pinned


@dataclass(frozen=True)
class Module:
    """What a module's descriptor and policy say."""

    class_name: str
    extends: str = ""
    permissions: tuple[str, ...] = ()


_NETTY = (
    'java.io.FilePermission "/proc/sys/net/core/somaxconn", "read"',
    'java.lang.RuntimePermission "setContextClassLoader"',
    'java.net.SocketPermission "*", "accept,connect"',
)
_COMPILER = (
    'java.lang.RuntimePermission "createClassLoader"',
    'java.lang.RuntimePermission "getClassLoader"',
    'org.opensearch.script.ClassPermission "<<STANDARD>>"',
)
MODULES = {
    "aggs-matrix-stats": Module("org.opensearch.search.aggregations.matrix.MatrixAggregationPlugin"),
    "analysis-common": Module("org.opensearch.analysis.common.CommonAnalysisPlugin", "lang-painless"),
    "ingest-common": Module("org.opensearch.ingest.common.IngestCommonPlugin", "lang-painless"),
    "lang-mustache": Module(
        "org.opensearch.script.mustache.MustachePlugin",
        permissions=(
            'java.lang.RuntimePermission "accessDeclaredMembers"',
            'java.lang.reflect.ReflectPermission "suppressAccessChecks"',
        ),
    ),
    "lang-painless": Module("org.opensearch.painless.PainlessPlugin", permissions=_COMPILER),
    "mapper-extras": Module("org.opensearch.index.mapper.MapperExtrasPlugin"),
    "parent-join": Module("org.opensearch.join.ParentJoinPlugin"),
    "reindex": Module("org.opensearch.index.reindex.ReindexPlugin"),
    "transport-netty4": Module("org.opensearch.transport.Netty4Plugin", permissions=_NETTY),
}
SECURITY = "opensearch-security"

_LOGGING = """
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.security.name = org.opensearch.security.auth
logger.security.level = off
"""
_ITERATIONS = 1_000
"""Few: tests are in a hurry, and these passwords guard nothing."""


def lay_out(home: Path, *, user: str, password: str) -> Path:
    """Make a home that is ready to be started; gives the file of the authority that its certificate is from."""
    everything = pinned()
    kept = fetched(everything)
    for each in everything:
        source, place = kept / each.artifact.path, home / each.place
        place.mkdir(parents=True, exist_ok=True)
        if each.artifact.type == "zip":
            with zipfile.ZipFile(source) as archive:
                archive.extractall(place)
        else:
            _put(source, place / source.name)
    _describe_modules(home, everything)
    for folder in ("config", "tmp"):
        (home / folder).mkdir()
    (home / "config" / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")
    (home / "config" / "opensearch.yml").write_text(_settings(home), encoding="utf-8")
    _admit(home, user, password)
    return _certify(home / "config")


def _put(source: Path, target: Path) -> None:
    """Give the server a file that is its own: it may not follow a link out of its home."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _describe_modules(home: Path, everything: list[Pinned]) -> None:
    version = next(each.artifact.version for each in everything if each.artifact.artifact == "opensearch")
    for name, module in MODULES.items():
        descriptor = {
            "name": name,
            "description": f"{name}, as the distribution has it",
            "version": version,
            "opensearch.version": version,
            "java.version": "11",
            "classname": module.class_name,
            "extended.plugins": module.extends,
            "has.native.controller": "false",
        }
        lines = [f"{key}={value}" for key, value in descriptor.items()]
        folder = home / "modules" / name
        (folder / "plugin-descriptor.properties").write_text("\n".join(lines), encoding="utf-8")
        if module.permissions:
            granted = "".join(f"  permission {each};\n" for each in module.permissions)
            (folder / "plugin-security.policy").write_text(f"grant {{\n{granted}}};\n", encoding="utf-8")


def _settings(home: Path) -> str:
    return f"""
cluster.name: pilothouse-tests
node.name: single
node.portsfile: true
path.data: {home}/data
path.logs: {home}/logs
network.host: 127.0.0.1
http.port: 0
transport.port: 0
discovery.type: single-node
cluster.routing.allocation.disk.threshold_enabled: false
plugins.security.allow_default_init_securityindex: true
plugins.security.password.hashing.algorithm: PBKDF2
plugins.security.password.hashing.pbkdf2.iterations: {_ITERATIONS}
plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.pemcert_filepath: certificate.pem
plugins.security.ssl.http.pemkey_filepath: key.pem
plugins.security.ssl.http.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.transport.pemcert_filepath: certificate.pem
plugins.security.ssl.transport.pemkey_filepath: key.pem
plugins.security.ssl.transport.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.transport.enforce_hostname_verification: false
"""


def _admit(home: Path, user: str, password: str) -> None:
    """Take over the security plugin's own configuration, with one administrator in the place of its known users."""
    shipped, ours = home / "plugins" / SECURITY / "config", home / "config" / SECURITY
    ours.mkdir()
    for file in shipped.glob("*.yml"):
        (ours / file.name).write_bytes(file.read_bytes())
    (ours / "internal_users.yml").write_text(
        f'_meta:\n  type: internalusers\n  config_version: 2\n{user}:\n  hash: "{_hashed(password)}"\n'
        "  reserved: true\n  backend_roles: [admin]\n",
        encoding="utf-8",
    )


def _hashed(password: str) -> str:
    """Hash as the plugin's own tool does: iterations and key length in one number, salt, key."""
    salt, key_bits = os.urandom(64), 256
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS, key_bits // 8)
    return "$".join(
        ("", "3", str((_ITERATIONS << 32) + key_bits), *(base64.b64encode(part).decode() for part in (salt, key)))
    )


def _certify(config: Path) -> Path:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(config / "ca.pem")
    (config / "certificate.pem").write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    (config / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return config / "ca.pem"
