"""Metadata: what Kubeflow Pipelines keeps of an artifact beside its files, and shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import cast

from components.contract.digests import canonical_json
from components.contract.executor_input import Call
from components.contract.tree import Tree

MOST_BYTES = 1_000_000
"""Of one artifact's metadata. Its server takes messages of 4 MB, which may hold several."""
_REST = 10_000
"""Of these for the digest, the size and the names of what is left out."""
LEFT_OUT = "left_out"
"""Names what is not in the metadata because it would be too large."""


def executor_output(call: Call, trees: Mapping[str, Tree]) -> dict[str, object]:
    """Return the content of the file that KFP reads after a step.

    Metadata are strings and numbers, curves are in the SDK's own shape. What would make them larger
    than ``MOST_BYTES`` is left out, the largest first, and named in ``left_out`` and on standard
    error: a larger message would fail the finished step. The files hold it all the same.

    Addresses are repeated, as they were: the SDK's local runner forgets those that are not.

    Args:
        call: The call that was carried out.
        trees: Its outputs, hashed.
    """
    artifacts: dict[str, object] = {}
    for port in call.interface.outputs:
        tree = trees[port.name]
        metadata: dict[str, object] = {}
        if port.kind in ("Metrics", "Curve"):
            content = cast("dict[str, object]", json.loads(call.outputs[port.name].read_text()))
            metadata = content if port.kind == "Curve" else _scalars(content)
        metadata = {"digest": tree.digest, "size_bytes": tree.size_bytes} | _small(
            metadata, port.name
        )
        uri = call.output_uris.get(port.name, str(call.outputs[port.name]))
        artifacts[port.name] = {"artifacts": [{"uri": uri, "metadata": metadata}]}
    return {"artifacts": artifacts}


def _small(metadata: dict[str, object], port: str) -> dict[str, object]:
    """Return as much of the metadata as there may be."""
    room = MOST_BYTES - _REST
    sizes = {name: len(canonical_json({name: value})) for name, value in metadata.items()}
    if sum(sizes.values()) <= room:
        return metadata
    kept = dict(metadata)
    gone: list[str] = []
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        if sum(sizes[each] for each in kept) <= room:
            break
        del kept[name]
        gone.append(f"{name} ({sizes[name]:,} bytes)")
    told = f"{', '.join(gone[:5])}{f' and {len(gone) - 5} more' if len(gone) > 5 else ''}"
    told = told if len(told) <= 1000 else f"{told[:1000]}..."
    sys.stderr.write(
        f"the metadata of {port} would be larger than {MOST_BYTES:,} bytes; left out, and in its "
        f"file alone: {told}\n"
    )
    return {**kept, LEFT_OUT: told}


def _scalars(content: Mapping[str, object]) -> dict[str, object]:
    """Keep what KFP takes: it would wrap a list, and fail the finished step because of a null."""
    return {
        name: value
        if isinstance(value, str | int | float) and not isinstance(value, bool)
        else canonical_json(value).decode()
        for name, value in content.items()
        if value is not None
    }
