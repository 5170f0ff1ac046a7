"""Where an image, a file or a person is: in which datasets, in which role, found by what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipelines.lineage.index.opening import OpenIndex
from pipelines.runs.removal.erasures import Erasure
from pipelines.runs.removal.exclusions import identity_digest


@dataclass(frozen=True)
class Searched:
    """What is looked for.

    Attributes:
        sha256: Of a file's bytes.
        pixels: Digests of what the file shows, one for each way in which ingests decoded images.
        identity: Name of a person or class.
        at_hand: Whether the file itself was looked at; one without ``pixels`` then is no image.
    """

    sha256: str | None = None
    pixels: tuple[str, ...] = ()
    identity: str | None = None
    at_hand: bool = False


@dataclass(frozen=True)
class FoundImage:
    """Where what is looked for was found.

    Attributes:
        dataset: Tree digest of the Dataset.
        name: The image in it; empty of what was erased.
        status: ``used``, ``duplicate``, ``quarantined``, ``unused`` or ``erased``.
        role: Its role, or that of the image that stood for it; empty where it is not used.
        stands_for: The image that stood for it, or empty.
        by: ``bytes``, ``pixels`` or ``name``.
    """

    dataset: str
    name: str
    status: str
    role: str
    stands_for: str
    by: str


def decodings(index: OpenIndex) -> list[dict[str, object]]:
    """Return in which ways the ingests of a store decoded images: parameters of each."""
    rows = index.execute("SELECT DISTINCT settings FROM decoding ORDER BY settings")
    return [json.loads(settings) for (settings,) in rows]


_FATE = (
    "SELECT fate.dataset, artifact.digest, fate.name, fate.status, fate.split, fate.duplicate_of,"
    " leader.split FROM fate JOIN artifact ON artifact.id = fate.dataset"
    " LEFT JOIN fate AS leader ON leader.dataset = fate.dataset"
    " AND leader.name = fate.duplicate_of WHERE "
)
_BY = {
    "bytes": "fate.sha = ?",
    "pixels": "fate.pixels = ?",
    "name": "fate.label IN (SELECT label FROM label WHERE identity = ?)",
}


def sightings_of(
    index: OpenIndex, searched: Searched, erasures: Sequence[Erasure]
) -> Iterator[tuple[int, FoundImage, int]]:
    """Yield dataset, sighting and count, each image once, however it was found."""
    seen: set[tuple[int, str]] = set()
    for by, value in _values(searched):
        rows = index.execute(_FATE + _BY[by], (value,))
        for dataset, digest, name, status, split, duplicate_of, leading in rows:
            if (dataset, name) in seen:
                continue
            seen.add((dataset, name))
            role = (leading if status == "duplicate" else split if status == "used" else "") or ""
            sighting = FoundImage(digest.hex(), name, status, role, duplicate_of or "", by)
            yield dataset, sighting, 1
    if searched.sha256:
        yield from _files_of_records(index, bytes.fromhex(searched.sha256))
    for erasure in erasures:
        yield from _erased(index, searched, erasure)


def _values(searched: Searched) -> Iterator[tuple[str, bytes]]:
    if searched.sha256:
        yield "bytes", bytes.fromhex(searched.sha256)
    for pixels in searched.pixels:
        yield "pixels", bytes.fromhex(pixels)
    if searched.identity is not None:
        yield "name", bytes.fromhex(identity_digest(searched.identity))


def _files_of_records(index: OpenIndex, sha: bytes) -> Iterator[tuple[int, FoundImage, int]]:
    rows = index.execute(
        "SELECT records.dataset, artifact.digest, name, split, status, n FROM records"
        " JOIN artifact ON artifact.id = records.dataset WHERE sha = ?",
        (sha,),
    )
    for dataset, digest, name, split, status, count in rows:
        if status != "duplicate":
            role = split if status == "used" else ""
            yield dataset, FoundImage(digest.hex(), name, status, role, "", "bytes"), count
            continue
        for role, many in _leaders(index, dataset, name):
            yield dataset, FoundImage(digest.hex(), name, status, role, "", "bytes"), many


def _leaders(index: OpenIndex, dataset: int, file: str) -> Iterable[tuple[str, int]]:
    """Return in which splits the images are that stand for duplicates among a file's records."""
    return [
        (split or "", count)
        for split, count in index.execute(
            "SELECT leader.split, count(*) FROM fate JOIN fate AS leader"
            " ON leader.dataset = fate.dataset AND leader.name = fate.duplicate_of"
            " WHERE fate.dataset = ? AND fate.name >= ? AND fate.name < ?"
            " AND fate.duplicate_of IS NOT NULL GROUP BY leader.split",
            (dataset, f"{file}#", f"{file}$"),  # "$" is the character after "#"
        )
    ]


def matched_by(erasure: Erasure, searched: Searched) -> tuple[str, str] | None:
    """Return by what an erasure took what is looked for, and the digest; None where it did not."""
    found = ((by, value.hex()) for by, value in _values(searched))
    return next(((by, digest) for by, digest in found if digest in erasure.excluded), None)


def _erased(
    index: OpenIndex, searched: Searched, erasure: Erasure
) -> Iterator[tuple[int, FoundImage, int]]:
    """Yield the datasets that held what was erased: their manifests no longer name it."""
    matched = matched_by(erasure, searched)
    if matched is None:
        return
    by, digest = matched
    for tree, images in erasure.datasets.items():
        if not images:  # it named what another dataset held
            continue
        rows = index.execute("SELECT id FROM artifact WHERE digest = ?", (bytes.fromhex(tree),))
        for (dataset,) in rows:
            count = images if digest == erasure.digest else 1  # one of the images of a person
            yield dataset, FoundImage(tree, "", "erased", "erased", "", by), count
