"""This machine as a device: a fresh process that holds the runtime and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from components.artifacts.measurement import Crash, Process
from components.contract.errors import UserError
from components.devices.fingerprint import usable_cores
from components.devices.isolated import crash_of

if TYPE_CHECKING:
    # Started by its path, so never imported: but a change of it has to change what is cached.
    from components.devices import probe as probe  # noqa: PLC0414 named, never used

PROBE = Path(__file__).with_name("probe.py")


@dataclass(frozen=True)
class TimingPlan:
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


def run_probe(model: Path, plan: TimingPlan) -> Process | Crash:
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
