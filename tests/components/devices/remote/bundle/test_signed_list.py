"""The signed list: nothing of it is believed that its key has not signed."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.remote.bundle.__main__ import main
from components.devices.remote.bundle.lock import ARCHITECTURES, CODENAME, NAMES, BundleLock
from components.devices.remote.bundle.mirrors import VARIABLE, Mirrors
from components.devices.remote.bundle.signed_list import lock_of
from tests.components.devices.remote.bundle.debs import SignedMirror

SIGNED = f"dists/{CODENAME}/InRelease"


@pytest.fixture
def mirror(tmp_path: Path) -> SignedMirror:
    return SignedMirror(tmp_path)


def lock(mirror: SignedMirror, keyring: Path | None = None) -> BundleLock:
    return lock_of(Mirrors((mirror.address,)), keyring or mirror.keyring)


def test_a_lock_names_what_is_signed(mirror: SignedMirror) -> None:
    found = lock(mirror)
    assert (found.codename, found.moment) == ("bookworm", "20260711T101637Z")
    assert len(found.packages) == len(NAMES) * len(ARCHITECTURES)
    one = found.of("aarch64")[0]
    content = Mirrors((mirror.address,)).fetch_pinned(one.path, one.sha256, one.name)
    assert len(content) == one.size_bytes


def test_what_was_changed_after_it_was_signed_is_refused(mirror: SignedMirror) -> None:
    path = mirror.folder / SIGNED
    good = path.read_bytes()
    path.write_bytes(good.replace(b"Codename: bookworm", b"Codename: bookwurm"))
    with pytest.raises(UserError, match=r"not as Debian has signed it: .*BAD signature"):
        lock(mirror)
    # What stands before and after the signature is no part of what was signed.
    path.write_bytes(b"SHA256:\n 0 0 main/binary-arm64/Packages.xz\n" + good)
    assert lock(mirror) == lock(mirror)


def test_another_key_is_refused_and_the_right_one_helps(
    mirror: SignedMirror, tmp_path: Path
) -> None:
    other = SignedMirror(tmp_path / "other")
    with pytest.raises(UserError, match="not as Debian has signed it") as caught:
        lock(mirror, other.keyring)
    assert f"export {VARIABLE}=ADDRESS of another mirror" in caught.value.fix
    assert lock(other).packages


def test_a_list_that_is_another_is_refused(mirror: SignedMirror) -> None:
    path = mirror.folder / f"dists/{CODENAME}/main/binary-arm64/Packages.xz"
    path.write_bytes(lzma.compress(b"Package: libc6\nVersion: 6.6.6\n"))
    with pytest.raises(UserError, match="packages for arm64 is not the one that Debian has signed"):
        lock(mirror)


def test_a_package_that_debian_calls_otherwise_is_named(mirror: SignedMirror) -> None:
    del mirror.versions["libffi8"]
    mirror.sign()
    with pytest.raises(UserError, match="has no package libffi8 for arm64") as caught:
        lock(mirror)
    assert "NAMES of" in caught.value.fix


def test_without_keys_their_package_is_named(mirror: SignedMirror, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Debian's keys are not installed") as caught:
        lock(mirror, tmp_path / "none.gpg")
    assert caught.value.fix == "apt-get install debian-archive-keyring"


def test_without_gpgv_its_package_is_named(
    mirror: SignedMirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        with pytest.raises(UserError, match="gpgv, which checks signatures") as caught:
            lock(mirror)
    assert caught.value.fix == "apt-get install gpgv"
    assert lock(mirror).packages


def test_the_command_writes_the_lock_or_says_why_not(
    mirror: SignedMirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
) -> None:
    monkeypatch.setattr("components.devices.remote.bundle.__main__.LOCK", tmp_path / "lock.json")
    monkeypatch.setattr("components.devices.remote.bundle.signed_list.KEYRING", mirror.keyring)
    monkeypatch.setenv(VARIABLE, (tmp_path / "nothing").as_uri())
    assert main() == 2
    assert "there is no Debian bookworm" in capsys.readouterr().err
    assert not (tmp_path / "lock.json").exists()
    monkeypatch.setenv(VARIABLE, mirror.address)
    assert main() == 0
    assert BundleLock.read(tmp_path / "lock.json") == lock(mirror)
