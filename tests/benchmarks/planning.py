"""What it costs to read a configuration with many variants and to make its graph."""

from __future__ import annotations

import time
from pathlib import Path

from tests.benchmarks.table import Row

_HEAD = """\
name: many
task: classification
data: ./images
image: {height: 8, width: 8, channels: 1}
teacher: {backbone: conv}
variants:
"""


def bench_plan(scratch: Path) -> list[Row]:
    """Variants that differ in one parameter, so that all their steps are called alike."""
    from pipelines.compress import graph_of
    from pipelines.config.loading import load

    spent: dict[int, float] = {}
    for count in (500, 2_000):
        path = scratch / f"{count}.yaml"
        path.write_text(
            _HEAD
            + "".join(
                f"  v{index}: [{{distill: {{backbone: conv, epochs: {index + 1}}}}}]\n"
                for index in range(count)
            )
        )
        began = time.process_time()
        graph = graph_of(load(path))
        assert len(graph.ordered) > 4 * count
        spent[count] = time.process_time() - began
    return [
        Row("plan of 2,000 variants, processor time", spent[2_000], "s", "<= 4"),
        Row(
            "... growth from 500 to 2,000 variants",
            spent[2_000] / spent[500] / 4,
            "x a variant",
            "about 1",
        ),
    ]
