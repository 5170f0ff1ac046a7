"""Runs that are killed, tampered with, starved and cut off: one table of what became of them.

``make faults`` runs all of it; ``--short`` is a sample of at most two minutes.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.faults import loops
from tests.faults.failing_calls import failing_calls
from tests.faults.full_disks import full_disks
from tests.faults.prepared import Prepared
from tests.faults.row import Row, markdown
from tests.pipelines.engines.claiming import kill_loop
from tests.pipelines.engines.machine.locking import asked, lock_loop
from tests.pipelines.triggers.killing import kill_loop as killed_triggers
from tests.servers.gcs.server import GcsServer


def locks(folder: Path, chance: random.Random, tries: int) -> Row:
    """Kill processes that wait for the machine or have it."""
    row = Row("lock", "no two have the machine that must not; a killed one keeps nobody waiting")
    began = time.monotonic()
    folder.mkdir()

    def ask(kind: str, name: str, seconds: float) -> subprocess.Popen[str]:
        return asked(kind, name, seconds, folder)[0]

    try:
        killed = lock_loop(ask, folder, tries, chance)
    except AssertionError as error:
        row.broke(str(error))
    else:
        row.tries = tries
        row.seen.update({"killed": killed, "had their turn": tries - killed})
    row.seconds = time.monotonic() - began
    return row


def engines(folder: Path, chance: random.Random, tries: int) -> Row:
    """Kill or stop one of two engines on one store."""
    row = Row("engine", "the other has all results; a step runs twice only where one was killed")
    began = time.monotonic()
    folder.mkdir()
    try:
        table = kill_loop(str(folder / "store"), folder / "work", tries, chance.randrange(10**6))
    except AssertionError as error:
        row.broke(str(error))
    else:
        row.tries = tries
        row.seen[f"as promised ({', '.join(line.strip() for line in table[1:])})"] = tries
    row.seconds = time.monotonic() - began
    return row


_SHORT = (("directory", 2), ("bucket", 3))
_ALL = tuple(itertools.product(("directory", "bucket"), (2, 3, 5)))


def triggers(
    folder: Path, chance: random.Random, kills: int, loops: Sequence[tuple[str, int]]
) -> Row:
    """Kill or stop processes and services that tick one watch, over both kinds of store."""
    row = Row("trigger", "each snapshot has one launch, one run that counts and one release")
    began = time.monotonic()
    with GcsServer() as gcs:
        gcs.bucket("triggers")
        os.environ["STORAGE_EMULATOR_HOST"] = gcs.url
        for kind, processes in loops:
            place = folder / f"{kind}-{processes}"
            place.mkdir(parents=True)
            uri = str(place / "store") if kind == "directory" else f"gs://triggers/{processes}"
            try:
                seen = killed_triggers(uri, place, processes, kills, chance.randrange(10**6))
            except AssertionError as error:
                row.broke(f"{kind}, {processes} processes: {error}")
            else:
                row.tries += kills
                row.seen.update(seen)
    del os.environ["STORAGE_EMULATOR_HOST"]
    row.seconds = time.monotonic() - began
    return row


def main() -> int:
    """Run the loops, print the table, and return 1 if anything was not as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--short", action="store_true", help="a sample of every loop")
    arguments = parser.parse_args()
    trigger_kills = int(os.environ.get("SLIMLINE_TRIGGER_KILLS", "84"))  # 504 of all six loops
    chance, short = random.Random(arguments.seed), arguments.short
    with tempfile.TemporaryDirectory(prefix="slimline-faults-") as name:
        folder = Path(name)
        prepared = Prepared(folder)
        rows = [
            loops.kills(prepared, chance, 3 if short else 40),
            loops.tampering(prepared, chance, 5 if short else 60),
            failing_calls(prepared, chance, 8 if short else None),
            full_disks(prepared, chance, 2 if short else 12),
            locks(folder / "locks", chance, 8 if short else 60),
            loops.pipes(prepared, chance, 3 if short else 18),
            engines(folder / "engines", chance, 3 if short else 30),
            triggers(
                folder / "triggers",
                chance,
                3 if short else trigger_kills,
                _SHORT if short else _ALL,
            ),
        ]
    for row in rows:
        for what in row.broken:
            sys.stdout.write(f"{row.kind}: {what}\n\n")
    sys.stdout.write(f"seed {arguments.seed}\n\n{markdown(rows)}\n")
    return int(any(row.broken for row in rows))


if __name__ == "__main__":
    sys.exit(main())
