"""What commands print with ``--json``, key by key; those on releases: ``release_documents.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts.data_use import DataUse, Loss
from components.statistics.quantities import decimal
from pipelines.config.configuration import Config
from pipelines.launch.explaining import Changed, Explanation, Upstream
from pipelines.launch.release_folder import read_list
from pipelines.lineage.proof.links import Chain, Fault, RebuiltStep
from pipelines.runs.records import Problem, RunRecord
from pipelines.runs.verifying import ObjectFault

if TYPE_CHECKING:
    from pipelines.engines.kubeflow.launching.fitting import Foreseen

LISTED_RUN = (
    "run", "name", "outcome", "fault", "engine", "started", "finished", "wall_s", "config_digest",
    "cancelled",
)  # fmt: skip
"""What the list of runs says of one: keys of its record."""


@dataclass(frozen=True)
class ExplainedStep:
    """What would become of one step.

    Attributes:
        step: Its name.
        state: ``cached`` or ``run``.
        changed: What differs from its last execution, such as ``parameters.epochs``; ``new`` when
            there was none, ``result lost`` when the store no longer has all of it.
        values: Of every parameter that differs, by its key in ``changed``: what it was and is.
        upstream: The step that would run before and that this one waits for, or null.
    """

    step: str
    state: str
    changed: Sequence[str]
    values: Mapping[str, tuple[object, object]]
    upstream: str | None


@dataclass(frozen=True)
class ExplainedCluster:
    """What a run would take on a cluster.

    Attributes:
        kfp: Version of Kubeflow Pipelines.
        known: Whether the cluster said it, or ``--kfp``; else the strictest one was assumed.
        steps: How many steps there are.
        workflow_bytes: The Workflow of Argo at its end.
        workflow_limit: How large it may become.
        largest_input: The step that is told most.
        input_bytes: How much it is told, of at most 131,071.
        too_large: Why the cluster cannot hold it; empty where it can.
    """

    kfp: str
    known: bool
    steps: int
    workflow_bytes: int
    workflow_limit: int
    largest_input: str
    input_bytes: int
    too_large: str


@dataclass(frozen=True)
class Explained:
    """What a run of a configuration would do.

    Attributes:
        name: The configuration's name.
        config_digest: Digest of the resolved configuration without the places of files.
        steps: One entry each, in the order of the graph.
        images: What became of the images, as in ``slimline data``, when ingest is cached; or null.
        estimate_s: How long it would take on this machine, in seconds, as earlier runs tell; null
            where they do not tell it of every step.
        warning: That too few images judge to prove the drop asked for; else empty.
        problems: Damaged records and graphs that were passed over, as in ``slimline runs``.
        variants: By name the path of steps, as a configuration holds it; what ``variants: auto``
            became, where it says that.
        cluster: What it would take on a cluster, with ``--engine``; else null.
    """

    name: str
    config_digest: str
    steps: Sequence[ExplainedStep]
    images: DataUse | None
    estimate_s: float | None
    warning: str
    problems: Sequence[Problem]
    variants: Mapping[str, object]
    cluster: ExplainedCluster | None


@dataclass(frozen=True)
class ImagesOfRun:
    """What became of the images of a run.

    Attributes:
        run: Identifier of the run.
        images: How many there are, files that are no images included.
        used: How many of them are in a split.
        left_out: How many are not by ``reason``, with ``examples``, most frequent first.
        warnings: Sentences about what must not be overlooked.
        items: ``name``, ``kind`` and ``reason`` of every image that is not used.
        near_duplicates: Pairs of used images in two splits or under two labels that show almost
            the same: ``one`` and ``other`` with their labels and splits.
    """

    run: str
    images: int
    used: int
    left_out: Sequence[Loss]
    warnings: Sequence[str]
    items: Sequence[Mapping[str, str]]
    near_duplicates: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class ExportedRelease:
    """What ``slimline export`` wrote.

    Attributes:
        run: Identifier of the run.
        exported: Folder with the release and the report.
        release_of: Run whose release the folder holds: an earlier one where this run has no winner
            and a release was there; its report is then ``latest-run.html``.
        files: The sha256 of every file in the folder but ``files.json``, by name.
    """

    run: str
    exported: str
    release_of: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class ExportedFile:
    """What ``slimline export --format`` wrote, of every format but ``release``.

    Attributes:
        run: Identifier of the run.
        format: Which one.
        exported: The file.
        sha256: Of its bytes.
        size_bytes: How many there are.
    """

    run: str
    format: str
    exported: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Verified:
    """What ``slimline verify`` found.

    Attributes:
        place: The store, the run, the folder, or what else was asked about.
        objects: How many values or files were read.
        findings: Each that is not as it should be: its ``place`` (key, path or address), its
            ``state`` (``damaged``, ``missing``, ``foreign``, ``changed``,
            ``different``), and ``what`` is wrong with it. Also what was removed on purpose, which
            is ``erased``, or ``collected`` by ``slimline gc``.
        links: Of a run, a release, a file and a bundle the chain from the released file up to the
            user's files: ``name`` of the link, its ``subject`` (a digest), its ``state`` (as above,
            ``proved``, or ``unproved`` where nothing contradicts and nothing proves), what was held
            against what (``said``), and its ``faults`` as in ``findings``.
        first_broken: Name of the first link that does not hold, or null.
        below: Releases that stand on the place where the chain breaks, as ``NAME/RUN``.
        rebuilt: With ``--rebuild`` what became of each step: ``step``, ``state`` (``same``,
            ``different``, ``left out``, ``not made``), ``what``.
    """

    place: str
    objects: int
    findings: Sequence[ObjectFault | Fault]
    links: Sequence[Mapping[str, object]] = ()
    first_broken: str | None = None
    below: Sequence[str] = ()
    rebuilt: Sequence[RebuiltStep] = ()


def chain_links(chain: Chain) -> list[dict[str, object]]:
    """Return the links of a chain as the document of ``slimline verify --json`` has them."""
    return [{**asdict(link), "state": link.state} for link in chain.links]


@dataclass(frozen=True)
class WaitingCollection:
    """Condemned values that may not be removed yet.

    Attributes:
        collection: Their list, ``gc/<collection>.json``.
        objects: How many they are.
        size_bytes: Their length together.
        until: When the wait is over: ISO 8601, UTC.
        runs: Runs whose end is waited for, too.
    """

    collection: str
    objects: int
    size_bytes: int
    until: str
    runs: Sequence[str]


@dataclass(frozen=True)
class Collected:
    """What ``slimline gc`` did.

    Attributes:
        place: The store.
        dry_run: It changed nothing: all that follows is what it would have done.
        removed: How many values went.
        removed_bytes: Their length together.
        spared: How many condemned values stay, as they are used again.
        waiting: Condemned values that may not be removed yet.
        condemned: How many values were condemned now: a later ``slimline gc`` removes them.
        condemned_bytes: Their length together.
        collections: Lists whose values went.
        collection: The list that was written now, or null.
    """

    place: str
    dry_run: bool
    removed: int
    removed_bytes: int
    spared: int
    waiting: Sequence[WaitingCollection]
    condemned: int
    condemned_bytes: int
    collections: Sequence[str]
    collection: str | None


@dataclass(frozen=True)
class RebuiltIndex:
    """What ``slimline index rebuild`` has read.

    Attributes:
        index: The file.
        runs: How many runs are in it.
        artifacts: How many artifacts.
        problems: What is damaged or missing in the store: its ``key``, and ``what`` is wrong.
    """

    index: str
    runs: int
    artifacts: int
    problems: Sequence[Mapping[str, str]]


def exported_release(record: RunRecord, folder: Path) -> ExportedRelease:
    """Return the document of ``slimline export --json``."""
    listed = read_list(folder)
    assert listed, "it was written just now"
    return ExportedRelease(record.run, str(folder), listed.run, listed.files)


def explained_step(item: Explanation) -> ExplainedStep:
    """Return what would become of one step as the document has it."""
    reason = item.reason
    changes = reason.what if isinstance(reason, Changed) else ()
    return ExplainedStep(
        step=item.step,
        state="run" if reason else "cached",
        changed=[change.what for change in changes],
        values={
            change.what: (change.before, change.now)
            for change in changes
            if change.what.startswith("parameters.")
        },
        upstream=reason.step if isinstance(reason, Upstream) else None,
    )


def explained(
    config: Config,
    items: Sequence[Explanation],
    estimate_s: float | None,
    problems: Sequence[Problem],
    cluster: ExplainedCluster | None = None,
) -> Explained:
    """Return the document of ``slimline explain --json``."""
    steps = [explained_step(item) for item in items]
    use = next((item.use for item in items if item.use), None)
    warning = "".join(item.warning for item in items)
    return Explained(
        config.name,
        config.digest,
        steps,
        use,
        estimate_s,
        warning,
        problems,
        config.written_variants,
        cluster,
    )


def explained_cluster(foreseen: Foreseen) -> ExplainedCluster:
    """Return what a run would take on a cluster as the document has it."""
    sizes = foreseen.sizes
    return ExplainedCluster(
        kfp=str(sizes.version),
        known=foreseen.known,
        steps=sizes.steps,
        workflow_bytes=sizes.workflow_bytes,
        workflow_limit=foreseen.workflow_limit,
        largest_input=sizes.input_step,
        input_bytes=sizes.input_bytes,
        too_large=foreseen.fault.what if foreseen.fault else "",
    )


def images_of_run(
    record: RunRecord,
    use: DataUse,
    items: Sequence[Mapping[str, str]],
    near: Sequence[Mapping[str, str]],
) -> ImagesOfRun:
    """Return the document of ``slimline data --json``."""
    return ImagesOfRun(record.run, use.images, use.used, use.left_out, use.warnings, items, near)


def listed_run(record: RunRecord) -> dict[str, object]:
    """Return one entry of the document of ``slimline runs --json``: the keys of ``LISTED_RUN``."""
    content = {**asdict(record), "wall_s": float(decimal(record.wall_s))}
    return {key: content[key] for key in LISTED_RUN}
