"""The README's pictures, drawn from a configuration and from a run.

``python -m docs.pictures graph CONFIG FILE.svg`` draws the steps of a configuration;
``python -m docs.pictures pareto STORE FILE.svg`` the newest run of a store, size against
metric.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from components.pages.charts.svg import standalone


def graph(config: Path) -> str:
    """Return the picture of the steps that a configuration leads to."""
    from pipelines.compress import graph_of
    from pipelines.config.loading import load
    from pipelines.web.graph_svg import Node, graph_svg

    steps = graph_of(load(config))
    nodes = [Node(step.name, step.component) for step in steps.ordered]
    return standalone(graph_svg(nodes, list(steps.edges()), title=f"Steps of {steps.name}"))


def pareto(store: str) -> str:
    """Return the picture of size against metric of the newest run in a store.

    Raises:
        UserError: There is no run, or it came to no choice.
    """
    from components.artifacts.decision import Decision
    from components.contract.errors import UserError
    from components.pages.charts.gallery import pareto_pictures
    from pipelines.runs.cache import Cache
    from pipelines.runs.choices import choices_in
    from pipelines.runs.records import read_run
    from pipelines.stores.opening import open_store

    opened = open_store(store)
    record = read_run(opened, None)
    outputs = record.steps.get(choices_in(record.steps.keys())[0].select, {}).get("outputs")
    with tempfile.TemporaryDirectory() as scratch:
        if outputs is None:
            raise UserError(f"run {record.run} came to no choice", "run it to its end")
        tree = Cache(opened, Path(scratch)).stage(outputs["decision"], Path(scratch, "decision"))
        pictures = pareto_pictures(Decision.read(tree))
    if pictures is None:
        raise UserError(f"nothing of run {record.run} has a metric", "see slimline show")
    return standalone(pictures[0])


def main() -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description=__doc__)
    parser.add_argument("what", choices=("graph", "pareto"))
    parser.add_argument("source", help="a configuration, or a store")
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    drawn = graph(Path(given.source)) if given.what == "graph" else pareto(given.source)
    given.file.write_text(drawn)
    sys.stdout.write(f"{given.file}: {len(drawn):,} bytes\n")


if __name__ == "__main__":
    main()
