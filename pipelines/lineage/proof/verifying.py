"""Verifying a chain: its links, where it breaks, and which releases stand on that place."""

from __future__ import annotations

from dataclasses import replace

from components.contract.errors import UserError
from pipelines.lineage.naming import (
    DigestNamed,
    FileNamed,
    Named,
    ReleaseNamed,
    RunNamed,
    StepNamed,
)
from pipelines.lineage.proof.below import releases_below
from pipelines.lineage.proof.chain import Asked, Extent, Told, links_of, silent
from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.links import Chain, FaultFound
from pipelines.lineage.proof.releases import released_files
from pipelines.lineage.proof.runs import read_run_record
from pipelines.lineage.proof.walk import RELEASED, outputs_of
from pipelines.runs.releases.registry import registered, release_names
from pipelines.stores.layout import source_key
from pipelines.stores.store import Store


def verify_chain(store: Store, named: Named, extent: Extent, told: Told = silent) -> Chain:
    """Check everything between what a person names and the user's own files.

    Args:
        store: Opened without a cache before it; nothing is written to it.
        named: What is asked about.
        extent: How much is looked at.
        told: Hears how far it is.

    Raises:
        UserError: The store knows no run that made what was named.
    """
    asked = asked_of(store, named)
    evidence = Evidence(store)
    links = links_of(evidence, asked, extent, told)
    chain = Chain(
        asked.called,
        asked.run,
        asked.release,
        tuple(links),
        (),
        evidence.objects,
        evidence.hashed_bytes,
    )
    broken = {fault.place for link in links for fault in link.faults if fault.breaks}
    if not broken:
        return chain
    told(len(links), len(links), "which releases stand on what is broken")
    below = tuple(releases_below(store, broken | _sources_of(chain)))
    return replace(chain, below=below)


def _sources_of(chain: Chain) -> set[str]:
    """Return the lists of the sources whose files are no longer as they were."""
    return {
        source_key(link.subject)
        for link in chain.links
        if link.broken and link.name.startswith(("files of", "source", "manifest"))
    }


def asked_of(store: Store, named: Named) -> Asked:
    """Return where the chain of what a person names begins.

    Raises:
        UserError: No run of the store made it.
    """
    called = str(named)
    match named:
        case RunNamed(run):
            return Asked(run, _published(store, run), called)
        case StepNamed(run, step):
            return Asked(run, None, called, step=step)
        case ReleaseNamed(_, run, release):
            return Asked(run, release, called)
        case FileNamed(_, sha256):
            return _holding(store, sha256, called, file=True)
        case DigestNamed(digest):
            return _holding(store, digest, called, file=False)


def _published(store: Store, run: str) -> str | None:
    """Return the release of a run, or None of one that published nothing."""
    try:
        record = read_run_record(Evidence(store), run, run)
    except FaultFound:  # the chain says it
        return None
    return outputs_of(record, RELEASED).get("release")


def _holding(store: Store, digest: str, called: str, *, file: bool) -> Asked:
    """Return the newest release that is, or holds a file that has, this digest.

    Raises:
        UserError: There is none.
    """
    evidence = Evidence(store)
    for name in release_names(store):
        for run, release in registered(store, name):
            try:
                known = digest in released_files(evidence, release).values()
            except FaultFound:  # another release, which ``slimline verify`` names
                continue
            if known or release == digest:
                return Asked(run, release, called, file=digest if known or file else None)
    raise UserError(
        f"no release in the store {store.uri} holds {called}, whose digest is {digest[:16]}",
        "name the store of its run with --store PLACE; slimline runs lists the runs of a store",
    )
