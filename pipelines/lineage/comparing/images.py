"""The images of a run, as the manifest of its dataset says."""

from __future__ import annotations

from typing import Any

from components.artifacts.manifest import MANIFEST
from pipelines.lineage.comparing.samples import QUARANTINED, Fate
from pipelines.lineage.comparing.sides import Side
from pipelines.lineage.index.values import WHY_UNREAD
from pipelines.lineage.naming import Index
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.images_used import STEP, left_out_of
from pipelines.runs.removal.tombstones import tombstone_of
from pipelines.stores.layout import blob_key

DATASET = "dataset"
"""The output of ingest whose manifest names every image, also the sealed ones."""


def fates_of(cache: Cache, index: Index, side: Side, lacking: list[str]) -> list[Fate] | None:
    """Return what became of every image of a run; None where that is not known.

    Args:
        cache: The store that holds the run.
        index: Of the store.
        side: The run.
        lacking: Takes a sentence on what is not known, and why.
    """
    run, tree = side.record.run, side.output(STEP, DATASET)
    if tree is None:
        lacking.append(f"run {run} has read no images: none are compared")
        return None
    rows = index.execute(
        "SELECT m.dataset, m.state, m.pixels FROM manifest m JOIN artifact a ON a.id = m.dataset "
        "WHERE a.digest = ?",
        [bytes.fromhex(tree)],
    )
    dataset, state, pixels = next(iter(rows), (None, "missing", None))
    if state != "read":
        why = WHY_UNREAD.get(state, state)
        lacking.append(f"the images are not compared: of the manifest of run {run}, {why}")
        return None
    if not pixels:
        lacking.append(
            f"the manifest of run {run} is of an earlier version and names no labels and no "
            "pixels: other labels, and used records of npz, csv and idx files, are not compared"
        )
    if _is_thinned(cache, tree):
        lacking.append(f"the manifest of run {run} no longer names the images that were erased")
    reasons = _reasons(cache, side)
    rows = index.execute(
        "SELECT name, sha, pixels, label, split, status FROM fate WHERE dataset = ?", [dataset]
    )
    return [
        Fate(
            name, _hex(sha), _hex(shown), label, split, status,
            reasons.get(name, "") if status == QUARANTINED else "",
        )
        for name, sha, shown, label, split, status in rows
    ]  # fmt: skip


def _is_thinned(cache: Cache, tree: str) -> bool:
    """Whether images were erased from a manifest since it was written."""
    try:
        shas = [entry.sha256 for entry in cache.tree(tree).entries if entry.path == MANIFEST]
    except CorruptionError:  # of a cluster: what the index has read came from elsewhere
        return False
    return any(tombstone_of(cache.store, blob_key(sha)) for sha in shas)


def _hex(value: Any) -> str | None:
    return None if value is None else bytes(value).hex()


def _reasons(cache: Cache, side: Side) -> dict[str, str]:
    """Return why images are not used, where the report of ingest can be read."""
    outputs = side.record.steps.get(STEP, {}).get("outputs", {})
    try:
        return {item["name"]: item["reason"] for item in left_out_of(cache, outputs)}
    except (CorruptionError, LookupError, ValueError):  # it is told of, or of an earlier version
        return {}
