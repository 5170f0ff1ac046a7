"""What differs between two snapshots of the data, with thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from pipelines.lineage.comparing.samples import ImageChange, SampleChanges
from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.snapshots.differences import (
    SnapshotChanges,
    SnapshotSide,
    changes_between,
    side_of,
)
from pipelines.lineage.snapshots.images import DatasetImage, dataset_facts, images_named
from pipelines.lineage.snapshots.listing import snapshots
from pipelines.web.pages.lineage.snapshots import DIGEST, excluded_in, left_out
from pipelines.web.view import PageRoute, View

_SHOWN = 20
ON_A_PAGE = 100
_OTHERS = 40
_DIGITS_MAX = 6
KINDS = (
    ("added", "Added", "only the later one has them"),
    ("removed", "Removed", "only the earlier one has them"),
    ("relabelled", "Relabelled", "they have another label now"),
    ("moved", "Moved between splits", "in another split, or in one now and in none before"),
    ("quarantined", "Quarantined", "they are not used any more, or were never"),
    ("restored", "Restored", "they were quarantined and no longer are"),
    ("replaced", "Replaced", "another image is under their name now"),
    ("renamed", "Renamed", "the same image under another name"),
)
"""What can become of images, how that is called, and what it means."""


@dataclass(frozen=True)
class ChangeRow:
    """One image.

    Attributes:
        change: Its name, and what was before and is now; empty where there is nothing to tell.
        image: What is known of it where it is shown from; None where nothing is.
        dataset: Digest of the Dataset that its picture is of, or None.
    """

    change: ImageChange
    image: DatasetImage | None
    dataset: str | None


@dataclass(frozen=True)
class ChangeGroup:
    """All changes of one kind.

    Attributes:
        kind: A word of ``KINDS``.
        title: How it is called.
        means: In words.
        count: How many there are.
        rows: Those that are shown.
    """

    kind: str
    title: str
    means: str
    count: int
    rows: Sequence[ChangeRow]


def changes(view: View) -> Response:
    """Show what differs; ``kind`` shows all of one kind, ``page`` turns its pages."""
    one, other = view.path["before"], view.path["now"]
    with view.service.index() as index:
        found = _changes(view, index, one, other)
        if found is None:
            return view.missing(
                "one of the two is no data of this store", "choose both in the list of all data"
            )
        kind = view.query.get("kind", "")
        kinds = [(word, title, means) for word, title, means in KINDS if kind in ("", word)]
        first = _page(view.query.get("page", "1")) if kind else 0
        most = ON_A_PAGE if kind else _SHOWN
        groups = [_group(view, index, found, *described, first * most, most) for described in kinds]
    last = (groups[0].count - 1) // most if kind and groups else 0
    return view.render(
        "data_changes.html",
        title="What changed in the data",
        found=found,
        counts=[(title, len(getattr(found.samples, word)), word) for word, title, _ in KINDS],
        groups=[group for group in groups if group.count],
        kind=kind,
        back=f"/data/{one}/against/{other}",
        older=view.url(page=first + 2) if first < last else None,
        newer=view.url(page=first) if first > 0 else None,
    )


def _page(text: str) -> int:
    """Return which page is asked for, counted from 0."""
    known = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    return max(0, int(text) - 1) if known else 0


def _changes(view: View, index: OpenIndex, one: str, other: str) -> SnapshotChanges | None:
    if not (DIGEST.fullmatch(one) and DIGEST.fullmatch(other)):
        return None
    before, now = side_of(index, one), side_of(index, other)
    if before is None or now is None:
        return None

    def compare() -> SnapshotChanges:
        return changes_between(index, before, now, _reasons(view, index, now))

    return view.service.answers.recall(index.stamp, ("changes", one, other), compare)


def _reasons(view: View, index: OpenIndex, side: SnapshotSide) -> dict[str, str]:
    facts = dataset_facts(index, side.dataset_digest) if side.dataset_digest else None
    lost = left_out(view, index, facts)[1] if facts else []
    return {item["name"]: item["reason"] for item in lost}


def _group(
    view: View, index: OpenIndex, found: SnapshotChanges, kind: str, title: str, means: str,
    first: int, most: int,
) -> ChangeGroup:  # fmt: skip
    every = _told(found.samples, kind)
    some = every[first : first + most]
    side = found.before if kind == "removed" else found.now
    excluded = excluded_in(view)
    images = (
        images_named(index, side.dataset, [one.name for one in some], excluded)
        if side.dataset is not None
        else {}
    )
    rows = [ChangeRow(one, images.get(one.name), side.dataset_digest) for one in some]
    return ChangeGroup(kind, title, means, len(every), rows)


def _told(samples: SampleChanges, kind: str) -> list[ImageChange]:
    found: Sequence[ImageChange | str] = getattr(samples, kind)
    return [ImageChange(one, "", "") if isinstance(one, str) else one for one in found]


def choose(view: View) -> Response:
    """Go to the page of two snapshots, or offer those that there are."""
    one, other = view.query.get("a", ""), view.query.get("b", "")
    if DIGEST.fullmatch(one) and DIGEST.fullmatch(other):
        return RedirectResponse(f"/data/{one}/against/{other}", 303)
    with view.service.index() as index:
        known = snapshots(index, None, _OTHERS)
    return view.render(
        "data_choice.html", title="Compare data", snapshots=known, one=one, other=other
    )


ROUTES = (
    PageRoute("/data/compare", choose),
    PageRoute("/data/{before}/against/{now}", changes),
)
