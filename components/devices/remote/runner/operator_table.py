"""Operator table: what a ``benchmark_model`` with a profiler prints of every operator.

References, all LiteRT at f67457790:
    tensorflow/core/util/stats_calculator.cc, ``StatsCalculator::HeaderString`` and ``ColumnString``
    (older ones have a column ``[start]``, too); tflite/profiling/profile_summary_formatter.cc,
    ``HandleOutput`` (what stands above the tables);
    litert/runtime/profiler_summarizer.cc, ``LiteRtProfileSummarizer::GetOutputString`` (LiteRT's,
    whose calls are those of all runs).
"""

from __future__ import annotations

import re

from components.artifacts.operators import OperatorTime, OperatorTimes
from components.devices.host_operators import judged
from components.devices.remote.runner.program import ProgramKind

_RUNS = "Operator-wise Profiling Info for Regular Benchmark Runs:"
"""Before it, the same tables tell of the preparation."""
_TITLE = re.compile(r"=+ Run Order =+")
_HEADS = re.compile(r"\[[^\]]+\]")


def operators_in(text: str, kind: ProgramKind, runs: int, p50_ms: float | None) -> OperatorTimes:
    """Return the operators of an output, or why there are none.

    Args:
        text: Standard output and errors.
        kind: Which program printed it.
        runs: Inferences that it made.
        p50_ms: Of an inference without a profiler.
    """
    source = f"benchmark_model ({kind}) with its profiler"
    rows = _rows(text, per_run=kind == "tflite")
    return judged(OperatorTimes.told(source, runs, rows, p50_ms))


def _rows(text: str, *, per_run: bool) -> list[OperatorTime]:
    lines = iter((text.partition(_RUNS)[2] or text).splitlines())
    if not any(_TITLE.search(line) for line in lines):
        return []
    heads = [head.lower() for head in _HEADS.findall(next(lines, ""))]
    if "[avg ms]" not in heads:
        return []
    average = heads.index("[avg ms]")
    called = heads.index("[times called]") if "[times called]" in heads else None
    # Names of kinds have blanks in them: what can be told from them are the numbers.
    row = re.compile(r"\s*(\S.*?)" + r"\s+([-+0-9.eE]+)%?" * (len(heads) - 2) + r"\s+\S.*")
    found: list[OperatorTime] = []
    for line in lines:
        match = row.fullmatch(line.rstrip())
        if match is None:
            break
        times = float(match[called + 1]) if per_run and called is not None else 1.0
        found.append(OperatorTime(match[1], float(match[average + 1]) * max(times, 1.0)))
    return found
