"""One tick of one trigger in a process of its own, with runs that only write their records.

python -m tests.pipelines.triggers.one_tick STORE NAME
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from pipelines.stores.opening import open_store
from pipelines.triggers.ticking import Ticker
from tests.pipelines.triggers.racing import SlowRuns

ROOT = Path(__file__).parents[3]


def begin(uri: str, name: str) -> subprocess.Popen[bytes]:
    """Begin it in a session of its own, as ``slimline tick`` is begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.pipelines.triggers.one_tick", uri, name],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def main(uri: str, name: str) -> None:
    """Tick once."""
    store = open_store(uri)
    ticker = Ticker(
        store, launcher=SlowRuns(store, random.randrange(10**6)), lease_s=1.0, at_once=9
    )
    try:
        list(ticker.tick(name))
    finally:
        ticker.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
