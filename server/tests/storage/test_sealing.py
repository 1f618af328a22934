"""Secrets at rest: sealed under a key file that only its owner reads."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.base.errors import CannotStart
from pilothouse.storage.sealing import CannotUnseal, Vault, load_or_create_key

KEY = bytes(range(32))


@given(st.text(min_size=1, max_size=200), st.text(alphabet="0123456789abcdef", min_size=8, max_size=8))
def test_what_is_sealed_can_be_opened_and_cannot_be_read(material: str, key_id: str) -> None:
    sealed = Vault(KEY).seal(material, key_id=key_id)
    assert Vault(KEY).open(sealed, key_id=key_id) == material
    if len(material) > 8:
        assert material.encode() not in sealed


def test_sealing_twice_gives_two_texts() -> None:
    assert Vault(KEY).seal("m", key_id="k") != Vault(KEY).seal("m", key_id="k")


def test_a_row_that_was_altered_or_swapped_is_noticed() -> None:
    sealed = Vault(KEY).seal("material", key_id="aaaa")
    for place in range(5, len(sealed)):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(CannotUnseal, match="altered"):
            Vault(KEY).open(altered, key_id="aaaa")
    with pytest.raises(CannotUnseal, match="altered"):
        Vault(KEY).open(sealed, key_id="bbbb")


def test_another_key_is_recognised_for_what_it_is() -> None:
    with pytest.raises(CannotUnseal, match="another key"):
        Vault(bytes(32)).open(Vault(KEY).seal("material", key_id="k"), key_id="k")


def test_the_key_file_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "secret.key"
    key = load_or_create_key(path)
    assert load_or_create_key(path) == key
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(load_or_create_key, [tmp_path / "k"] * 8))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


@pytest.mark.parametrize(("mode", "content", "cause"), [(0o644, KEY, "Others may read"), (0o600, b"short", "5 bytes")])
def test_a_key_file_that_cannot_be_trusted_keeps_the_server_from_starting(
    tmp_path: Path, mode: int, content: bytes, cause: str
) -> None:
    path = tmp_path / "k"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(CannotStart, match=cause):
        load_or_create_key(path)
