"""An engine of its own process that runs one step a round, as soon as it is told to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pipelines.runs.live.events import StepDone
from pipelines.sources.snapshot import snapshot
from tests.pipelines.engines.machine.test_kill import graph_of, walk


def _main(uri: str, data: str, folder: Path) -> None:
    source = snapshot(data)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        round_ = int(line)
        graph = graph_of(step=round_)
        run = f"{folder.name}-{round_}"
        events, _ = walk(uri, folder / "cache", graph, source, folder / "scratch", run)
        (done,) = [event for event in events if isinstance(event, StepDone)]
        sys.stdout.write(
            json.dumps([done.key, dict(done.outputs), done.record, done.cached]) + "\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
