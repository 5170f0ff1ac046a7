"""The link between a release and who signed it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipelines.lineage.proof.links import Chain, Fault, FaultState, Link
from pipelines.lineage.proof.release_logs import LOG
from pipelines.releases.signing import verify_signature
from pipelines.runs.releases.release_log import read_log
from pipelines.stores.layout import signature_key
from pipelines.stores.store import Store

_STATES: dict[str, FaultState] = {
    "wrong": "damaged",
    "unsigned": "missing",
    "unknown key": "unproved",
}


def with_signature(store: Store, chain: Chain, key: Path | None) -> Chain:
    """Return a chain with the link to who signed its release, behind the log that was signed.

    Args:
        store: Of the release, or its bundle.
        chain: As it was verified.
        key: See ``signature_link``.

    Raises:
        UserError: The key cannot be used, or the packages for it are not installed.
    """
    name = chain.released_as
    if not chain.release or not name:
        return chain
    link = signature_link(store, name, chain.release, key)
    if link is None:
        return chain
    names = [one.name for one in chain.links]
    place = names.index(LOG) + 1 if LOG in names else 0
    return replace(chain, links=(*chain.links[:place], link, *chain.links[place:]))


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
    log = read_log(store, name)
    entries = [entry for entry in log.entries if entry.release == release]
    if not entries and key is None:
        return None
    seq = entries[-1].seq if entries else 1
    found = verify_signature(store, log, seq, key)
    if found.state == "unsigned" and key is None:
        return None
    link = Link("signature", found.key, found.what)
    if found.state == "signed":
        return link
    place = found.bad or signature_key(name, seq)
    what = f"is what the signature fails on: {found.what}" if found.bad else f"({found.what})"
    return Link("signature", found.key, "", (Fault(place, _STATES[found.state], what),))
