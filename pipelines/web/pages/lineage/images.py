"""The images of a Dataset: lists of them, and their thumbnails."""

from __future__ import annotations

from starlette.responses import Response

from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.snapshots.images import (
    OPEN_SPLITS,
    ImageFilter,
    dataset_facts,
    image_at,
    images_after,
)
from pipelines.lineage.snapshots.pixels import read_image
from pipelines.runs.cache import CorruptionError
from pipelines.web.pages.lineage.snapshots import DIGEST, excluded_in, left_out
from pipelines.web.view import PageRoute, View

ON_A_PAGE = 60
_SPLITS = (*OPEN_SPLITS, "sealed", "pairs")
_STATUSES = ("used", "duplicate", "unused", "quarantined")
_DIGITS_MAX = 12
_Picture = tuple[bytes, str] | None


def images(view: View) -> Response:
    """List images of a Dataset: ``split``, ``status`` and ``label`` choose, ``after`` goes on."""
    given = view.path["digest"]
    chosen = ImageFilter(
        split=_one_of(_SPLITS, view.query.get("split", "")),
        status=_one_of(_STATUSES, view.query.get("status", "")),
        label=view.query.get("label", ""),
    )
    after = view.query.get("after", "")
    with view.service.index() as index:
        facts = dataset_facts(index, given) if DIGEST.fullmatch(given) else None
        if facts is None:
            return view.missing("there is no such Dataset", "choose one in the list of all data")
        excluded = excluded_in(view)
        found = images_after(index, facts.id, chosen, after, ON_A_PAGE + 1, excluded)
        lost = left_out(view, index, facts)[1] if chosen.status != "used" else []
    rows = found[:ON_A_PAGE]
    names = {row.name for row in rows}
    return view.render(
        "images.html",
        title=f"Images of {given[:12]}",
        digest=given,
        images=rows,
        reasons={item["name"]: item["reason"] for item in lost if item["name"] in names},
        chosen=chosen,
        splits=_SPLITS,
        statuses=_STATUSES,
        older=view.url(after=rows[-1].name) if len(found) > ON_A_PAGE else None,
        newer=view.url(after=None) if after else None,
    )


def _one_of(words: tuple[str, ...], given: str) -> str:
    return given if given in words else ""


def thumbnail(view: View) -> Response:
    """Serve the picture of one image, if it may be looked at; nothing of it stays in a browser."""
    given, number = view.path["digest"], view.path["number"]
    known = DIGEST.fullmatch(given) and number.isascii() and number.isdigit()
    picture: _Picture = None
    if known and len(number) <= _DIGITS_MAX:
        with view.service.index() as index:
            picture = _picture(view, index, given, int(number))
    headers = {"cache-control": "no-store", "content-security-policy": "default-src 'none'"}
    if picture is None:
        return Response(b"", 404, headers)
    return Response(picture[0], headers=headers, media_type=picture[1])


def _picture(view: View, index: OpenIndex, digest: str, number: int) -> _Picture:
    facts = dataset_facts(index, digest)
    excluded = excluded_in(view)
    at = image_at(index, facts.id, number, excluded) if facts else None
    if at is None:
        return None

    def read() -> _Picture:
        from components.data.thumbnails import thumbnail as small

        try:
            tree = view.service.cache.tree(digest)
        except CorruptionError:
            return None
        pixels = read_image(view.service.store, tree, *at)
        return None if pixels is None else small(pixels)

    # With every erasure, and all news, no picture stays in memory.
    return view.service.thumbnails.recall((index.stamp, excluded), (digest, at), read)


ROUTES = (
    PageRoute("/data/{digest}/images", images),
    PageRoute("/data/{digest}/thumbnails/{number}", thumbnail, live=False),
)
