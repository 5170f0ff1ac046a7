"""``slimline compile``: the graph as a pipeline of Kubeflow Pipelines."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

from pipelines.cli.arguments import add_command, config_arguments, load_config
from pipelines.cli.output import OK, print_json, print_text

_VERTEX = "vertex"


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "write the graph as a pipeline of Kubeflow Pipelines"
    parser = add_command(commands, "compile", summary, run)
    config_arguments(parser)
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", required=True, help="such as pipeline.yaml"
    )
    parser.add_argument(
        "--target", choices=("kubeflow", _VERTEX), default="kubeflow",
        help="vertex: what Vertex AI Pipelines takes, without what is for Kubernetes alone",
    )  # fmt: skip
    parser.add_argument(
        "--stage",
        action="store_true",
        help="also write the data where the pipeline imports it from",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the pipeline and return the exit code."""
    from pipelines.compress import graph_of
    from pipelines.config.secrets import refuse_secrets
    from pipelines.engines.kubeflow import preflight
    from pipelines.engines.kubeflow.image_digests import images_of, references
    from pipelines.engines.kubeflow.ir import compiling, vertex
    from pipelines.engines.kubeflow.ir.yaml_text import write
    from pipelines.runs.exclusions import read_exclusions
    from pipelines.runs.listing import listed_sources
    from pipelines.stores.opening import open_store

    config = load_config(arguments)
    refuse_secrets(config)
    graph = graph_of(config)
    reachable = preflight.check(config, graph)
    if arguments.target == _VERTEX:
        vertex.check(graph, reachable.settings)
    images = references(reachable.settings, images_of(graph))
    sources = listed_sources(graph, read_exclusions(open_store(config.store)))
    digests = {name: source.digest for name, source in sources.items()}
    made = compiling.compiled(reachable, digests, images)
    if arguments.stage:
        from pipelines.engines.kubeflow.pipeline_root import stage_all

        stage_all(sources, made.sources)
    text = made.pipeline if arguments.target == _VERTEX else made.text
    write(text, arguments.output)
    if arguments.json:
        print_json(
            {
                "pipeline": made.name,
                "file": str(arguments.output),
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
                "steps": [step.name for step in graph.ordered],
                "sources": dict(made.sources),
            }
        )
    else:
        steps = f"{len(graph.steps)} steps"
        print_text(f"wrote {arguments.output}: pipeline {made.name}, {steps}")
    return OK
