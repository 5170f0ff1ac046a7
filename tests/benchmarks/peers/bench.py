"""Where the comparison is made, and what is kept of its parts."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.devices.fingerprint import fingerprint
from docs.peer_results import PARTS, RESULTS, PartResult
from tests.benchmarks.peers import run_of_slimline
from tests.benchmarks.peers.measuring import Timer
from tests.benchmarks.peers.places import Places

MEASURING = tuple(
    Path(__file__).with_name(name)
    for name in ("measuring.py", "onnx_measuring.py", "environments.py")
)
"""Whose change makes everything be measured again."""


@dataclass(frozen=True)
class Bench:
    """Where the comparison is made.

    Attributes:
        folder: Of everything that is kept.
        places: Where data and model are.
        store: Where slimline's run is kept.
        environments: Of the other tools; of a trial, too, so that nothing is installed twice.
        steps: Of each training, for a short trial; None for the whole.
        tell: Takes what is going on.
        timer: How files are timed.
    """

    folder: Path
    places: Places
    store: Path
    environments: Path
    steps: int | None
    tell: Callable[[str], None]
    timer: Timer = field(default_factory=Timer)

    @property
    def config(self) -> Path:
        """The configuration that slimline runs."""
        return run_of_slimline.configured(self.places, self.steps, self.store, self.folder)

    def result_folder(self, part: str) -> Path:
        """Where the result of a part is kept."""
        return self.folder / RESULTS / part

    def result(self, part: str, key: str, **more: Any) -> PartResult:
        """Return a result of a part, made here and now."""
        cpu = fingerprint().get("cpu", platform.machine())
        today = datetime.now(UTC).date().isoformat()
        given = {"error": "", **more}
        return PartResult(
            part=part,
            title=PARTS[part],
            key=key,
            steps=self.steps,
            date=today,
            machine=cpu,
            **given,
        )


def kept_result(bench: Bench, part: str, key: str) -> PartResult | None:
    """Return the result that is there, where it is of the same and no failure."""
    kept = PartResult.kept(bench.result_folder(part))
    if kept is None or kept.key != key or kept.error:
        return None
    bench.tell(f"{part}: kept of {kept.date}")
    return kept


def keep(bench: Bench, result: PartResult) -> PartResult:
    """Write a result, and return it."""
    result.keep(bench.result_folder(result.part))
    return result


def emptied(path: Path) -> Path:
    """Return a path where nothing lies any more."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    return path
