"""Memory of ingest, train and distill: does it grow with the number of images?"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.ingest import make_photos
from tests.benchmarks.table import Row

ROOT = Path(__file__).parents[2]
_COUNTS = (20_000, 100_000)
_SIDE = 96
_EVERY_S = 0.1
_SMALL = ("--backbone", "conv", "--epochs", "1", "--augment", "none")


@dataclass(frozen=True)
class _Peak:
    """The most memory that a process had at once, MiB.

    Attributes:
        resident: With pages of files that it maps, which Linux takes back when it needs them.
        own: Without them.
    """

    resident: float
    own: float


@dataclass(frozen=True)
class _Component:
    """One component as a process of its own.

    Attributes:
        name: Of the component.
        arguments: Its parameters, and the folders that it reads and writes.
    """

    name: str
    arguments: Sequence[str | Path]

    def peak_mib(self) -> _Peak:
        """Run it and return the most memory that it had at once."""
        command = [sys.executable, "-m", "components", self.name, *map(str, self.arguments)]
        own_kib, ended = [0], threading.Event()
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            watching = threading.Thread(target=_watch, args=(process.pid, own_kib, ended))
            watching.start()
            _, status, used = os.wait4(process.pid, 0)
            ended.set()
            watching.join()
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        return _Peak(used.ru_maxrss / 1024, max(own_kib) / 1024)


def _watch(pid: int, own_kib: list[int], ended: threading.Event) -> None:
    """Note what a process has for itself, ten times a second."""
    while not ended.wait(_EVERY_S):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            told = dict(line.split(":", 1) for line in lines if ":" in line)
            own_kib.append(int(told.get("RssAnon", "0 kB").split()[0]))


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
    peaks: dict[tuple[str, int], _Peak] = {}
    rows: list[Row] = []
    for count in counts:
        folder = scratch / f"{count}"
        for component in _components(folder, count):
            if component.name in names:
                peaks[component.name, count] = peak = component.peak_mib()
                named = f"peak memory of {component.name}, {count:,} images"
                rows += [
                    Row(named, peak.resident, "MiB", ""),
                    Row("... its own, without pages of files", peak.own, "MiB", ""),
                ]
        shutil.rmtree(folder)
    if len(counts) > 1:
        few, many = counts[0], counts[-1]
        rows += [
            Row(
                f"... growth of {name}'s own from {few:,} to {many:,} images",
                1024 * (peaks[name, many].own - peaks[name, few].own) / (many - few),
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
