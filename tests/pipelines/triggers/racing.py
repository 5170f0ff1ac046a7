"""One of several processes that tick the same triggers until they are killed.

python -m tests.pipelines.triggers.racing STORE SEED (ticks|service)
"""

from __future__ import annotations

import random
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from components.contract.errors import UserError
from pipelines.disk.scratch import scratch_folder
from pipelines.runs.workspace import machine_name, workspace_root
from pipelines.stores.opening import open_store
from pipelines.triggers.loop import TriggerLoop
from pipelines.triggers.ticking import Ticker
from tests.pipelines.triggers.worlds import Runs


class SlowRuns(Runs):
    """Runs with a scratch folder, as real ones have, in which each write may be the last."""

    def __init__(self, store, seed: int) -> None:
        super().__init__(store, lambda: datetime.now(UTC))
        self._draw = random.Random(seed)

    def __call__(self, config, *, ordered, **more):
        with ExitStack() as held:
            work = held.enter_context(scratch_folder(workspace_root(self.store), ordered.run))
            self.machine, self.work = machine_name(), str(work)
            self.meanwhile = lambda: time.sleep(self._draw.uniform(0, 0.3))
            return super().__call__(config, ordered=ordered, **more)


def serve(uri: str) -> None:
    """Evaluate triggers as a service does, for ever; what is due runs in processes of their own."""
    from tests.pipelines.triggers.one_tick import begin

    loop = TriggerLoop(open_store(uri), at_once=9, begin=partial(begin, uri))
    loop.start()
    print("up", flush=True)
    while True:
        time.sleep(60)


def tick(uri: str, seed: int) -> None:
    """Tick for ever."""
    store = open_store(uri)
    ticker = Ticker(store, launcher=SlowRuns(store, seed), lease_s=1.0, at_once=9)
    print("up", flush=True)
    while True:
        for ticked in ticker.tick():
            if ticked.error:
                print(ticked.error, file=sys.stderr, flush=True)
        time.sleep(0.02)


if __name__ == "__main__":
    try:
        if sys.argv[3] == "service":
            serve(sys.argv[1])
        tick(sys.argv[1], int(sys.argv[2]))
    except UserError as error:
        sys.exit(f"{error}")
