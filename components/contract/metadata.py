"""Metadata: what Kubeflow Pipelines keeps of an artifact beside its files, and shows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from components.contract.curves import thinned
from components.contract.digests import canonical_json
from components.contract.executor_input import Call
from components.contract.results import DISPLAY_NAME, Result
from components.contract.tree import Tree

SERVICE = "SLIMLINE_SERVICE"
"""Names the address of the service whose pages tell more of an artifact."""

MOST_BYTES = 1_000_000
"""Of one artifact's metadata. Its server takes messages of 4 MB, which may hold several."""
_REST = 10_000
"""Of these for the digest, the size and the names of what is left out."""
LEFT_OUT = "left_out"
"""Names what is not in the metadata because it would be too large."""

METRICS_MAX = 8
"""So many metrics of a result are shown: a person compares runs by them, and every step that reads
the result is told them again. All of them are in the file."""
_SIGNIFICANT = 6
"""Digits of a metric in a result's metadata; the file has all."""
_WINNER = "winner"
"""The metric of ``select`` that is a name: what is made then is called after it."""
_LESS_TELLING = frozenset(
    {"candidates", "kept", "gzip_bytes", "threshold", "load_ms", "spread_ms", "p99_ms"}
)
_DERIVED = ("_low", "_high")
"""Ends of the names of what only says how sure another metric is."""
_COMPARED_WITH = "baseline_"
_ON_A_DEVICE = "p50_ms_"


def executor_output(call: Call, trees: Mapping[str, Tree]) -> dict[str, object]:
    """Return the content of the file that KFP reads after a step.

    Metadata are strings and numbers, curves are in the SDK's own shape, with fewer points where
    they would be larger than ``MOST_BYTES``. What would still be is left out, the largest first,
    and named in ``left_out`` and on standard error: a larger message would fail the finished step.
    The files hold it all the same.

    Addresses are repeated, as they were: the SDK's local runner forgets those that are not.

    Args:
        call: The call that was carried out.
        trees: Its outputs, hashed.
    """
    artifacts: dict[str, object] = {}
    ports = {port.name: port for port in call.interface.outputs}
    if call.result:
        metadata = result_metadata(call, call.result)
        artifacts[call.result.form.name] = _artifact(call.result.uri, metadata)
        ports = {name: ports[name] for name in call.result.form.beside}
    for port in ports.values():
        tree = trees[port.name]
        metadata = {}
        if port.kind == "Curve":
            metadata = thinned(_content(call.outputs[port.name]), MOST_BYTES - _REST)
        elif port.kind == "Metrics":
            metadata = _scalars(_content(call.outputs[port.name]))
        metadata = {"digest": tree.digest, "size_bytes": tree.size_bytes} | _small(
            metadata, port.name
        )
        # Beside the page and not in it: the same page has the same digest, wherever it is made.
        if port.kind == "Page" and (service := os.environ.get(SERVICE)):
            metadata["service"] = f"{service}/lineage/{tree.digest}"
        if call.result and call.result.display_name:
            metadata[DISPLAY_NAME] = call.result.display_name
        uri = call.output_uris.get(port.name, str(call.outputs[port.name]))
        artifacts[port.name] = _artifact(uri, metadata)
    return {"artifacts": artifacts}


def _artifact(uri: str, metadata: Mapping[str, object]) -> dict[str, object]:
    return {"artifacts": [{"uri": uri, "metadata": metadata}]}


def _content(path: Path) -> dict[str, object]:
    return cast("dict[str, object]", json.loads(path.read_text()))


def result_metadata(call: Call, result: Result) -> dict[str, object]:
    """Return what a result is called, and of one that is shown as metrics the most telling.

    Nothing else: the digest of each output is in the statement, and would stand among the metrics.

    Args:
        call: The call that was carried out.
        result: Its result.
    """
    named: dict[str, object] = {}
    if result.display_name:
        named[DISPLAY_NAME] = result.display_name
    metrics = next((port for port in call.interface.outputs if port.kind == "Metrics"), None)
    if metrics is None:
        return named
    content = _content(call.outputs[metrics.name])
    if _WINNER in content:
        named[DISPLAY_NAME] = f"winner {content[_WINNER]}" if content[_WINNER] else "no winner"
    return named | telling_metrics(content)


def telling_metrics(content: Mapping[str, object]) -> dict[str, float]:
    """Return the most telling of a component's metrics, at most ``METRICS_MAX``.

    Left out are the ends of intervals, the metrics of the trivial answer, and what only explains
    others. What remains stands in the order of the alphabet, times on devices last: there can be
    any number of them.

    Args:
        content: Of the metrics file.
    """
    numbers = {
        name: value
        for name, value in content.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and name not in _LESS_TELLING
        and not name.endswith(_DERIVED)
        and not name.startswith(_COMPARED_WITH)
    }
    first = sorted(numbers, key=lambda name: (name.startswith(_ON_A_DEVICE), name))
    return {name: _short(numbers[name]) for name in first[:METRICS_MAX]}


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{_SIGNIFICANT}g}")


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
