"""Verify: whether what was released leads back to the user's files, every digest computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.lineage.naming import Named, resolve
from pipelines.lineage.proof.links import Chain, Link
from pipelines.web.proofs import Proof
from pipelines.web.view import ActionRoute, PageRoute, View

_PATIENCE_S = 1.5
"""How long a page waits for the quick proof before it says how far that is."""
_STEP = "step "
_EXTENTS = ("deep", "quick")
_FAULTS_MAX = 20
_BELOW_MAX = 50


@dataclass(frozen=True)
class LinkRow:
    """Links of a chain that are told of together: one, or all steps in one state.

    Attributes:
        name: What it is about.
        state: See ``Link.state``.
        said: What was held against what.
        faults: What is wrong, the first of it.
        more: How much more is wrong.
    """

    name: str
    state: str
    said: str
    faults: tuple[tuple[str, str, str], ...]
    more: int


@dataclass(frozen=True)
class ShownProof:
    """A proof as its page tells it.

    Attributes:
        proof: How far it is.
        old: Whether the store has changed since it began.
        rows: Its links, where it has ended.
        counts: How many links are in which state.
        broken: The first link that does not hold, or None.
        below: Releases that stand on it, the first of them.
        more_below: How many further ones do.
    """

    proof: Proof
    old: bool
    rows: Sequence[LinkRow] = ()
    counts: Mapping[str, int] = field(default_factory=Counter[str])
    broken: Link | None = None
    below: Sequence[str] = ()
    more_below: int = 0


def rows_of(chain: Chain) -> list[LinkRow]:
    """Return the links of a chain from the released file up; steps in one state together."""
    counts = Counter(link.state for link in chain.links if link.name.startswith(_STEP))
    rows: list[LinkRow] = []
    told: set[str] = set()
    for link in chain.links:
        if link.name.startswith(_STEP) and not link.broken:
            if link.state in told:
                continue
            told.add(link.state)
            count = counts[link.state]
            name = link.name if count == 1 else f"{count} steps"
            alike = [one for one in chain.links if one.name.startswith(_STEP)]
            rows.append(_row(name, [one for one in alike if one.state == link.state]))
        else:
            rows.append(_row(link.name, [link]))
    return rows


def _row(name: str, links: list[Link]) -> LinkRow:
    faults = [(fault.state, fault.place, fault.what) for one in links for fault in one.faults]
    first = links[0]
    more = max(0, len(faults) - _FAULTS_MAX)
    return LinkRow(name, first.state, first.said, tuple(faults[:_FAULTS_MAX]), more)


def _named(view: View) -> tuple[Named, str]:
    """Return what is to be proved, and the stamp of the index now."""
    with view.service.index() as index:
        return resolve(view.service.store, index, view.path["what"], files=False), index.stamp


def verify(view: View) -> Response:
    """Show the proof: the quick one, which is begun by asking, and the deep one, if there is."""
    try:
        named, now = _named(view)
        view.service.proofs.start(named, now, deep=False)
    except UserError as error:
        return view.missing(error.what, error.fix)
    quick = view.service.proofs.wait(named, deep=False, at_most_s=_PATIENCE_S)
    deep = view.service.proofs.find(named, deep=True)
    shown = [_shown(one, now) for one in (deep, quick) if one]
    return view.render(
        "verify.html",
        title=f"Proof of {named}",
        named=str(named),
        proofs=shown,
        deep=deep,
        back=f"/lineage/{quote(str(named))}",
    )


def _shown(proof: Proof, now: str) -> ShownProof:
    chain = proof.chain
    if chain is None:
        return ShownProof(proof, old=proof.of != now)
    return ShownProof(
        proof, proof.of != now, rows_of(chain), Counter(link.state for link in chain.links),
        chain.first_broken, chain.below[:_BELOW_MAX], max(0, len(chain.below) - _BELOW_MAX),
    )  # fmt: skip


def prove(view: View) -> Response:
    """Begin the deep proof, or the quick one again."""
    (named, now), extent = _named(view), view.form["extent"]
    if extent not in _EXTENTS:
        raise UserError(f"no proof has the extent {extent[:40]}", "choose deep or quick")
    deep = extent == "deep"
    view.service.proofs.start(named, now, deep=deep, again=True)
    view.record("verify", str(named), "every file" if deep else "records and released files")
    return view.done(f"/verify/{quote(str(named))}", f"The {extent} proof has begun.")


ROUTES = (
    PageRoute("/verify/{what:path}", verify, live=False),
    ActionRoute("/verify/{what:path}", prove, role="run", fields=("extent",)),
)
