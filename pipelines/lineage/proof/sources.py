"""Sources: their lists re-hashed, and the manifests of datasets held against them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from components.artifacts.manifest import MANIFEST
from components.contract.source import Format, SourceFile, source_digest
from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import Fault, FaultFound, Link
from pipelines.runs.kept.kept_sources import parse_pages, read_page
from pipelines.stores.layout import blob_key, source_key, tree_key

_NAMED = 3
"""How many files a sentence names."""


@dataclass(frozen=True)
class SourceListing:
    """The files of a source as they were when it was listed.

    Attributes:
        digest: Of the source.
        format: How the files are to be read.
        index: Name of the list of images among them, or empty.
        files: All files, in the order that the digest is over.
    """

    digest: str
    format: Format
    index: str
    files: tuple[SourceFile, ...]


def read_listing(evidence: Evidence, digest: str, by: str) -> SourceListing:
    """Read the list of a source: every page re-hashed, and from all of them the digest.

    Args:
        evidence: The store.
        digest: Of the source.
        by: What refers to it.

    Raises:
        FaultFound: Something of it is missing, or is not what it was.
    """
    key = source_key(digest)
    try:
        listed = parse_pages(evidence.get(key, by))
    except ValueError:
        raise FaultFound(Fault(key, "damaged", "is no list of a source")) from None
    evidence.prefetch(blob_key(page) for page in listed.pages)
    files: list[SourceFile] = []
    for page in listed.pages:
        data = evidence.blob(page, key)
        try:
            files += read_page(data)
        except (ValueError, RecursionError):
            raise FaultFound(Fault(blob_key(page), "damaged", "is no page of a source")) from None
    if listed.format != "modules":  # which are in the order of their import
        files.sort(key=lambda file: file.name)
    found = source_digest(listed.format, tuple(files), listed.index, listed.excluded)
    if found != digest:
        what = f"gives the digest {found[:16]}: it is not the list of this source"
        raise FaultFound(Fault(key, "damaged", what))
    return SourceListing(digest, listed.format, listed.index, tuple(files))


def source_link(
    evidence: Evidence, name: str, digest: str, by: str, *, kept: bool
) -> tuple[Link, SourceListing | None]:
    """Check the list of a source.

    Args:
        evidence: The store.
        name: Of the source.
        digest: Of it.
        by: What refers to it.
        kept: Whether the run that used it is of a version that keeps such lists.
    """
    said = "the list of its files, page by page"
    try:
        listing = read_listing(evidence, digest, by)
    except FaultFound as found:
        fault = found.fault
        if fault.state == "missing" and fault.place == source_key(digest) and not kept:
            what = "is not there: runs of that version keep no list of a source"
            fault = Fault(fault.place, "unproved", what)
        return Link(f"source {name}", digest, said, (fault,)), None
    said = f"the list of its {len(listing.files):,} files, page by page"
    return Link(f"source {name}", digest, said), listing


def manifest_link(
    evidence: Evidence, datasets: Iterable[str], listing: SourceListing, by: str
) -> Link:
    """Hold the manifests of datasets against the list of the source that they were made from.

    Args:
        evidence: The store.
        datasets: Their tree digests.
        listing: Of the source.
        by: The record of the ingest that made them.
    """
    listed = {file.name: file for file in listing.files}
    faults: list[Fault] = []
    lines, named = 0, set[str]()
    for tree in datasets:
        place = tree_key(tree)
        try:
            data = evidence.file_of(tree, MANIFEST, by)
            for row in _lines(data, place):
                lines += 1
                name = _file_of(row["name"], listed)
                named.add(name)
                faults += _line_faults(row, listed.get(name), place)
        except FaultFound as found:
            faults.append(found.fault)
    forgotten = [] if faults else sorted(listed.keys() - named)
    if forgotten:
        what = f"says nothing of {_some(forgotten)}, which the source lists"
        faults.append(Fault(by, "damaged", what))
    said = f"{lines:,} lines of manifests against the list of the source"
    return Link("manifest", listing.digest, said, tuple(faults[:_NAMED]))


def _lines(data: bytes, place: str) -> Iterator[Mapping[str, Any]]:
    for line in data.splitlines():
        try:
            row = cast("Mapping[str, Any]", json.loads(line))
            _ = row["name"], row["sha256"]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise FaultFound(Fault(place, "damaged", "has a manifest that is none")) from None
        yield row


def _file_of(name: str, listed: Mapping[str, SourceFile]) -> str:
    """Return the file that a line is of; a record of a file has its place behind a ``#``."""
    return name if name in listed else name.rpartition("#")[0]


def _line_faults(row: Mapping[str, Any], file: SourceFile | None, place: str) -> Iterator[Fault]:
    if file is None:
        yield Fault(place, "damaged", f"has an image of {row['name']!r}, which the source lacks")
    elif row["sha256"] != file.sha256:
        yield Fault(place, "damaged", f"has other bytes for {row['name']!r} than the source lists")
    elif "#" not in row["name"] and row.get("size_bytes") not in (None, file.size_bytes):
        yield Fault(place, "damaged", f"has another size for {row['name']!r} than the source lists")


def _some(names: list[str]) -> str:
    """Name a few, and count the rest."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return f"{', '.join(map(repr, names[:_NAMED]))}{more}"
