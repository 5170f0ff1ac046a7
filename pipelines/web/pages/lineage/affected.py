"""Affected: which releases an image, a file or a person is in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.responses import RedirectResponse, Response

from pipelines.lineage.affected import Answer, first_affected
from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.sightings import FoundImage, Searched
from pipelines.lineage.snapshots.images import DatasetImage, dataset_facts, images_named
from pipelines.runs.removal.erasures import erasures
from pipelines.web.pages.lineage.snapshots import excluded_in
from pipelines.web.view import PageRoute, View

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_LISTED_MAX = 100


def affected(view: View) -> Response:
    """Answer for ``sha``, the sha256 of a file, or for ``identity``, a person or class."""
    given, identity = view.query.get("sha", "").strip(), view.query.get("identity", "").strip()
    if not given and not identity:
        return RedirectResponse("/lineage", 303)
    sha = _SHA256.fullmatch(given)
    if given and not sha:
        return view.missing(
            f"{given[:80]} is no sha256: that is 64 hexadecimal digits",
            "take the first word that sha256sum FILE prints",
        )
    with view.service.index() as index:
        searched = _searched(index, sha[1].lower()) if sha else Searched(identity=identity)
        answer, count = _answer(view, index, searched)
        pictures = _pictures(view, index, answer.found)
        made_here = sha and index.one("SELECT 1 FROM file WHERE sha = ?", [bytes.fromhex(sha[1])])
    return view.render(
        "affected.html",
        title="Affected releases",
        what=sha[1].lower() if sha else identity,
        sha=sha[1].lower() if sha else None,
        made_here=bool(made_here),
        answer=answer,
        count=count,
        found=pictures,
    )


def _answer(view: View, index: OpenIndex, searched: Searched) -> tuple[Answer, int]:
    """Return the answer with its first releases, and how many there are.

    Who is in everything is in every release: such an answer still takes a while, and is kept.
    """

    def find_out() -> tuple[Answer, int]:
        return first_affected(index, searched, erasures(view.service.store), _LISTED_MAX)

    asked = ("affected", searched, excluded_in(view))
    return view.service.answers.recall(index.stamp, asked, find_out)


def _pictures(
    view: View, index: OpenIndex, found: Sequence[FoundImage]
) -> list[tuple[FoundImage, DatasetImage | None]]:
    """Return sightings with the image of each, where it may be looked at."""
    excluded = excluded_in(view)
    rows: list[tuple[FoundImage, DatasetImage | None]] = []
    for one in found:
        facts = dataset_facts(index, one.dataset) if one.name else None
        images = images_named(index, facts.id, [one.name], excluded) if facts else {}
        rows.append((one, images.get(one.name)))
    return rows


def _searched(index: OpenIndex, digest: str) -> Searched:
    """Return what is looked for: what an image shows has a digest, too, which pages link to."""
    shown = index.one("SELECT 1 FROM fate WHERE pixels = ?", [bytes.fromhex(digest)])
    return Searched(digest, (digest,) if shown else ())


ROUTES = (PageRoute("/lineage/affected", affected),)
