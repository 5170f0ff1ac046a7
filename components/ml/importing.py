"""The user's own model, turned into a Model."""

from __future__ import annotations

from pathlib import Path


def import_model(
    imported: Path,
    dataset: Path,
    path: Path,
    report: Path,
    *,
    trusted: bool,
    mean: float,
    scale: float,
) -> None:
    """Write the Model."""
    raise NotImplementedError
