"""LiteRT.js: fetched by npm, checked, kept in a folder; and how many bytes a page loads of it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from components.artifacts.browser import WireBytes
from components.contract.digests import canonical_json
from components.contract.errors import UserError

VERSION: Final = "2.5.3"
PACKAGES: Final[Mapping[str, str]] = {
    "core": "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0"
    "FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    "wasm-utils": "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKH"
    "i05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
}
"""Packages of ``@litertjs`` with the sha512 of each archive, as npm writes it."""

DIGEST: Final = hashlib.sha256(canonical_json({"version": VERSION, **PACKAGES})).hexdigest()
"""Of all that is fetched."""

BROTLI_QUALITY: Final = 6
"""What servers compress with that do so as they answer."""
_NPM_S = 300.0


@dataclass(frozen=True)
class LiteRtJs:
    """LiteRT.js on this machine.

    Attributes:
        folder: Holds a folder for each package.
        sha256: Of both archives' digests: what was fetched.
        fetched_bytes: How many came over, 0 where it lay there already.
        seconds: How long that took.
    """

    folder: Path
    sha256: str
    fetched_bytes: int
    seconds: float

    def wire_bytes(self, files: Sequence[str]) -> WireBytes:
        """Return what files of it come to.

        Args:
            files: Relative to the folder.
        """
        name = hashlib.sha256("\n".join(files).encode()).hexdigest()[:12]
        kept = self.folder / f"wire-{name}.json"
        if kept.is_file():  # compressing nine million bytes takes seconds
            return WireBytes(**json.loads(kept.read_bytes()))
        total = WireBytes(0, 0, 0)
        for file in files:
            total = total.plus(wire_bytes((self.folder / file).read_bytes()))
        part = kept.with_suffix(f".part-{secrets.token_hex(4)}")
        part.write_bytes(canonical_json(asdict(total)))
        part.replace(kept)
        return total


def wire_bytes(content: bytes) -> WireBytes:
    """Return how many bytes a server sends of a file.

    References:
        RFC 1952, RFC 7932.
    """
    module: Any = import_module("brotli")  # an extra of this one component
    return WireBytes(
        raw=len(content),
        gzip=len(gzip.compress(content, 9, mtime=0)),
        brotli=len(module.compress(content, quality=BROTLI_QUALITY, lgwin=24)),
    )


def litertjs(folder: Path) -> LiteRtJs:
    """Return LiteRT.js, and fetch it with npm where it is not there.

    Args:
        folder: Where it is kept, below ``litertjs-VERSION-DIGEST``.

    Raises:
        UserError: npm is not installed, the package cannot be had, or is not the one that is known.
    """
    place = place_of(folder)
    if place.is_dir():
        return LiteRtJs(place, DIGEST, 0, 0.0)
    started = time.monotonic()
    place.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{place.name}.part-", dir=place.parent))
    try:
        fetched = sum(_fetch(name, part) for name in PACKAGES)
        try:
            part.rename(place)
        except OSError:  # another step was quicker
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return LiteRtJs(place, DIGEST, fetched, time.monotonic() - started)


def place_of(folder: Path) -> Path:
    """Return where LiteRT.js lies below a folder, once it is there."""
    return folder.expanduser() / f"litertjs-{VERSION}-{DIGEST[:12]}"


def _fetch(name: str, folder: Path) -> int:
    """Fetch one package into a folder of its name, and return the bytes of its archive."""
    wanted = f"@litertjs/{name}@{VERSION}"
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"kind: browser: npm, which fetches {wanted}, is not installed", "apt-get install npm"
        )
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        try:
            done = subprocess.run(
                [npm, "pack", "--silent", "--ignore-scripts", wanted],
                cwd=temporary,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_NPM_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _unfetched(wanted, f"npm took longer than {_NPM_S:g} s") from None
        archives = sorted(Path(temporary).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["npm said nothing"]
            raise _unfetched(wanted, last[0])
        return unpack(archives[0], PACKAGES[name], wanted, folder / name)


def unpack(archive: Path, sha512: str, wanted: str, folder: Path) -> int:
    """Unpack an archive of npm if it is the one that is known, and return its length.

    Args:
        archive: The file.
        sha512: In base64.
        wanted: What was asked for.
        folder: Where its files go.

    Raises:
        UserError: It is another one.
    """
    content = archive.read_bytes()
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != sha512:
        raise UserError(
            f"{wanted} from npm is not the package that slimline knows: its sha512 is another",
            "npm cache clean --force, look at which registry npm asks, and run again",
        )
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        with tarfile.open(archive) as packed:
            packed.extractall(temporary, filter="data")
        Path(temporary, "package").rename(folder)
    return len(content)


def _unfetched(wanted: str, why: str) -> UserError:
    return UserError(
        f"kind: browser: {wanted} could not be fetched: {why}",
        f"run npm view {wanted} by hand until it answers, and run again",
    )
