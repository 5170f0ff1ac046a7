"""Releases whose lineage holds a place where a chain breaks."""

from __future__ import annotations

from collections.abc import Iterator

from components.contract.errors import UserError
from pipelines.lineage.proof.chain import Asked, Extent, links_of
from pipelines.lineage.proof.evidence import Evidence
from pipelines.runs.releases.registry import registered, release_names
from pipelines.stores.layout import blob_key
from pipelines.stores.store import Store


def releases_below(store: Store, places: set[str]) -> Iterator[str]:
    """Yield the releases that stand on one of some values, as ``name/run``, newest first.

    Args:
        store: Where they are.
        places: Keys of the store.
    """
    for name in release_names(store):
        for run, release in registered(store, name):
            if not places.isdisjoint(_lineage(store, run, release)):
                yield f"{name}/{run}"


def _lineage(store: Store, run: str, release: str) -> set[str]:
    """Return every key that the chain of a release leads over."""
    evidence = Evidence(store)
    try:
        links = links_of(evidence, Asked(run, release, run), Extent(files=False))
    except UserError:
        return set()
    blobs = {blob_key(entry.sha256) for tree in evidence.trees for entry in tree.entries}
    return blobs | evidence.asked_for | {fault.place for link in links for fault in link.faults}
