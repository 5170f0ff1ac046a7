"""The log of releases: its chain of hashes, and what it says of a release."""

from __future__ import annotations

from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import Fault, Link
from pipelines.runs.releases.release_log import is_release_name, read_log
from pipelines.stores.layout import champion_key, release_log_key, release_log_prefix, signature_key

LOG = "log of releases"
"""What the link is called."""


def log_link(evidence: Evidence, name: str, release: str) -> Link | None:
    """Check the log of the releases of a name; None where none was ever promoted.

    Args:
        evidence: The store.
        name: Of the releases.
        release: Tree digest of the one that is verified.
    """
    if not is_release_name(name):
        return None
    keys = list(evidence.store.list(release_log_prefix(name)))
    champion = champion_key(name)
    if not keys and evidence.find(champion) is None:
        return None
    evidence.prefetch([*keys, champion])
    log = read_log(evidence.store, name)
    held = [entry for entry in log.entries if entry.release == release]
    evidence.prefetch(signature_key(name, entry.seq) for entry in held)
    place = release_log_key(name, log.bad or 1)
    faults = tuple(Fault(place, "damaged", f"cannot be trusted: {fault}") for fault in log.faults)
    told = ", ".join(
        f"{entry.kind}{'d' if entry.kind == 'promote' else ''} by {entry.actor} on {entry.at}"
        for entry in held
    ).replace("rollback by", "rolled back to by")
    count = len(log.entries)
    entries = "1 entry" if count == 1 else f"{count:,} entries"
    said = f"{entries}, each with the hash of the one before"
    return Link(LOG, release, f"{said}; {told or 'this release was never promoted'}", faults)
