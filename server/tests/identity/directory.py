"""A real directory (OpenLDAP's slapd) for the tests: its own configuration, free ports on loopback, TLS, people and groups.

Everybody's password is `<uid>-password`. `twin` stands there twice, `locked` is locked by policy, and the server lets an
empty password pass as anonymous: who sends one is found out.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

BASE = "dc=example,dc=org"
PEOPLE, GROUPS = f"ou=people,{BASE}", f"ou=groups,{BASE}"
ODD_NAME = r"o'neil, (x)*\+#"
_ROOT, _ROOT_PASSWORD = f"cn=root,{BASE}", "root-password"
_READY_S = 15.0
_SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/usr/local/libexec"


@dataclass
class RunningDirectory:
    directory: Path
    port: int
    ldaps_port: int
    ca_file: str
    base: str = BASE
    people: str = PEOPLE
    groups: str = GROUPS
    bind_dn: str = f"cn=service,{BASE}"
    bind_password: str = "service-password"
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Clear text, or StartTLS; the certificate is for `localhost` alone."""
        return f"ldap://localhost:{self.port}"

    @property
    def ldaps_url(self) -> str:
        return f"ldaps://localhost:{self.ldaps_port}"

    def start(self) -> None:
        listening = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.ldaps_port}"
        command = [_tool("slapd"), "-f", str(self.directory / "slapd.conf"), "-h", listening, "-d", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
        ends_at = time.monotonic() + _READY_S
        for port in (self.port, self.ldaps_port):
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if self._process.poll() is not None or time.monotonic() > ends_at:
                    pytest.fail(f"slapd did not start ({self._process.poll()})")
                time.sleep(0.05)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def change(self, ldif: str) -> None:
        """Change entries as the directory's administrator."""
        command = [_tool("ldapmodify"), "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", _ROOT, "-w", _ROOT_PASSWORD]
        done = subprocess.run([*command, "-a"], input=ldif, text=True, capture_output=True, check=False, timeout=30)  # noqa: S603 - our own
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def running_slapd(directory: Path) -> Iterator[RunningDirectory]:
    """Run a directory out of an empty folder until the block ends."""
    (directory / "database").mkdir(parents=True)
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(directory / "certificate.pem")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    (directory / "slapd.conf").write_text(_configuration(directory))
    running = RunningDirectory(directory, *_free_ports(2), ca_file=str(directory / "ca.pem"))
    running.start()
    try:
        running.change(_entries())
        yield running
    finally:
        running.stop()


def _configuration(directory: Path) -> str:
    schema = next((path for path in ("/etc/ldap/schema", "/etc/openldap/schema") if Path(path).is_dir()), "")
    modules = next((path for path in ("/usr/lib/ldap", "/usr/lib64/openldap") if Path(path).is_dir()), "")
    return f"""
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile {directory}/slapd.pid
allow bind_anon_cred
TLSCACertificateFile {directory}/ca.pem
TLSCertificateFile {directory}/certificate.pem
TLSCertificateKeyFile {directory}/key.pem
database mdb
directory {directory}/database
maxsize 16777216
suffix "{BASE}"
rootdn "{_ROOT}"
rootpw {_ROOT_PASSWORD}
overlay memberof
overlay ppolicy
ppolicy_default "cn=policy,{BASE}"
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="{GROUPS}" by users read
access to * by dn.exact="cn=service,{BASE}" read by self read by * none
"""


def _entries() -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
        *(
            f"dn: ou={name},{BASE}\nobjectClass: organizationalUnit\nou: {name}\n"
            for name in ("people", "others", "groups")
        ),
        f"dn: cn=service,{BASE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: service\nuserPassword: service-password\n",
        f"dn: cn=policy,{BASE}\nobjectClass: applicationProcess\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\npwdLockout: TRUE\n",
        *(_person(name) for name in ("ann", "bob", "locked", "twin")),
        _person("twin", below=f"ou=others,{BASE}"),
        f"dn: cn=odd,{PEOPLE}\nobjectClass: inetOrgPerson\ncn: odd\nsn: odd\nuid: {ODD_NAME}\nuserPassword: odd-password\n",
        _group("operators", f"uid=ann,{PEOPLE}"),
        _group("staff", f"cn=operators,{GROUPS}", f"uid=bob,{PEOPLE}"),
        _group("Sales\\, North", f"uid=ann,{PEOPLE}"),
        f"dn: cn=admins,ou=others,{BASE}\nobjectClass: groupOfNames\ncn: admins\nmember: uid=ann,{PEOPLE}\n",
        f"dn: uid=locked,{PEOPLE}\nchangetype: modify\nadd: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n",
    ]
    return "\n".join(entries)


def _person(uid: str, *, below: str = PEOPLE) -> str:
    return (
        f"dn: uid={uid},{below}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid.title()} Example\nsn: Example\n"
        f"mail: {uid}@example.org\nuserPassword: {uid}-password\n"
    )


def _group(name: str, *members: str) -> str:
    plain = name.replace("\\", "")
    return "\n".join(
        [
            f"dn: cn={name},{GROUPS}",
            "objectClass: groupOfNames",
            f"cn: {plain}",
            *(f"member: {each}" for each in members),
            "",
        ]
    )


def _tool(name: str) -> str:
    found = shutil.which(name, path=_SBIN)
    if found is None:
        reason = f"no `{name}` on this machine: install the packages slapd and ldap-utils"
        if os.environ.get("PILOTHOUSE_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
