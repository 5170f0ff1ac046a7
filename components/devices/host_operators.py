"""Operators of a model on this machine, timed by LiteRT's profiler in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts.operators import OperatorTime, OperatorTimes
from components.devices.isolated import crash_of

if TYPE_CHECKING:
    # Started by its path, so never imported: but a change of it has to change what is cached.
    from components.devices import operator_probe as operator_probe  # noqa: PLC0414 named, never used

OPERATOR_PROBE = Path(__file__).with_name("operator_probe.py")
SOURCE = "LiteRT's profiler"
_FOR_S = 0.25
_LIMIT_S = 60.0
_LEAST_SHARE = 0.5
"""Of the p50: operators that take less have shares that only the profiler's clock has made."""


def operators_here(model: Path, threads: int, p50_ms: float | None) -> OperatorTimes:
    """Return what the operators of a ``.tflite`` take on this machine, or why that is unknown.

    Args:
        model: The file.
        threads: Of the runtime.
        p50_ms: Of an inference without a profiler; None where it was not measured.
    """
    command = [sys.executable, "-P", str(OPERATOR_PROBE), str(model)]
    command += ["--threads", str(threads), "--for-s", str(_FOR_S)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return OperatorTimes(SOURCE, why_not=f"the profiler took more than {_LIMIT_S:g} s")
    if done.returncode:
        crash = crash_of(done.returncode, done.stderr.decode(errors="replace"))
        return OperatorTimes(SOURCE, why_not=f"the profiler ended with {crash.cause}")
    told = json.loads(done.stdout.splitlines()[-1])
    operators = [OperatorTime(each["kind"], each["ms"]) for each in told["operators"]]
    return judged(OperatorTimes.told(SOURCE, told["runs"], operators, p50_ms))


def judged(times: OperatorTimes) -> OperatorTimes:
    """Return operators, or why they are worth nothing: all of them below the profiler's clock."""
    if not times.operators:
        return OperatorTimes(times.source, why_not="the profiler names no operator")
    if times.of_p50 is not None and times.of_p50 < _LEAST_SHARE:
        return OperatorTimes(
            times.source,
            p50_ms=times.p50_ms,
            why_not="the operators take less than the microseconds in which the profiler counts",
        )
    return times
