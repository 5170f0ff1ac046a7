"""Ingest against the bare decoder: the same images, the same threads, the same machine."""

from __future__ import annotations

import io
import shutil
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from tests.benchmarks.table import Row

THREADS = 2
_CLASSES = 20
_CHUNK = 500  # images that a process makes at a time


def bench_ingest(scratch: Path) -> list[Row]:
    """4,000 JPEGs of 160 x 160, decoded alone and ingested, in turn; the median of nine ratios."""
    from pipelines.sources.snapshot import snapshot, stage
    from tests.components.flat import ingest

    data = scratch / "data"
    count, side = 4_000, 160
    make_photos(data, count, side)
    stage(snapshot(str(data)), scratch / "source")
    paths = sorted(data.rglob("*.jpg"))
    ratios: list[float] = []
    rates: list[float] = []
    for turn in range(9):
        began = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(_decoded, _groups(paths)):
                pass
        decoded_s = time.perf_counter() - began
        outputs = [scratch / f"{name}-{turn}" for name in ("dataset", "sealed", "report")]
        began = time.perf_counter()
        ingest(
            scratch / "source", *outputs, task="classification", split_by="image",
            height=side, width=side, channels=3, threads=THREADS,
        )  # fmt: skip
        ingested_s = time.perf_counter() - began
        ratios.append(decoded_s / ingested_s)
        rates.append(count / ingested_s)
        for output in outputs:  # nine of them would fill the memory that files are kept in
            shutil.rmtree(output)
    return [
        Row(
            f"ingest of {count:,} JPEGs of {side}x{side}, against the bare decoder, {THREADS} threads",
            statistics.median(ratios),
            "x",
            ">= 0.5",
        ),
        Row("... images a second", statistics.median(rates), "/s", ""),
    ]


def make_photos(folder: Path, count: int, side: int, quality: int = 90) -> None:
    """Write images that all show something else, with the detail and noise of photographs.

    Args:
        folder: To make; one sub-folder a class.
        count: How many.
        side: Height and width, pixels.
        quality: Of the JPEG files, 1 to 95.
    """
    for number in range(_CLASSES):
        (folder / f"class-{number:02d}").mkdir(parents=True)
    with ProcessPoolExecutor(THREADS) as pool:
        starts = range(0, count, _CHUNK)
        ends = (min(start + _CHUNK, count) for start in starts)
        for _ in pool.map(
            _make,
            *zip(
                *((folder, s, e, side, quality) for s, e in zip(starts, ends, strict=True)),
                strict=True,
            ),
        ):
            pass


def _make(folder: Path, start: int, end: int, side: int, quality: int) -> None:
    rng = np.random.default_rng(start)
    noise = rng.integers(-6, 7, (side * 2, side * 2, 3), dtype=np.int16)
    for index in range(start, end):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.int16)
        top, left = rng.integers(0, side, 2)
        pixels = smooth + noise[top : top + side, left : left + side]
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        name = f"class-{index % _CLASSES:02d}/{index:06d}.jpg"
        image.save(folder / name, "JPEG", quality=quality)


def _groups(paths: list[Path]) -> Iterator[list[Path]]:
    for start in range(0, len(paths), 8):
        yield paths[start : start + 8]


def _decoded(paths: list[Path]) -> None:
    for path in paths:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            np.asarray(image)
