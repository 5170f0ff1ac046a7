"""Datasets: decoded images of one size, split once by ingest, read by everything that follows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from components.artifacts.chained import ChainedImages
from components.artifacts.grouping import Grouping, read_groups
from components.artifacts.image_file import SlicedImages, write_images
from components.artifacts.manifest import DESCRIPTION, MANIFEST, RecordFate, write_records
from components.contract.digests import canonical_json
from components.contract.errors import UserError, suggest
from components.contract.types import SplitUnit, Task, Unit

SCHEMA: Final = 1
OPEN_SPLITS: Final = ("train", "validation", "selection")
SEALED: Final = "sealed"
SHARD_BYTES: Final = 64 << 20
"""An image array longer than this is written as several files."""


Images: TypeAlias = NDArray[np.uint8] | ChainedImages
"""Images that lie on disk; both kinds have a shape, and are indexed by rows."""


@dataclass(frozen=True)
class ImageSize:
    """The size that all images of a dataset have.

    Attributes:
        height: Pixels.
        width: Pixels.
        channels: 1 (grey) or 3 (RGB).
    """

    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class DatasetInfo:
    """What ``dataset.json`` says.

    Attributes:
        task: What the labels are for.
        image: The size of all images.
        split_by: Whether whole identities, whole groups or single images went to the splits.
        resample: What intervals are to be resampled over.
        classes: Names of all classes or identities; a label is an index into them. The labels of
            one split need not cover them: split by identity, each split has its own.
        splits: Number of images of each split.
        description: One sentence for reports: what the evaluation splits consist of.
        groups: Names of all groups that the source tells of, such as sites or cameras; empty where
            it tells of none.
    """

    task: Task
    image: ImageSize
    split_by: SplitUnit
    resample: Unit
    classes: tuple[str, ...]
    splits: Mapping[str, int]
    description: str
    groups: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.image.height, self.image.width, self.image.channels

    def to_json(self) -> dict[str, object]:
        """Return the content of ``dataset.json``."""
        content: dict[str, object] = {"schema": SCHEMA, **asdict(self)}
        if not self.groups:
            del content["groups"]
        return content

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DatasetInfo:
        """Read what ``to_json`` wrote."""
        return TypeAdapter(cls).validate_python(value)


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk; ``Dataset.open`` makes one.

    Attributes:
        path: Its folder.
        info: What ``dataset.json`` says.
    """

    path: Path
    info: DatasetInfo

    @classmethod
    def open(cls, path: Path) -> Dataset:
        """Read the description of the dataset at ``path``.

        Raises:
            UserError: There is no dataset, or one of another version.
        """
        described = path / DESCRIPTION
        if not described.is_file():
            raise UserError(
                f"{path} is no dataset: it has no dataset.json", "pass a folder that ingest wrote"
            )
        value = cast("dict[str, Any]", json.loads(described.read_bytes()))
        if value.get("schema") != SCHEMA:
            raise UserError(
                f"{described} has schema {value.get('schema')!r}; this version reads {SCHEMA}",
                "run ingest again with this version",
            )
        return cls(path, DatasetInfo.from_json(value))

    def images(self, split: str) -> Images:
        """Return the images of a split.

        Returns:
            uint8, images x height x width x channels, 0 to 255; mapped from disk, read only. Of a
            split of several shards only the rows that are asked for are read.

        Raises:
            UserError: The dataset has no such split.
        """
        folder = self._folder(split)
        shards = [np.load(path, mmap_mode="r") for path in sorted(folder.glob("images*.npy"))]
        return shards[0] if len(shards) == 1 else ChainedImages(shards)

    def labels(self, split: str) -> NDArray[np.int32]:
        """Return the labels of a split: int32, one per image, each an index into the classes.

        Raises:
            UserError: The dataset has no such split.
        """
        return np.load(self._folder(split) / "labels.npy")

    def groups(self, split: str) -> NDArray[np.int32] | None:
        """Return the groups of a split: an index into their names an image, -1 for none.

        Returns:
            int32, one per image; None where the dataset has no groups.

        Raises:
            UserError: The dataset has no such split.
        """
        folder = self._folder(split)
        return read_groups(folder) if self.info.groups else None

    def manifest(self) -> list[dict[str, Any]]:
        """Return the manifest: what became of every source file, in name order."""
        lines = (self.path / MANIFEST).read_text().splitlines()
        return [json.loads(line) for line in lines]

    def _folder(self, split: str) -> Path:
        if split in self.info.splits:
            return self.path / split
        what = f"the dataset {self.path} has no split {split!r}"
        if split == SEALED or SEALED in self.info.splits:
            raise UserError(
                f"{what}: it holds {', '.join(self.info.splits)}",
                "the sealed split is a dataset of its own: pass the other output of ingest",
            )
        raise UserError(what, suggest(split, self.info.splits))


