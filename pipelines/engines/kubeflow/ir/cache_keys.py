"""Cache keys: what a step makes its results from, told apart before anything has run.

The key of a step is a parameter of its task. The driver's own cache compares the parameters that a
task gives, but not the defaults of its component, where most of ours stand; with the key among
them, two tasks are the same to it when all of their parameters are. Where the server takes a cache
key for its own, it is this one, and the names of input artifacts no longer count: the same data,
uploaded again, are a hit.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from components.contract.closure import code_digest
from components.contract.digests import digest
from components.contract.types import ImageName
from pipelines.runs.graph import Flow, Graph, Ref, SourceRef, Step
from pipelines.runs.keys import NO_OTHERS, Fingerprints

SCHEMA = 1
"""Raised when what a task leaves behind changes its form, so that older entries are misses."""

_BYTES = 12
"""Of a digest that count: two keys meet by chance once in 2**48, and a task says it twice."""


def keys_of(
    graph: Graph,
    sources: Mapping[str, str],
    images: Mapping[ImageName, str],
    devices: Fingerprints = NO_OTHERS,
) -> Mapping[str, str]:
    """Return the key of every step, by its name.

    Args:
        graph: The whole graph, also where only a part of it is compiled.
        sources: Digest of every source.
        images: By image the name with digest that pods pull.
        devices: Of devices that pods have to reach the fingerprints, as far as they are known.
    """
    found: dict[str, str] = {}
    for step in graph.ordered:
        ingredients: dict[str, Any] = {
            "schema": SCHEMA,
            "component": step.component,
            "code": code_digest(step.component),
            "image": images[step.image],
            "parameters": dict(step.parameters),
            "inputs": {port: _told(flow, found, sources) for port, flow in step.inputs.items()},
        }
        if step.elsewhere and (device := devices.get(step.device or "")):
            ingredients["device"] = dict(device)
        whole = bytes.fromhex(digest("cache key", ingredients))
        found[step.name] = base64.urlsafe_b64encode(whole[:_BYTES]).decode()
    return found


def repeatable(graph: Graph) -> frozenset[str]:
    """Return the steps whose results follow from their keys alone.

    A measurement does not: it hangs on the node that the pod comes to. Nor does what must run in
    every run, nor what is made of such results, however far behind.
    """
    found: set[str] = set()
    for step in graph.ordered:
        if _repeatable(step) and all(ref.step in found for ref in step.refs):
            found.add(step.name)
    return frozenset(found)


def _repeatable(step: Step) -> bool:
    return step.interface.cached_by_name and step.interface.occupies is None


def _told(flow: Flow, found: Mapping[str, str], sources: Mapping[str, str]) -> object:
    """Say where an input comes from."""
    if isinstance(flow, tuple):
        return [[found[ref.step], ref.output] for ref in flow]
    if isinstance(flow, Ref):
        return [found[flow.step], flow.output]
    return sources[flow.name] if isinstance(flow, SourceRef) else None
