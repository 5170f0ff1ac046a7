"""This machine as a device: a fresh process that holds the runtime and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from components.artifacts.measurement import Crash, Process
from components.contract.errors import UserError
from components.devices.device import Installed, Seen, State
from components.devices.fingerprint import (
    RUNTIME,
    fingerprint,
    runtime_version,
    state,
    usable_cores,
)
from components.devices.isolated import crash_of
from components.devices.power import PowerMeter, powercap
from components.devices.probing import PROBE, check_time, probe_arguments
from components.devices.timing_plan import TimingPlan

PRESSURE = Path("/proc/pressure/cpu")
MACHINE_ID = Path("/etc/machine-id")
QUIET_WAITS_S = (0.0, 3.0, 3.0)
"""How long each attempt waits for a quiet moment; a repetition without one would tell the same."""
LOOK_S = 0.25
QUIET = 0.25
"""Share of the time for which something may wait for a processor in a quiet moment."""


class Host:
    """This machine: measured by a process beside this one."""

    kind = "host"

    def __init__(self, waits_s: tuple[float, ...] = QUIET_WAITS_S) -> None:
        """Take it as it is.

        Args:
            waits_s: How long each attempt waits for a quiet moment.
        """
        self.waits_s = waits_s
        self._best_ms: float | None = None

    def look(self) -> Seen:
        """Say what this machine is."""
        return Seen(machine_id(), fingerprint(), state())

    @contextlib.contextmanager
    def take(self, wait_s: float) -> Generator[None]:
        """Have it: whoever runs this step keeps other steps away from the machine already."""
        del wait_s
        yield

    def install(self) -> Installed:
        """Say which runtime is there: that of this environment."""
        return Installed("wheel", runtime_version(), _installed_sha256(), 0, 0.0)

    def check(self, plan: TimingPlan) -> None:
        """Refuse a plan that cannot be carried out.

        Raises:
            UserError: More threads than cores, or a plan longer than its limit.
        """
        check_threads(plan.threads)
        check_time(plan)

    def settle(self, wait_s: float) -> bool:
        """Wait up to ``wait_s`` until hardly anything waits for a processor; False if never."""
        return is_quiet(wait_s)

    def time(self, model: Path, plan: TimingPlan, seed: int) -> Process | Crash:
        """Time a ``.tflite`` in one fresh process."""
        return run_probe(model, plan, seed)

    def state(self) -> State:
        """Return temperature, clock and load, as far as they can be read."""
        return state()

    def best_reference_ms(self, cores: tuple[int, ...], found_ms: float | None) -> float | None:
        """Return the fastest reference loop of this measurement.

        Of earlier ones nothing is kept: what else runs here, and in a virtual machine beside it,
        changes it more than heat does.
        """
        del cores  # whatever it is given
        known = (self._best_ms, found_ms)
        self._best_ms = min((each for each in known if each is not None), default=None)
        return self._best_ms

    def meter(self) -> PowerMeter | str:
        """Return the counter of the processor's energy, or why it cannot be read."""
        return powercap()

    def close(self) -> None:
        """Nothing was opened."""


def machine_id(path: Path = MACHINE_ID) -> str:
    """Return a digest of what systemd calls this machine; empty where there is none."""
    try:
        found = path.read_bytes().strip()
    except OSError:
        return ""
    # systemd asks that the number itself is not handed on.
    return hashlib.sha256(b"slimline\0" + found).hexdigest()[:16] if found else ""


def _installed_sha256() -> str:
    """Return a digest of the list of the runtime's files, which holds a digest of each."""
    try:
        listed = metadata.distribution(RUNTIME).read_text("RECORD")
    except metadata.PackageNotFoundError:
        return ""
    return hashlib.sha256((listed or "").encode()).hexdigest()


def is_quiet(wait_s: float) -> bool:
    """Wait up to ``wait_s`` until hardly anything waits for a processor; False if never.

    True at once where the kernel does not say.
    """
    end, last = time.monotonic() + wait_s, _waited_s()
    while last is not None and time.monotonic() < end:
        time.sleep(LOOK_S)
        now = _waited_s()
        if now is None or now - last < QUIET * LOOK_S:
            return True
        last = now
    return last is None


def _waited_s() -> float | None:
    try:
        some = PRESSURE.read_text().splitlines()[0]
    except OSError:
        return None
    return int(some.rpartition("total=")[2]) / 1e6


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
        *probe_arguments(plan, seed),
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
