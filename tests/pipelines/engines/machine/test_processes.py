"""Steps as processes: limits, cancel and death leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from components.contract.errors import UserError
from pipelines.engines.machine.processes import Processes, _environment
from pipelines.engines.machine.runner import CANCELLED, EXITED, OUT_OF_MEMORY, OUT_OF_TIME

ROOT = Path(__file__).parents[4]

PLAIN = {"train": ("pydantic",), "device": ("pydantic",), "light": ("pydantic",)}


@pytest.fixture
def zygotes():
    """Returns the zygotes, and steps, of this test alone: what earlier ones left may be at work."""

    def found():
        return [
            child
            for child in psutil.Process().children(recursive=True)
            if alive(child) and any("zygote.py" in part for part in child.cmdline())
        ]

    others = found()
    return lambda: [process for process in found() if process not in others]


@pytest.fixture
def processes(zygotes):
    made = Processes(PLAIN)
    yield made
    made.close()
    assert not zygotes()


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run(processes, folder, *argv, memory_gb=4.0, time_limit_s=60.0):
    return processes.run(
        "light", list(argv), folder, folder / "log", memory_gb=memory_gb, time_limit_s=time_limit_s
    )


def in_background(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    return thread, result


def wait_for(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture
def endless(tmp_path):
    """A step that never ends: its executor input is a pipe into which nobody writes."""
    os.mkfifo(tmp_path / "input.json")
    return ("select", "--executor-input", f"@{tmp_path / 'input.json'}")


def test_a_step_runs_and_its_output_is_in_the_log(processes, tmp_path):
    assert run(processes, tmp_path, "select", "--help").code == 0
    assert "LiteModels of all variants" in (tmp_path / "log").read_text()


def test_the_users_fault_is_exit_code_2(processes, tmp_path):
    ended = run(processes, tmp_path, "select", "--executor-input", "no JSON")
    assert (ended.code, ended.reason) == (2, EXITED)
    assert "fix:" in (tmp_path / "log").read_text()


def test_temporary_files_lie_in_the_step_s_folder_whatever_was_imported_before(tmp_path):
    """TensorFlow asks for the folder while it is imported, and Python answers so ever after."""
    request = {
        "argv": ["select"],
        "environment": {"TMPDIR": str(tmp_path)},
        "folder": str(tmp_path),
        "log": str(tmp_path / "log"),
    }
    program = (
        "import json, sys, tempfile; before = tempfile.gettempdir();"
        "from pipelines.engines.machine.zygote import _run; _run(json.loads(sys.argv[1]));"
        "print(before, tempfile.gettempdir(), flush=True)"
    )
    subprocess.run([sys.executable, "-c", program, json.dumps(request)], check=True, cwd=ROOT)
    before, after = (tmp_path / "log").read_text().splitlines()[-1].split()
    assert after == str(tmp_path) != before


def test_steps_share_nothing_but_the_zygote(processes, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (
        in_background(lambda n=n: run(processes, tmp_path / n, "select", "--help")) for n in "ab"
    )
    for thread, result in (first, second):
        thread.join()
        assert result[0].code == 0


def test_over_its_time_limit_a_step_is_ended(processes, tmp_path, endless):
    ended = run(processes, tmp_path, *endless, time_limit_s=0.5)
    assert (ended.code, ended.reason) == (-signal.SIGKILL, OUT_OF_TIME)


def test_over_its_memory_limit_a_step_is_ended(processes, tmp_path, endless):
    ended = run(processes, tmp_path, *endless, memory_gb=0.001)
    assert (ended.code, ended.reason) == (-signal.SIGKILL, OUT_OF_MEMORY)
    assert ended.peak_rss_bytes > 1e6


def test_cancel_ends_what_runs_and_what_comes(processes, zygotes, tmp_path, endless):
    thread, result = in_background(lambda: run(processes, tmp_path, *endless))
    wait_for(lambda: len(zygotes()) == 2, "the step never started")
    processes.cancel()
    thread.join()
    assert result[0].reason == CANCELLED
    assert run(processes, tmp_path, *endless).reason == CANCELLED


def test_a_step_killed_from_outside_says_the_signal(processes, zygotes, tmp_path, endless):
    thread, result = in_background(lambda: run(processes, tmp_path, *endless))
    wait_for(lambda: len(zygotes()) == 2, "the step never started")
    zygote, step = sorted(zygotes(), key=lambda process: process.create_time())
    step.send_signal(signal.SIGSEGV)
    thread.join()
    assert (result[0].code, result[0].reason) == (-signal.SIGSEGV, EXITED)
    assert zygote.is_running()


def test_a_killed_zygote_takes_its_steps_along(processes, zygotes, tmp_path, endless):
    thread, result = in_background(lambda: run(processes, tmp_path, *endless))
    wait_for(lambda: len(zygotes()) == 2, "the step never started")
    zygote, step = sorted(zygotes(), key=lambda process: process.create_time())
    # Killed before it has said which process the step is, it has started nothing: another case.
    wait_for(lambda: zygote.status() == psutil.STATUS_SLEEPING, "the zygote never came to rest")
    zygote.kill()
    thread.join()
    assert result[0].code == -signal.SIGKILL
    wait_for(lambda: not alive(step), "the step lives on")
    assert run(processes, tmp_path, "select", "--help").code == 0  # a new zygote


def test_frameworks_that_do_not_load_are_the_users_to_install(tmp_path):
    broken = Processes({"light": ("no_such_framework",)})
    with pytest.raises(UserError, match="No module named 'no_such_framework'"):
        run(broken, tmp_path, "select", "--help")
    broken.close()


def test_what_was_cancelled_while_frameworks_load_does_not_wait_for_them(
    tmp_path, monkeypatch, zygotes
):
    slow = tmp_path / "slow_framework.py"
    slow.write_text(f"import pathlib, time\npathlib.Path({str(tmp_path / 'loads')!r}).touch()\n"
                    "time.sleep(60)\n")  # fmt: skip
    environment = _environment() | {"PYTHONPATH": str(tmp_path)}
    monkeypatch.setattr("pipelines.engines.machine.processes._environment", lambda: environment)
    processes = Processes({"light": ("slow_framework",)})
    thread, result = in_background(lambda: run(processes, tmp_path, "select", "--help"))
    wait_for((tmp_path / "loads").exists, "the zygote never began to load")
    began = time.monotonic()
    processes.cancel()
    thread.join()
    processes.close()
    assert time.monotonic() - began < 20
    assert result[0].reason == CANCELLED
    assert not zygotes()


def test_the_environment_of_the_caller_does_not_leak_in(processes, zygotes, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "0")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    os.mkfifo(tmp_path / "input.json")
    thread, _ = in_background(
        lambda: run(
            processes, tmp_path, "select", "--executor-input", f"@{tmp_path / 'input.json'}"
        )
    )
    wait_for(lambda: len(zygotes()) == 2, "the step never started")
    try:
        for process in zygotes():
            assert not {"SECRET_TOKEN", "TF_DETERMINISTIC_OPS"} & set(process.environ())
            assert process.environ()["PYTHONHASHSEED"] == "0"
    finally:
        processes.cancel()
        thread.join()


def test_processes_and_images_have_the_same_settings_that_results_hang_on():
    here = _environment()
    text = (ROOT / "Dockerfiles" / "Dockerfile").read_text()
    for name in ("TF_USE_LEGACY_KERAS", "TF_ENABLE_ONEDNN_OPTS", "OPENBLAS_NUM_THREADS"):
        assert f"    {name}={here[name]} \\\n" in text, name
