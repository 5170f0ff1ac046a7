"""What real servers answered: the recordings below ``SLIMLINE_SHARED/kfp_golden``.

One folder a version, one file a case; ``kubeflow.md`` beside it says how they were made.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Exchange = dict[str, Any]


def folder() -> Path | None:
    """Return where the recordings lie, or None where nobody said so."""
    shared = os.environ.get("SLIMLINE_SHARED")
    found = Path(shared) / "kfp_golden" if shared else None
    return found if found and found.is_dir() else None


def needed() -> Path:
    """Return where the recordings lie, or skip the test."""
    found = folder()
    if found is None:
        pytest.skip(
            "SLIMLINE_SHARED names no folder with kfp_golden, the recordings of real servers"
        )
    return found


@cache
def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def exchanges(version: str, case: str) -> list[Exchange]:
    """Return what passed between a client and a server, in order; skips without recordings."""
    path = needed() / version / f"{case}.json"
    if not path.exists():
        pytest.skip(f"there is no recording of {case} on {version}")
    return _read(path)


def document(version: str, name: str) -> Any:
    """Return ``workflow``, ``launcher`` or ``bucket`` of a version; skips without recordings."""
    return _read(needed() / version / f"{name}.json")


def runs_seen(version: str, case: str) -> list[dict[str, Any]]:
    """Return each state of the run that a client was told, in order."""
    return [
        exchange["reply"]
        for exchange in exchanges(version, case)
        if exchange["method"] == "GET"
        and exchange["status"] == 200
        and "/runs/" in exchange["path"]
    ]


def tasks_told(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a run's tasks."""
    return run.get("run_details", {}).get("task_details", [])
