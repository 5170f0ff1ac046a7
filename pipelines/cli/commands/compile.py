"""``slimline compile``: the graph as a pipeline of Kubeflow Pipelines."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, config_arguments, load_config
from pipelines.cli.output import OK, print_json, print_text

_VERTEX = "vertex"


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "write the graph as a pipeline of Kubeflow Pipelines"
    parser = add_command(commands, "compile", summary, run)
    config_arguments(parser, needed=False)
    parser.add_argument(
        "--component",
        metavar="NAME",
        help="one component alone, such as prune, for a pipeline written with the SDK; CONFIG, if "
        "given, says its image and whether it trains on a GPU",
    )
    parser.add_argument(
        "--registry", metavar="REGISTRY",
        help="with --component and no CONFIG: where its image was pushed to",
    )  # fmt: skip
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
    """Write the pipeline, or one component, and return the exit code."""
    if arguments.component:
        return _component(arguments)
    if arguments.config is None or arguments.registry:
        what = "--registry goes with --component" if arguments.config else "there is no CONFIG"
        raise UserError(what, "slimline compile CONFIG -o pipeline.yaml, or --component NAME")
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


def _component(arguments: argparse.Namespace) -> int:
    """Write the file of one component."""
    from pipelines.engines.kubeflow.image_digests import pushed, references
    from pipelines.engines.kubeflow.ir.component_file import component_file, image_of
    from pipelines.engines.kubeflow.ir.yaml_text import write

    name, gpu = arguments.component.replace("-", "_"), False
    if arguments.stage or arguments.target == _VERTEX:
        what = "--component writes a file that every platform takes, and brings no data"
        raise UserError(what, "leave --stage and --target out")
    if arguments.config is None:
        image = pushed(image_of(name, gpu=False), arguments.registry)
    else:
        config = load_config(arguments)
        limit = config.limits.get(name)
        gpu = bool(limit and limit.gpu)
        if config.kubeflow is None:
            what = f"{arguments.config} has no section kubeflow, which names the images"
            fix = "add it, or leave CONFIG out: --component NAME --registry REGISTRY"
            raise UserError(what, fix)
        wanted = image_of(name, gpu=gpu)
        images = references(config.kubeflow, (wanted,))
        if wanted not in images:
            what = f"kubeflow.images: there is no image {wanted!r}"
            raise UserError(what, f"slimline images push REGISTRY {wanted}, and add its name")
        image = images[wanted]
    text = component_file(name, image, gpu=gpu)
    write(text, arguments.output)
    if arguments.json:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        file = str(arguments.output)
        print_json({"component": name, "file": file, "sha256": sha256, "image": image})
    else:
        print_text(f"wrote {arguments.output}: component {name}, image {image}")
    return OK
