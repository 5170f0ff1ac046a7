"""The data: snapshots that runs have read, and the datasets that were made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from components.artifacts.data_use import DataUse
from components.artifacts.manifest import DESCRIPTION
from components.contract.errors import UserError
from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.naming import resolve
from pipelines.lineage.snapshots.images import (
    OPEN_SPLITS,
    DatasetFacts,
    DatasetImage,
    classes_of,
    dataset_facts,
    images_named,
    runs_with,
)
from pipelines.lineage.snapshots.listing import (
    datasets_of,
    files_of,
    images_of,
    neighbours_in_time,
    runs_of,
    snapshot,
    snapshots,
)
from pipelines.runs.cache import CorruptionError
from pipelines.runs.images_used import data_use_of, left_out_of
from pipelines.runs.removal.erasures import erasures
from pipelines.stores.layout import step_of_record
from pipelines.web.view import PageRoute, View

if TYPE_CHECKING:
    from components.artifacts.dataset import DatasetInfo

ON_A_PAGE = 20
DIGEST = re.compile(r"[0-9a-f]{64}")
_CLASSES = 12
_FRESH_S = 2
_EXAMPLES = 24
_NAMES = 20


@dataclass(frozen=True)
class Share:
    """A part of a bar.

    Attributes:
        where: A split, or why images are in none.
        count: How many images.
        start: Where it begins, of 1000.
        width: How long it is, of 1000.
    """

    where: str
    count: int
    start: float
    width: float


def shares_of(counts: Mapping[str, int], whole: int | None = None) -> list[Share]:
    """Return the parts of a bar, in order.

    Args:
        counts: Images by split.
        whole: How many fill the bar; None is all of them.
    """
    every = whole or sum(counts.values()) or 1
    found: list[Share] = []
    start = 0.0
    for where, count in counts.items():
        width = 1000 * count / every
        found.append(Share(where, count, start, width))
        start += width
    return found


@dataclass(frozen=True)
class ReasonRow:
    """Images that are not used for one reason.

    Attributes:
        reason: In a word.
        count: How many.
        names: The first of them, each with its own reason.
    """

    reason: str
    count: int
    names: Sequence[tuple[str, str]]


def excluded_in(view: View) -> frozenset[str]:
    """Return the digests of what was erased, or is about to be, as of a moment ago.

    Erasures are asked for themselves: the index need not have any news when one begins.
    """
    moment = (view.service.standing.at, int(view.now.timestamp() // _FRESH_S))

    def read() -> frozenset[str]:
        every = erasures(view.service.store)
        return frozenset(digest for erasure in every for digest in erasure.excluded)

    return view.service.exclusions.recall(moment, "excluded", read)


def left_out(
    view: View, index: OpenIndex, facts: DatasetFacts
) -> tuple[DataUse | None, list[dict[str, str]]]:
    """Return what became of the images that are not used, with the reason of each."""
    if facts.report is None:
        return None, []
    outputs = {"report": facts.report}

    def read() -> tuple[DataUse | None, list[dict[str, str]]]:
        cache = view.service.cache
        try:
            return data_use_of(cache, outputs), left_out_of(cache, outputs)
        except (CorruptionError, LookupError, ValueError):  # gone, damaged, or of another version
            return None, []

    return view.service.answers.recall(index.stamp, ("left out", facts.report), read)


# the list ---------------------------------------------------------------------------------------


def data(view: View) -> Response:
    """Show all snapshots: ``before`` turns pages."""
    before = view.query.get("before", "")
    with view.service.index() as index:
        edge = None
        if DIGEST.fullmatch(before):
            known = snapshot(index, before)
            edge = (known.first, known.digest) if known else None
        found = snapshots(index, edge, ON_A_PAGE + 1)
        rows = [(one, neighbours_in_time(index, one)[0]) for one in found[:ON_A_PAGE]]
    more = len(found) > ON_A_PAGE
    return view.render(
        "data.html",
        title="Data",
        rows=[(one, shares_of(one.images), earlier) for one, earlier in rows],
        older=view.url(before=rows[-1][0].digest) if more else None,
        newest="/data" if edge else None,
    )


def one(view: View) -> Response:
    """Show a snapshot or a Dataset."""
    given = view.path["digest"]
    with view.service.index() as index:
        if not DIGEST.fullmatch(given):
            try:
                named = resolve(view.service.store, index, given, files=False)
            except UserError as error:
                return view.missing(error.what, error.fix)
            if DIGEST.fullmatch(str(named)):
                return RedirectResponse(f"/data/{named}", 303)
            return _no_data(view, given)
        if facts := dataset_facts(index, given):
            return _dataset(view, index, facts)
        return _source(view, index, given)


def _no_data(view: View, given: str) -> Response:
    return view.missing(
        f"no run of this store has read data that is called {given[:80]}",
        "choose a snapshot in the list of all data",
    )


# a snapshot -------------------------------------------------------------------------------------


def _source(view: View, index: OpenIndex, digest: str) -> Response:
    facts = snapshot(index, digest)
    if facts is None:
        return _no_data(view, digest)
    before, after = neighbours_in_time(index, facts)
    datasets = datasets_of(index, digest)
    return view.render(
        "snapshot.html",
        title=f"Data {digest[:12]}",
        facts=facts,
        before=before,
        after=after,
        runs=runs_of(index, digest),
        datasets=[(one, port, shares_of(images)) for one, port, images in datasets],
        files=[] if datasets else files_of(index, digest),
        shares=shares_of(facts.images),
    )


# a Dataset --------------------------------------------------------------------------------------


def _dataset(view: View, index: OpenIndex, facts: DatasetFacts) -> Response:
    answers, stamp = view.service.answers, index.stamp
    images = images_of(index, facts.id)
    classes = answers.recall(stamp, ("classes", facts.id), lambda: classes_of(index, facts.id))
    use, lost = left_out(view, index, facts)
    every = view.query.get("classes") == "all"
    largest = max((sum(counts.values()) for _, counts in classes), default=1)
    shown = classes[:1000] if every else classes[:_CLASSES]
    return view.render(
        "dataset.html",
        title=f"{'Sealed dataset' if facts.sealed else 'Dataset'} {facts.digest[:12]}",
        facts=facts,
        info=_info(view, facts),
        made=_made(facts),
        runs=runs_with(index, facts.id),
        images=images,
        shares=shares_of(images),
        classes=[(label, sum(counts.values()), shares_of(_ordered(counts), largest))
                 for label, counts in shown],
        class_count=len(classes),
        balance=_balance(classes),
        all_classes=None if every or len(classes) <= _CLASSES else view.url(classes="all"),
        reasons=_reasons(use, lost),
        use=use,
        pictures=_pictures(view, index, facts),
    )  # fmt: skip


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return {split: counts[split] for split in (*OPEN_SPLITS, "sealed", "pairs") if split in counts}


def _info(view: View, facts: DatasetFacts) -> DatasetInfo | None:
    """Return what the Dataset says of itself; None where it is gone, or of another version."""
    from components.artifacts.dataset import DatasetInfo

    try:
        said = json.loads(view.service.cache.read_file(facts.digest, DESCRIPTION))
        return DatasetInfo.from_json({key: said[key] for key in said if key != "schema"})
    except (CorruptionError, LookupError, ValueError):
        return None


def _made(facts: DatasetFacts) -> tuple[str, str, str] | None:
    """Return run, step and address of what made a Dataset."""
    if facts.record is None:
        return None
    run, step, _ = step_of_record(facts.record)
    return run, step, f"/runs/{quote(run)}/steps/{quote(step, safe='')}"


def _balance(classes: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """Say how the classes compare: images of the most and the least frequent one."""
    if not classes:
        return ""
    most, least = (sum(counts.values()) for _, counts in (classes[0], classes[-1]))
    if most == least:
        return f"{most:,} images each"
    return f"{least:,} to {most:,} images each: {most / max(1, least):,.1f} times as many at most"


def _reasons(use: DataUse | None, lost: Sequence[Mapping[str, str]]) -> list[ReasonRow]:
    named: dict[str, list[tuple[str, str]]] = {}
    counts: dict[str, int] = {}
    for item in lost:
        kind = item.get("kind", "")
        counts[kind] = counts.get(kind, 0) + 1
        if len(named.setdefault(kind, [])) < _NAMES:
            why = item.get("reason", "").removeprefix(f"{kind}: ")
            named[kind].append((item.get("name", ""), why))
    if use:
        counts |= {loss.reason: loss.images for loss in use.left_out}
    ordered = sorted(counts, key=lambda kind: (-counts[kind], kind))
    return [ReasonRow(kind, counts[kind], named.get(kind, [])) for kind in ordered]


def _pictures(
    view: View, index: OpenIndex, facts: DatasetFacts
) -> list[tuple[str, list[DatasetImage]]]:
    """Return a few images of each open split that can be looked at."""
    excluded = excluded_in(view)
    found: list[tuple[str, list[DatasetImage]]] = []
    for split in OPEN_SPLITS:
        names = [
            name
            for (name,) in index.execute(
                "SELECT name FROM fate WHERE dataset = ? AND split = ? AND place IS NOT NULL"
                " ORDER BY place LIMIT ?",
                (facts.id, split, _EXAMPLES),
            )
        ]
        images = images_named(index, facts.id, names, excluded)
        if some := [images[name] for name in names if name in images]:
            found.append((split, some))
    return found


ROUTES = (PageRoute("/data", data), PageRoute("/data/{digest}", one))
