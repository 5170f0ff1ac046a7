"""The chain from a released file up to the user's files, link by link."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipelines.lineage.proof.evidence import Evidence
from pipelines.lineage.proof.executions import read_execution, step_link
from pipelines.lineage.proof.links import Fault, FaultFound, Link
from pipelines.lineage.proof.release_logs import log_link
from pipelines.lineage.proof.releases import release_link, released_files
from pipelines.lineage.proof.runs import keeps_sources, read_run_record, run_link
from pipelines.lineage.proof.sources import manifest_link, source_link
from pipelines.lineage.proof.user_files import Place, files_link
from pipelines.lineage.proof.walk import RELEASED, RunSteps, digests_in, steps_up
from pipelines.runs.graph import SourceRef
from pipelines.runs.records import RunRecord
from pipelines.stores.layout import run_key, tree_key

INGEST = "ingest"

Told = Callable[[int, int, str], None]
"""Takes how many links of the steps are checked, how many there are, and what is checked now; what
it raises ends the check."""


def silent(_done: int, _all: int, _now: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Asked:
    """What is to be verified.

    Attributes:
        run: Identifier of the run that made it.
        release: Tree digest of the release, or None for all that the run made.
        step: The step where the chain begins, or None for that of the release.
        file: sha256 of a file that the release is to hold, or None.
        called: What a person calls it.
    """

    run: str
    release: str | None
    called: str
    step: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class Extent:
    """How much is looked at.

    Attributes:
        deep: Hash every file that a step made, and not only those of the release.
        places: By name of a source where the user's files are now, instead of where they were.
        files: Hash the user's files.
    """

    deep: bool = False
    places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    files: bool = True


def links_of(evidence: Evidence, asked: Asked, extent: Extent, told: Told = silent) -> list[Link]:
    """Check a chain, and return its links from the released file up.

    Args:
        evidence: The store, or a bundle.
        asked: Where it begins.
        extent: How much is looked at.
        told: Hears how far it is.

    Raises:
        UserError: The store cannot be reached.
    """
    links: list[Link] = []
    if asked.file and asked.release:
        links.append(_file_link(evidence, asked.file, asked.release))
    try:
        record = read_run_record(evidence, asked.run, asked.called)
    except FaultFound as found:
        return [*links, Link(f"run {asked.run}", "", "its record", (found.fault,))]
    whole, steps = run_link(evidence, record)
    if asked.release:
        links.append(release_link(evidence, steps, asked.release))
        log = log_link(evidence, record.name, asked.release)
        links += [log] if log else []
    links.append(whole)
    names = steps_of(evidence, steps, asked)
    for number, name in enumerate(names):
        told(number, len(names), f"step {name}")
        links.append(step_link(evidence, steps, name, deep=extent.deep))
    told(len(names), len(names), "the sources")
    return links + _source_links(evidence, steps, names, extent)


def _file_link(evidence: Evidence, sha256: str, release: str) -> Link:
    said = "the sha256 of its bytes among the files of the release"
    try:
        known = sha256 in released_files(evidence, release).values()
        faults = () if known else (Fault(tree_key(release), "damaged", "does not hold the file"),)
    except FaultFound as found:
        faults = (found.fault,)
    return Link("file", sha256, said, faults)


def steps_of(evidence: Evidence, steps: RunSteps, asked: Asked) -> list[str]:
    """Return the steps of a chain, nearest to the release first."""
    record = steps.record
    made = [name for name, step in record.steps.items() if step.get("outputs")]
    ends = [asked.step] if asked.step else [RELEASED] if asked.release else made
    evidence.prefetch(str(step["record"]) for step in record.steps.values() if step.get("record"))
    evidence.prefetch(
        tree_key(tree) for name in record.steps for tree in steps.outputs(name).values()
    )
    inputs: dict[str, Mapping[str, object]] = {}
    if steps.graph is None:
        for name, step in record.steps.items():
            try:
                entry = read_execution(evidence, str(step.get("record")), record.run)
                inputs[name] = entry.inputs
            except FaultFound:  # the link of the step says it
                continue
    return steps_up(steps, inputs, ends)


def _source_links(
    evidence: Evidence, steps: RunSteps, names: list[str], extent: Extent
) -> list[Link]:
    """Check every source that one of the steps read."""
    links: list[Link] = []
    record = steps.record
    ingested = _ingested(evidence, record)
    for name, digest in _used_sources(evidence, steps, names).items():
        by, kept = run_key(record.run), keeps_sources(record)
        link, listing = source_link(evidence, name, digest, by, kept=kept)
        links.append(link)
        if listing and ingested == digest:
            trees = steps.outputs(INGEST)
            datasets = [trees[port] for port in ("dataset", "sealed") if port in trees]
            by = str(record.steps[INGEST].get("record"))
            links.append(manifest_link(evidence, datasets, listing, by))
        if extent.files:
            recorded = None if evidence.partial else record.places.get(name)
            place = extent.places.get(name, recorded)
            links.append(files_link(name, digest, place, listing))
    return links


def _ingested(evidence: Evidence, record: RunRecord) -> object:
    """Return the digest of the source that the datasets of a run were made from."""
    step = record.steps.get(INGEST)
    if step is None:
        return None
    try:
        entry = read_execution(evidence, str(step.get("record")), record.run)
    except FaultFound:  # the link of the step says it
        return None
    return entry.inputs.get("source")


def _used_sources(evidence: Evidence, steps: RunSteps, names: list[str]) -> dict[str, str]:
    """Return the sources that enter some steps, by name; of a run without a graph by digest."""
    record = steps.record
    if steps.graph:
        used = {
            flow.name
            for name in names
            if name in steps.graph.by_name
            for flow in steps.graph.by_name[name].inputs.values()
            if isinstance(flow, SourceRef)
        }
        return {name: digest for name, digest in record.sources.items() if name in used}
    entered: set[str] = set()
    for name in names:
        try:
            entry = read_execution(evidence, str(record.steps[name].get("record")), record.run)
            entered |= set(digests_in(entry.inputs))
        except FaultFound:
            return dict(record.sources)
    return {name: digest for name, digest in record.sources.items() if digest in entered}
