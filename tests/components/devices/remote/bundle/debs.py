"""Packages and mirrors of the tests' own: small, and signed with keys that nobody else has."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from components.devices.remote.bundle.lock import ARCHITECTURES, CODENAME, NAMES

RELEASE = """\
Origin: Debian
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
SHA256:
"""


def tar_of(files: Mapping[str, bytes], links: Mapping[str, str] = {}) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(f"./{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for path, link in links.items():
            entry = tarfile.TarInfo(f"./{path}")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            archive.addfile(entry)
    return made.getvalue()


def ar_of(members: Mapping[str, bytes]) -> bytes:
    made = b"!<arch>\n"
    for name, content in members.items():
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n".encode()
        made += content + b"\n" * (len(content) % 2)
    return made


def deb_of(files: Mapping[str, bytes], links: Mapping[str, str] = {}) -> bytes:
    data = lzma.compress(tar_of(files, links))
    control = lzma.compress(tar_of({"control": b"Package: x\n"}))
    return ar_of({"debian-binary": b"2.0\n", "control.tar.xz": control, "data.tar.xz": data})


class SignedMirror:
    """A mirror in a folder, with all packages of the bundle, and a key that signs it.

    Args:
        folder: For it.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("gpg") is None or shutil.which("gpgv") is None:
            pytest.skip("there is no gpg: .ci/devices install")
        self.folder, self.keyring = folder / "mirror", folder / "keys.gpg"
        self._home = folder / "gnupg"
        self._home.mkdir(parents=True, mode=0o700)
        made = ("--quick-generate-key", "tests", "ed25519", "sign", "never")
        self._gpg("--batch", "--passphrase", "", *made)
        self.keyring.write_bytes(self._gpg("--export"))
        self.versions = dict.fromkeys(NAMES, "1:3.11.2-1")
        self.sign()

    @property
    def address(self) -> str:
        return self.folder.as_uri()

    def sign(self) -> None:
        """Write packages and lists of them, and sign those."""
        listed = ""
        for debian in ARCHITECTURES.values():
            text = "\n".join(self._entry(name, debian) for name in self.versions)
            content = lzma.compress(text.encode())
            path = f"main/binary-{debian}/Packages.xz"
            self.write(f"dists/{CODENAME}/{path}", content)
            listed += f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}\n"
        clear = self.folder / "Release"
        clear.write_text(RELEASE + listed)
        self.write(f"dists/{CODENAME}/InRelease", self._gpg("--clearsign", "-o", "-", str(clear)))

    def write(self, path: str, content: bytes) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(content)

    def _entry(self, name: str, debian: str) -> str:
        version = self.versions[name]
        deb = deb_of({f"usr/share/doc/{name}": f"{name} {version} {debian}".encode()})
        path = f"pool/{name}_{version.replace(':', '')}_{debian}.deb"
        self.write(path, deb)
        return (
            f"Package: {name}\nVersion: {version}\nFilename: {path}\nSize: {len(deb)}\n"
            f"SHA256: {hashlib.sha256(deb).hexdigest()}\n"
        )

    def _gpg(self, *words: str) -> bytes:
        environment = {**os.environ, "GNUPGHOME": str(self._home)}
        command = ["gpg", "--quiet", "--yes", *words]
        return subprocess.run(command, check=True, capture_output=True, env=environment).stdout
