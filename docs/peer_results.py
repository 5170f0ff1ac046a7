"""What ``make peers`` keeps of each part: a JSON document and, beside it, the evaluations it names.

A part is slimline itself, MLPerf Tiny's own file, or one of the other tools. ``peers.py`` makes the
page of them; ``tests/benchmarks/peers/`` runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from components.artifacts.json_file import JsonFile
from components.contract.digests import canonical_json
from components.statistics.bootstrap import Interval

SLIMLINE, PUBLISHED = "slimline", "mlperf-int8"
"""Names of the two parts that every other one is compared with."""

PARTS = {
    SLIMLINE: "slimline",
    PUBLISHED: "MLPerf Tiny, as published",
    "tflite-converter": "TFLiteConverter",
    "litert-quantizer": "LiteRT quantizer (ai-edge-quantizer)",
    "tfmot-qat": "TFMOT quantization-aware training",
    "tfmot-pruning": "TFMOT pruning",
    "onnxruntime": "ONNX Runtime static quantization",
    "nncf": "NNCF",
}
"""Every part, as ``--only`` takes it and as the page has it, in its order."""

RESULTS = "results"
"""Folder of the results, one folder a part, inside that of ``make peers``."""


@dataclass(frozen=True)
class MeasuredFile:
    """One file that a part made, as it was measured.

    Attributes:
        name: Of the variant; of other tools what they took and what they did, ``teacher, int8``.
        runtime: What runs it, with the version.
        size_bytes: Its length.
        gzip_bytes: Its length after gzip.
        accuracy: On the test images; None where it could not be run.
        p50_ms: Median of one inference on one thread; None where it could not be run.
        timing: Verdict of the timing: stable, disturbed, crashed or killed.
        failure: Why it could not be run or measured; empty where it was.
        evaluation: Folder of its evaluation, relative to the folder of the result; empty where
            there is none.
        note: What else is told of how it was made.
        winner: Whether slimline's run chose it, on its selection images.
        on_front: Whether slimline's run found it on its Pareto front, on its selection images.
    """

    name: str
    runtime: str
    size_bytes: int
    gzip_bytes: int
    accuracy: Interval | None
    p50_ms: Interval | None
    timing: str
    failure: str = ""
    evaluation: str = ""
    note: str = ""
    winner: bool = False
    on_front: bool = False


@dataclass(frozen=True)
class PartResult(JsonFile):
    """The content of ``result.json``.

    Attributes:
        part: Its name, as ``--only`` takes it.
        title: As the page has it.
        key: Digest of all that it was made from; another one is made again.
        error: Why there is nothing, such as the error of its installer; empty where there is.
        steps: Of each training where it was a short trial; None where it was not.
        date: When it was measured, ISO 8601.
        machine: On what.
        install_s: How long its environment took; 0 where it has none of its own.
        made_s: How long making its files took.
        versions: Of the packages that matter.
        files: What it made.
    """

    FILE: ClassVar[str] = "result.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "result of make peers"
    FIX_ABSENT: ClassVar[str] = "make peers DATA=DIR"
    FIX_VERSION: ClassVar[str] = "remove it, then: make peers DATA=DIR"

    part: str
    title: str
    key: str
    error: str
    steps: int | None
    date: str
    machine: str
    install_s: float = 0.0
    made_s: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    files: tuple[MeasuredFile, ...] = ()

    def keep(self, folder: Path) -> None:
        """Write ``result.json``; it is whole, or that of before."""
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f".{self.FILE}"
        fresh.write_bytes(canonical_json(self.to_json()))
        fresh.replace(folder / self.FILE)

    @classmethod
    def kept(cls, folder: Path) -> PartResult | None:
        """Return what is there; None where nothing is."""
        return cls.read(folder) if (folder / cls.FILE).is_file() else None
