"""Runs that are killed, whose store is tampered with, and whose output nobody takes."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.prepared import CHEAP, Prepared, command
from tests.faults.row import Row


def kills(prepared: Prepared, chance: random.Random, tries: int) -> Row:
    """Kill a run at random moments; the next run has to end well."""
    row = Row("kill", "SIGKILL at any moment: the next run is done, with the same model")
    began = time.monotonic()
    folder = prepared.copy(*CHEAP)
    command(folder, prepared.arguments)
    whole_s = time.monotonic() - began
    shutil.rmtree(folder)
    for _ in range(tries):
        folder = prepared.copy(*CHEAP)
        after_s = chance.uniform(0.0, whole_s)
        said = command(folder, prepared.arguments, kill_after_s=after_s)
        again = command(folder, prepared.arguments)
        fault = prepared.fault_of_end(folder, again) or _left_over(folder)
        if fault:
            row.broke(f"killed after {after_s:.2f} s: {fault}")
            continue
        row.kept("killed, then done" if said.code < 0 else "had ended before")
        shutil.rmtree(folder)
    row.seconds = time.monotonic() - began
    row.demand("killed, then done")
    return row


def _left_over(folder: Path) -> str:
    """Return what a killed run left that the next one should have swept; empty if nothing."""
    left = [
        str(path.relative_to(folder))
        for place in ("store/tmp/work", "store/claims")
        if (folder / place).exists()
        for path in (folder / place).iterdir()
    ]
    return f"left over: {', '.join(left)}" if left else ""


def _cut(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(max(path.stat().st_size, 1))])


def _flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _remove(path: Path, _: random.Random) -> None:
    path.unlink()


_DAMAGE: dict[str, Callable[[Path, random.Random], None]] = {
    "cut": _cut,
    "a bit flipped": _flip,
    "removed": _remove,
}


def tampering(prepared: Prepared, chance: random.Random, tries: int) -> Row:
    """Damage one file of what the cheap steps made, or of a record; the next run has to be right.

    Frameworks are not needed to make what is damaged again, so each try takes seconds.
    """
    row = Row("tamper", "a damaged file: repaired or said with its fix, never a wrong model")
    began = time.monotonic()
    for _ in range(tries):
        folder = prepared.copy()
        path = chance.choice(_files(prepared, folder))
        kind = chance.choice(sorted(_DAMAGE))
        _DAMAGE[kind](path, chance)
        _try(prepared, row, folder, f"{path.relative_to(folder)}, {kind}")
    row.seconds = time.monotonic() - began
    return row


def _try(prepared: Prepared, row: Row, folder: Path, what: str) -> None:
    shown = command(folder, ("show", "--store", "store"))
    said = command(folder, prepared.arguments)
    fault = shown.fault or said.fault
    if not fault and said.code == 0:
        fault = prepared.fault_of_end(folder, said)
    elif not fault and (folder / "out" / "model.tflite").exists():
        fault = "exit code 2, and yet a model was exported"
    if fault:
        row.broke(f"{what}: {fault}")
        return
    row.kept("done" if said.code == 0 else "said")
    shutil.rmtree(folder)


def _files(prepared: Prepared, folder: Path) -> list[Path]:
    """Return the files of a store that hang on the cheap steps alone, and all records."""
    store = folder / "store"
    found = [path for name in ("runs", "graphs") for path in (store / name).rglob("*.json")]
    found += [store / "ac" / f"{prepared.steps[step]['key']}.json" for step in CHEAP]
    for step in CHEAP:
        trees = prepared.steps[step]["outputs"].values()
        found += [store / "trees" / f"{tree}.json" for tree in trees]
    return sorted({path for path in found if path.is_file()})


def pipes(prepared: Prepared, chance: random.Random, tries: int) -> Row:
    """Let nobody take what is printed; the run goes on, and its exit code tells it."""
    row = Row("pipe", "closed: 141, full output: 2, else the run's own code; the run is done")
    began = time.monotonic()
    faulty = [{1: out, 2: error} for out in _ENDS for error in _ENDS if {out, error} != {"kept"}]
    chance.shuffle(faulty)
    for ends in itertools.islice(itertools.cycle(faulty), tries):
        folder = prepared.copy("publish")
        said = command(folder, prepared.arguments, prepare=lambda ends=ends: _connect(ends))
        expected = 2 if ends[1] == "full" else 141 if "nobody" in ends.values() else 0
        told = f"output {ends[1]}, error {ends[2]}"
        done = (folder / "out" / "model.tflite").exists()
        if said.code != expected or not done:
            row.broke(
                f"{told}: exit code {said.code}, expected {expected}; exported: {done}; {said.error}"
            )
            continue
        row.kept(f"exit code {said.code}")
        shutil.rmtree(folder)
    row.seconds = time.monotonic() - began
    return row


_ENDS = ("kept", "nobody", "full")


def _connect(ends: dict[int, str]) -> None:
    for number, end in ends.items():
        if end == "nobody":
            read, write = os.pipe()
            os.close(read)
        elif end == "full":
            write = os.open("/dev/full", os.O_WRONLY)
        else:
            continue
        os.dup2(write, number)
        os.close(write)
