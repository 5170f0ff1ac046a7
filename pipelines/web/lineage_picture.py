"""A trace as a picture: its steps, the user's files that they read, and releases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from markupsafe import Markup

from pipelines.disk.visible import visible
from pipelines.lineage.naming import SHOWN
from pipelines.lineage.tracing.trace import Trace, TraceNode
from pipelines.web.graph_svg import Node as Box
from pipelines.web.graph_svg import graph_svg

MOST = 120
"""Boxes of the largest picture: to lay out ten times as many takes most of a minute."""

_SHOWN = ("Source", "Release")
_Edges = Mapping[str, Iterable[str]]
_Link = Callable[[TraceNode], str | None]


def picture_of(
    trace: Trace,
    link: _Link = lambda _: None,
    *,
    deeper: str | None = None,
    artifacts: bool = False,
    widest: float | None = None,
) -> Markup:
    """Draw a trace; what lies farthest is folded into one box that counts it.

    Args:
        trace: The answer.
        link: Where a click on a box leads.
        deeper: Where a click on what is folded leads.
        artifacts: Whether those between the steps are drawn, too.
        widest: So many pixels it is wide at most, as long as it can be read; None scales it with
            its frame.
    """
    nodes = [node for node in trace.nodes if artifacts or _is_shown(node, trace)]
    after = _between(trace, {node.id for node in nodes})
    kept = nodes if len(nodes) <= MOST else nodes[: MOST - 2]
    folded = {node.id for node in nodes[len(kept) :]}
    names = {node.id for node in kept}
    before = {id_ for id_ in folded if _leads_to(after, id_, names)}
    ends = {
        "steps before that are not drawn": before,
        "steps after that are not drawn": folded - before,
    }
    boxes = {node.id: replace(_box(node), link=link(node)) for node in kept}
    place = {id_: box.name for id_, box in boxes.items()}
    place |= {id_: end for end, ids in ends.items() for id_ in ids}
    pairs = dict.fromkeys(
        (place[start], place[end])
        for start, found in after.items()
        for end in found
        if place[start] != place[end]
    )
    return graph_svg(
        [*boxes.values(), *(_fold(end, len(ids), deeper) for end, ids in ends.items() if ids)],
        _acyclic(pairs),
        title=f"Lineage of {visible(trace.what, keep='')}",
        ident="lineage",
        counted="steps and files",
        widest=widest,
    )


def _is_shown(node: TraceNode, trace: Trace) -> bool:
    return node.kind != "artifact" or node.name in _SHOWN or node.id in trace.origins


def _between(trace: Trace, shown: set[str]) -> dict[str, list[str]]:
    """Return what follows each shown node, artifacts that are not shown left out."""
    direct: dict[str, list[str]] = defaultdict(list)
    for edge in trace.edges:
        direct[edge.start].append(edge.end)
    return {
        start: [
            far
            for end in direct[start]
            for far in ([end] if end in shown else direct[end])
            if far in shown
        ]
        for start in shown
    }


def _leads_to(after: _Edges, start: str, wanted: set[str]) -> bool:
    """Whether something that is wanted comes after a node."""
    todo, seen = [start], {start}
    while todo:
        for one in after.get(todo.pop(), ()):
            if one in wanted:
                return True
            if one not in seen:
                seen.add(one)
                todo.append(one)
    return False


def _acyclic(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what closes a circle: a step may give the very bytes that it was given."""
    after: dict[str, list[str]] = defaultdict(list)
    kept: list[tuple[str, str]] = []
    for start, end in pairs:
        if not _leads_to(after, end, {start}):
            after[start].append(end)
            kept.append((start, end))
    return kept


def _box(node: TraceNode) -> Box:
    if node.kind == "step":
        component = node.component or node.name
        rest = node.name.removeprefix(component).removeprefix("-")
        return Box(f"{node.name} of {node.run}", component, detail=rest)
    word = "file" if node.kind == "file" else node.name
    digest = (node.digest or "")[:SHOWN]
    family = "decide" if node.name == "Release" else "data"
    return Box(f"{word} {node.digest}", word, detail=digest, family=family)


def _fold(end: str, count: int, deeper: str | None) -> Box:
    return Box(end, f"+{count:,}", detail="not drawn", family="measure", link=deeper)
