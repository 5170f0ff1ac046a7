"""The release itself: its files, its manifest, the note and the log that name it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.qualification import MANIFEST
from components.artifacts.released_files import files_in, release_faults
from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import Fault, FaultFound, Link
from pipelines.lineage.proof.walk import RELEASED, RunSteps
from pipelines.stores.layout import release_key, run_key, tree_key


def release_link(evidence: Evidence, steps: RunSteps, release: str) -> Link:
    """Check that a release holds the files that its manifest describes, and that its run made it.

    Args:
        evidence: The store.
        steps: Of the run that published it.
        release: Its tree digest.
    """
    record = steps.record
    said = "its files, its manifest, the note on it and the step that published it"
    faults: list[Fault] = []
    try:
        faults += _file_faults(evidence, release)
        faults += _note_faults(evidence, steps, release)
    except FaultFound as found:
        faults.append(found.fault)
    if RELEASED not in record.steps or release not in steps.outputs(RELEASED).values():
        what = f"has not published the release {release[:16]}"
        faults.append(Fault(run_key(record.run), "damaged", what))
    return Link(f"release {record.name}", release, said, tuple(dict.fromkeys(faults)))


def released_files(evidence: Evidence, release: str) -> Mapping[str, str]:
    """Return the sha256 of every file of a release by its path.

    Raises:
        FaultFound: The list of them is missing or damaged.
    """
    entries = evidence.tree(release, "the release").entries
    return {entry.path: entry.sha256 for entry in entries}


def _file_faults(evidence: Evidence, release: str) -> Iterator[Fault]:
    """Hash every file of a release: it is what an app gets."""
    entries = evidence.tree(release, "the release").entries
    yield from evidence.blobs(entries, tree_key(release), deep=True, carried=True)
    files = {entry.path: entry.sha256 for entry in entries}
    if MODEL_FILE not in files:
        return
    data = evidence.file_of(release, MANIFEST, tree_key(release))
    try:
        manifest = cast("Mapping[str, Any]", json.loads(data))
        _ = [entry["lineage"]["LiteModel"] for entry in files_in(manifest)]
        faults = list(release_faults(manifest, files, partial(_file, evidence, release)))
    except (ValueError, LookupError, TypeError, RecursionError, AttributeError):
        faults = [f"has a {MANIFEST} that does not describe its {MODEL_FILE}"]
    for what in faults:
        yield Fault(tree_key(release), "damaged", what)


def _file(evidence: Evidence, release: str, name: str) -> bytes:
    return evidence.file_of(release, name, tree_key(release))


def _note_faults(evidence: Evidence, steps: RunSteps, release: str) -> Iterator[Fault]:
    """Compare the note on a release with the run; a run that published nothing has none."""
    key = release_key(steps.record.name, steps.record.run)
    data = evidence.find(key)
    if data is None:
        return
    try:
        note = cast("Mapping[str, Any]", json.loads(data))
        same = (note["run"], note["release"]) == (steps.record.run, release)
    except (ValueError, LookupError, TypeError, RecursionError):
        same = False
    if not same:
        yield Fault(key, "damaged", "is not the note on this release")
