"""The model files of a release, as the manifest of any version names them.

A release of one file has no key ``files``: then the manifest as a whole describes that file, which
every device takes. Otherwise each entry of ``files`` says of one file what such a manifest says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from components.artifacts.firmware import Firmware
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.qualification import MANIFEST

WITHOUT = "devices_without_file"
"""Key of the manifest: by device why it has no file; left away where each has one."""
_SUFFIX = ".tflite"


def files_in(manifest: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return what a manifest says of each model file; the first is ``model.tflite``."""
    return cast("Sequence[Mapping[str, Any]]", manifest.get("files")) or [manifest]


def name_in(entry: Mapping[str, Any]) -> str:
    """Return the name of a file; small manifests of one file need not say it."""
    return str(entry.get("file", MODEL_FILE))


def devices_in(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the devices that a file is for; None where it is for every device."""
    listed = entry.get("devices")
    return None if listed is None else tuple(str(device) for device in listed)


def file_for(manifest: Mapping[str, Any], device: str) -> Mapping[str, Any] | None:
    """Return what a manifest says of the file that a device takes; None where it has none."""
    for entry in files_in(manifest):
        listed = devices_in(entry)
        if listed is None or device in listed:
            return entry
    return None


def devices_of(manifest: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the devices that have a file of their own choice; None where one is for all."""
    listed = [devices_in(entry) for entry in files_in(manifest)]
    if any(devices is None for devices in listed):
        return None
    return tuple(device for devices in listed for device in devices or ())


def takers_in(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return by name of a file the devices that it is for, of files that are not for every device.

    Raises:
        LookupError: The manifest lacks something.
        TypeError: It says something else.
    """
    takers: dict[str, list[str]] = {}
    for entry in files_in(manifest):
        listed = devices_in(entry)
        if listed is not None:
            takers[name_in(entry)] = list(listed)
        for firmware in firmware_in(entry):
            for name in (firmware.source, firmware.header):
                takers.setdefault(name, []).append(firmware.device)
    return takers


def firmware_in(entry: Mapping[str, Any]) -> tuple[Firmware, ...]:
    """Return the C files that belong to a file.

    Raises:
        LookupError: An entry lacks something.
        TypeError: An entry is none.
    """
    return tuple(Firmware.from_json(item) for item in entry.get("firmware", ()))


def release_faults(
    manifest: Mapping[str, Any], files: Mapping[str, str], read: Callable[[str], bytes]
) -> Iterator[str]:
    """Yield what of a release is not as its manifest says, each as the end of a sentence.

    Args:
        manifest: Of the release.
        files: The sha256 of every file by its name.
        read: Returns the content of one of them.

    Raises:
        LookupError: The manifest lacks something.
        TypeError: The manifest says something else.
    """
    described: set[str] = set()
    for entry in files_in(manifest):
        name = name_in(entry)
        described.add(name)
        if files.get(name) != entry["sha256"]:
            yield f"has a {MANIFEST} that does not describe its {name}"
        for firmware in firmware_in(entry):
            named = [one for one in (firmware.source, firmware.header) if one in files]
            yield from firmware.faults(entry["sha256"], {one: read(one) for one in named})
    first = files_in(manifest)[0]
    if manifest["sha256"] != first["sha256"]:
        yield f"has a {MANIFEST} whose first file is not the one that it describes"
    for name in sorted(files):
        if name.endswith(_SUFFIX) and name not in described:
            yield f"has a {name} that its {MANIFEST} does not describe"
