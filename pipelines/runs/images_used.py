"""What a run's ingest says of its images, read from the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.artifacts.data_use import LEFT_OUT, NEAR_DUPLICATES, REPORT, DataUse
from pipelines.runs.cache import Cache
from pipelines.runs.judging import Judges, judges_of

STEP = "ingest"
"""The step that decides what becomes of every image."""
_OUTPUT = "report"


def data_use_of(cache: Cache, outputs: Mapping[str, str]) -> DataUse | None:
    """Return how many images are used and what became of the others.

    Args:
        cache: The store that holds the result.
        outputs: Tree digests of the outputs of ingest.

    Returns:
        None where ingest made no report, or is of a version that does not count.

    Raises:
        CorruptionError: The report is missing or broken.
        ValueError: It is none.
    """
    if _OUTPUT not in outputs:
        return None
    return DataUse.from_json(_report(cache, outputs))


def judges_in(cache: Cache, outputs: Mapping[str, str]) -> Judges | None:
    """Return who compares the variants; None where ingest does not say it.

    Raises:
        CorruptionError: The report is missing or broken.
        ValueError: It is none.
    """
    return judges_of(_report(cache, outputs)) if _OUTPUT in outputs else None


def _report(cache: Cache, outputs: Mapping[str, str]) -> Mapping[str, Any]:
    return json.loads(cache.read_file(outputs[_OUTPUT], REPORT))


def left_out_of(cache: Cache, outputs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return ``name``, ``kind`` and ``reason`` of every image that is not used.

    Raises:
        CorruptionError: The report is missing or broken.
        KeyError: Ingest is of a version that does not list them.
        ValueError: It is no list.
    """
    return _lines(cache, outputs, LEFT_OUT)


def near_duplicates_of(cache: Cache, outputs: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the used images that show almost the same: names, labels and splits of each pair.

    Raises:
        CorruptionError: The report is missing or broken.
        KeyError: Ingest is of a version that does not list them.
        ValueError: It is no list.
    """
    return _lines(cache, outputs, NEAR_DUPLICATES)


def _lines(cache: Cache, outputs: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    lines = cache.read_file(outputs[_OUTPUT], name).splitlines()
    return [json.loads(line) for line in lines]
