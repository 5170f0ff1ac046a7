"""Records for tests: seven images and their labels, and files of them read back."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from components.contract.source import Source
from components.data.readers import records_of
from components.data.record import Record, RecordFormat
from pipelines.sources.snapshot import snapshot, stage

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 10])


def read_records(
    data: Path,
    size: tuple[int, int] = (4, 4),
    max_pixels: int = 10**6,
    label_column: Literal["first", "last"] | None = None,
) -> list[Record]:
    """Return the records of a file or folder, staged as the host does."""
    staged = data.parent / f"staged-{data.name}-{len(list(data.parent.iterdir()))}"
    stage(snapshot(str(data)), staged)
    return list(records_of(Source.open(staged), RecordFormat(*size, max_pixels, label_column)))


def check_records(records: list[Record], images: np.ndarray = IMAGES) -> None:
    """Compare records with the seven labels and with images."""
    assert [record.label for record in records] == [str(label) for label in LABELS]
    assert [record.index for record in records] == list(range(7))
    for record, image in zip(records, images, strict=True):
        assert isinstance(record.pixels, np.ndarray)
        assert np.array_equal(record.pixels, image)
