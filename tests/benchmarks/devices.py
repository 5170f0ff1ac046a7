"""What a measurement on a board costs beyond itself: a real sshd on this machine is the board."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from unittest import mock

import numpy as np

from tests.benchmarks.table import Row

STEPS = 8


def bench_devices(scratch: Path) -> list[Row]:
    """A model timed over ssh again and again, each time from the connection to the report."""
    from components.artifacts.lite_model import MODEL_FILE
    from components.artifacts.measurement import Measurement
    from components.devices.host import run_probe
    from components.devices.remote import wheels
    from components.devices.remote.settings import SshSettings
    from components.devices.remote.ssh_device import open_ssh
    from components.devices.timing_plan import TimingPlan
    from components.measure.with_runner import report_behind_shell
    from components.statistics.resampling import Resampling
    from tests.components.devices.remote.linked_runtime import PYTHON, keep_linked_runtime
    from tests.data.tiny_lite import write_lite
    from tests.servers.sshd import HOST, Sshd

    model = write_lite(scratch / "lite", np.ones((8, 64)), (8, 8, 1))
    plan, resampling = TimingPlan(processes=1, blocks=3), Resampling(resamples=50)
    home = scratch / "home"
    home.mkdir()
    settings = SshSettings(host=HOST, python=PYTHON, cooldown_s=0.1)
    login = {"PATH": "/usr/bin:/bin", "HOME": str(home)}

    def step(number: int) -> tuple[float, bool]:
        """Return the seconds that one took, and whether nothing came between."""
        report, began = scratch / f"report-{number}", time.perf_counter()
        device = open_ssh("board", settings)
        report_behind_shell(device, "board", model, report, scratch / "metrics", plan, resampling)
        took_s = time.perf_counter() - began
        return took_s, Measurement.read(report).verdict == "stable"

    def here() -> float:
        began = time.perf_counter()
        run_probe(model / MODEL_FILE, plan, seed=0)
        return time.perf_counter() - began

    with Sshd(scratch / "sshd", environment=login) as board:
        path = f"{board.programs}{os.pathsep}{os.environ['PATH']}"
        with mock.patch.dict(os.environ, PATH=path, XDG_CACHE_HOME=str(scratch / "kept")):
            device = open_ssh("board", settings)
            keep_linked_runtime(wheels.wheel_folder(), device._seen().python)
            device.close()
            first_s, _ = step(0)
            later = [step(number) for number in range(1, STEPS)]
    alone_s = [here() for _ in range(STEPS)]
    measuring_s = statistics.median(alone_s)
    # One that something disturbed waits for a quiet moment, and that is no cost of ssh.
    once_s = [took_s for took_s, stable in later if stable]
    took_s = statistics.median(once_s or [took_s for took_s, _ in later])
    note = "" if once_s else ", each disturbed"
    return [
        Row(
            f"a benchmark step over ssh beyond its process (median of {len(once_s or later)}{note})",
            took_s - measuring_s, "s", "<= 1.5",
        ),
        Row("... the fastest of them", min(took for took, _ in later) - measuring_s, "s", ""),
        Row("... the first one, which brings the runtime there", first_s - measuring_s, "s", ""),
        Row("... that process, started on this machine", measuring_s, "s", ""),
    ]  # fmt: skip
