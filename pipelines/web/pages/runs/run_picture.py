"""The graph of a run as a picture: boxes with states that lead to steps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from components import COMPONENTS
from pipelines.runs.graph import Graph
from pipelines.web.graph_svg import Node, graph_svg
from pipelines.web.pages.runs.run_facts import RunStep
from pipelines.web.state_icons import WORST_FIRST, look_of
from pipelines.web.templating import duration, segment

BOXES_MAX = 120
"""More are neither read nor drawn quickly."""
_WIDEST = 1390.0
_ROOM = "00 min 00 s"


def run_picture(run: str, graph: Graph, steps: Mapping[str, RunStep]) -> Markup | None:
    """Draw the graph of a run; None of one that is too large even when it is folded.

    Args:
        run: Its identifier.
        graph: Its steps.
        steps: How they are, by name.
    """
    names = [step.name for step in graph.ordered]
    nodes = [_node(run, graph, name, steps) for name in names]
    edges = list(graph.edges())
    if len(nodes) > BOXES_MAX:
        nodes, edges = folded(graph, steps)
    if not 0 < len(nodes) <= BOXES_MAX:
        return None
    return graph_svg(nodes, edges, title=f"Steps of {run}", widest=_WIDEST)


def _node(run: str, graph: Graph, name: str, steps: Mapping[str, RunStep]) -> Node:
    component = graph.by_name[name].component
    row = steps.get(name)
    link = f"/runs/{segment(run)}/steps/{segment(name)}"
    family = None if component in COMPONENTS else "data"
    if row is None:
        return Node(name, component, "waiting", link=link, family=family)
    note = ""
    if row.state == "running":
        note = f"{row.done:.0%}" if row.done is not None else ""
    elif row.took_s is not None:
        note = duration(row.took_s)
    return Node(name, component, row.state, note, _ROOM, link, family=family)


def folded(graph: Graph, steps: Mapping[str, RunStep]) -> tuple[list[Node], list[tuple[str, str]]]:
    """Put the steps of one component that are equally far from the start into one box each.

    What flows between boxes always leads further, so there is no cycle.
    """
    far: dict[str, int] = {}
    groups: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for step in graph.ordered:
        far[step.name] = 1 + max((far[ref.step] for ref in step.refs if ref.step in far), default=0)
        groups[far[step.name], step.component].append(step.name)
    of = {name: f"{key[1]}-{key[0]}" for key, members in groups.items() for name in members}
    nodes = [
        Node(
            f"{component}-{depth}",
            component,
            _worst(members, steps),
            detail=members[0].removeprefix(component).removeprefix("-")
            if len(members) == 1
            else _counted(members, steps),
            family=None if component in COMPONENTS else "data",
        )
        for (depth, component), members in groups.items()
    ]
    edges = dict.fromkeys((of[start], of[end]) for start, end in graph.edges())
    return nodes, list(edges)


def _states(members: Sequence[str], steps: Mapping[str, RunStep]) -> list[str]:
    return [steps[name].state if name in steps else "waiting" for name in members]


def _worst(members: Sequence[str], steps: Mapping[str, RunStep]) -> str:
    states = _states(members, steps)
    return min(states, key=lambda state: WORST_FIRST.index(state) if state in WORST_FIRST else 9)


def _counted(members: Sequence[str], steps: Mapping[str, RunStep]) -> str:
    counted = Counter(_states(members, steps))
    if len(counted) == 1:
        return f"{len(members)} steps"
    worst = _worst(members, steps)
    return f"{counted[worst]} of {len(members)} {look_of(worst).word}"
