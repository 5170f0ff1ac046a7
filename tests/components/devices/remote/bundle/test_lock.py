"""The lock: what it names, and what changes with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.bundle.lock import ARCHITECTURES, LOCK, NAMES, BundleLock


def test_the_lock_names_every_package_and_no_address() -> None:
    lock = BundleLock.read()
    for arch in ARCHITECTURES:
        assert {package.name for package in lock.of(arch)} == set(NAMES)
    assert lock.python.startswith("3.11.")
    assert lock.glibc == "2.36"
    assert "://" not in LOCK.read_text()


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = BundleLock.read()
    lock.write(tmp_path / "lock")
    assert BundleLock.read(tmp_path / "lock") == lock
    assert (tmp_path / "lock").read_bytes() == LOCK.read_bytes()


def test_a_package_that_changes_changes_the_bundles_of_its_architecture() -> None:
    lock = BundleLock.read()
    first = lock.of("aarch64")[0]
    others = tuple(package for package in lock.packages if package != first)
    changed = replace(lock, packages=(*others, replace(first, sha256="0" * 64)))
    assert changed.digest_of("aarch64") != lock.digest_of("aarch64")
    assert changed.digest_of("x86_64") == lock.digest_of("x86_64")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"packages": [{"name": "x"}]}'])
def test_a_damaged_one_is_made_again(content: str, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(content)
    with pytest.raises(UserError, match="does not name the packages") as caught:
        BundleLock.read(tmp_path / "lock")
    assert caught.value.fix == "make bundle-lock"
