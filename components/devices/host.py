"""This machine as a device: a fresh process that holds the runtime and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from components.artifacts.measurement import Crash, Process
from components.contract.errors import UserError
from components.devices.fingerprint import usable_cores
from components.devices.isolated import crash_of
from components.devices.timing_plan import TimingPlan

if TYPE_CHECKING:
    # Started by its path, so never imported: but a change of it has to change what is cached.
    from components.devices import probe as probe  # noqa: PLC0414 named, never used

PROBE = Path(__file__).with_name("probe.py")
LEAST_BLOCK_MS = 10.0
"""Of timed work in every block, however fast the model."""


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


def check_time(plan: TimingPlan) -> None:
    """Refuse a plan that no model keeps: its warm-up and blocks take longer than its limit.

    Raises:
        UserError: They do.
    """
    least_s = (plan.warm_up_ms + plan.blocks * LEAST_BLOCK_MS) / 1e3
    if least_s >= plan.limit_s:
        raise UserError(
            f"a process that warms up for {plan.warm_up_ms:g} ms and times {plan.blocks} blocks of "
            f"{LEAST_BLOCK_MS:g} ms or more takes {least_s:g} s, and its limit is "
            f"{plan.limit_s:g} s",
            f"set limit_s of benchmark to {10 * least_s:g}, or warm_up_ms or blocks lower",
        )


def run_probe(model: Path, plan: TimingPlan, seed: int) -> Process | Crash:
    """Time a ``.tflite`` in one fresh process, or say how that process died.

    Args:
        model: The file.
        plan: How it is timed.
        seed: Of the input.
    """
    command = [
        sys.executable,
        "-P",  # the probe's folder holds modules that are none of its business
        *("-X", "faulthandler"),  # names the call in which the runtime died
        str(PROBE),
        str(model),
        *("--threads", str(plan.threads), "--seed", str(seed)),
        *("--blocks", str(plan.blocks), "--block-ms", str(plan.block_ms)),
        *("--warm-up-ms", str(plan.warm_up_ms), "--least-ms", str(LEAST_BLOCK_MS)),
    ]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=plan.limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        tail = (error.stderr or b"").decode(errors="replace")
        return Crash(None, f"time limit of {plan.limit_s:g} s", tail, outside=True)
    if done.returncode != 0:
        return crash_of(done.returncode, done.stderr.decode(errors="replace"))
    document = done.stdout.splitlines()[-1]  # before it, whatever the runtime had to say
    return Process.from_json(cast("dict[str, Any]", json.loads(document)))
