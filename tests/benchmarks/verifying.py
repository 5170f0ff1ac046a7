"""What it takes to verify the release of the demo, by its store and by its bundle."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.table import Row

ROOT = Path(__file__).parents[2]


def bench_verify(scratch: Path) -> list[Row]:
    """The demo is run, and its release verified by commands in fresh processes."""
    config = ROOT / "pipelines" / "examples" / "digits.yaml"
    _slimline(scratch, "run", str(config), "--store", "store")
    _slimline(scratch, "export", "latest", "--format", "bundle", "--store", "store", "-o", "out")
    bundle = "out/digits.bundle.zip"
    return [
        Row(called, _slimline(scratch, "verify", *words), "s", target)
        for called, words, target in (
            ("verify of the demo's release, chain", ("digits@latest", "--store", "store"), "<= 3"),
            (
                "... every byte of every step, too",
                ("digits@latest", "--deep", "--store", "store"),
                "<= 5",
            ),
            ("... from its bundle, without the store", (bundle,), "<= 3"),
        )
    ]


def _slimline(folder: Path, *words: str) -> float:
    """Run a command and return for how many seconds it ran.

    Raises:
        CalledProcessError: It did not end well: what is not proved takes no time that counts.
    """
    command = [sys.executable, "-m", "pipelines.cli", *words]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=_environment())
    return time.perf_counter() - began


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
