"""slimline beside other tools on one model: ``make peers``; the page is ``docs/peers.md``.

``python -m tests.benchmarks.peers --data DIR [--only NAME] [--steps N]`` runs each part, keeps its
result, and writes the page. What is kept of the same inputs is not made again. With ``--steps`` all
of it is a short trial, in a folder of its own and with a page of its own, whose figures say nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from components.contract.errors import UserError
from docs import peers as page
from docs.peer_results import PARTS
from tests.benchmarks.peers.bench import Bench
from tests.benchmarks.peers.parts import make
from tests.benchmarks.peers.places import located

ROOT = Path(__file__).parents[3]


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="with models/ and cifar10_jpeg/")
    parser.add_argument("--only", action="append", metavar="NAME", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--steps", type=int, help="of each training: a trial of some minutes")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "peers", help="kept here")
    given = parser.parse_args(argv)
    try:
        _run(given)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _run(given: argparse.Namespace) -> None:
    only: list[str] = given.only or list(PARTS)
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        raise UserError(f"there is no part {unknown[0]!r}", f"name one of {', '.join(PARTS)}")
    if given.steps is not None and given.steps < 1:
        raise UserError(f"--steps {given.steps}: a training has at least one", "write --steps 20")
    output = given.output.resolve()
    trial = given.steps is not None
    folder = output / "trial" if trial else output
    store = folder / "store" if trial else ROOT / "slimline-store"
    places = located(given.data.resolve(), output / "images")
    bench = Bench(folder, places, store, output / "environments", given.steps, _tell)
    for name in PARTS:
        if name in only:
            make(bench, name)
    file = page.write(folder, folder / "peers.md" if trial else page.PAGE)
    _tell(f"{file}: written")


def _tell(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
