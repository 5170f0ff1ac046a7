"""Configurations that leave their variants to the rules, and what is made of them."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipelines.config.loading import load, suggestion_for
from pipelines.config.suggest.situation import Situation
from pipelines.config.suggest.tree import Suggestion

TEACHERS: dict[str, dict[str, Any]] = {
    "trained": {"backbone": "resnet50", "embedding": 128, "epochs": 30},
    "plain": {"backbone": "conv", "alpha": 2.0, "epochs": 15},
    "linear": {"backbone": "linear"},
    "imported": {"model": "./face.keras", "normalization": {"mean": 127.5, "scale": 127.5}},
    "saved_model": {
        "model": "./face", "trusted": True, "normalization": {"mean": 127.5, "scale": 127.5}
    },
    "answers": {"outputs": "./answers.npz"},
}  # fmt: skip


def written(
    path: Path, teacher: str | dict[str, Any] = "trained", side: int = 32, **changes: Any
) -> Path:
    """Write a configuration; a change to None leaves the key away."""
    plain = {
        "name": "mine",
        "task": "verification",
        "data": "./faces",
        "image": {"height": side, "width": side + 4, "channels": 1},
        "teacher": TEACHERS[teacher] if isinstance(teacher, str) else teacher,
        "variants": "auto",
        "auto": {"minutes": 600},
        "budgets": {"drop": 0.01, "size_mb": 0.1},
        **changes,
    }
    kept = {key: value for key, value in plain.items() if value is not None}
    path.write_text(yaml.safe_dump(kept, sort_keys=False))
    return path


def suggested(
    folder: Path, teacher: str | dict[str, Any] = "trained", **changes: Any
) -> Suggestion:
    return suggestion_for(written(folder / "mine.yaml", teacher, **changes))


def situation(folder: Path, teacher: str | dict[str, Any] = "trained", **changes: Any) -> Situation:
    return suggested(folder, teacher, **changes).situation


def grid() -> Iterator[dict[str, Any]]:
    """Yield every combination of what the rules look at."""
    for task, teacher, side, size_mb, drop, minutes, more in itertools.product(
        ("verification", "classification"),
        TEACHERS,
        (32, 224),
        (None, 0.02, 0.3, 5),
        (0.0, 0.02),
        (1, 90),
        ({}, {"download": True, "latency_ms": 5}),
    ):
        budgets = {"drop": drop, "size_mb": size_mb, "latency_ms": more.get("latency_ms")}
        yield {
            "task": task,
            "teacher": teacher,
            "side": side,
            "budgets": {key: value for key, value in budgets.items() if value is not None},
            "auto": {"minutes": minutes, "download": more.get("download", False)},
        }


__all__ = ["TEACHERS", "grid", "load", "situation", "suggested", "written"]
