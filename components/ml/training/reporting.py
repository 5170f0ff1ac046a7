"""The report of a training: what was learned from, and what every epoch came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.contract.digests import canonical_json
from components.ml.settings import Optimization
from components.ml.training.examples import Examples
from components.ml.training.loop import History

REPORT = "training.json"
_SCHEMA = 1


def write_report(
    report: Path,
    component: str,
    history: History,
    examples: Examples,
    optimization: Optimization,
    more: dict[str, Any],
) -> None:
    """Write ``training.json`` into the folder ``report``; ``more`` goes in as it is."""
    report.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": _SCHEMA,
        "component": component,
        "images": examples.images,
        "classes": examples.classes,
        "batch": examples.batch(optimization),
        "steps_per_epoch": examples.steps(optimization),
        **history.to_json(),
        **more,
    }
    (report / REPORT).write_bytes(canonical_json(content))
