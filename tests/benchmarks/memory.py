"""Memory of ingest, train and distill: does it grow with the number of images?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.ingest import make_photos
from tests.benchmarks.table import Row

ROOT = Path(__file__).parents[2]
_COUNTS = (20_000, 100_000)
_SIDE = 96
_SMALL = ("--backbone", "conv", "--epochs", "1", "--augment", "none")


@dataclass(frozen=True)
class _Component:
    """One component as a process of its own.

    Attributes:
        name: Of the component.
        arguments: Its parameters, and the folders that it reads and writes.
    """

    name: str
    arguments: Sequence[str | Path]

    def peak_mib(self) -> float:
        """Run it and return the most memory that it had at once, MiB."""
        command = [sys.executable, "-m", "components", self.name, *map(str, self.arguments)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        return used.ru_maxrss / 1024


def bench_memory(scratch: Path) -> list[Row]:
    """20,000 and 100,000 images of 96 x 96: the peak of each process, and how much it grew."""
    return _rows(scratch, _COUNTS, ("ingest", "train", "distill"))


def bench_memory_ingest(scratch: Path) -> list[Row]:
    """The same for ingest alone, which has no training to wait for."""
    return _rows(scratch, _COUNTS, ("ingest",))


def bench_memory_small(scratch: Path) -> list[Row]:
    """20,000 images alone: a few minutes."""
    return _rows(scratch, _COUNTS[:1], ("ingest", "train", "distill"))


def _rows(scratch: Path, counts: Sequence[int], names: Sequence[str]) -> list[Row]:
    peaks: dict[tuple[str, int], float] = {}
    rows: list[Row] = []
    for count in counts:
        folder = scratch / f"{count}"
        for component in _components(folder, count):
            if component.name in names:
                peaks[component.name, count] = peak = component.peak_mib()
                rows.append(
                    Row(f"peak memory of {component.name}, {count:,} images", peak, "MiB", "")
                )
        shutil.rmtree(folder)
    if len(counts) > 1:
        few, many = counts[0], counts[-1]
        rows += [
            Row(
                f"... growth of {name} from {few:,} to {many:,} images",
                1024 * (peaks[name, many] - peaks[name, few]) / (many - few),
                "KiB/image",
                "<= 1" if name == "ingest" else "about 0",
            )
            for name in names
        ]
    return rows


def _components(folder: Path, count: int) -> list[_Component]:
    """Make the images, and say what is run on them, in order."""
    from pipelines.sources.snapshot import snapshot, stage

    make_photos(folder / "data", count, _SIDE, quality=30)
    stage(snapshot(str(folder / "data")), folder / "source")
    dataset, teacher, student = (folder / name for name in ("dataset", "teacher", "student"))
    return [
        _Component("ingest", [
            "--source", folder / "source", "--dataset", dataset, "--sealed", folder / "sealed",
            "--report", folder / "ingested", "--task", "classification", "--split-by", "image",
            "--height", f"{_SIDE}", "--width", f"{_SIDE}",
        ]),
        _Component("train", [
            "--dataset", dataset, "--model", teacher, "--report", folder / "trained",
            "--alpha", "0.25", *_SMALL,
        ]),
        _Component("distill", [
            "--dataset", dataset, "--teacher", teacher, "--model", student,
            "--report", folder / "distilled", "--alpha", "0.125", *_SMALL,
        ]),
    ]  # fmt: skip
