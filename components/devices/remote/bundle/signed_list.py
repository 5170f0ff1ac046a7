"""Signed list: what Debian itself says its packages are, which is what a lock is made from.

``InRelease`` is signed and has the digest of the list of packages, which has theirs. The signature
is checked by ``gpgv`` against the keys that Debian's package ``debian-archive-keyring`` brings.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

from components.contract.errors import UserError
from components.devices.remote.bundle.lock import (
    ARCHITECTURES,
    CODENAME,
    NAMES,
    BundleLock,
    PinnedPackage,
)
from components.devices.remote.bundle.mirrors import VARIABLE, Mirrors

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def lock_of(mirrors: Mirrors, keyring: Path | None = None) -> BundleLock:
    """Return a lock of what mirrors have now.

    Args:
        mirrors: To ask.
        keyring: The keys that are trusted; None for Debian's.

    Raises:
        UserError: The signature cannot be checked or does not hold, or a package is not there.
    """
    place = f"dists/{CODENAME}"
    signed = mirrors.fetch(f"{place}/InRelease")
    if signed is None:
        raise UserError(
            f"{', '.join(mirrors.addresses)}: there is no Debian {CODENAME}",
            f"export {VARIABLE}=ADDRESS of a mirror of Debian, without /dists",
        )
    release = verified(signed, keyring or KEYRING)
    listed = re.findall(r"^ ([0-9a-f]{64}) +\d+ (\S+)$", release, re.MULTILINE)
    digests = {path: sha256 for sha256, path in listed}
    found = tuple(
        package
        for arch, debian in ARCHITECTURES.items()
        for package in _pinned(mirrors, place, digests, arch, debian)
    )
    return BundleLock(CODENAME, _moment(release), found)


def verified(signed: bytes, keyring: Path) -> str:
    """Return what was signed, and not one byte of what was not.

    Args:
        signed: A text with its signature in it.
        keyring: The keys that are trusted.

    Raises:
        UserError: Nothing is there to check it with, or it is not what was signed.
    """
    if not shutil.which("gpgv"):
        raise UserError("gpgv, which checks signatures, is not installed", "apt-get install gpgv")
    if not keyring.is_file():
        raise UserError(
            f"Debian's keys are not installed: there is no {keyring}",
            "apt-get install debian-archive-keyring",
        )
    with tempfile.TemporaryDirectory() as folder:
        given, text = Path(folder, "InRelease"), Path(folder, "Release")
        given.write_bytes(signed)
        done = subprocess.run(
            ["gpgv", "--keyring", str(keyring), "--output", str(text), str(given)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise UserError(
                f"the list of packages is not as Debian has signed it: {said[-1]}",
                f"export {VARIABLE}=ADDRESS of another mirror; where its keys are older than it: "
                "apt-get install debian-archive-keyring",
            )
        return text.read_text()


def _pinned(
    mirrors: Mirrors, place: str, digests: Mapping[str, str], arch: str, debian: str
) -> Iterator[PinnedPackage]:
    listed = f"main/binary-{debian}/Packages.xz"
    if listed not in digests:
        raise UserError(
            f"Debian {CODENAME} has no packages for {debian}",
            f"export {VARIABLE}=ADDRESS of another mirror",
        )
    by_digest = f"{place}/main/binary-{debian}/by-hash/SHA256/{digests[listed]}"
    content = mirrors.fetch(by_digest) or mirrors.fetch(f"{place}/{listed}")
    if content is None or hashlib.sha256(content).hexdigest() != digests[listed]:
        raise UserError(
            f"the list of packages for {debian} is not the one that Debian has signed",
            "the mirror may be changing just now: try again in an hour",
        )
    entries = lzma.decompress(content).decode().split("\n\n")
    by_name = {entry.partition("\n")[0].removeprefix("Package: "): entry for entry in entries}
    for name in NAMES:
        if name not in by_name:
            raise UserError(
                f"Debian {CODENAME} has no package {name} for {debian}",
                f"put what it is called there into NAMES of {Path(__file__).with_name('lock.py')}",
            )
        fields = dict(re.findall(r"^(\w+): (.*)$", by_name[name], re.MULTILINE))
        yield PinnedPackage(
            arch=arch,
            name=name,
            version=fields["Version"],
            path=fields["Filename"],
            size_bytes=int(fields["Size"]),
            sha256=fields["SHA256"],
        )


def _moment(release: str) -> str:
    (date,) = re.findall(r"^Date: (.*)$", release, re.MULTILINE)
    return parsedate_to_datetime(date).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
