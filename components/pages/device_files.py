"""A file for each device: which one it takes, on the report and on the model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.artifacts.released_files import WITHOUT, files_in, firmware_in, name_in
from components.pages.blocks import CardSection, Paragraph, Table
from components.statistics.bootstrap import Interval
from components.statistics.quantities import short_time, whole_bytes, with_interval

_HEAD = ("Devices", "File", "Variant", "Size", "Median latency", "Drop, sealed", "Qualified")
_ONCE = frozenset({"Intended use", "Ethical considerations", "Evaluation data", "Training data"})
"""Sections of a card that say the same of every file of a release."""


@dataclass(frozen=True)
class DeviceFileRow:
    """One file of a release, or a device that has none.

    Attributes:
        devices: Their names.
        file: In the release; empty where there is none.
        variant: What it is.
        size: In words.
        latency: By device, in words; empty where none was measured.
        drop: On the sealed images, in words.
        qualified: In words; of a device without a file why it has none.
    """

    devices: str
    file: str
    variant: str
    size: str
    latency: str
    drop: str
    qualified: str

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> DeviceFileRow:
        """Return the row of an entry of ``files`` in a manifest."""
        drop = entry["sealed"]["drop"]
        timed = entry["selection"]["p50_ms"]
        return cls(
            devices=", ".join(entry["devices"]),
            file=name_in(entry),
            variant=str(entry["variant"]),
            size=whole_bytes(entry["size_bytes"]),
            latency=", ".join(
                f"{short_time(p50['value'])} on {device}" for device, p50 in timed.items() if p50
            ),
            drop=with_interval(Interval(**drop)) if drop else "unknown",
            qualified="yes" if entry["qualified"] else "no",
        )

    @classmethod
    def without(cls, device: str, reason: str) -> DeviceFileRow:
        """Return the row of a device for which nothing won."""
        return cls(device, "", "", "", "", "", f"no file: {reason}")

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        cells = (self.devices, self.file, self.variant, self.size, self.latency, self.drop)
        return (*(cell or "none" for cell in cells), self.qualified)


def card_of_files(
    manifest: Mapping[str, Any], cards: Sequence[Sequence[CardSection]]
) -> list[CardSection]:
    """Return the card of a release.

    Args:
        manifest: Of the release.
        cards: The sections of each of its files, in the order of the manifest.
    """
    sections = [*_files(manifest), *_firmware(manifest)]
    if "files" not in manifest:
        return [*cards[0], *sections]
    for place, (entry, card) in enumerate(zip(files_in(manifest), cards, strict=True)):
        for section in card:
            if section.title not in _ONCE:
                sections.append(CardSection(f"{section.title}: {name_in(entry)}", section.blocks))
            elif place == 0:
                sections.append(section)
    return sections


def _files(manifest: Mapping[str, Any]) -> Iterator[CardSection]:
    if "files" not in manifest:
        return
    rows = [DeviceFileRow.of(entry).cells for entry in manifest["files"]]
    rows += [DeviceFileRow.without(*item).cells for item in manifest.get(WITHOUT, {}).items()]
    what = (
        "Each device takes the file that was chosen by its own measurements. What reads one file "
        f"alone finds {name_in(manifest)}."
    )
    yield CardSection("A file for each device", (Paragraph(what), Table(_HEAD, tuple(rows))))


def _firmware(manifest: Mapping[str, Any]) -> Iterator[CardSection]:
    rows = [
        (
            one.device,
            name_in(entry),
            f"{one.source}, {one.header}",
            whole_bytes(one.model_bytes),
            whole_bytes(one.arena_bytes),
            ", ".join(one.operators),
            "as it is without repack" if one.unshared else "exactly that file",
        )
        for entry in files_in(manifest)
        for one in firmware_in(entry)
    ]
    if rows:
        head = ("Device", "Of", "C files", "Flash", "Arena", "Operators", "The array holds")
        what = (
            "The model as a C array for TensorFlow Lite Micro. The arena is what it takes on a "
            "64-bit machine with reference kernels."
        )
        yield CardSection("Firmware", (Paragraph(what), Table(head, tuple(rows))))
