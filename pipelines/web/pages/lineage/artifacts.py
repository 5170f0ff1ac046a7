"""Files of artifacts, asked for by digest and place: what a run made is not trusted.

A page of a run is shown in a sandbox, without scripts, cookies and forms; everything else is
a download. Images of the data are not given out here, and sealed ones nowhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from components.contract.errors import UserError
from components.contract.tree import SINGLE, Entry, Tree
from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.removal.tombstones import tombstone_of
from pipelines.stores.layout import blob_key
from pipelines.stores.store import Store
from pipelines.web.pages.file_names import attachment
from pipelines.web.view import PageRoute, View

DATASET, PAGE = "Dataset", "Page"
SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""The policy of a page that a run made."""
PAGE_BYTES_MAX = 16_000_000
"""A page longer than that is a download."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PLACE = re.compile(r"[0-9]{1,7}")
_AT_ONCE = 1 << 20
_LISTED_MOST = 500
_SUFFIXES = {"Page": ".html", "Metrics": ".json", "Curve": ".json"}
"""Of artifacts that are one file."""
_MADE = """
SELECT run.run, run_step.step, made.port FROM made
JOIN run_step ON run_step.execution = made.execution JOIN run ON run.id = run_step.run
WHERE made.artifact = ? ORDER BY run.started, run.run, run_step.step LIMIT 1
"""


@dataclass(frozen=True)
class Artifact:
    """An artifact that the index knows.

    Attributes:
        digest: Of its tree.
        kind: Of the port that it came out of.
        tree: Its files.
        run: That made it first; empty where no record tells.
        step: Of that run.
        port: Of that step.
    """

    digest: str
    kind: str
    tree: Tree
    run: str = ""
    step: str = ""
    port: str = ""

    def name(self, entry: Entry) -> str:
        """Return how a file is called."""
        if entry.path != SINGLE:
            return entry.path
        return f"{self.port or self.kind.lower()}{_SUFFIXES.get(self.kind, '')}"

    def is_page(self, entry: Entry) -> bool:
        """Whether a file is shown, and not a download."""
        page = self.kind == PAGE if entry.path == SINGLE else entry.path.endswith(".html")
        return page and entry.size_bytes <= PAGE_BYTES_MAX


def artifact(view: View) -> Response:
    """List the files of an artifact."""
    found = _found(view)
    if found is None:
        return _missing(view)
    return view.render(
        "artifact.html",
        title=f"{found.kind} {found.digest[:12]}",
        artifact=found,
        hidden=found.kind == DATASET,
        entries=found.tree.entries[:_LISTED_MOST],
        more=max(0, len(found.tree.entries) - _LISTED_MOST),
    )


def file(view: View) -> Response:
    """Give out one file."""
    found, place = _found(view), view.path["index"]
    if found is None or not _PLACE.fullmatch(place) or int(place) >= len(found.tree.entries):
        return _missing(view)
    if found.kind == DATASET:
        raise UserError(
            "images of the data are not given out by their artifacts",
            f"/data/{found.digest} shows those that are not sealed",
        )
    entry = found.tree.entries[int(place)]
    if found.is_page(entry):
        content = _whole(view.service.cache, found, entry)
        response = Response(content, media_type="text/html; charset=utf-8")
        response.headers["content-security-policy"] = SANDBOX
        return response
    return _download(view.service.store, found, entry)


def _found(view: View) -> Artifact | None:
    """Return the artifact that an address names; None where the index knows none."""
    digest = view.path["digest"]
    if not _DIGEST.fullmatch(digest):
        return None
    with view.service.index() as index:
        known = index.one(
            "SELECT id, kind FROM artifact WHERE digest = ?", (bytes.fromhex(digest),)
        )
        if known is None:
            return None
        made = _made(index, known[0])
    try:
        tree = view.service.cache.tree(digest)
    except CorruptionError as error:
        raise _lost(view.service.store, error.key) from None
    return Artifact(digest, known[1], tree, *made)


def _made(index: OpenIndex, artifact: int) -> tuple[str, ...]:
    return index.one(_MADE, (artifact,)) or ()


def _missing(view: View) -> Response:
    return view.missing(
        "no record of this store tells of such an artifact", "steps list what they made"
    )


def _lost(store: Store, key: str) -> UserError:
    """Return the error for bytes that are not there, or not what their name says."""
    stone = tombstone_of(store, key)
    if stone:
        return UserError(f"it was {stone.in_words}", "nothing brings it back")
    return UserError(
        f"{key} is missing or damaged in the store", "slimline verify says what rests on it"
    )


def _whole(cache: Cache, found: Artifact, entry: Entry) -> bytes:
    try:
        return cache.read_file(found.digest, entry.path)
    except CorruptionError as error:
        raise _lost(cache.store, error.key) from None


def _download(store: Store, found: Artifact, entry: Entry) -> Response:
    key = blob_key(entry.sha256)
    stat = store.stat(key)
    if stat is None or stat.size_bytes != entry.size_bytes:
        raise _lost(store, key)
    return StreamingResponse(
        _checked(store, key, entry),
        media_type="application/octet-stream",
        headers={
            "content-disposition": attachment(found.name(entry)),
            "content-length": str(entry.size_bytes),
            "content-security-policy": "sandbox; default-src 'none'",
        },
    )


def _checked(store: Store, key: str, entry: Entry) -> Iterator[bytes]:
    """Yield a file bit by bit; the last one only once all of them are what the digest says.

    Raises:
        CorruptionError: They are something else: who downloads gets less than was promised.
    """
    told, held = hashlib.sha256(), b""
    for start in range(0, entry.size_bytes, _AT_ONCE):
        if held:
            yield held
        held = store.get(key, start, min(start + _AT_ONCE, entry.size_bytes))
        told.update(held)
    if told.hexdigest() != entry.sha256:
        raise CorruptionError(key)
    yield held


ROUTES = (
    PageRoute("/artifacts/{digest}", artifact),
    PageRoute("/artifacts/{digest}/{index}", file, live=False),
)
