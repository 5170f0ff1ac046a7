"""Printed: what a ``benchmark_model`` tells in its output, line by line.

References, all LiteRT at f67457790:
    tflite/tools/benchmark/benchmark_model.cc, ``BenchmarkModel::Run`` (the line of statistics, once
    for the warm-up and once for what counts) and ``BenchmarkLoggingListener::OnBenchmarkEnd``;
    tensorflow/core/util/stats_calculator.h, ``Stat::OutputToStream`` and
    ``StatWithPercentiles::OutputToStream`` (the latter is what adds p5, median and p95);
    litert/tools/benchmark_litert_model.h, ``BenchmarkLoggingListener::OnBenchmarkEnd`` (LiteRT's);
    tflite/tools/logging.h (INFO before a line; older programs print nothing there).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

US_PER_MS: Final = 1000.0
MICROSECOND_MS: Final = 0.001
ROUNDED_MS: Final = 0.01
"""LiteRT's own lines have two digits."""

_NUMBER = r"[-+0-9.eE]+"
_STATISTICS = re.compile(
    rf"\bcount=(\d+)((?: (?:first|curr|min|max|avg|std|p5|median|p95)={_NUMBER}"
    r"(?:\(all same\))?)*)"
)
_ONE = re.compile(rf"(\w+)=({_NUMBER})")
_TIMINGS = re.compile(rf"Inference timings in us: Init: ({_NUMBER}), First inference: ({_NUMBER}),")
_FOOTPRINT = re.compile(rf"Memory footprint delta from the start of the tool \(MB\): "
                        rf"init={_NUMBER} overall=({_NUMBER})")  # fmt: skip
_OF_LITERT: Final = {
    "load_ms": re.compile(rf"Model initialization: +({_NUMBER}) ms"),
    "first_ms": re.compile(rf"Warmup \(first\): +({_NUMBER}) ms"),
    "mean_ms": re.compile(rf"Inference \(avg\): +({_NUMBER}) ms"),
    "min_ms": re.compile(rf"Inference \(min\): +({_NUMBER}) ms"),
    "max_ms": re.compile(rf"Inference \(max\): +({_NUMBER}) ms"),
    "std_ms": re.compile(rf"Inference \(std\): +({_NUMBER})"),
    "footprint_mb": re.compile(rf"Overall footprint: +({_NUMBER}) MB"),
    "runs": re.compile(r"Inference \(avg\): .*\((\d+) runs\)"),
    "warmups": re.compile(r"Warmup \(avg\): .*\((\d+) runs\)"),
}


@dataclass(frozen=True)
class Printed:
    """Numbers of an output.

    Attributes:
        values: By name, of ``runs``, ``warmups``, ``load_ms``, ``first_ms``, ``mean_ms``,
            ``median_ms``, ``p5_ms``, ``p95_ms``, ``min_ms``, ``max_ms``, ``std_ms``,
            ``footprint_mb``: those that it tells.
        resolution_ms: Steps in which it tells times.
    """

    values: Mapping[str, float]
    resolution_ms: float


def printed_in(text: str) -> Printed | None:
    """Return what an output tells, or None where it holds no result.

    Args:
        text: Standard output and errors.
    """
    of_litert = {
        name: float(found[1]) for name, one in _OF_LITERT.items() if (found := one.search(text))
    }
    lines = list(_STATISTICS.finditer(text))
    # Two of them: the warm-up's, and that of what counts. Without a second there was no result.
    if len(lines) > 1 and int(lines[-1][1]) > 0:
        values = _statistics(int(lines[-1][1]), lines[-1][2])
        values["warmups"] = float(lines[-2][1])
        if times := _TIMINGS.search(text):
            values |= {
                "load_ms": float(times[1]) / US_PER_MS,
                "first_ms": float(times[2]) / US_PER_MS,
            }
        if memory := _FOOTPRINT.search(text):
            values["footprint_mb"] = float(memory[1])
        return Printed({**of_litert, **values}, MICROSECOND_MS)
    if "mean_ms" in of_litert and of_litert.get("runs"):
        return Printed(of_litert, ROUNDED_MS)
    return None


_CALLED: Final = {"avg": "mean_ms", "min": "min_ms", "max": "max_ms", "std": "std_ms",
                  "p5": "p5_ms", "median": "median_ms", "p95": "p95_ms"}  # fmt: skip


def _statistics(count: int, told: str) -> dict[str, float]:
    """Return one line of statistics; where all inferences took the same it tells less."""
    numbers = {name: float(value) / US_PER_MS for name, value in _ONE.findall(told)}
    if "avg" not in numbers and "curr" in numbers:
        same = numbers["curr"]
        numbers |= {"avg": same, "min": same, "max": same, "std": 0.0}
    named = {called: numbers[name] for name, called in _CALLED.items() if name in numbers}
    return {"runs": float(count), **named}
