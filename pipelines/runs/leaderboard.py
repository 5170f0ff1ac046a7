"""The leaderboard: everything that a run found out, read from the store.

``Leaderboard.to_json`` is the document of ``slimline show --json`` and ``slimline run --json``;
its keys are the attributes documented here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from components.artifacts.decision import FILE as DECISION
from components.artifacts.decision import SCHEMA as DECISION_SCHEMA
from components.artifacts.decision import Decision, Result
from components.artifacts.empty import FILE as NOTHING
from components.contract.errors import UserError
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.ledger import times_opened
from pipelines.runs.records import RunRecord

SCHEMA = 1
_EVALUATION = "evaluation.json"
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Variant:
    """One row.

    Attributes:
        name: The user's name for it, or ``teacher``.
        steps: What made it, first to last, with the parameters that matter.
        digest: Tree digest of its LiteModel, under which the store keeps it.
        sha256: Of its ``.tflite`` file.
        candidate: Whether it could win.
        size_bytes: Length of the file.
        gzip_bytes: Length of the file after gzip.
        parameters: Count of numbers in the weights.
        metric: ``value``, ``low`` and ``high`` on the selection split; null after a crash.
        drop: The same of the paired loss against the teacher; positive is worse.
        latency: By device ``p50_ms`` (value, low, high), ``verdict`` and ``evidence``.
        peak_memory_bytes: Above the baseline of the runtime alone.
        verdict: ``winner``, ``kept``, ``over-budget``, ``undecided``, ``failed``, ``reference``.
        on_front: Whether it lies on the Pareto front.
        reason: One sentence.
    """

    name: str
    steps: Sequence[Mapping[str, Any]]
    digest: str
    sha256: str
    candidate: bool
    size_bytes: int
    gzip_bytes: int
    parameters: int
    metric: Mapping[str, float] | None
    drop: Mapping[str, float] | None
    latency: Mapping[str, Mapping[str, Any]]
    peak_memory_bytes: int | None
    verdict: str
    on_front: bool
    reason: str


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
    budgets: Mapping[str, Any]
    minimize: str | None
    metric: str | None
    confidence: float | None
    data: str | None
    baseline: Mapping[str, Any] | None
    near_misses: Sequence[Mapping[str, Any]]
    sealed: Sealed | None
    variants: Sequence[Variant]
    failures: Sequence[Failure]
    exported: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the document."""
        return asdict(self)


def leaderboard_of(cache: Cache, record: RunRecord, exported: str | None = None) -> Leaderboard:
    """Read what a run found out.

    Args:
        cache: The store that holds the run.
        record: Which run.
        exported: Where its release was laid, if that is known.
    """
    choice = _read(cache, record, "select", "decision", DECISION)
    if choice and choice["schema"] != DECISION_SCHEMA:
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
        budgets=asdict(decision.budgets) if decision else record.budgets,
        minimize=decision and decision.minimize,
        metric=decision and decision.metric,
        confidence=decision and decision.confidence,
        data=decision and decision.split.description,
        baseline=asdict(decision.baseline) if decision and decision.baseline else None,
        near_misses=[asdict(miss) for miss in decision.near_misses] if decision else [],
        sealed=_sealed(cache, record),
        variants=[_variant(record, result) for result in decision.variants] if decision else [],
        failures=_failures(record),
        exported=exported,
    )


def _variant(record: RunRecord, result: Result) -> Variant:
    return Variant(
        name=result.name,
        steps=result.steps,
        digest=_output(record, f"convert-{result.name}", "lite"),
        sha256=result.sha256,
        candidate=result.candidate,
        size_bytes=result.size_bytes,
        gzip_bytes=result.gzip_bytes,
        parameters=result.parameters,
        metric=asdict(result.metric) if result.metric else None,
        drop=asdict(result.drop) if result.drop else None,
        latency={
            device: {
                "p50_ms": asdict(timing.p50_ms) if timing.p50_ms else None,
                "verdict": timing.verdict,
                "evidence": timing.evidence,
            }
            for device, timing in result.latency.items()
        },
        peak_memory_bytes=result.peak_memory_bytes,
        verdict=result.verdict,
        on_front=result.on_front,
        reason=result.reason,
    )


def _sealed(cache: Cache, record: RunRecord) -> Sealed | None:
    teacher = _read(cache, record, "evaluate-sealed-teacher", "report", _EVALUATION)
    if teacher is None:
        return None
    winner = _read(cache, record, "evaluate-sealed", "report", _EVALUATION)
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
