"""LiteRT.js from npm: only the archive that is known is taken."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.devices.browser.litertjs import LiteRtJs, litertjs, place_of, unpack, wire_bytes


def archive(path: Path, content: bytes = b"export {}") -> str:
    """Write an archive as npm makes them; returns its digest as npm writes it."""
    with tarfile.open(path, "w:gz") as packed:
        entry = tarfile.TarInfo("package/dist/index.js")
        entry.size = len(content)
        packed.addfile(entry, io.BytesIO(content))
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def test_the_known_archive_is_unpacked_and_no_other(tmp_path: Path) -> None:
    known = archive(tmp_path / "a.tgz")
    size = unpack(tmp_path / "a.tgz", known, "@litertjs/core@1", tmp_path / "core")
    assert size == (tmp_path / "a.tgz").stat().st_size
    assert (tmp_path / "core/dist/index.js").read_bytes() == b"export {}"
    archive(tmp_path / "b.tgz", b"steal()")
    with pytest.raises(UserError, match="@litertjs/core@1 from npm is not the package") as caught:
        unpack(tmp_path / "b.tgz", known, "@litertjs/core@1", tmp_path / "other")
    assert "npm cache clean --force" in caught.value.fix
    assert not (tmp_path / "other").exists()


def test_without_npm_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="npm, which fetches @litertjs/core") as caught:
        litertjs(tmp_path / "cache")
    assert caught.value.fix == "apt-get install npm"
    assert list((tmp_path / "cache").iterdir()) == [], "nothing half is left"


def test_an_npm_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError, match="could not be fetched: npm error network") as caught:
        litertjs(tmp_path / "cache")
    assert "npm view @litertjs/core@" in caught.value.fix
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_is_there_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    place_of(tmp_path).mkdir()
    assert litertjs(tmp_path).fetched_bytes == 0


def test_bytes_over_the_wire_are_counted_once(tmp_path: Path) -> None:
    content = b"a line of text\n" * 1000
    (tmp_path / "a.js").write_bytes(content)
    (tmp_path / "b.js").write_bytes(content)
    one, runtime = wire_bytes(content), LiteRtJs(tmp_path, "", 0, 0.0)
    assert one.raw == len(content)
    assert 0 < one.brotli < one.gzip < one.raw
    both = runtime.wire_bytes(["a.js", "b.js"])
    assert both == one.plus(one)
    (tmp_path / "a.js").unlink()
    assert runtime.wire_bytes(["a.js", "b.js"]) == both, "kept"
