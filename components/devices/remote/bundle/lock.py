"""Lock: which packages of Debian a bundle is made of, to the byte.

``debian.json`` beside this file; ``make bundle-lock`` writes it from what Debian has signed. It
names no address: where packages come from is whoever builds' own choice (``mirrors.py``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from components.contract.digests import digest
from components.contract.errors import UserError

LOCK = Path(__file__).with_name("debian.json")

PYTHON = "python3.11"
CODENAME = "bookworm"
"""Debian 12: its packages change no more but for what is urgent, so pins hold for long. Its C
library runs on every kernel from 3.2 on."""

NAMES = (
    "libbz2-1.0", "libc6", "libexpat1", "libffi8", "libgcc-s1", "liblzma5",
    f"lib{PYTHON}-minimal", f"lib{PYTHON}-stdlib", "libsqlite3-0", "libssl3", "libstdc++6",
    "libuuid1", f"{PYTHON}-minimal", "zlib1g",
)  # fmt: skip
"""The packages: a Python with its whole standard library, and each library that it or LiteRT needs
(that none is missing is checked whenever a bundle is made)."""

ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}
"""What Debian calls them, by what the kernel does."""


@dataclass(frozen=True)
class PinnedPackage:
    """A package, to the byte.

    Attributes:
        arch: As the kernel says, such as ``aarch64``.
        name: As Debian says.
        version: Of it.
        path: Where it lies on a mirror.
        size_bytes: Of it.
        sha256: Of it.
    """

    arch: str
    name: str
    version: str
    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class BundleLock:
    """Which packages bundles are made of.

    Attributes:
        codename: Of the release of Debian.
        moment: When Debian signed the list that names them, such as ``20260711T101637Z``.
        packages: Of all architectures.
    """

    codename: str
    moment: str
    packages: tuple[PinnedPackage, ...]

    @classmethod
    def read(cls, path: Path | None = None) -> BundleLock:
        """Read a file that ``write`` has written.

        Args:
            path: Of it; None for the one beside this module.

        Raises:
            UserError: It is damaged.
        """
        path = path or LOCK
        try:
            content = cast("dict[str, Any]", json.loads(path.read_bytes()))
            packages = tuple(PinnedPackage(**each) for each in content["packages"])
            return cls(content["codename"], content["moment"], packages)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} does not name the packages of a bundle: {error}", "make bundle-lock"
            ) from None

    def write(self, path: Path) -> None:
        """Write it as text in which a change shows line by line."""
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")

    def of(self, arch: str) -> Sequence[PinnedPackage]:
        """Return the packages of one architecture, by name."""
        return sorted((one for one in self.packages if one.arch == arch), key=lambda one: one.name)

    def digest_of(self, arch: str) -> str:
        """Return what changes whenever a bundle of this architecture does."""
        return digest("bundle", {one.name: one.sha256 for one in self.of(arch)})[:16]

    @property
    def python(self) -> str:
        """Version of the Python in it, such as ``3.11.2``."""
        return self._upstream(f"{PYTHON}-minimal")

    @property
    def glibc(self) -> str:
        """Version of the C library in it, such as ``2.36``."""
        return self._upstream("libc6")

    def _upstream(self, name: str) -> str:
        version = next(one.version for one in self.packages if one.name == name)
        return version.rpartition(":")[2].partition("-")[0]
