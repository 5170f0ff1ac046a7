"""Runner devices: real programs of the user's, on shells of this machine, faults and fixes."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.measurement import Crash, Process
from components.contract.errors import UserError
from components.devices.remote.runner.device import RunnerDevice
from components.devices.remote.settings import AcceleratorKind, SshSettings
from components.devices.timing_plan import TimingPlan
from tests.components.devices.remote.host_shell import KINDS, HostShell
from tests.data.benchmark_programs import (
    LITERT_FLAGS,
    TFLITE_FLAGS,
    applied,
    litert_output,
    replaced,
    result_file,
    tflite_operators,
    tflite_output,
    write_program,
)
from tests.data.tiny_lite import write_lite

PLAN = TimingPlan(limit_s=30)
GPU = "TfLiteGpuDelegateV2"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    folder = write_lite(tmp_path_factory.mktemp("small") / "lite", weights, (8, 8, 1))
    return folder / "model.tflite"


@pytest.fixture
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> HostShell:
    return HostShell(tmp_path, getattr(request, "param", "sh"), "s21")


def device_of(
    shell: HostShell,
    program: Path,
    *,
    accelerator: AcceleratorKind = "cpu",
    operators: bool = False,
    **settings: object,
) -> RunnerDevice:
    there = {"host": "s21", "dir": str(program.parent / "there"), "accelerator": accelerator}
    return RunnerDevice(
        "adb",
        "s21",
        shell,
        SshSettings(**{**there, **settings}),  # pyright: ignore[reportArgumentType]
        program,
        operators=operators,
        transport="adb",
        address="S21",
    )


def timed(device: RunnerDevice, model: Path, plan: TimingPlan = PLAN) -> Process | Crash:
    with device.take(1):
        device.install()
        return device.time(model, plan, seed=0)


def left(tmp_path: Path) -> list[str]:
    """What lies on the device, without the runner, what it remembers and the folder of the lock."""
    return [
        path.name
        for path in (tmp_path / "there").iterdir()
        if not path.name.startswith(("runner-", "lock"))
    ]


@pytest.mark.parametrize("shell", KINDS, indirect=True)
def test_a_model_is_timed_there_and_leaves_nothing(
    shell: HostShell, model: Path, tmp_path: Path
) -> None:
    program = write_program(
        tmp_path / "program", [tflite_output(4200, applied("XNNPACK"))], result=result_file(4200)
    )
    program.chmod(0o600)  # the user's own file need not be executable
    device = device_of(shell, program)
    with device.take(1):
        first, second = device.install(), device.install()
        assert (first.source, first.version) == ("runner", "tflite")
        assert first.bytes > 0
        assert (second.bytes, second.sha256) == (0, first.sha256)
        process = device.time(model, PLAN, seed=0)
    assert isinstance(process, Process)
    assert process.runner is not None
    assert process.p50_ms == pytest.approx(4.2)
    assert (process.runner.runs, process.warmups) == (52, 9)
    assert process.load_ms == pytest.approx(34.567)
    assert process.memory_bytes == 13056 * 1024
    assert "XNNPACK" in process.runner.evidence
    assert left(tmp_path) == []
    device.clean()
    assert not (tmp_path / "there").exists()


def test_litert_tells_it_in_a_file_or_in_text(
    shell: HostShell, model: Path, tmp_path: Path
) -> None:
    for content in (result_file(4200), b""):
        program = write_program(
            tmp_path / "program", [litert_output(4200)], flags=LITERT_FLAGS, result=content
        )
        process = timed(device_of(shell, program), model)
        assert isinstance(process, Process)
        assert process.runner is not None
        assert process.runner.program == "litert"
        assert process.p50_ms == pytest.approx(4.2)


def test_it_is_bound_to_its_cores(shell: HostShell, model: Path, tmp_path: Path) -> None:
    last = max(os.sched_getaffinity(0))
    program = write_program(
        tmp_path / "program",
        [tflite_output(4200)],
        ending='while read -r line; do case $line in Cpus_allowed_list*) echo "$line" >"$0.cores";;'
        " esac; done </proc/self/status",
    )
    process = timed(device_of(shell, program, cores=str(last)), model)
    assert isinstance(process, Process)
    assert process.cores == (last,)
    (found,) = tmp_path.glob("there/runner-*/*.cores")
    assert found.read_text().split() == ["Cpus_allowed_list:", str(last)]


@pytest.mark.parametrize(
    "said", [replaced(GPU, 31, 31), applied("GPU"), replaced("LITERT_CL", 31, 31)]
)
def test_a_gpu_that_ran_all_of_it(said: str, shell: HostShell, model: Path, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", [tflite_output(4200, said)])
    process = timed(device_of(shell, program, accelerator="gpu"), model)
    assert isinstance(process, Process)
    assert process.runner is not None
    assert process.runner.accelerator == "gpu"
    assert process.runner.evidence
    (asked,) = tmp_path.glob("there/runner-*/*.asked")
    assert "--require_full_delegation=true" in asked.read_text()


@pytest.mark.parametrize(
    "said",
    [
        replaced(GPU, 29, 31, 3),
        applied("GPU", "partially"),
        replaced("TfLiteXNNPackDelegate", 31, 31),
        replaced(GPU, 29, 31, 3) + replaced("TfLiteXNNPackDelegate", 2, 3, 2),
    ],
)
def test_a_silent_fallback_is_refused(
    said: str, shell: HostShell, model: Path, tmp_path: Path
) -> None:
    program = write_program(tmp_path / "program", [tflite_output(4200, said)])
    crash = timed(device_of(shell, program, accelerator="gpu"), model)
    assert isinstance(crash, Crash)
    assert crash.refused
    assert "not all of it ran on the gpu" in crash.name
    assert timed(device_of(shell, program), model) != crash  # on the processor it is measured


def test_a_fallback_that_it_refuses_itself(shell: HostShell, model: Path, tmp_path: Path) -> None:
    said = "ERROR: Disallowed CPU fallback detected.\nERROR: Benchmarking failed.\n"
    program = write_program(tmp_path / "program", [said], code=1)
    crash = timed(device_of(shell, program, accelerator="gpu"), model)
    assert isinstance(crash, Crash)
    assert crash.refused
    assert crash.name == "Disallowed CPU fallback detected."


def test_a_gpu_of_which_it_says_nothing(shell: HostShell, model: Path, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", [tflite_output(4200)])
    with pytest.raises(UserError, match="does not say whether the gpu computed") as caught:
        timed(device_of(shell, program, accelerator="gpu"), model)
    assert "prints which delegate" in caught.value.fix
    write_program(program, [tflite_output(4200, replaced(GPU, 31, 31))])
    assert isinstance(timed(device_of(shell, program, accelerator="gpu"), model), Process)
    assert left(tmp_path) == []


def test_a_flag_that_it_does_not_know(shell: HostShell, model: Path, tmp_path: Path) -> None:
    said = "WARN: Unconsumed cmdline flags: --warmup_min_secs=0.5\n"
    program = write_program(tmp_path / "program", [tflite_output(4200, said)])
    with pytest.raises(UserError, match=r"does not know --warmup_min_secs=0\.5") as caught:
        timed(device_of(shell, program), model)
    assert caught.value.fix == "take a newer benchmark_model"
    write_program(program, [tflite_output(4200)])
    assert isinstance(timed(device_of(shell, program), model), Process)


@pytest.mark.parametrize("output", ["", "INFO: STARTING!\n"])
def test_no_result(output: str, shell: HostShell, model: Path, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", [output])
    with pytest.raises(UserError, match="ended without a result"):
        timed(device_of(shell, program), model)
    assert left(tmp_path) == []


@pytest.mark.parametrize(("signal", "number"), [("SEGV", 11), ("ABRT", 6)])
@pytest.mark.parametrize("shell", KINDS, indirect=True)
def test_one_that_dies_of_a_signal(
    signal: str, number: int, shell: HostShell, model: Path, tmp_path: Path
) -> None:
    program = write_program(tmp_path / "program", [""], ending=f"kill -{signal} $$")
    crash = timed(device_of(shell, program), model)
    assert isinstance(crash, Crash)
    assert (crash.signal, crash.name, crash.outside) == (number, f"SIG{signal}", False)
    assert left(tmp_path) == []


@pytest.mark.parametrize("shell", KINDS, indirect=True)
def test_one_that_hangs_is_ended(shell: HostShell, model: Path, tmp_path: Path) -> None:
    program = write_program(
        tmp_path / "program", [""], ending='mkfifo "$0.pipe"; read -r line <"$0.pipe"'
    )
    crash = timed(device_of(shell, program), model, replace(PLAN, limit_s=2))
    assert isinstance(crash, Crash)
    assert crash.outside
    assert crash.name == "time limit of 2 s"
    end = time.monotonic() + 10
    while left(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    assert left(tmp_path) == []
    assert not running(tmp_path / "there")


def running(folder: Path) -> list[str]:
    found: list[str] = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = line.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/runner-" in command and "--graph=" in command:
            found.append(command)
    return found


def test_one_for_another_processor(shell: HostShell, tmp_path: Path) -> None:
    machine = 183 if os.uname().machine == "x86_64" else 62
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + bytes([machine, 0]))
    with pytest.raises(UserError, match="cannot execute program, which is for") as caught:
        device_of(shell, program).look()
    assert "give the benchmark_model for" in caught.value.fix
    write_program(program, [tflite_output(4200)])
    assert device_of(shell, program).look()


@pytest.mark.parametrize("shell", KINDS, indirect=True)
def test_one_that_cannot_be_executed(shell: HostShell, tmp_path: Path) -> None:
    # The right processor, and nothing of a program after that.
    machine = 62 if os.uname().machine == "x86_64" else 183
    program = tmp_path / "program"
    program.write_bytes(
        b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + bytes([machine, 0]) + bytes(100)
    )
    device = device_of(shell, program)
    with device.take(1), pytest.raises(UserError, match="s21 cannot execute the runner") as caught:
        device.install()
    assert "give the benchmark_model for the processor and the system of s21" in caught.value.fix


def test_one_that_lacks_its_libraries(shell: HostShell, model: Path, tmp_path: Path) -> None:
    libraries = tmp_path / "libraries"
    program = write_program(tmp_path / "program", [tflite_output(4200)])
    program.write_text(
        program.read_text().replace(
            "#!/bin/sh\n",
            "#!/bin/sh\n"
            f'[ "$LD_LIBRARY_PATH" = {libraries} ] || {{ echo \'CANNOT LINK EXECUTABLE "x": library '
            '"libLiteRt.so" not found\' >&2; exit 1; }\n',
        )
    )
    with pytest.raises(UserError, match=r'library "libLiteRt.so" not found') as caught:
        timed(device_of(shell, program), model)
    assert "write libraries: that folder" in caught.value.fix
    with pytest.raises(UserError, match=r"has no \*\.so files in") as caught:
        timed(device_of(shell, program, libraries=str(libraries)), model)
    assert "put the libraries of the runner there" in caught.value.fix
    libraries.mkdir()
    (libraries / "libLiteRt.so").write_bytes(b"one")
    device = device_of(shell, program, libraries=str(libraries))
    assert isinstance(timed(device, model), Process)
    before = device.look().fingerprint["libraries"]
    (libraries / "libLiteRt.so").write_bytes(b"two")
    assert device.look().fingerprint["libraries"] != before


def test_a_disk_that_runs_no_programs(shell: HostShell, model: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "noexec,size=1m", "tmpfs", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a disk is mounted by root alone")
    try:
        program = write_program(tmp_path / "program", [tflite_output(4200)])
        device = device_of(shell, program, dir=str(disk / "there"))
        with pytest.raises(UserError, match="runs no programs from") as caught:
            timed(device, model)
        assert "set `dir` of s21 to a folder on another disk" in caught.value.fix
        assert isinstance(timed(device_of(shell, program), model), Process)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_one_that_was_changed_there_is_brought_again(
    shell: HostShell, model: Path, tmp_path: Path
) -> None:
    program = write_program(tmp_path / "program", [tflite_output(4200)])
    timed(device_of(shell, program), model)
    (there,) = tmp_path.glob("there/runner-*/benchmark_model")
    there.write_text("#!/bin/sh\nexit 0\n")
    device = device_of(shell, program)
    with device.take(1):
        assert device.install().bytes == program.stat().st_size
    assert there.read_bytes() == program.read_bytes()


def test_operators_in_a_process_that_tells_nothing_else(
    shell: HostShell, model: Path, tmp_path: Path
) -> None:
    program = write_program(
        tmp_path / "program",
        [tflite_output(4200)],
        flags=TFLITE_FLAGS,
        profile=tflite_output(9900) + tflite_operators(),
    )
    device = device_of(shell, program, operators=True)
    with device.take(1):
        device.install()
        process = device.time(model, PLAN, 0)
        operators = device.operators(model, PLAN, 4.2)
    assert isinstance(process, Process)
    assert process.p50_ms == 4.2
    assert operators.sum_ms == 3.5
    assert operators.p50_ms == 4.2
    (asked,) = tmp_path.glob("there/runner-*/*.asked")
    first, second = asked.read_text().splitlines()
    assert "--enable_op_profiling" not in first
    assert "--enable_op_profiling=true" in second
