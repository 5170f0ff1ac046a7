"""Graphs that the store keeps by digest, and the place of a step on the paths of variants."""

from __future__ import annotations

import json
from collections.abc import Mapping

from components.contract.digests import canonical_json, digest
from pipelines.runs.graph import Graph, Ref, Step
from pipelines.runs.quarantine import put_certain
from pipelines.runs.records import damaged_record, read_value
from pipelines.stores.layout import graph_key
from pipelines.stores.store import KeyMissing, Store

Place = tuple[str, str, int]
"""A variant, a component, and how many steps of this component lie before on its path."""


def put_graph(store: Store, graph: Graph) -> None:
    """Keep a graph: as the record of its run names it by digest, and ``explain`` compares it."""
    put_certain(store, graph_key(graph.digest), canonical_json(graph.content))


def read_graph(store: Store, wanted: str, name: str) -> Graph | None:
    """Return a graph that was kept; runs of earlier versions have none.

    Args:
        store: Where.
        wanted: Its digest.
        name: The configuration's name, which is no part of it.

    Raises:
        UserError: What lies there is no such graph.
    """
    key = graph_key(wanted)
    try:
        content = json.loads(read_value(store, key))
        graph = Graph.from_json({"name": name, "steps": content, "sources": {}})
        intact = digest("graph", content) == wanted
    except KeyMissing:
        return None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise damaged_record(store, key) from error
    if not intact:
        raise damaged_record(store, key)
    return graph


def places(graph: Graph) -> Mapping[str, frozenset[Place]]:
    """Return where every step lies on the paths that lead to converted variants.

    The name of a step may hold its parameters, so a step that changed has another name; the second
    pruning of a variant stays the second pruning of that variant. A step that variants share lies
    on all of their paths. Steps before the teacher and after conversion lie on none.
    """
    found: dict[str, set[Place]] = {}
    for end in graph.steps:
        if end.component != "convert":
            continue
        variant = end.name.removeprefix("convert-")
        counts: dict[str, int] = {}
        for step in reversed(_path(graph, end)):
            count = counts[step.component] = counts.get(step.component, -1) + 1
            found.setdefault(step.name, set()).add((variant, step.component, count))
    return {name: frozenset(at) for name, at in found.items()}


def _path(graph: Graph, end: Step) -> list[Step]:
    """Return the steps that made the model which enters ``end``, last first."""
    path: list[Step] = []
    step: Step | None = end
    while step:
        models = (step.inputs[port.name] for port in step.interface.inputs if port.kind == "Model")
        before = next((flow for flow in models if isinstance(flow, Ref)), None)
        step = graph.by_name[before.step] if before else None
        path += [step] if step else []
    return path


def counterparts(before: Graph, now: Graph) -> dict[str, str]:
    """Return for the steps of a graph the steps of an earlier one that they stand in for.

    Steps of one name are the same; then those that lie at the most common places of the variants.

    Args:
        before: The earlier graph.
        now: The later one.
    """
    pairs = {step.name: step.name for step in now.ordered if step.name in before.by_name}
    then, here = places(before), places(now)
    candidates = sorted(
        (
            (len(here[new] & then[old]), new, old)
            for new in here.keys() - pairs.keys()
            for old in then.keys() - pairs.keys()
            if here[new] & then[old]
        ),
        key=lambda item: (-item[0], item[1], item[2]),
    )
    found: dict[str, str] = {}
    for _, new, old in candidates:
        if new not in found and old not in found.values():
            found[new] = old
    pairs |= found
    return {step.name: pairs[step.name] for step in now.ordered if step.name in pairs}
