"""The picture of a graph: steps from left to right, and what flows between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from markupsafe import Markup

from components.contract.interface import Interface, interface_of
from components.pages.charts.svg import picture, shorten, tag, text_width
from pipelines.web.layered_layout import Edge, Layout, lay_out
from pipelines.web.state_icons import look_of

Family = Literal["data", "make", "measure", "decide"]
"""Classes of the picture's style sheet that colour boxes."""

_HEIGHT, _PITCH, _GAP, _MARGIN = 42.0, 54.0, 38.0, 8.0
_WIDEST = 170.0
_SMALLEST = 0.78
"""Smaller than by this factor nobody reads it."""


@dataclass(frozen=True)
class Node:
    """One step, or what steps read and make.

    Attributes:
        name: Unique in its graph.
        component: What runs; the first line.
        state: What became of it, where that is known: a name of ``STATES``.
        note: A few letters on the right, such as how long it took.
        room: What the note may become, so that boxes stay where they are meanwhile.
        link: Where a click leads, or None.
        detail: The second line; None is the name without the component's.
        family: How it is coloured; None is by what its component makes.
    """

    name: str
    component: str
    state: str | None = None
    note: str = ""
    room: str = ""
    link: str | None = None
    detail: str | None = None
    family: Family | None = None

    @property
    def object(self) -> str:
        """What the component works on: the step's name without the component's."""
        if self.detail is not None:
            return self.detail
        return self.name.removeprefix(self.component).removeprefix("-")


def graph_svg(
    nodes: Sequence[Node],
    edges: Iterable[Edge],
    *,
    title: str = "Steps",
    ident: str = "graph",
    counted: str = "steps",
    widest: float | None = None,
) -> Markup:
    """Draw a graph without cycles.

    An edge that a longer path implies is left out.

    Args:
        nodes: Steps, in the order that decides where nothing else does.
        edges: Pairs of step names, from and to.
        title: What it is a graph of.
        ident: Unique in the page.
        counted: What its boxes are.
        widest: So many pixels it is wide at most, as long as it can be read; None scales it with
            its frame.

    Raises:
        CycleError: There is a cycle.
    """
    layout = _laid_out(tuple(node.name for node in nodes), tuple(edges))
    by_name = {node.name: node for node in nodes}
    lefts, widths = _columns(layout, by_name)
    drawn = [_edge(route, lefts, widths) for route in layout.routes.values()]
    for column, names in enumerate(layout.columns):
        for name in names:
            top = _MARGIN + layout.rows[name] * _PITCH
            drawn.append(_node(by_name[name], lefts[column], top, widths[column]))
    width = lefts[-1] + widths[-1] + _MARGIN if lefts else 2 * _MARGIN
    height = 2 * _MARGIN + (layout.height - 1) * _PITCH + _HEIGHT
    return picture(
        *drawn,
        ident=ident,
        size=(width, height),
        title=f"{title}: {len(nodes)} {counted}",
        description=_words(layout),
        scale=min(1.0, max(_SMALLEST, widest / width)) if widest else None,
        role="group" if any(node.link for node in nodes) else "img",
    )


@lru_cache(maxsize=64)
def _laid_out(names: tuple[str, ...], edges: tuple[Edge, ...]) -> Layout:
    """Return the layout of a graph: it takes long, and no state of a step changes it."""
    return lay_out(names, edges)


def _columns(layout: Layout, nodes: Mapping[str, Node]) -> tuple[list[float], list[float]]:
    """Return the left edge and the width of every column."""
    lefts: list[float] = []
    widths: list[float] = []
    left = _MARGIN
    for names in layout.columns:
        lefts.append(left)
        widths.append(max((_node_width(nodes[name]) for name in names), default=0.0))
        left += widths[-1] + _GAP
    return lefts, widths


def _node_width(node: Node) -> float:
    note = max(text_width(node.note, 11), text_width(node.room, 11))
    first = text_width(node.component, 13) + (note + 14 if note else 0)
    return min(_WIDEST, max(first, text_width(node.object, 12))) + (34 if node.state else 28)


def _family(interface: Interface) -> Family:
    """Return the class of the picture's style sheet that colours a component, by what it makes."""
    made = {port.kind for port in interface.outputs}
    if "Dataset" in made:
        return "data"
    if "Model" in made:
        return "make"
    if "Release" in made or any(port.many for port in interface.inputs):
        return "decide"
    return "measure"


def _node(node: Node, left: float, top: float, width: float) -> Markup:
    family = node.family or _family(interface_of(node.component))
    hint = ", ".join(part for part in (node.name, node.state or "", node.note) if part)
    verb = top + (17 if node.object else 26)
    parts = [
        tag("title", hint),
        tag("rect", x=left, y=top, width=width, height=_HEIGHT, rx=7, class_="node"),
        tag("path", d=_stripe(left, top), class_="bar"),
        tag("text", node.component, x=left + 13, y=verb, class_="verb"),
    ]
    if node.object:
        text = shorten(node.object, width - 26, 12)
        parts.append(tag("text", text, x=left + 13, y=top + 33, class_="object"))
    if node.note:
        end = left + width - (26 if node.state else 10)
        parts.append(tag("text", node.note, x=end, y=verb, text_anchor="end", class_="note"))
    if node.state:
        parts.append(_state(node.state, left + width - 21, verb - 11.5))
    group = tag("g", *parts, class_=f"{family} in-{node.state}" if node.state else family)
    return tag("a", group, href=node.link) if node.link else group


def _state(state: str, x: float, y: float) -> Markup:
    """Draw a state by its shape and its colour."""
    look = look_of(state)
    turned = tag("g", *look.shape, transform=f"translate({x:g} {y:g}) scale(.9)")
    return tag("g", turned, class_=f"icon {look.tone}")


def _stripe(left: float, top: float) -> str:
    """Return the outline of the coloured edge, round as the box is."""
    side = f"{_HEIGHT - 14:.1f}"
    outer = f"M{left + 7:.1f} {top:.1f}a7 7 0 0 0 -7 7v{side}a7 7 0 0 0 7 7"
    return f"{outer}a3 7 0 0 1 -3 -7v-{side}a3 7 0 0 1 3 -7z"


def _edge(
    route: Sequence[tuple[int, float]], lefts: Sequence[float], widths: Sequence[float]
) -> Markup:
    """Draw a curve that leaves and arrives level, and lies level where it passes a column."""
    spots = [(column, _MARGIN + row * _PITCH + _HEIGHT / 2) for column, row in route]
    first, y = spots[0]
    path = f"M{lefts[first] + widths[first]:.1f} {y:.1f}"
    for (column, start), (following, end) in pairwise(spots):
        x, to = lefts[column] + widths[column], lefts[following]
        if following == spots[-1][0]:
            to -= 5
        middle = (x + to) / 2
        path += f"C{middle:.1f} {start:.1f} {middle:.1f} {end:.1f} {to:.1f} {end:.1f}"
        if following != spots[-1][0]:
            path += f"H{to + widths[following]:.1f}"
    last, y = spots[-1]
    tip = f"M{lefts[last]:.1f} {y:.1f}l-7 -3.5v7z"
    return tag("g", tag("path", d=path, class_="edge"), tag("path", d=tip, class_="arrow"))


def _words(layout: Layout) -> str:
    """Say the graph in words: each column, left to right."""
    return "; then ".join(", ".join(names) for names in layout.columns if names)
