"""What ``slimline explain --json`` and ``slimline runs --json`` print, key by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from components.artifacts.data_use import DataUse, Loss
from components.statistics.quantities import decimal
from pipelines.config.configuration import Config
from pipelines.launch.explaining import Changed, Explanation, Upstream
from pipelines.launch.release_folder import read_list
from pipelines.releases.gate_finding import GateFinding
from pipelines.releases.promoting import Promoted
from pipelines.releases.states import ReleaseState
from pipelines.runs.records import Problem, RunRecord
from pipelines.runs.release_log_entries import LogEntry, ReleaseLog
from pipelines.runs.verifying import ObjectFault

LISTED_RUN = (
    "run", "name", "outcome", "fault", "engine", "started", "finished", "wall_s", "config_digest",
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
    """

    name: str
    config_digest: str
    steps: Sequence[ExplainedStep]
    images: DataUse | None
    estimate_s: float | None
    warning: str
    problems: Sequence[Problem]
    variants: Mapping[str, object]


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
class Verified:
    """What ``slimline verify`` found.

    Attributes:
        place: The store, the run or the folder.
        objects: How many values or files were read.
        findings: Each that is not as it should be: its ``place`` (key or path), its ``state``
            (``damaged``, ``missing``, ``foreign``), and ``what`` is wrong with it.
    """

    place: str
    objects: int
    findings: Sequence[ObjectFault]


@dataclass(frozen=True)
class ListedLog:
    """The log of the releases of one name.

    Attributes:
        name: Of the releases: the configuration's name.
        entries: Those that can be trusted, oldest first; the last is the champion's.
        faults: What is not as it was written, from which entry on nothing counts; empty for a whole
            log.
    """

    name: str
    entries: Sequence[LogEntry]
    faults: Sequence[str]


@dataclass(frozen=True)
class ListedReleases:
    """What releases there are.

    Attributes:
        releases: How it stands with each, newest first.
        logs: One entry a name.
    """

    releases: Sequence[ReleaseState]
    logs: Sequence[ListedLog]


@dataclass(frozen=True)
class ChangedChampion:
    """What came of ``slimline promote`` or ``slimline rollback``.

    Attributes:
        outcome: ``promoted``, ``rolled back``, ``unchanged`` (it is the champion already) or
            ``refused`` (the gate does not say yes).
        name: Of the releases.
        run: The run whose release it is about.
        release: Its tree digest.
        champion: The last entry of the log, or null.
        gate: What the gate found; null where it was not asked.
        signed_by: Fingerprint of the key that signed the entry, or null.
    """

    outcome: str
    name: str
    run: str
    release: str
    champion: LogEntry | None
    gate: GateFinding | None
    signed_by: str | None


def listed_releases(states: Sequence[ReleaseState], logs: Sequence[ReleaseLog]) -> ListedReleases:
    """Return the document of ``slimline releases --json``."""
    return ListedReleases(states, [ListedLog(log.name, log.entries, log.faults) for log in logs])


def changed_champion(done: Promoted) -> ChangedChampion:
    """Return the document of ``slimline promote --json`` and ``slimline rollback --json``."""
    published = done.published
    return ChangedChampion(
        done.outcome,
        published.name,
        published.run,
        published.release,
        done.entry,
        done.finding,
        done.signed_by,
    )


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
