"""A process that wants this machine's lock, and tells when it has it."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pipelines.engines.machine.machine_lock import machine_lock


def asked(
    kind: str, name: str, seconds: float, folder: Path, others_s: float = 60.0
) -> tuple[subprocess.Popen[str], str]:
    """Start a process that asks for the lock; return it with its first word.

    Args:
        kind: ``alone`` or ``shared``.
        name: What it calls itself.
        seconds: How long it keeps the lock.
        folder: Where it notes when it had it, and where the lock of all users lies.
        others_s: How long it waits for other users.
    """
    process = subprocess.Popen(
        [
            sys.executable,
            *("-m", "tests.pipelines.engines.machine.locking", kind, name),
            *(str(seconds), str(folder / "notes"), str(others_s)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def lock_loop(
    ask: Callable[[str, str, float], subprocess.Popen[str]],
    folder: Path,
    tries: int,
    chance: random.Random,
) -> int:
    """Let processes ask for the lock and kill some; assert that no two had it that must not.

    Args:
        ask: Starts one.
        folder: Where they note when they had it.
        tries: How many.
        chance: Chooses kinds, times and victims.

    Returns:
        How many were killed.
    """
    running: list[subprocess.Popen[str]] = []
    for index in range(tries):
        kind = chance.choice(["alone", "shared"])
        running.append(ask(kind, f"{kind}-{index}", chance.uniform(0, 0.3)))
        if chance.random() < 0.25:
            chance.choice(running).kill()
    for process in running:
        assert process.stdout
        process.stdout.read()
        process.wait()
    said = (folder / "notes").read_text().split()
    held: set[str] = set()
    for note in said:
        name = note[1:]
        if f"-{name}" not in said:
            continue  # killed while it had it: when that was, it did not note
        if note[0] == "-":
            held.remove(name)
            continue
        assert not any(other.startswith("alone") for other in held), (note, held)
        assert not (name.startswith("alone") and held), (note, held)
        held.add(name)
    codes = [process.returncode for process in running]
    assert set(codes) <= {0, -signal.SIGKILL}, codes
    return codes.count(-signal.SIGKILL)


def _main(kind: str, name: str, seconds: float, notes: Path, others_s: float) -> None:
    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    with machine_lock(
        alone=kind == "alone",
        run="a-run",
        step=name,
        cancelled=threading.Event(),
        waits_for=lambda what: say(f"waits {what}"),
        all_users=notes.with_name("all-users"),
        others_s=others_s,
    ):
        with notes.open("a") as file:
            file.write(f"+{name}\n")
        say("has it")
        time.sleep(seconds)
        with notes.open("a") as file:
            file.write(f"-{name}\n")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]), float(sys.argv[5]))
