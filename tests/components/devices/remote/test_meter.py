"""Meters of devices: read from here while a model runs there, on the clock of what runs there."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from components.devices.device import LostError
from components.devices.remote.bringing import RuntimeThere
from components.devices.remote.meter import ShellMeter, meter_of
from components.devices.remote.ssh import SshShell
from components.devices.timing_plan import TimingPlan
from components.measure.energy import energy_of
from components.statistics.resampling import Resampling
from tests.components.devices.remote.host_shell import KINDS, HostShell
from tests.components.devices.remote.linked_runtime import PYTHON, keep_linked_runtime, kept
from tests.components.devices.remote.sysfs import JETSON, PHONE, changing, written
from tests.components.devices.remote.test_device import device_of, probes_in, sight_of
from tests.data.tiny_lite import write_lite
from tests.pipelines.engines.reached import sshd
from tests.servers.sshd import HOST, Sshd

__all__ = ["kept", "sshd"]

PLAN = TimingPlan(threads=1, processes=1, blocks=2, block_ms=1, warm_up_ms=1, limit_s=60)


def meter(shell: HostShell, sysfs: str) -> ShellMeter:
    found = meter_of(shell, RuntimeThere(PYTHON, "", ""), sysfs)
    assert isinstance(found, ShellMeter), found
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_between_two_powers_a_straight_line_is_taken(tmp_path: Path, kind: str) -> None:
    sysfs = written(tmp_path / "sys", JETSON)
    found = meter(HostShell(tmp_path, kind), sysfs)
    before, here_s = found.reading(), time.monotonic()
    time.sleep(0.2)
    written(tmp_path / "sys", {"class/hwmon/hwmon1/curr1_input": "4000"})
    after = found.reading()
    assert before.at_s == pytest.approx(here_s, abs=0.2), "the clock of a process there"
    assert after.at_s - before.at_s > 0.15
    assert after.joules - before.joules == pytest.approx(15 * (after.at_s - before.at_s))
    assert found.scope == "board"


def test_a_python_that_is_gone_is_a_loss(tmp_path: Path) -> None:
    sysfs = written(tmp_path / "sys", PHONE)
    with pytest.raises(LostError, match="ended with 127"):
        meter_of(HostShell(tmp_path), RuntimeThere("/nowhere/python3", "", ""), sysfs)


def test_a_board_over_ssh_takes_more_while_a_model_runs_there(
    sshd: Sshd, tmp_path: Path, kept: Path
) -> None:
    """The sensor shows two watts more as long as the probe runs: start and warm-up, too."""
    sysfs, there = written(tmp_path / "sys", JETSON), tmp_path / "there"
    shell = SshShell("pi", HOST)
    device = device_of(shell, tmp_path, sysfs=sysfs)
    keep_linked_runtime(kept, sight_of(device).python)
    device.install()
    model = write_lite(tmp_path / "lite", np.ones((8, 64)), (8, 8, 1)) / "model.tflite"

    def change() -> None:
        loaded = bool(probes_in(there))
        written(tmp_path / "sys", {"class/hwmon/hwmon1/curr1_input": "2400" if loaded else "2000"})

    with changing(change):
        found = energy_of(device, model, PLAN, Resampling(resamples=200), window_s=0.25)
    shell.close()
    assert found.scope == "board"
    assert found.mj_per_inference is not None, found.why_not
    low, high = found.mj_per_inference.low, found.mj_per_inference.high
    assert 0 < low <= high
    inferences_per_s = 2.0 / (found.mj_per_inference.value / 1e3)
    assert 100 < inferences_per_s < 1e7
