"""``slimline compile``: the graph as a pipeline of Kubeflow Pipelines."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contract.errors import UserError
from pipelines.cli.arguments import add_command, config_arguments, load_config, without_argument
from pipelines.cli.component_files import write_component
from pipelines.cli.output import OK, print_json, print_remark, print_text

if TYPE_CHECKING:
    from pipelines.engines.kubeflow.ir.servers import ServerVersion

_VERTEX = "vertex"


def add(commands: Any) -> None:
    """Add the parser of the command."""
    summary = "write the graph as a pipeline of Kubeflow Pipelines"
    parser = add_command(commands, "compile", summary, run)
    config_arguments(parser, needed=False)
    without_argument(parser)
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
        "--kfp", metavar="VERSION",
        help="of the cluster, such as 2.17.0 (default: whatever every version can hold)",
    )  # fmt: skip
    parser.add_argument(
        "--stage",
        action="store_true",
        help="also write the data where the pipeline imports it from, and what sync needs to "
        "bring home the runs that somebody starts of it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the pipeline, or one component, and return the exit code."""
    if arguments.component:
        return write_component(arguments)
    if arguments.config is None or arguments.registry:
        what = "--registry goes with --component" if arguments.config else "there is no CONFIG"
        raise UserError(what, "slimline compile CONFIG -o pipeline.yaml, or --component NAME")
    from pipelines.compress import graph_of
    from pipelines.config.secrets import refuse_secrets
    from pipelines.engines.kubeflow.bucket.image_digests import images_of, references
    from pipelines.engines.kubeflow.bucket.versions import version_name
    from pipelines.engines.kubeflow.ir import compiling, limits, preflight, vertex
    from pipelines.engines.kubeflow.ir.yaml_text import write
    from pipelines.engines.kubeflow.launching.fitting import compiled_for
    from pipelines.runs.listing import listed_sources
    from pipelines.runs.removal.exclusions import read_exclusions
    from pipelines.stores.opening import open_store

    config = load_config(arguments)
    refuse_secrets(config)
    version = _version(arguments)
    graph = graph_of(config)
    reachable = preflight.check(config, graph)
    if arguments.target == _VERTEX:
        vertex.check(graph, reachable.settings)
    images = references(reachable.settings, images_of(graph))
    sources = listed_sources(graph, read_exclusions(open_store(config.store)))
    digests = {name: source.digest for name, source in sources.items()}
    if arguments.target == _VERTEX:
        made = compiling.compiled(reachable, digests, images, cache_keys=False)
        limits.check_inputs(made)
    else:
        made = compiled_for(version, reachable, digests, images)
    if arguments.stage:
        from pipelines.engines.kubeflow.bucket.pipeline_root import open_root, stage_all
        from pipelines.engines.kubeflow.launching.preparing import version_made

        stage_all(sources, made.sources)
        # Whoever imports a run of it, started in the user interface, reads this.
        version_made(reachable, made, digests, images).put(
            open_root(reachable.settings.pipeline_root)
        )
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
                "kfp": str(version) if version else None,
                "version": version_name(config.digest, made.digest),
            }
        )
    else:
        steps = f"{len(graph.steps)} steps"
        print_text(f"wrote {arguments.output}: pipeline {made.name}, {steps}{_assumed(arguments)}")
    return OK


def _version(arguments: argparse.Namespace) -> ServerVersion | None:
    """Return the version that is asked for, with a warning where it is not known.

    Raises:
        UserError: It is no version, one that is too old, or means nothing to Vertex AI.
    """
    from pipelines.engines.kubeflow.ir.servers import wanted

    if arguments.kfp is None:
        return None
    if arguments.target == _VERTEX:
        raise UserError(
            f"--kfp {arguments.kfp} is for Kubeflow Pipelines, and the target is Vertex AI",
            "leave --kfp out, or --target",
        )
    version = wanted(arguments.kfp)
    if version.unknown:
        print_remark(f"warning: --kfp {version}: {version.unknown}")
    return version


def _assumed(arguments: argparse.Namespace) -> str:
    """Say which version was assumed."""
    from pipelines.engines.kubeflow.ir.servers import NEWEST, OLDEST

    if arguments.target == _VERTEX:
        return ""
    if arguments.kfp is not None:
        return f", for Kubeflow Pipelines {arguments.kfp}"
    return (
        f", for Kubeflow Pipelines {OLDEST.major}.{OLDEST.minor} to {NEWEST.major}.{NEWEST.minor} "
        "(--kfp VERSION for one of them)"
    )
