"""Settings of devices that are reached through a shell; they load nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import BeforeValidator, Field

from components.contract.types import NonNegativeFloat

_CORES = r"^(big|little|any|[0-9]+(,[0-9]+)*)$"


def _joined(value: object) -> object:
    """Return a list of cores as text; whatever else it is, as it is."""
    if isinstance(value, list | tuple):
        numbers = cast("Sequence[object]", value)
        return ",".join(str(each) for each in numbers)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Cores: TypeAlias = Annotated[str, BeforeValidator(_joined), Field(pattern=_CORES)]
"""Cores of a device: ``big``, ``little``, ``any``, or their numbers such as ``4,5,6,7``."""

FolderThere: TypeAlias = Annotated[str, Field(pattern=r"^(~/|/)[A-Za-z0-9._/-]+$")]
"""A folder on a device; the characters are those that no shell takes for anything else."""

HostName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._@:-]*$")]
"""What ``ssh`` is given: never an option."""

SerialNumber: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._:-]*$")]
"""What ``adb -s`` is given."""

AcceleratorKind: TypeAlias = Literal["cpu", "gpu", "npu"]
"""What computes."""

PythonThere: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_/][A-Za-z0-9._/-]*$")]
"""Name or path of a program."""


@dataclass(frozen=True, kw_only=True)
class RemoteSettings:
    """What any device measures with that is reached through a shell.

    Attributes:
        dir: The only folder there that is written to.
        python: Its Python, a name or a path; null: the newest of 3.10 to 3.14 there.
        cores: The model runs on these alone: ``big`` (the fastest kind, and the next one where
            ``threads`` needs more), ``little`` (the slowest kind likewise), ``any``, or numbers.
        cooldown_s: Longest wait for a device that is cool and quiet.
        accelerator: What computes: ``gpu`` and ``npu`` need a ``runner``.
        libraries: Folder there with the libraries that a ``runner`` loads, such as those of a GPU
            or an NPU; null: none but its system's.
    """

    dir: FolderThere = "~/.cache/slimline"
    python: PythonThere | None = None
    cores: Cores = "big"
    cooldown_s: NonNegativeFloat = 300.0
    accelerator: AcceleratorKind = "cpu"
    libraries: FolderThere | None = None

    @property
    def brings_python(self) -> bool:
        """Whether a Python and its C library go there, too."""
        return False


@dataclass(frozen=True, kw_only=True)
class SshSettings(RemoteSettings):
    """How a board is reached over ssh, and what it measures with.

    Attributes:
        host: Any name that ``ssh`` knows; ``~/.ssh/config`` holds.
        bundle: Bring a Python and its C library along, for a board that has none that LiteRT
            fits; `python` is not used then.
    """

    host: HostName
    bundle: bool = False

    @property
    def brings_python(self) -> bool:
        """Whether a Python and its C library go there, too."""
        return self.bundle


@dataclass(frozen=True, kw_only=True)
class AdbSettings(RemoteSettings):
    """How a device is reached over adb, and what it measures with.

    Attributes:
        serial: As ``adb devices -l`` shows it, or ``usb:PORT`` where two share one.
        via: The machine that it hangs on, any name that ``ssh`` knows; null: this one.
        bundle: Bring a Python and its C library along, as phones need it; false uses a Python
            that is there; null: true unless `python` names one.
    """

    serial: SerialNumber
    via: HostName | None = None
    dir: FolderThere = "/data/local/tmp/slimline"
    bundle: bool | None = None

    @property
    def brings_python(self) -> bool:
        """Whether a Python and its C library go there, too."""
        return self.python is None if self.bundle is None else self.bundle
