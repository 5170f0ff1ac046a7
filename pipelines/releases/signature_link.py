"""The link between a release and who signed it."""

from __future__ import annotations

from pathlib import Path

from pipelines.lineage.proof.links import Fault, FaultState, Link
from pipelines.releases.signing import verify_signature
from pipelines.runs.release_log import read_log
from pipelines.stores.layout import signature_key
from pipelines.stores.store import Store

_STATES: dict[str, FaultState] = {
    "wrong": "damaged",
    "unsigned": "missing",
    "unknown key": "unproved",
}


def signature_link(store: Store, name: str, release: str, key: Path | None) -> Link | None:
    """Check the signature of the last entry of the log that made a release the champion.

    Args:
        store: Of the release, or its bundle.
        name: Of the release.
        release: Its tree digest.
        key: The public key of who should have signed it; None where nobody says.

    Returns:
        None where the release was never promoted, or is unsigned and no key was given.

    Raises:
        UserError: The key cannot be used, or the packages for it are not installed.
    """
    entries = [entry for entry in read_log(store, name).entries if entry.release == release]
    if not entries and key is None:
        return None
    seq = entries[-1].seq if entries else 1
    found = verify_signature(store, name, seq, key)
    if found.state == "unsigned" and key is None:
        return None
    link = Link("signature", found.key, found.what)
    if found.state == "signed":
        return link
    place = found.bad or signature_key(name, seq)
    what = f"is what the signature fails on: {found.what}" if found.bad else f"({found.what})"
    return Link("signature", found.key, "", (Fault(place, _STATES[found.state], what),))
