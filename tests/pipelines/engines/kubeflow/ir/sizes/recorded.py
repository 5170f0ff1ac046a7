"""A Workflow that a real server made of a pipeline, and what is computed of the same pipeline."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.engines.kubeflow.ir.servers import parsed
from pipelines.engines.kubeflow.ir.sizes.back_end import back_end_of
from pipelines.engines.kubeflow.ir.sizes.launches import Launches

WITHIN = 0.02
"""How far what is computed may be from what was recorded."""


@dataclass(frozen=True)
class Recorded:
    """A recording and what is computed of the same pipeline.

    Attributes:
        workflow: The Workflow at its end.
        launcher: By step what its launcher was called with.
        launches: What is computed.
    """

    workflow: dict[str, Any]
    launcher: dict[str, Any]
    launches: Launches


def read(golden: Path, version: str) -> Recorded:
    """Read what a version made of the pipeline that all of them were given."""
    text = (golden / "succeeds.ir.yaml").read_text()
    spec, platform = yaml.load_all(text, yaml.CSafeLoader)
    known = parsed(version)
    assert known
    return Recorded(
        json.loads((golden / version / "workflow.json").read_bytes()),
        json.loads((golden / version / "launcher.json").read_bytes()),
        Launches(spec, platform, back_end_of(known)),
    )


def json_bytes(value: object) -> int:
    """Return the bytes of something as Go writes it."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def compressed(nodes: object) -> int:
    """Return the bytes of nodes as Argo keeps them where they are many."""
    text = json.dumps(nodes, ensure_ascii=False, separators=(",", ":"))
    return len(base64.b64encode(gzip.compress(text.encode(), 6)))
