"""Lineage: what something was made of, and what was made of it, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.disk.visible import visible
from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.naming import DigestNamed, Named, StepNamed, resolve
from pipelines.lineage.tracing.trace import Direction, Trace, TraceNode
from pipelines.lineage.tracing.tracing import trace
from pipelines.runs.removal.erasures import Erasure, erasures
from pipelines.web.lineage_picture import picture_of
from pipelines.web.view import PageRoute, View

DEPTHS = (1, 2, 3, 5, 9)
_NODES_MAX = 400
_SMALL = 40
"""So many nodes are drawn with the artifacts between the steps."""
_WIDEST_PX = 1340.0
_FLOWS_MAX = 12
_ROWS_MAX = 100
_RELEASES_MAX = 20
_LATEST = (
    "SELECT r.name, r.run, r.at, r.state, a.digest FROM (SELECT * FROM release"
    " ORDER BY at DESC, run DESC LIMIT 8) r JOIN artifact a ON a.id = r.artifact"
    " ORDER BY r.at DESC, r.run DESC"
)


@dataclass(frozen=True)
class FlowLink:
    """What goes into a step or comes out of it.

    Attributes:
        port: Of the step.
        kind: Of the artifact.
        digest: Of it.
        where: Its page.
    """

    port: str
    kind: str
    digest: str
    where: str


@dataclass(frozen=True)
class StepRow:
    """A step of one direction.

    Attributes:
        node: The step.
        where: Its page.
        takes: What went in, the first of them.
        gives: What came out.
        more: How many further artifacts went in or came out.
    """

    node: TraceNode
    where: str
    takes: Sequence[FlowLink]
    gives: Sequence[FlowLink]
    more: int


@dataclass(frozen=True)
class TraceSide:
    """One direction.

    Attributes:
        direction: Which.
        steps: The nearest first.
        hidden: How many further ones there are, which are not listed.
        beyond: How many neighbours were not followed.
    """

    direction: Direction
    steps: Sequence[StepRow]
    hidden: int
    beyond: int


def address_of(node: TraceNode) -> str:
    """Return where what is named by a node is shown with its own lineage."""
    if node.kind == "step":
        return f"/lineage/{quote(node.run or '')}/{quote(node.name, safe='')}"
    return f"/lineage/{node.digest}"


def side_of(found: Trace, direction: Direction) -> TraceSide:
    """Return the steps of a trace in one direction as rows."""
    nodes = {node.id: node for node in found.nodes}
    steps = [node for node in found.nodes if node.kind == "step"]
    rows = [_row(step, found, nodes) for step in steps[:_ROWS_MAX]]
    beyond = sum(node.further.get(direction, 0) for node in found.nodes)
    return TraceSide(direction, rows, max(0, len(steps) - _ROWS_MAX), beyond)


def _row(step: TraceNode, found: Trace, nodes: Mapping[str, TraceNode]) -> StepRow:
    takes = [(edge.port, nodes[edge.start]) for edge in found.edges if edge.end == step.id]
    gives = [(edge.port, nodes[edge.end]) for edge in found.edges if edge.start == step.id]
    where = f"/runs/{quote(step.run or '')}/steps/{quote(step.name, safe='')}"
    more = max(0, len(takes) - _FLOWS_MAX) + max(0, len(gives) - _FLOWS_MAX)
    return StepRow(step, where, _flows(takes), _flows(gives), more)


def _flows(flows: Sequence[tuple[str, TraceNode]]) -> list[FlowLink]:
    return [
        FlowLink(port, node.name, node.digest or "", address_of(node))
        for port, node in flows[:_FLOWS_MAX]
    ]


def joined(traces: Sequence[Trace]) -> Trace:
    """Return the traces of both directions as one."""
    first = traces[0]
    nodes = {node.id: node for found in traces for node in found.nodes}
    return replace(
        first,
        nodes=list(nodes.values()),
        edges=list(dict.fromkeys(edge for found in traces for edge in found.edges)),
    )


def start(view: View) -> Response:
    """Show where questions begin: a file, a digest, a person, or a release."""
    with view.service.index() as index:
        releases = list(index.execute(_LATEST))
        labels = [row[0] for row in index.execute("SELECT label FROM label ORDER BY 1 LIMIT 200")]
    return view.render("lineage_start.html", title="Lineage", releases=releases, labels=labels)


def lineage(view: View) -> Response:
    """Show the lineage of what the address names: ``way`` is up or down, ``depth`` the steps."""
    what, store = view.path["what"], view.service.store
    way = view.query.get("way", "")
    depth = _depth(view.query.get("depth", "1"))
    directions: Sequence[Direction] = (
        ("up",) if way == "up" else ("down",) if way == "down" else ("up", "down")
    )
    with view.service.index() as index:
        try:
            named = resolve(store, index, what, files=False)
            traces = _traces(index, named, directions, depth, erasures(store))
        except UserError as error:
            return view.missing(error.what, error.fix)
        whole = joined(traces)
        origin = next(node for node in whole.nodes if node.id == whole.origins[0])
        size = _size(index, origin)
    deeper = next((one for one in DEPTHS if one > depth), None)
    return view.render(
        "lineage.html",
        title=f"Lineage of {visible(whole.what, keep='')}",
        found=whole,
        origin=origin,
        size=size,
        named=named,
        about=_about(named, origin),
        picture=picture_of(
            whole,
            address_of,
            deeper=_url(what, way, deeper),
            artifacts=len(whole.nodes) <= _SMALL,
            widest=_WIDEST_PX,
        ),
        sides=[side_of(one, way) for one, way in zip(traces, directions, strict=True)],
        ended=list(dict.fromkeys(line for one in traces for line in one.ended)),
        lacking=list(dict.fromkeys(line for one in traces for line in one.lacking)),
        releases=whole.releases[:_RELEASES_MAX],
        more_releases=max(0, len(whole.releases) - _RELEASES_MAX),
        ways=[(word, _url(what, one, depth), one == way) for word, one in _WAYS],
        depths=[(one, _url(what, way, one), one == depth) for one in DEPTHS],
        deeper=_url(what, way, deeper),
    )


_WAYS = (("Both directions", ""), ("Made of", "up"), ("Used for", "down"))


def _traces(
    index: OpenIndex, named: Named, directions: Sequence[Direction], depth: int,
    erased: Sequence[Erasure],
) -> list[Trace]:  # fmt: skip
    return [
        trace(index, named, (one,), depth, nodes_max=_NODES_MAX, erasures=erased)
        for one in directions
    ]


def _depth(text: str) -> int:
    """Return how many steps are shown; what is no number of them is 1."""
    return int(text) if text in {str(depth) for depth in DEPTHS} else 1


def _url(what: str, way: str, depth: int | None) -> str | None:
    if depth is None:
        return None
    query = {key: value for key, value in (("way", way), ("depth", depth)) if value not in ("", 1)}
    return f"/lineage/{quote(what)}{f'?{urlencode(query)}' if query else ''}"


def _size(index: OpenIndex, origin: TraceNode) -> int | None:
    if origin.kind != "artifact" or not origin.digest:
        return None
    row = index.one("SELECT bytes FROM artifact WHERE digest = ?", [bytes.fromhex(origin.digest)])
    return row[0] if row else None


def _about(named: Named, origin: TraceNode) -> Sequence[tuple[str, str]]:
    """Return the other pages of what is asked about, by what they tell."""
    links: list[tuple[str, str]] = []
    if isinstance(named, StepNamed):
        links.append(("The step", f"/runs/{quote(named.run)}/steps/{quote(named.step, safe='')}"))
    elif run := getattr(named, "run", None):
        links.append(("The run", f"/runs/{quote(run)}"))
    if name := getattr(named, "name", None):
        links.append((f"Releases of {name}", f"/releases/{quote(name)}"))
    if origin.kind == "artifact" and origin.name in ("Dataset", "Source"):
        links.append(("Its images", f"/data/{origin.digest}"))
    else:
        links.append(("Verify", f"/verify/{quote(str(named))}"))
    if isinstance(named, DigestNamed) and origin.kind == "file":
        links.append(("Releases affected", f"/lineage/affected?sha={origin.digest}"))
    return links


ROUTES = (PageRoute("/lineage", start), PageRoute("/lineage/{what:path}", lineage))