def write_dataset(
    path: Path,
    splits: Mapping[str, tuple[SlicedImages, NDArray[np.integer]]],
    *,
    task: Task,
    classes: Iterable[str],
    split_by: SplitUnit = "image",
    resample: Unit = "image",
    description: str = "",
    groups: Grouping | None = None,
    manifest: Iterable[Mapping[str, object]] = (),
    records: Iterable[RecordFate] | None = None,
    shard_bytes: int = SHARD_BYTES,
    threads: int = 1,
) -> Dataset:
    """Write a dataset; equal arguments give equal bytes.

    Args:
        path: Folder to make.
        splits: For each split its images (uint8, images x height x width x channels) and its
            labels (integers, one per image). No split is empty; all images have one size.
        task: See ``DatasetInfo``; so are the next four.
        classes: Names that the labels index.
        split_by: How the splits were made.
        resample: What intervals are to be resampled over.
        description: One sentence for reports.
        groups: Of the images of every split; None where the source tells of none.
        manifest: One line per source file, in name order.
        records: What became of each record, where the source has files of many.
        shard_bytes: Largest image array that goes into one file.
        threads: How many write side by side; the bytes do not depend on it.

    Returns:
        The dataset, as ``Dataset.open`` gives it.

    Raises:
        ValueError: Arrays that do not fit what is said above; that is the caller's bug.
    """
    names, grouping = tuple(classes), groups or Grouping()
    shapes = {images[:1].shape[1:] for images, _ in splits.values()}
    if len(shapes) != 1 or len(shape := next(iter(shapes))) != 3:
        raise ValueError(f"splits need images of one size, height x width x channels: {shapes}")
    for split, (images, labels) in splits.items():
        _check_split(split, images, labels, len(names))
        if grouping.names:
            grouping.check(split, len(images))
    info = DatasetInfo(
        task=task,
        image=ImageSize(*shape),
        split_by=split_by,
        resample=resample,
        classes=names,
        splits={split: len(images) for split, (images, _) in splits.items()},
        description=description,
        groups=grouping.names,
    )
    path.mkdir(parents=True, exist_ok=True)
    for split, (images, labels) in splits.items():
        _write_split(path / split, images, labels, shard_bytes, threads)
        grouping.write(split, path / split)
    with (path / MANIFEST).open("wb") as file:
        file.writelines(canonical_json(line) + b"\n" for line in manifest)
    if records is not None:
        write_records(path, records)
    (path / DESCRIPTION).write_bytes(canonical_json(info.to_json()))
    return Dataset(path, info)


@dataclass(frozen=True)
class _Part:
    """Consecutive images of others."""

    images: SlicedImages
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]:
        first, end, step = rows.indices(len(self))
        return self.images[self.start + first : self.start + end : step]


def _check_split(
    split: str, images: SlicedImages, labels: NDArray[np.integer], classes: int
) -> None:
    if len(images) == 0 or labels.shape != (len(images),):
        raise ValueError(f"{split}: {len(images)} images and labels of shape {labels.shape}")
    if images[:1].dtype != np.uint8:
        raise ValueError(f"{split}: images are {images[:1].dtype}, expected uint8")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"{split}: labels {labels.min()} to {labels.max()} of {classes} classes")


def _write_split(
    folder: Path,
    images: SlicedImages,
    labels: NDArray[np.integer],
    shard_bytes: int,
    threads: int,
) -> None:
    folder.mkdir()
    rows = max(1, shard_bytes // images[:1].nbytes)
    starts = range(0, len(images), rows)
    for number, start in enumerate(starts):
        name = "images.npy" if len(starts) == 1 else f"images-{number:05d}.npy"
        write_images(folder / name, _Part(images, start, min(start + rows, len(images))), threads)
    np.save(folder / "labels.npy", labels.astype(np.int32))
