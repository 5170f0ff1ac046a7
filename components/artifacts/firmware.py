"""The C files of a model for a firmware, on their way from a benchmark into a release.

``select`` keeps those of the winner beside its decision, and ``publish`` takes them from there.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from components.artifacts.microcontroller import HEADER, SOURCE, MicroReport
from components.contract.errors import UserError

FOLDER = "firmware"
"""In a report of benchmark_microcontroller, and, with a folder a device, beside a decision."""

_ARRAY = re.compile(r"model_data\[\] = \{\n(?P<bytes>[0-9a-fx,\s]*)\};\n\Z")
_BYTE = re.compile(r"0x([0-9a-f]{2}),")


@dataclass(frozen=True)
class Firmware:
    """What ``manifest.json`` says of the C files of one microcontroller.

    Attributes:
        device: Its name in the configuration.
        source: Name of the C file in the release, which defines the array ``model_data``.
        header: Name of the header that declares it, with the sizes that a firmware needs.
        sha256: Of the two files, by name.
        model_sha256: Of the bytes in the array.
        model_bytes: Their count: what the model takes of the flash.
        arena_bytes: What to allocate for tensors, at least.
        operators: What to register with the interpreter.
        unshared: Why the array holds the file of the release as it is without repack; empty where
            it holds exactly that file.
    """

    device: str
    source: str
    header: str
    sha256: Mapping[str, str]
    model_sha256: str
    model_bytes: int
    arena_bytes: int
    operators: tuple[str, ...]
    unshared: str = ""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Firmware:
        """Read an entry of a manifest.

        Raises:
            LookupError: It lacks something.
            TypeError: It is no mapping, or says something else.
        """
        known: dict[str, Any] = {**value, "operators": tuple(value["operators"])}
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the manifest."""
        return {**asdict(self), "operators": list(self.operators), "sha256": dict(self.sha256)}

    def faults(self, model_sha256: str, files: Mapping[str, bytes]) -> Iterator[str]:
        """Yield what is wrong with the C files, each as the end of a sentence about the release.

        Args:
            model_sha256: Of the model file that they are of.
            files: Content of the two by name; a missing one is left out.
        """
        for name in (self.source, self.header):
            if name not in files:
                yield f"has no {name}"
            elif sha256(files[name]).hexdigest() != self.sha256.get(name):
                yield f"has a {name} that its manifest does not describe"
        held = array_in(files[self.source]) if self.source in files else None
        if self.source in files and (held is None or sha256(held).hexdigest() != self.model_sha256):
            yield f"has a {self.source} that does not hold the model of its manifest"
        elif not self.unshared and self.model_sha256 != model_sha256:
            yield f"has a {self.source} that holds another model than its file"


def array_in(source: bytes) -> bytes | None:
    """Return the bytes of the array in ``model_data.c``; None where there is no such array."""
    found = _ARRAY.search(source.decode("ascii", errors="replace"))
    if found is None:
        return None
    held = bytes(int(byte, 16) for byte in _BYTE.findall(found["bytes"]))
    # Anything between the bytes that is none would have gone unnoticed.
    return held if len(re.findall(r"\S+", found["bytes"])) == len(held) else None


def keep_firmware(report: Path, decision: Path, device: str) -> None:
    """Copy the C files of a winner beside its decision, where its benchmark wrote any.

    Args:
        report: Of the benchmark.
        decision: Folder of the decision.
        device: Name of the device in the configuration.
    """
    if not (report / FOLDER).is_dir():
        return
    target = decision / FOLDER / device
    target.mkdir(parents=True)
    for name in (f"{FOLDER}/{SOURCE}", f"{FOLDER}/{HEADER}", MicroReport.FILE):
        shutil.copyfile(report / name, target / Path(name).name)


def kept_firmware(decision: Path) -> dict[str, Path]:
    """Return the folders that ``keep_firmware`` made, by device."""
    folder = decision / FOLDER
    return {path.name: path for path in sorted(folder.iterdir())} if folder.is_dir() else {}


def write_released(kept: Path, release: Path, device: str, model_sha256: str) -> Firmware:
    """Write the C files of a device into a release, and say what they are.

    Where the release has files of these names for another device, with other content, these are
    called after their own, and the source includes the header by its new name.

    Args:
        kept: What ``keep_firmware`` made.
        release: Folder of the release.
        device: Name of the device in the configuration.
        model_sha256: Of the model file in the release that they are of.

    Raises:
        UserError: They are not of that file, or not as the benchmark wrote them.
    """
    told = MicroReport.read(kept)
    source, header = (kept / SOURCE).read_bytes(), (kept / HEADER).read_bytes()
    names = (SOURCE, HEADER)
    written = [(release / name).is_file() for name in names]
    if any(written) and [(release / name).read_bytes() for name in names] != [source, header]:
        names = (_called(SOURCE, device), _called(HEADER, device))
        source = source.replace(f'"{HEADER}"'.encode(), f'"{names[1]}"'.encode(), 1)
    held = array_in(source)
    fix = "run benchmark_microcontroller again"
    if held is None or told.arena_bytes is None:
        raise UserError(f"the firmware files of {device} hold no model", fix)
    firmware = Firmware(
        device=device,
        source=names[0],
        header=names[1],
        sha256={
            name: sha256(data).hexdigest()
            for name, data in zip(names, (source, header), strict=True)
        },
        model_sha256=sha256(held).hexdigest(),
        model_bytes=len(held),
        arena_bytes=told.arena_bytes,
        operators=told.operators,
        unshared=told.unshared,
    )
    files = dict(zip(names, (source, header), strict=True))
    if fault := next(firmware.faults(model_sha256, files), None):
        raise UserError(f"what the microcontroller {device} was given {fault}", fix)
    for name, data in files.items():
        (release / name).write_bytes(data)
    return firmware


def _called(name: str, device: str) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{stem}-{device}.{suffix}"
