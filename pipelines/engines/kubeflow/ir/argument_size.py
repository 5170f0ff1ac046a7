"""The executor input as the one argument that it is: how long it can become on a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.contract.errors import UserError
from components.contract.metadata import METRICS_MAX
from pipelines.engines.kubeflow.ir.component_spec import (
    Json,
    input_artifacts,
    output_artifacts,
    schema,
)
from pipelines.runs.graph import Ref, Step

ARGUMENT_BYTES_MAX = 131_071
"""Longest single argument of a process under Linux: 32 pages, less the closing zero."""

_RUN = _SALT = "00000000-0000-0000-0000-000000000000"
_RESOURCE_CHARACTERS = 160
"""Longest name that an artifact gets: Vertex AI's, which spell out project and metadata store."""
_SHA256 = "0" * 64
_LARGEST = 2**53
_NAME_CHARACTERS = 64
_METRIC_CHARACTERS, _METRIC = 12, 0.123456
_OUTPUT_FILE = "/tmp/kfp_outputs/output_metadata.json"  # noqa: S108 where the launcher puts it


def check(
    step: Step, values: Mapping[str, Any], *, pipeline: str, root: str, source_root: str
) -> None:
    """Refuse a step whose executor input might not fit into one argument.

    Args:
        step: The step.
        values: Its parameters.
        pipeline: Name of the pipeline.
        root: Pipeline root.
        source_root: Longest address of a source.

    Raises:
        UserError: It might not.
    """
    size = worst_case_bytes(step, values, pipeline=pipeline, root=root, source_root=source_root)
    if size > ARGUMENT_BYTES_MAX:
        raise UserError(
            f"{step.name} takes {len(step.refs)} artifacts and many parameters: its executor input "
            f"can take {size:,} bytes, and no argument of a process above {ARGUMENT_BYTES_MAX:,}",
            "compare fewer variants or devices in one configuration, or shorten pipeline_root and "
            "the variants' names",
        )


def worst_case_bytes(
    step: Step, values: Mapping[str, Any], *, pipeline: str, root: str, source_root: str
) -> int:
    """Return the most bytes that the executor input of a step can take.

    See ``check`` for the arguments.
    """

    def made(task: str, output: str) -> str:
        return f"{root}/{pipeline}/{_RUN}/{task}/{_SALT}/{output}"

    inputs: Json = {}
    for artifact in input_artifacts(step):
        flow = artifact.flow
        place = made(flow.step, flow.output) if isinstance(flow, Ref) else source_root
        metadata: Json = {
            "display_name": "d" * _NAME_CHARACTERS,
            "store_session_info": "s" * 256 if not root.startswith("gs://") else "",
        }
        if artifact.kind == "Report":  # of steps whose result is shown as metrics
            metadata |= {f"{place:0{_METRIC_CHARACTERS}}": _METRIC for place in range(METRICS_MAX)}
        else:  # a source, or what is beside a result
            metadata |= {"digest": _SHA256, "size_bytes": _LARGEST}
        inputs[artifact.name] = _artifact(place, schema(None), metadata)
    outputs = {
        name: _artifact(made(step.name, name), kind["artifactType"], {})
        for name, kind in output_artifacts(step).items()
    }
    message = {
        "inputs": {"artifacts": inputs, "parameterValues": dict(values)},
        "outputs": {"artifacts": outputs, "outputFile": _OUTPUT_FILE},
    }
    # The launcher writes JSON with a space after some commas and colons, at random.
    return len(json.dumps(message, ensure_ascii=False, separators=(", ", ": ")).encode())


def _artifact(place: str, kind: Json, metadata: Json) -> Json:
    name = "n" * _RESOURCE_CHARACTERS
    item = {
        "name": name, "artifactId": name, "uri": place, "type": kind, "metadata": metadata
    }  # fmt: skip
    return {"artifacts": [item]}
