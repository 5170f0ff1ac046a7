"""Runs that are killed, tampered with, starved and cut off: one table of what became of them.

``make faults`` runs all of it; ``--short`` is a sample of at most two minutes.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.failing_calls import failing_calls
from tests.faults.prepared import Prepared
from tests.faults.row import markdown


def main() -> int:
    """Run the loops, print the table, and return 1 if anything was not as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--short", action="store_true", help="a sample of every loop")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="slimline-faults-") as folder:
        prepared = Prepared(Path(folder))
        rows = [failing_calls(prepared, chance, 12 if arguments.short else None)]
    sys.stdout.write(f"seed {arguments.seed}\n\n{markdown(rows)}\n")
    for row in rows:
        for what in row.broken:
            sys.stdout.write(f"\n{row.kind}: {what}\n")
    return int(any(row.broken for row in rows))


if __name__ == "__main__":
    sys.exit(main())
