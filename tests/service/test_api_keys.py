"""The keys of the settings and of a file, and what happens when the file changes."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import pytest

from ocrsvc.service.api_keys import ApiKeys, WrongKey

KEY, OTHER = "k" * 16, "another-key-0123456789"


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_keys_none_is_required() -> None:
    keys = ApiKeys()
    assert not keys.required
    assert keys.client(KEY) is None


def test_keys_of_the_settings() -> None:
    keys = ApiKeys(f" {KEY}, sha256:{hashlib.sha256(OTHER.encode()).hexdigest()} ,")
    assert keys.required
    assert keys.client(KEY) == f"key-{hashlib.sha256(KEY.encode()).hexdigest()[:8]}"
    assert keys.client(OTHER) is not None
    for wrong in ("", KEY[:-1], KEY + "k", KEY.upper(), "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()):
        assert keys.client(wrong) is None


def test_a_file_has_names_and_comments(tmp_path: Path) -> None:
    digest = hashlib.sha256(OTHER.encode()).hexdigest().upper()
    (tmp_path / "keys").write_text(f"# of the shop\n\nshop.1 {KEY}\r\n  till sha256:{digest}\n")
    keys = ApiKeys("", tmp_path / "keys")
    assert (keys.client(KEY), keys.client(OTHER)) == ("shop.1", "till")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("short", "16 to 256"),
        (f"{KEY},{KEY}", "no comma"),
        ("ключ" * 5, "ASCII"),
        (f"the shop {KEY}", "NAME KEY"),
        (f"shop/1 {KEY}", "a name may have"),
        ("sha256:12ab", "64 hexadecimal"),
        ("# nothing", "no keys"),
        (f"{KEY}\n" * 70_000, "larger than"),
    ],
)
def test_what_is_no_key_is_explained_and_not_repeated(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "keys").write_text(line)
    with pytest.raises(WrongKey, match=words) as raised:
        ApiKeys("", tmp_path / "keys")
    assert KEY not in str(raised.value)


def test_no_plain_key_is_kept(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"shop {KEY}\n")
    keys = ApiKeys(OTHER, tmp_path / "keys")
    assert KEY not in repr(vars(keys))
    assert OTHER not in repr(vars(keys))


def replaced(path: Path, text: str) -> None:
    """Write the file as a careful operator does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def test_a_changed_file_is_read_again_within_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path, clock = tmp_path / "keys", Clock()
    path.write_text(f"shop {KEY}\n")
    keys = ApiKeys("", path, clock=clock)
    replaced(path, f"shop {OTHER}\n")
    assert keys.client(KEY) == "shop"  # not looked at yet
    clock.now += 1
    assert keys.client(KEY) is None
    assert keys.client(OTHER) == "shop"
    replaced(path, "")
    clock.now += 1
    assert keys.client(OTHER) is None
    assert keys.required
    assert [record.message for record in caplog.records] == ["the API keys have changed"] * 2


def test_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, clock = tmp_path / "keys", Clock()
    path.write_text(f"shop {KEY}\n")
    keys = ApiKeys("", path, clock=clock)
    replaced(path, "short\n")
    for _ in range(3):
        clock.now += 1
        assert keys.client(KEY) == "shop"
    path.unlink()
    clock.now += 1
    assert keys.client(KEY) == "shop"
    assert len(caplog.records) == 1
    assert "line 1" in str(vars(caplog.records[0])["cause"])
    replaced(path, f"shop {OTHER}\n")
    clock.now += 1
    assert (keys.client(KEY), keys.client(OTHER)) == (None, "shop")


def test_a_mounted_secret_is_followed(tmp_path: Path) -> None:
    """Kubernetes replaces a link to a folder; the times of the files may be equal."""
    clock = Clock()
    for name, key in (("old", KEY), ("new", OTHER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "keys").write_text(f"shop {key}{'x' * (len(OTHER) - len(key))}\n")
        os.utime(tmp_path / name / "keys", ns=(10**18, 10**18))
    (tmp_path / "data").symlink_to("old")
    keys = ApiKeys("", tmp_path / "data" / "keys", clock=clock)
    (tmp_path / "link").symlink_to("new")
    (tmp_path / "link").replace(tmp_path / "data")
    clock.now += 1
    assert keys.client(OTHER) == "shop"
