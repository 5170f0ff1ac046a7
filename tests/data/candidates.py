"""Candidates that differ only in what a test looks at."""

from typing import Any

from components.artifacts.decision import Candidate
from components.statistics.bootstrap import Interval


def measured(name: str, **changes: Any) -> Candidate:
    """A candidate as the reports would have measured it, before anything is chosen."""
    made: dict[str, Any] = {
        "name": name, "steps": (), "candidate": True, "sha256": "", "size_bytes": 40_000,
        "gzip_bytes": 20_000, "parameters": 0, "metric": None, "metrics": {},
        "drop": Interval(0, 0, 0), "latency": {}, "peak_memory_bytes": None,
    }  # fmt: skip
    return Candidate(**{**made, **changes})
