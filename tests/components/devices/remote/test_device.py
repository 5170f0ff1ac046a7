"""Remote devices over shells of this machine: a device as any, with real processes and files."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.measurement import Crash, Process
from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.fingerprint import runtime_version
from components.devices.remote import looking
from components.devices.remote.device import RemoteDevice
from components.devices.remote.installing import install
from components.devices.remote.settings import SshSettings
from components.devices.remote.shell import Shell, ShellAnswer
from components.devices.timing_plan import TimingPlan
from tests.components.devices.remote.host_shell import KINDS, HostShell
from tests.components.devices.remote.linked_runtime import PYTHON, keep_linked_runtime, kept
from tests.data.tiny_lite import write_lite

__all__ = ["kept"]

PLAN = TimingPlan(threads=1, processes=1, blocks=2, block_ms=1, warm_up_ms=1, limit_s=60)
SHELLS = pytest.mark.parametrize("shell", KINDS, indirect=True)


@pytest.fixture
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> HostShell:
    return HostShell(tmp_path, getattr(request, "param", "sh"), "pi")


@pytest.fixture
def device(shell: HostShell, tmp_path: Path, kept: Path) -> RemoteDevice:
    """A device that lacks nothing but what is to be installed, which is kept here."""
    made = device_of(shell, tmp_path)
    keep_linked_runtime(kept, sight_of(made).python)
    return made


def device_of(
    shell: Shell, tmp_path: Path, sysfs: str = "/sys", **settings: object
) -> RemoteDevice:
    given = {"host": "pi", "python": PYTHON, "dir": str(tmp_path / "there"), **settings}
    return RemoteDevice(
        "ssh", "pi", shell, SshSettings(**given), transport="ssh", address="pi.lan", sysfs=sysfs
    )


def sight_of(device: RemoteDevice) -> looking.Sight:
    return looking.look_at(
        device._shell, "pi", device._settings, runtime_version(), transport="ssh", address="pi.lan"
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    return write_lite(tmp_path_factory.mktemp("small") / "lite", weights, (8, 8, 1)) / (
        "model.tflite"
    )


def left(tmp_path: Path) -> list[str]:
    """What lies on the device, without what is installed and the folder of the lock."""
    there = tmp_path / "there"
    return sorted(path.name for path in there.glob("*") if path.name[:5] not in ("site-", "lock"))


def probes_in(folder: Path) -> list[int]:
    """Processes that run a probe below a folder."""
    found: list[int] = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes().split(b"\0")
        except OSError:
            continue
        beginning = f"{folder}/run-".encode()
        if any(word.startswith(beginning) and word.endswith(b"probe.py") for word in words):
            found.append(int(line.parent.name))
    return found


def until(holds: Callable[[], bool], limit_s: float = 15.0) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


@SHELLS
def test_nothing_changes_there_before_a_model_is_timed_and_nothing_is_left(
    device: RemoteDevice, model: Path, tmp_path: Path
) -> None:
    seen = device.look()
    assert seen.fingerprint["python"] == ".".join(map(str, sys.version_info[:3]))
    assert int(seen.fingerprint["cores"]) == len(os.sched_getaffinity(0))
    assert seen.fingerprint["page_size"] == str(os.sysconf("SC_PAGE_SIZE"))
    assert not (tmp_path / "there").exists()
    with device.take(1):
        first, second = device.install(), device.install()
        assert first.bytes > 0
        assert (second.bytes, second.sha256) == (0, first.sha256)
        found = device.time(model, PLAN, seed=0)
    assert isinstance(found, Process)
    assert len(found.blocks) == 2
    assert min(found.samples_ms) > 0
    assert found.reference_ms_before > 0
    assert found.reference_ms_after > 0
    assert not {"site", "components", "tensorflow"} & set(found.imported)
    assert left(tmp_path) == []
    assert not probes_in(tmp_path / "there")


class LeavingShell(HostShell):
    """Goes away before a script that has a mark in it."""

    def run(self, script: str, *args: str, **given: object) -> ShellAnswer:
        if "faulthandler" in script:
            raise LostError("pi went away: unplugged")
        return super().run(script, *args, **given)


def test_a_device_that_goes_away_says_so(model: Path, tmp_path: Path, kept: Path) -> None:
    device = device_of(LeavingShell(tmp_path, name="pi"), tmp_path)
    keep_linked_runtime(kept, sight_of(device).python)
    device.install()
    with pytest.raises(LostError, match="unplugged"):
        device.time(model, PLAN, seed=0)
    assert left(tmp_path) == []  # it came back


def test_a_runtime_that_cannot_be_loaded_is_not_installed(
    shell: HostShell, tmp_path: Path, kept: Path
) -> None:
    device = device_of(shell, tmp_path)
    keep_linked_runtime(kept, sight_of(device).python, without="numpy")
    with pytest.raises(UserError, match="No module named 'numpy'"):
        device.install()
    assert list((tmp_path / "there").iterdir()) == []


def test_a_cpu_that_lacks_what_the_runtime_uses_is_named(
    shell: HostShell, tmp_path: Path, kept: Path
) -> None:
    device = device_of(shell, tmp_path)
    python = sight_of(device).python
    keep_linked_runtime(kept, python, begins="import os; os.kill(os.getpid(), 4)")
    with pytest.raises(UserError, match="signal 4: this CPU lacks what it uses") as caught:
        device.install()
    assert caught.value.fix == "remove pi from `devices`"
    assert list((tmp_path / "there").iterdir()) == []
    keep_linked_runtime(kept, python)  # as on any other device: without this one, all is well
    assert device_of(shell, tmp_path).install().bytes > 0


def test_a_model_that_ends_with_an_illegal_instruction_is_told_from_a_bad_one() -> None:
    assert Crash(signal.SIGILL, "SIGILL", "").sentence == (
        "crashed: signal 4 (SIGILL): this CPU lacks what the runtime uses"
    )
    assert Crash(signal.SIGSEGV, "SIGSEGV", "").sentence == "crashed: signal 11 (SIGSEGV)"


def test_a_runtime_that_was_damaged_is_noticed_and_its_fix_helps(
    device: RemoteDevice, tmp_path: Path
) -> None:
    device.install()
    (site,) = (tmp_path / "there").iterdir()
    (site / "numpy").unlink()
    with pytest.raises(UserError, match="cannot load the runtime") as caught:
        device.install()
    assert "slimline devices clean pi" in caught.value.fix
    device.clean()
    assert not (tmp_path / "there").exists()
    assert device.install().bytes > 0


def test_nobody_else_has_it_meanwhile(
    device: RemoteDevice, shell: HostShell, model: Path, tmp_path: Path
) -> None:
    other = device_of(shell, tmp_path)
    with device.take(0):
        device.install()
        assert isinstance(device.time(model, PLAN, seed=0), Process)
        with pytest.raises(UserError, match="pi is in use by"), other.take(0):
            pass
        with pytest.raises(UserError, match="pi is in use by"):
            other.clean()
    with other.take(0):
        pass


def test_cleaning_leaves_what_is_not_ours(device: RemoteDevice, tmp_path: Path) -> None:
    device.install()
    (tmp_path / "there/photos").mkdir()
    with pytest.raises(UserError, match="files that are not ours"):
        device.clean()
    assert left(tmp_path) == ["photos"]
    (tmp_path / "there/photos").rmdir()
    assert device.best_reference_ms((0,), 4.2) == 4.2
    assert left(tmp_path) == ["best.json"]
    device.clean()
    device.clean()
    assert not (tmp_path / "there").exists()


def test_the_fastest_loop_is_known_where_a_process_was_bound(
    device: RemoteDevice, tmp_path: Path
) -> None:
    device.install()
    assert device.best_reference_ms((0,), 4.2) == 4.2
    assert device.best_reference_ms((0,), 5.0) == 4.2
    assert device.best_reference_ms((), 5.0) == 5.0
    assert device_of(HostShell(tmp_path, "sh", "pi"), tmp_path).best_reference_ms((0,), 6.0) == 4.2


def test_strays_of_a_day_go_and_younger_ones_stay(device: RemoteDevice, tmp_path: Path) -> None:
    there = tmp_path / "there"
    for name in ("run-old", "run-new", "site-1.part-old", "photos"):
        (there / name).mkdir(parents=True)
    (there / "site-2.part-old.tar.gz").touch()
    yesterday = time.time() - 25 * 3600
    for name in ("run-old", "site-1.part-old", "site-2.part-old.tar.gz", "photos"):
        os.utime(there / name, (yesterday, yesterday))
    device.install()
    assert left(tmp_path) == ["photos", "run-new"]


def test_more_threads_than_cores_are_refused(device: RemoteDevice) -> None:
    cores = len(os.sched_getaffinity(0))
    with pytest.raises(UserError, match=f"{cores + 1} threads on {cores} cores of pi"):
        device.check(replace(PLAN, threads=cores + 1))
    device.check(replace(PLAN, threads=cores))


def test_a_model_runs_on_the_cores_that_were_chosen(
    shell: HostShell, model: Path, tmp_path: Path, kept: Path
) -> None:
    last = max(os.sched_getaffinity(0))
    device = device_of(shell, tmp_path, cores=str(last))
    keep_linked_runtime(kept, sight_of(device).python)
    device.install()
    found = device.time(model, PLAN, seed=0)
    assert isinstance(found, Process)
    assert found.cores == (last,)


def test_no_room_for_the_runtime_is_said_before_it_is_unpacked(
    device: RemoteDevice, shell: HostShell, tmp_path: Path, kept: Path
) -> None:
    sight = sight_of(device)
    archive = keep_linked_runtime(kept, sight.python)
    larger = replace(archive, unpacked_bytes=10**18)
    with pytest.raises(UserError, match="MB free, 1000000000000 MB needed") as caught:
        install(shell, "pi", sight, larger, runtime_version())
    assert "set `dir` of pi" in caught.value.fix
    assert list((tmp_path / "there").iterdir()) == []
    assert install(shell, "pi", sight, archive, runtime_version()).bytes > 0


def test_an_archive_that_is_another_there_is_not_unpacked(
    device: RemoteDevice, shell: HostShell, tmp_path: Path, kept: Path
) -> None:
    sight = sight_of(device)
    archive = replace(keep_linked_runtime(kept, sight.python), sha256="0" * 64)
    with pytest.raises(UserError, match=r"could not unpack the runtime in .*: damaged"):
        install(shell, "pi", sight, archive, runtime_version())
    assert list((tmp_path / "there").iterdir()) == []


def test_two_that_install_at_once_do_not_meet(
    shell: HostShell, device: RemoteDevice, tmp_path: Path
) -> None:
    devices = [device, *(device_of(shell, tmp_path) for _ in range(3))]
    with ThreadPoolExecutor() as pool:
        installed = list(pool.map(lambda each: each.install(), devices))
    assert len({each.sha256 for each in installed}) == 1
    (site,) = (tmp_path / "there").iterdir()
    assert site.name == f"site-{installed[0].sha256[:16]}"
