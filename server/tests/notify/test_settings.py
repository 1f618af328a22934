"""What the operator sets about telling people is refused at the start when it cannot be, and no password is repeated."""

from pathlib import Path

import pytest
from pilothouse.base.errors import CannotStart
from pilothouse.config import load
from pilothouse.config.reading import InvalidSetting
from pilothouse.notify.rules import trusted


def test_what_is_set_is_read(tmp_path: Path) -> None:
    settings = load(
        {
            "PILOTHOUSE_NOTIFY_ALLOW": "10.0.0.0/8, hooks.internal",
            "PILOTHOUSE_NOTIFY_CA_FILE": str(tmp_path / "ca.pem"),
            "PILOTHOUSE_SMTP_URL": "smtp://u:p@mail.example.com",
            "PILOTHOUSE_SMTP_FROM": "pilothouse@example.com",
        }
    )
    assert settings.notify_allow == "10.0.0.0/8, hooks.internal"
    assert settings.notify_ca_file == tmp_path / "ca.pem"
    assert (settings.smtp_url, settings.smtp_from) == ("smtp://u:p@mail.example.com", "pilothouse@example.com")
    assert load({}).smtp_url is None


@pytest.mark.parametrize(
    ("variable", "others"),
    [
        ("PILOTHOUSE_NOTIFY_ALLOW", {"PILOTHOUSE_NOTIFY_ALLOW": "10.0.0.1/8"}),
        ("PILOTHOUSE_NOTIFY_ALLOW", {"PILOTHOUSE_NOTIFY_ALLOW": "https://hooks.internal"}),
        ("PILOTHOUSE_SMTP_FROM", {"PILOTHOUSE_SMTP_URL": "smtp://u:s3cret@mail.example.com"}),
        (
            "PILOTHOUSE_SMTP_URL",
            {
                "PILOTHOUSE_SMTP_URL": "smtp://u:s3cret@mail.example.com?starttls=never",
                "PILOTHOUSE_SMTP_FROM": "pilothouse@example.com",
            },
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(variable: str, others: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting) as caught:
        load(others)
    assert caught.value.field == variable
    assert "s3cret" not in caught.value.message + caught.value.fix


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_file_of_authorities_that_cannot_be_read_is_told_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CannotStart) as caught:
        trusted(path)
    assert caught.value.field == "PILOTHOUSE_NOTIFY_CA_FILE"
