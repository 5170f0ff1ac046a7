"""Writing a bundle: what the chain of a release leads over, and the release itself."""

from __future__ import annotations

from components.contract.errors import UserError
from components.contract.tree import SINGLE
from pipelines.lineage.bundles.archive import write_archive
from pipelines.lineage.bundles.bundle_store import RELEASE, REPORT, STORE
from pipelines.lineage.bundles.contents import LIST, list_of
from pipelines.lineage.proof.chain import Asked, Extent, links_of
from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import FaultFound
from pipelines.lineage.proof.walk import RELEASED, outputs_of
from pipelines.runs.records import RunRecord
from pipelines.stores.layout import BLOBS, blob_key
from pipelines.stores.store import Store

_LEFT_OUT = ("ac/",)
"""Values that say nothing which the records do not say."""

_BEARABLE = ("unproved", "erased", "collected")
"""What may be wrong with a link that goes into a bundle, which then says the same of it."""


def bundle_of(store: Store, record: RunRecord, release: str) -> bytes:
    """Return the bundle of a release; the same release and the same log give the same bytes.

    Args:
        store: Where the run is.
        record: Of the run.
        release: Tree digest of the release.

    Raises:
        UserError: Its chain is broken, or it is too large.
    """
    evidence = Evidence(store)
    extent = Extent(files=False)
    links = links_of(evidence, Asked(record.run, release, record.run), extent)
    for link in links:
        for fault in link.faults:
            if fault.state not in _BEARABLE:
                raise UserError(
                    f"run {record.run} cannot be proved: {link.name}: {fault.place} {fault.what}",
                    f"slimline verify {record.run} says what else; then slimline run CONFIG again",
                )
    files = _release_files(evidence, release) | _report(evidence, record)
    held = {blob_key(entry.sha256) for entry in evidence.tree(release, record.run).entries}
    for key, data in evidence.read.items():
        if not key.startswith(_LEFT_OUT) and not (key.startswith(BLOBS) and key in held):
            files.setdefault(f"{STORE}{key}", data)
    files[LIST] = list_of(files, name=record.name, run=record.run, release=release, links=links)
    return write_archive(files)


def _release_files(evidence: Evidence, release: str) -> dict[str, bytes]:
    entries = evidence.tree(release, "the release").entries
    return {f"{RELEASE}{entry.path}": evidence.blob(entry.sha256, release) for entry in entries}


def _report(evidence: Evidence, record: RunRecord) -> dict[str, bytes]:
    """Return the report with the verdict of the sealed images, where the store still has it."""
    report = outputs_of(record, RELEASED).get("report")
    if report is None:
        return {}
    before = set(evidence.read)
    try:
        return {REPORT: evidence.file_of(report, SINGLE, record.run)}
    except FaultFound as found:
        if found.fault.state in _BEARABLE:
            return {}
        raise UserError(
            f"the report of run {record.run} is not what it was: {found}",
            "slimline run CONFIG again: it makes anew what is broken",
        ) from found
    finally:
        evidence.forget(set(evidence.read) - before)
