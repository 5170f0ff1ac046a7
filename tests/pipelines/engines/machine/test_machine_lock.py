"""The machine's lock: in order, whoever is killed or stopped meanwhile."""

import fcntl
import os
import random
import re
import signal
import subprocess
import time

import pytest

from tests.pipelines.engines.machine import locking


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Starts a process that asks for the lock; returns when it waits or has it, with its word."""
    (tmp_path / "runtime").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    started = []

    def ask(kind, name, seconds=0.2, others_s=60.0):
        process, said = locking.asked(kind, name, seconds, tmp_path, others_s)
        started.append(process)
        return process, said

    yield ask
    for process in started:
        process.kill()
        process.communicate()


def notes(tmp_path):
    return (tmp_path / "notes").read_text().split()


def end(process):
    process.stdout.read()
    assert process.wait() == 0


def test_a_benchmark_gets_its_turn_before_those_who_came_later(asked, tmp_path):
    first, said = asked("shared", "first", 3.0)
    assert said == "has it"
    beside, said = asked("shared", "beside", 0.1)
    assert said == "has it"
    benchmark, said = asked("alone", "benchmark")
    assert said.startswith("waits the machine: first of run a-run comes first (process ")
    later, said = asked("shared", "later")
    assert said.startswith("waits the machine: benchmark of run a-run comes first")
    second, said = asked("alone", "second")
    assert said.startswith("waits the machine: ")
    for process in (first, beside, benchmark, later, second):
        end(process)
    order = [note for note in notes(tmp_path) if "beside" not in note]
    assert order == [
        *("+first", "-first", "+benchmark", "-benchmark"),
        *("+later", "-later", "+second", "-second"),
    ]
    assert list((tmp_path / "runtime" / "slimline").iterdir()) == []


def test_steps_that_follow_each_other_keep_no_benchmark_waiting(asked, tmp_path):
    """With a lock that is only tried again and again it never got one: 362 s were seen."""
    holding, _ = asked("shared", "s0", 1.0)
    benchmark, said = asked("alone", "benchmark")
    assert said.startswith("waits")
    others = [asked("shared", f"s{n}", 1.0)[0] for n in (1, 2)]
    for process in (holding, benchmark, *others):
        end(process)
    assert notes(tmp_path)[:4] == ["+s0", "-s0", "+benchmark", "-benchmark"]


def test_a_killed_waiter_and_a_killed_holder_keep_nobody_waiting(asked, tmp_path):
    holder, _ = asked("alone", "holder", 600.0)
    waiter, _ = asked("alone", "waiter", 600.0)
    last, said = asked("shared", "last")
    assert said.startswith("waits the machine: holder of run a-run")
    for process in (waiter, holder):
        process.kill()
        process.wait()
    end(last)
    assert notes(tmp_path) == ["+holder", "+last", "-last"]
    assert list((tmp_path / "runtime" / "slimline").iterdir()) == []


def test_a_stopped_process_is_named_with_what_to_do(asked, tmp_path):
    holder, _ = asked("shared", "holder", 0.5)
    os.kill(holder.pid, signal.SIGSTOP)
    benchmark, said = asked("alone", "benchmark")
    pattern = rf"waits .*holder of run a-run comes first \(process {holder.pid}, since .* UTC\)\. "
    found = re.match(pattern + r"That process is stopped: (kill -CONT \d+) lets it go on", said)
    assert found, said
    subprocess.run(found[1].split(), check=True)
    end(benchmark)
    assert notes(tmp_path)[-2:] == ["+benchmark", "-benchmark"]


def test_no_two_have_it_that_must_not_whoever_is_killed(asked, tmp_path):
    killed = locking.lock_loop(
        lambda kind, name, seconds: asked(kind, name, seconds)[0], tmp_path, 16, random.Random(3)
    )
    assert killed


def test_measurements_of_other_users_are_waited_for_but_not_for_ever(asked, tmp_path):
    """Another user's process is one that locks the file of all; it has its own folder."""
    shared = tmp_path / "all-users"
    shared.touch()
    with shared.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ordinary, said = asked("shared", "ordinary")
        assert said == "has it", "only measurements wait for those of others"
        end(ordinary)
        benchmark, said = asked("alone", "benchmark", others_s=1.0)
        assert said == f"waits the machine: a measurement of another user locks {shared}"
        said = benchmark.stdout.readline().strip()
        assert said.endswith(f"{shared} was locked too long")
        assert benchmark.stdout.readline().strip() == "has it"
        end(benchmark)
        patient, _ = asked("alone", "patient")
        time.sleep(0.3)
        assert "+patient" not in notes(tmp_path)
    end(patient)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_others_put_in_the_place_of_that_file_blocks_nobody(asked, tmp_path, kind):
    shared = tmp_path / "all-users"
    (tmp_path / "target").touch()
    {
        "link": lambda: shared.symlink_to(tmp_path / "target"),
        "pipe": lambda: os.mkfifo(shared),
        "folder": lambda: shared.mkdir(),
    }[kind]()
    process, said = asked("alone", "benchmark")
    assert said.startswith(f"waits no other user's measurement: {shared}: ")
    end(process)
    assert notes(tmp_path) == ["+benchmark", "-benchmark"]
