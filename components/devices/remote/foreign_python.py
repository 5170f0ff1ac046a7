"""Foreign Python: the interpreter of a device, and whether the runtime has a wheel for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.contract.errors import UserError
from components.devices.remote.settings import RemoteSettings

FOUND_THERE = "python "
"""Stands before the path of each that a look has found."""

LEAST_GLIBC: Mapping[str, tuple[int, int]] = {"aarch64": (2, 34), "x86_64": (2, 27)}
"""What LiteRT's wheels need in fact, by architecture; the tags of those for aarch64 say 2.27."""

_VERSIONS = range(10, 15)


@dataclass(frozen=True)
class ForeignPython:
    """A Python on a device.

    Attributes:
        path: There; of one that is brought, which it is.
        version: Such as ``3.11.2``.
        implementation: ``CPython``, or another.
        free_threaded: Whether it has no global lock: another binary interface.
        bits: Of a pointer.
        machine: Architecture.
        glibc: Version; empty with another C library.
        cores: That it may use.
        page_size: Of memory, bytes; 0 where that is unknown.
        runs_programs: Whether files may be run where it is to write.
        writable: Whether it may write there.
    """

    path: str
    version: str
    implementation: str
    free_threaded: bool
    bits: int
    machine: str
    glibc: str
    cores: tuple[int, ...]
    page_size: int
    runs_programs: bool
    writable: bool

    @classmethod
    def from_json(cls, path: str, content: Mapping[str, Any]) -> ForeignPython:
        """Read what ``about_python.py`` printed."""
        known: dict[str, Any] = {**content, "path": path, "cores": tuple(content["cores"])}
        known["version"] = ".".join(str(each) for each in content["version"])
        return cls(**known)

    @property
    def release(self) -> tuple[int, int]:
        """Version as a wheel has it: ``(3, 11)``."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    @property
    def glibc_release(self) -> tuple[int, int]:
        """Version of glibc in numbers."""
        major, minor = self.glibc.split(".")[:2]
        return int(major), int(minor)

    @property
    def has_release(self) -> bool:
        """Whether there is a wheel for this version and kind of Python."""
        return (
            self.release[0] == 3
            and self.release[1] in _VERSIONS
            and self.implementation == "CPython"
            and not self.free_threaded
        )


def fitting(
    pythons: Sequence[ForeignPython], arch: str, name: str, settings: RemoteSettings
) -> ForeignPython:
    """Return the first that the runtime has a wheel for.

    Args:
        pythons: In the order in which they are preferred.
        arch: As the kernel says.
        name: Of the device.
        settings: Of it.

    Raises:
        UserError: There is none; or no room, or no permission, where it is to write.
    """
    _check_architecture(arch, name)
    if not pythons:
        asked = f"no {settings.python}" if settings.python else "no Python"
        raise UserError(
            f"{name} has {asked}, which runs the measurement there",
            f"{_bring(name)}; or install Python 3.10 to 3.14 there, or set `python` of {name} to "
            "where it is",
        )
    found = next((each for each in pythons if each.has_release), None)
    if found is None:
        first = pythons[0]
        kind = " without its global lock" if first.free_threaded else ""
        other = "" if first.implementation == "CPython" else f" ({first.implementation})"
        raise UserError(
            f"{name} has Python {first.version}{other}{kind}, and LiteRT needs a usual 3.10 to "
            "3.14",
            f"{_bring(name)}; or install one of these there, or set `python` of {name} to where "
            "it is",
        )
    _check_library(found, arch, name)
    _check_folder(found, name, settings)
    return found


def _bring(name: str) -> str:
    return f"set `bundle: true` of {name}, so that a Python and its C library go there, too"


def _check_architecture(arch: str, name: str) -> None:
    if arch not in LEAST_GLIBC:
        raise UserError(
            f"{name} is {arch or 'of an unknown architecture'}, and there is no LiteRT for it, "
            "which a bundle would have to bring, too",
            f"put a 64-bit system on it ({' or '.join(LEAST_GLIBC)}), or remove {name} from "
            "`devices`",
        )


def _check_library(python: ForeignPython, arch: str, name: str) -> None:
    if python.bits != 64:
        raise UserError(
            f"{name} runs {python.bits}-bit programs on its 64-bit kernel, and there is no LiteRT "
            "for them",
            f"{_bring(name)}; or put a 64-bit system on it",
        )
    least = LEAST_GLIBC[arch]
    needed = ".".join(map(str, least))
    if not python.glibc or python.glibc_release < least:
        has = f"glibc {python.glibc}" if python.glibc else "another C library than glibc"
        raise UserError(
            f"{name} has {has}, and LiteRT needs glibc {needed}",
            f"{_bring(name)}; or update its system to one with glibc {needed} or newer, such as "
            "Debian 12",
        )


def _check_folder(python: ForeignPython, name: str, settings: RemoteSettings) -> None:
    if not python.writable:
        raise UserError(
            f"{name} does not let us write into {settings.dir}",
            f"set `dir` of {name} to a folder that its user may write into",
        )
    if not python.runs_programs:
        raise UserError(
            f"{name} runs no programs from {settings.dir}: its disk is mounted with noexec",
            f"set `dir` of {name} to a folder on another disk",
        )
