"""Finding: from whatever somebody types or pastes to the page of what it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response

from components.contract.errors import UserError
from pipelines.lineage.index.opening import OpenIndex
from pipelines.lineage.naming import Named, ReleaseNamed, RunNamed, StepNamed, readings
from pipelines.stores.store import Store
from pipelines.web.view import PageRoute, View

_LISTED_MAX = 20
_DATA = ("Dataset", "Source")
_IN_DATA = (
    ("page_file", "sha"), ("fate", "sha"), ("fate", "pixels"), ("records", "sha"),
)  # fmt: skip


@dataclass(frozen=True)
class FoundThing:
    """Something that a text may stand for.

    Attributes:
        kind: In a word, such as ``run``.
        name: As it is called.
        where: Its page.
        said: What else is known of it.
    """

    kind: str
    name: str
    where: str
    said: str = ""


def things_named(store: Store, index: OpenIndex, text: str) -> list[FoundThing]:
    """Return what a text may stand for: what it names, else what begins with it.

    Args:
        store: Whose things.
        index: Of the store.
        text: As somebody typed it.

    Raises:
        UserError: A release is named that there is not, or a log is damaged.
    """
    found = [_of(index, named) for named in readings(store, index, text, files=False)]
    found += _named(index, text)
    return list(dict.fromkeys(found)) or list(_beginning(index, text))


def page_of_digest(index: OpenIndex, digest: str) -> FoundThing:
    """Return the page of a digest; one that nobody knows is looked for in the data."""
    sha = bytes.fromhex(digest)
    known = index.one("SELECT kind FROM artifact WHERE digest = ?", [sha])
    if known and known[0] in _DATA:
        return FoundThing(known[0], digest, f"/data/{digest}")
    if known:
        return FoundThing(known[0] or "artifact", digest, f"/lineage/{digest}")
    if index.one("SELECT 1 FROM file WHERE sha = ?", [sha]):
        return FoundThing("file that a step made", digest, f"/lineage/{digest}")
    in_data = any(
        index.one(f"SELECT 1 FROM {table} WHERE {column} = ?", [sha])  # noqa: S608 our own names
        for table, column in _IN_DATA
    )
    kind = "file of the data" if in_data else "unknown digest"
    return FoundThing(kind, digest, f"/lineage/affected?sha={digest}")


def _of(index: OpenIndex, named: Named) -> FoundThing:
    match named:
        case RunNamed(run):
            return FoundThing("run", run, f"/runs/{quote(run)}")
        case StepNamed(run, step):
            where = f"/runs/{quote(run)}/steps/{quote(step, safe='')}"
            return FoundThing("step", str(named), where)
        case ReleaseNamed(name, run, release):
            where = f"/releases/{quote(name)}"
            return FoundThing("release", str(named), where, f"{release[:12]}, published by {run}")
        case _:
            return page_of_digest(index, str(named))


def _named(index: OpenIndex, text: str) -> Iterator[FoundThing]:
    """Yield what is called just so: releases, pipelines, and people or classes of the data."""
    if index.one("SELECT 1 FROM release WHERE name = ?", [text]):
        yield FoundThing("releases", text, f"/releases/{quote(text)}")
    elif index.one("SELECT 1 FROM run WHERE name = ?", [text]):
        yield FoundThing("runs of a pipeline", text, f"/runs?{urlencode({'name': text})}")
    if index.one("SELECT 1 FROM label WHERE label = ?", [text]):
        where = f"/lineage/affected?{urlencode({'identity': text})}"
        yield FoundThing("person or class", text, where)


def _beginning(index: OpenIndex, text: str) -> Iterator[FoundThing]:
    """Yield runs and labels that begin so."""
    bounds = (text, text + "\U0010ffff")
    for run, outcome in index.execute(
        "SELECT run, outcome FROM run WHERE run >= ? AND run < ? ORDER BY run DESC LIMIT ?",
        (*bounds, _LISTED_MAX),
    ):
        yield FoundThing("run", run, f"/runs/{quote(run)}", outcome)
    for (label,) in index.execute(
        "SELECT label FROM label WHERE label >= ? AND label < ? ORDER BY label LIMIT ?",
        (*bounds, _LISTED_MAX),
    ):
        where = f"/lineage/affected?{urlencode({'identity': label})}"
        yield FoundThing("person or class", label, where)


def find(view: View) -> Response:
    """Go to the page of what was asked for, or list what it may be."""
    text = view.query.get("what", "").strip()
    if not text:
        return RedirectResponse("/lineage", 303)
    with view.service.index() as index:
        try:
            found = things_named(view.service.store, index, text)
        except UserError as error:
            return view.missing(error.what, error.fix)
    if len(found) == 1:
        return RedirectResponse(found[0].where, 303)
    title = f"{len(found)} things may be meant" if found else "Nothing found"
    return view.render(
        "find.html", title=title, status=200 if found else 404, text=text, found=found
    )


ROUTES = (PageRoute("/find", find),)
