"""The leaderboard: everything that a run found out, read from the store.

``Leaderboard.to_json`` is the document of ``slimline show --json`` and ``slimline run --json``;
its keys are the attributes documented here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from components.artifacts.budgets import Budgets
from components.artifacts.decision import BaselineCheck, Candidate, Decision, NearMiss
from components.artifacts.empty import FILE as NOTHING
from components.artifacts.evaluation import Evaluation
from components.contract.errors import UserError
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.ledger import times_opened
from pipelines.runs.records import RunRecord

SCHEMA = 1
_MANIFEST = "manifest.json"


ROW = (
    "name", "steps", "digest", "sha256", "candidate", "size_bytes", "gzip_bytes", "parameters",
    "metric", "drop", "latency", "peak_memory_bytes", "verdict", "on_front", "reason",
)  # fmt: skip
"""What the document says of a variant: keys of a candidate and of a row."""
_LATENCY = ("p50_ms", "verdict", "evidence")


@dataclass(frozen=True)
class VariantRow:
    """One variant: a candidate of the decision, and where the store keeps its file.

    Attributes:
        digest: Tree digest of its LiteModel, under which the store keeps it.
        variant: How it was measured and what became of it.
    """

    digest: str
    variant: Candidate

    def to_json(self) -> dict[str, Any]:
        """Return its entry in the document: the keys of ``ROW``."""
        content: dict[str, Any] = {**asdict(self.variant), "digest": self.digest}
        content["latency"] = {
            device: {key: timing[key] for key in _LATENCY}
            for device, timing in content["latency"].items()
        }
        return {key: content[key] for key in ROW}


@dataclass(frozen=True)
class Sealed:
    """What the images said that nothing else ever looked at.

    Attributes:
        digest: Tree digest of the sealed dataset.
        times_opened: How many runs of this store have looked at it.
        description: One sentence: what the images are.
        n_images: How many.
        winner: Metrics of the winner by name, each with its interval; null without a winner.
        teacher: The same of the teacher.
        drop: The paired drop there, with its interval; null without a winner.
        promoted: Whether the release keeps to the budget on them too.
        reason: Why it was promoted or not.
    """

    digest: str
    times_opened: int
    description: str
    n_images: int | None
    winner: Mapping[str, Any] | None
    teacher: Mapping[str, Any] | None
    drop: Mapping[str, float] | None
    promoted: bool
    reason: str


@dataclass(frozen=True)
class Failure:
    """A step that ended without a result.

    Attributes:
        step: Its name.
        what: What happened.
        fix: What can be done.
        user_fault: False when it is a bug of slimline.
    """

    step: str
    what: str
    fix: str
    user_fault: bool


@dataclass(frozen=True)
class Leaderboard:
    """One run and its outcome.

    Attributes:
        schema: Version of this document.
        run: Identifier of the run.
        name: The configuration's name.
        outcome: ``running``, ``done``, ``failed``, ``cancelled``, or ``broken`` when it was killed
            or the store or the disk failed it.
        fault: What broke a broken run, where that could still be written, or null.
        engine: Which engine ran it.
        started: ISO 8601, UTC.
        finished: The same, or null.
        wall_s: Wall time of the run.
        critical_path_s: Sum of function times along the longest path through the graph.
        steps_run: How many steps were executed.
        steps_cached: How many results were there before.
        config_digest: Digest of the resolved configuration without the places of files.
        task: ``verification`` or ``classification``; null before the choice was made, as are all
            that follow until ``variants``.
        winner: Name of the winner, or null.
        reason: Why, in one sentence.
        budgets: ``metric``, ``drop``, ``size_mb`` and ``latency_ms``.
        minimize: ``size`` or ``latency``.
        metric: Name of the metric that counts.
        confidence: Coverage of all intervals.
        data: One sentence: what the images are that decided.
        baseline: ``name``, ``metrics``, ``lead`` and ``note`` of the trivial answer; null when the
            teacher crashed.
        near_misses: Without a winner, ``name``, ``excess`` and ``reason``, nearest first.
        sealed: The sealed result, or null.
        variants: One entry each, the teacher first.
        failures: Steps that failed.
        exported: Folder with the release and the report; null in ``show``, which exports nothing.
    """

    schema: int
    run: str
    name: str
    outcome: str
    fault: str | None
    engine: str
    started: str
    finished: str | None
    wall_s: float
    critical_path_s: float
    steps_run: int
    steps_cached: int
    config_digest: str
    task: str | None
    winner: str | None
    reason: str | None
    budgets: Budgets | Mapping[str, Any]
    minimize: str | None
    metric: str | None
    confidence: float | None
    data: str | None
    baseline: BaselineCheck | None
    near_misses: Sequence[NearMiss]
    sealed: Sealed | None
    variants: Sequence[VariantRow]
    failures: Sequence[Failure]
    exported: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        return {**asdict(self), "variants": [row.to_json() for row in self.variants]}


def leaderboard_of(cache: Cache, record: RunRecord, exported: str | None = None) -> Leaderboard:
    """Read what a run found out.

    Args:
        cache: The store that holds the run.
        record: Which run.
        exported: Folder that its release was copied to, if that is known.
    """
    choice = _read(cache, record, "select", "decision", Decision.FILE)
    if choice and choice["schema"] != Decision.SCHEMA:
        raise UserError(
            f"run {record.run} was written by another version of slimline", "slimline run CONFIG"
        )
    decision = Decision.from_json(choice) if choice else None
    states = [str(step["state"]) for step in record.steps.values()]
    return Leaderboard(
        schema=SCHEMA,
        run=record.run,
        name=record.name,
        outcome=record.outcome,
        fault=record.fault,
        engine=record.engine,
        started=record.started,
        finished=record.finished,
        wall_s=record.wall_s,
        critical_path_s=record.critical_path_s,
        steps_run=states.count("done"),
        steps_cached=states.count("cached"),
        config_digest=record.config_digest,
        task=decision and decision.task,
        winner=decision and decision.winner,
        reason=decision and decision.reason,
        budgets=decision.budgets if decision else record.budgets,
        minimize=decision and decision.minimize,
        metric=decision and decision.metric,
        confidence=decision and decision.confidence,
        data=decision and decision.split.description,
        baseline=decision and decision.baseline,
        near_misses=decision.near_misses if decision else (),
        sealed=_sealed(cache, record),
        variants=_rows(record, decision) if decision else (),
        failures=_failures(record),
        exported=exported,
    )


def _rows(record: RunRecord, decision: Decision) -> tuple[VariantRow, ...]:
    return tuple(
        VariantRow(_output(record, f"convert-{variant.name}", "lite"), variant)
        for variant in decision.variants
    )


def _sealed(cache: Cache, record: RunRecord) -> Sealed | None:
    teacher = _read(cache, record, "evaluate-sealed-teacher", "report", Evaluation.FILE)
    if teacher is None:
        return None
    winner = _read(cache, record, "evaluate-sealed", "report", Evaluation.FILE)
    unpublished = {"reason": "nothing was released"}
    manifest = _read(cache, record, "publish", "release", _MANIFEST) or unpublished
    digest = _output(record, "ingest", "sealed")
    result = cast("dict[str, Any]", manifest.get("sealed") or {})
    return Sealed(
        digest=digest,
        times_opened=times_opened(cache.store, digest),
        description=teacher.get("description", ""),
        n_images=teacher.get("n_images"),
        winner=winner and winner.get("metrics"),
        teacher=teacher.get("metrics"),
        drop=result.get("drop"),
        promoted=bool(manifest.get("promoted", False)),
        reason=manifest["reason"],
    )


def _output(record: RunRecord, step: str, output: str) -> str:
    """Return the tree digest of what a later step of the same run was made of."""
    try:
        return record.steps[step]["outputs"][output]
    except KeyError as error:
        raise UserError(
            f"the record of run {record.run} is damaged: it says nothing of the {output} of {step}",
            "slimline run CONFIG again: it makes a new one",
        ) from error


def _failures(record: RunRecord) -> list[Failure]:
    return [
        Failure(name, step["what"], step["fix"], step["user_fault"])
        for name, step in record.steps.items()
        if step["state"] == "failed"
    ]


def _read(
    cache: Cache, record: RunRecord, step: str, output: str, file: str
) -> dict[str, Any] | None:
    """Return a JSON file of a step's output; None if the step has none, or made nothing."""
    tree = record.steps.get(step, {}).get("outputs", {}).get(output)
    if tree is None:
        return None
    try:
        if any(entry.path == NOTHING for entry in cache.tree(tree).entries):
            return None
        return json.loads(cache.read_file(tree, file))
    except (CorruptionError, KeyError, ValueError) as error:
        raise UserError(
            f"the {output} of {step} is damaged: {error}",
            "slimline run CONFIG again: it makes anew what is broken",
        ) from error
