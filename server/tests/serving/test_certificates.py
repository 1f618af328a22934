import datetime as dt
import ssl
import stat
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from pilothouse.serving import certificates
from pilothouse.serving.certificates import CertificateSettings, ensure, fingerprint_sha256, load
from pilothouse.serving.errors import (
    CertificateExpired,
    CertificateKeyMismatch,
    CertificateMissing,
    CertificateUnusable,
)
from pilothouse.serving.settings import TlsFiles

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


@pytest.fixture
def own(tmp_path: Path) -> CertificateSettings:
    return CertificateSettings(directory=tmp_path / "tls", names=("pilothouse.example", "10.0.0.7"))


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    issued = trustme.CA().issue_cert("example.org")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return certificate, key


def test_the_first_start_makes_a_certificate_that_vouches_for_nothing_else(own: CertificateSettings) -> None:
    files = ensure(own, NOW)
    made = load(files.certificate)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "pilothouse.example"} <= set(names.get_values_for_type(x509.DNSName))
    assert {"127.0.0.1", "::1", "10.0.0.7"} <= {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.certificate, files.key)


def test_the_key_is_for_its_owner_alone_and_no_draft_is_left(own: CertificateSettings) -> None:
    files = ensure(own, NOW)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.key.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in files.key.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_the_second_start_uses_the_same_certificate(own: CertificateSettings) -> None:
    first = fingerprint_sha256(ensure(own, NOW).certificate)
    assert fingerprint_sha256(ensure(own, NOW + dt.timedelta(days=700)).certificate) == first
    assert len(first.split(":")) == 32


@pytest.mark.parametrize("names", [("pilothouse.example", "10.0.0.7"), ("other.example",)])
def test_it_is_made_anew_a_month_before_its_end_and_for_other_names(
    own: CertificateSettings, names: tuple[str, ...], tmp_path: Path
) -> None:
    first = fingerprint_sha256(ensure(own, NOW).certificate)
    later = NOW + dt.timedelta(days=796 if names == own.names else 1)
    settings = CertificateSettings(directory=own.directory, names=names)
    assert fingerprint_sha256(ensure(settings, later).certificate) != first


def test_a_stop_between_key_and_certificate_is_mended(own: CertificateSettings) -> None:
    files = ensure(own, NOW)
    key = files.key.read_bytes()
    ensure(CertificateSettings(directory=own.directory, names=("x.example",)), NOW)
    files.key.write_bytes(key)
    ensure(own, NOW)
    files.certificate.unlink()
    ensure(own, NOW)


def test_a_certificate_that_is_not_ours_is_never_replaced(own: CertificateSettings, given: tuple[Path, Path]) -> None:
    own.directory.mkdir()
    foreign = given[0].read_bytes()
    (own.directory / "certificate.pem").write_bytes(foreign)
    (own.directory / "key.pem").write_bytes(given[1].read_bytes())
    assert ensure(own, NOW).certificate.read_bytes() == foreign
    (own.directory / "key.pem").unlink()
    with pytest.raises(CertificateMissing):
        ensure(own, NOW)


def test_a_given_pair_is_used_as_it_is(own: CertificateSettings, given: tuple[Path, Path]) -> None:
    settings = CertificateSettings(directory=own.directory, certificate=given[0], key=given[1])
    assert ensure(settings, NOW).certificate == given[0]
    assert not own.directory.exists()


def test_what_is_wrong_with_a_given_pair_is_named(
    own: CertificateSettings, given: tuple[Path, Path], tmp_path: Path
) -> None:
    certificate, key = given
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    other = ensure(own, NOW).key

    def use(certificate: Path, key: Path | None, now: dt.datetime = NOW) -> TlsFiles:
        return ensure(CertificateSettings(directory=own.directory, certificate=certificate, key=key), now)

    with pytest.raises(CertificateMissing):
        use(tmp_path / "nowhere.pem", key)
    with pytest.raises(CertificateKeyMismatch):
        use(certificate, other)
    with pytest.raises(CertificateUnusable, match="no PEM certificate"):
        use(rubbish, key)
    with pytest.raises(CertificateUnusable, match="no PEM key"):
        use(certificate, rubbish)
    with pytest.raises(CertificateUnusable, match="without the other"):
        use(certificate, None)
    with pytest.raises(CertificateExpired, match="expired on") as caught:
        use(certificate, key, NOW + dt.timedelta(days=400_000))
    assert caught.value.fix


def test_a_write_that_fails_leaves_what_was_there(own: CertificateSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ensure(own, NOW)
    before = fingerprint_sha256(files.certificate)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(certificates.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        ensure(CertificateSettings(directory=own.directory, names=("new.example",)), NOW)
    assert fingerprint_sha256(files.certificate) == before
    assert len(list(own.directory.iterdir())) == 2
