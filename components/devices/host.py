"""Benchmark on this machine: fresh processes that hold the runtime and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from components.artifacts.measurement import Attempt, Process
from components.contract.errors import UserError
from components.devices.fingerprint import usable_cores
from components.devices.isolated import Crash, crash_of
from components.measure.timing import CROWDED, judge

if TYPE_CHECKING:
    # Started by its path, so never imported: but a change of it has to change what is cached.
    from components.devices import probe as probe  # noqa: PLC0414 named, never used

PROBE = Path(__file__).with_name("probe.py")
PRESSURE = Path("/proc/pressure/cpu")
PATIENCE_S = (0.0, 3.0, 3.0)
"""How long each attempt waits for a quiet moment; a repetition without one would tell the same."""
LOOK_S = 0.25


@dataclass(frozen=True)
class Plan:
    """How a model is timed.

    Attributes:
        threads: Of the runtime.
        processes: Fresh ones, one after the other.
        blocks: Groups of samples in each.
        block_ms: About how long one takes.
        warm_up_ms: Before the first block, at least.
        time_limit_s: For one process; a model that hangs is ended.
        seed: Of the input.
    """

    threads: int
    processes: int
    blocks: int
    block_ms: float
    warm_up_ms: float
    time_limit_s: float
    seed: int


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        processes: Of the last attempt.
        attempts: All, the last one counts.
        crashed: How the process ended that gave no answer.
    """

    processes: tuple[Process, ...]
    attempts: tuple[Attempt, ...]
    crashed: Crash | None


def check_threads(threads: int) -> None:
    """Refuse more threads than there are cores: they would wait for each other.

    Raises:
        UserError: There are fewer cores.
    """
    cores = usable_cores()
    if threads > cores:
        raise UserError(
            f"{threads} threads on {cores} cores: threads that wait for each other time nothing",
            f"set threads of benchmark to {cores} or fewer, or give this machine more cores",
        )


def measure(model: Path, plan: Plan) -> Outcome:
    """Time a ``.tflite``; a disturbed attempt is repeated when the machine falls quiet.

    Args:
        model: The file.
        plan: How.

    Raises:
        UserError: More threads than cores.
    """
    check_threads(plan.threads)
    attempts: list[Attempt] = []
    processes: tuple[Process, ...] = ()
    for patience_s in PATIENCE_S:
        if attempts and not falls_quiet(patience_s):
            break
        processes = ()
        for _ in range(plan.processes):
            ran = run_probe(model, plan)
            if isinstance(ran, Crash):
                attempts.append(Attempt("crashed", ran.sentence))
                return Outcome(processes, tuple(attempts), ran)
            processes += (ran,)
        attempts.append(judge(processes))
        if attempts[-1].verdict == "stable":
            break
    return Outcome(processes, tuple(attempts), None)


def falls_quiet(patience_s: float) -> bool:
    """Wait up to ``patience_s`` until hardly anything waits for a processor; False if never.

    True at once where the kernel does not say.
    """
    end, last = time.monotonic() + patience_s, _waited_s()
    while last is not None and time.monotonic() < end:
        time.sleep(LOOK_S)
        now = _waited_s()
        if now is None or now - last < CROWDED / 2 * LOOK_S:
            return True
        last = now
    return last is None


def _waited_s() -> float | None:
    if not PRESSURE.is_file():
        return None
    return int(PRESSURE.read_text().splitlines()[0].rpartition("total=")[2]) / 1e6


def run_probe(model: Path, plan: Plan) -> Process | Crash:
    """Time a ``.tflite`` in one fresh process, or say how that process died."""
    command = [
        sys.executable,
        "-P",  # the probe's folder holds modules that are none of its business
        *("-X", "faulthandler"),  # names the call in which the runtime died
        str(PROBE),
        str(model),
        *("--threads", str(plan.threads), "--seed", str(plan.seed)),
        *("--blocks", str(plan.blocks), "--block-ms", str(plan.block_ms)),
        *("--warm-up-ms", str(plan.warm_up_ms)),
    ]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=plan.time_limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        tail = (error.stderr or b"").decode(errors="replace")
        return Crash(None, f"time limit of {plan.time_limit_s:g} s", tail)
    if done.returncode != 0:
        return crash_of(done.returncode, done.stderr.decode(errors="replace"))
    document = done.stdout.splitlines()[-1]  # before it, whatever the runtime had to say
    return Process.from_json(cast("dict[str, Any]", json.loads(document)))
