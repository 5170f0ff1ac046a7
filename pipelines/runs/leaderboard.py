"""The leaderboard: everything that a run found out, read from the store.

``Leaderboard.to_json`` is the document of ``slimline show --json`` and ``slimline run --json``;
its keys are attributes documented here, in ``RunRecord`` and in ``Decision``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from components.artifacts.data_use import REPORT, DataUse
from components.artifacts.decision import Candidate, Decision
from components.artifacts.empty import FILE as NOTHING
from components.artifacts.evaluation import Evaluation
from components.artifacts.qualification import MANIFEST, qualification_in
from components.contract.errors import UserError
from components.selection.joined_decision import joined
from components.statistics.one_shot import OneShotTask
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.choices import ChoiceSteps, choices_in
from pipelines.runs.device_files import DeviceFile, device_files, in_order
from pipelines.runs.images_used import STEP
from pipelines.runs.ledger import times_opened
from pipelines.runs.records import RunRecord

SCHEMA = 2

DOCUMENT = (
    "schema", "run", "name", "outcome", "fault", "engine", "started", "finished", "wall_s",
    "critical_path_s", "steps_run", "steps_cached", "states", "retries",
    "cancelled",
    "config_digest", "task", "winner", "reason",
    "budgets", "minimize", "metric", "confidence", "data", "images", "baseline", "near_misses",
    "notes", "next_steps", "ranking_differences", "one_shot", "unmeasured", "sealed", "variants",
    "failures", "exported", "files",
)  # fmt: skip
"""The keys of the document: what it says of the run, then of the choice, then of both."""

ROW = (
    "name", "steps", "digest", "sha256", "candidate", "size_bytes", "gzip_bytes", "parameters",
    "metric", "metrics", "drop", "latency", "peak_memory_bytes", "verdict", "on_front", "reason",
    "groups", "lead", "control", "gain",
)  # fmt: skip
"""What the document says of a variant: keys of a candidate and of a row."""
_LATENCY = (
    "p50_ms", "verdict", "evidence", "load_ms", "load_high_ms", "first_ms", "peak_memory_bytes",
    "energy", "arena_bytes", "flash_bytes",
)  # fmt: skip


@dataclass(frozen=True)
class VariantRow:
    """One variant: a candidate of the decision, and where the store keeps its file.

    Attributes:
        digest: Tree digest of its LiteModel, under which the store keeps it; None without a file.
        variant: How it was measured and what became of it.
    """

    digest: str | None
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
        one_shot: The one-shot trials on them, with the accuracy that guessing reaches as ``chance``
            and the groups that were ``left_out``; null where there are none.
        unmeasured: Metrics that they cannot give, each with the reason.
        pairs: What ``winner``, ``teacher`` and ``baseline`` reach on the pairs that the user lists:
            ``accuracy`` and ``standard_error`` over the folds; null where none are listed.
        qualified: Whether the release keeps to the budget on them too.
        reasons: Every reason why it qualifies or not, each a sentence.
        groups: The winner on each group of the sealed images, as in ``evaluation.json``; null
            without a winner, and where the data tells of no groups.
    """

    digest: str
    times_opened: int
    description: str
    n_images: int | None
    winner: Mapping[str, Any] | None
    teacher: Mapping[str, Any] | None
    drop: Mapping[str, float] | None
    one_shot: Mapping[str, Any] | None
    unmeasured: Mapping[str, str]
    pairs: Mapping[str, Any] | None
    qualified: bool
    reasons: Sequence[str]
    groups: Mapping[str, Any] | None = None


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
        record: The run.
        decision: What it chose, or None before the choice was made.
        sealed: The sealed result, or null.
        variants: One entry each, the teacher first.
        failures: Steps that failed.
        exported: Folder with the release and the report, which is ``latest-run.html`` where an
            earlier release stays; null in ``show``, which exports nothing.
        images: ``images`` of the data, how many of them are ``used``, what is ``left_out`` by
            ``reason`` with ``examples``, and ``warnings``; null before ingest is done.
        files: Where each device has a choice of its own, those: ``device``, ``winner``, ``reason``,
            ``file``, ``qualified``. All else is then of the devices together, ``winner`` and
            ``sealed`` of the first file. Null where one choice is for every device.
    """

    record: RunRecord
    decision: Decision | None
    sealed: Sealed | None
    variants: Sequence[VariantRow]
    failures: Sequence[Failure]
    exported: str | None
    images: DataUse | None = None
    files: Sequence[DeviceFile] | None = None

    @property
    def schema(self) -> int:
        """Version of this document."""
        return SCHEMA

    @property
    def steps_run(self) -> int:
        """How many steps were executed."""
        return self._count("done")

    @property
    def steps_cached(self) -> int:
        """How many results were there before."""
        return self._count("cached")

    @property
    def states(self) -> Mapping[str, str]:
        """What became of every step, or what it does now: see the states of a run's steps."""
        return {name: step["state"] for name, step in self.record.steps.items()}

    @property
    def data(self) -> str | None:
        """One sentence: what the images are that decided."""
        return self.decision and self.decision.split.description

    @property
    def one_shot(self) -> OneShotTask | None:
        """The one-shot trials on the images that decided, like those of ``sealed``."""
        return self.decision and self.decision.split.one_shot

    @property
    def unmeasured(self) -> Mapping[str, str]:
        """Metrics that the images which decided cannot give, each with the reason."""
        return self.decision.split.unmeasured if self.decision else {}

    def _count(self, state: str) -> int:
        return sum(step["state"] == state for step in self.record.steps.values())

    def to_json(self) -> dict[str, Any]:
        """Return the document: the keys of ``DOCUMENT``, null what no choice was made of."""
        content: dict[str, Any] = {
            **asdict(self.record),
            "near_misses": (),
            "notes": (),
            "next_steps": (),
            "ranking_differences": None,
            **(self.decision.to_json() if self.decision else {}),
            **{
                key: getattr(self, key)
                for key in ("schema", "steps_run", "steps_cached", "states", "data")
            },
            "one_shot": self.one_shot and asdict(self.one_shot),
            "unmeasured": dict(self.unmeasured),
            "sealed": self.sealed and asdict(self.sealed),
            "variants": [row.to_json() for row in self.variants],
            "failures": [asdict(failure) for failure in self.failures],
            "exported": self.exported,
            "images": self.images and asdict(self.images),
            "files": None if self.files is None else [asdict(one) for one in self.files],
        }
        return {key: content.get(key) for key in DOCUMENT}


def leaderboard_of(cache: Cache, record: RunRecord, exported: str | None = None) -> Leaderboard:
    """Read what a run found out.

    Args:
        cache: The store that holds the run.
        record: Which run.
        exported: Folder that its release was copied to, if that is known.
    """
    manifest = _read(cache, record, "publish", "release", MANIFEST)
    found = {
        choice: made
        for choice in choices_in(record.steps.keys())
        if (made := _decision(cache, record, choice))
    }
    named = {choice.device: made for choice, made in found.items() if choice.device is not None}
    decisions = in_order(named, manifest)
    decision = joined(decisions) if decisions else next(iter(found.values()), None)
    first = next((device for device, made in decisions.items() if made.winner), None)
    return Leaderboard(
        record=record,
        decision=decision,
        sealed=_sealed(cache, record, ChoiceSteps.on(first), manifest),
        variants=_rows(record, decision) if decision else (),
        failures=_failures(record),
        exported=exported,
        images=DataUse.from_json(_read(cache, record, STEP, "report", REPORT) or {}),
        files=device_files(decisions, manifest) if decisions else None,
    )


def _decision(cache: Cache, record: RunRecord, choice: ChoiceSteps) -> Decision | None:
    made = _read(cache, record, choice.select, "decision", Decision.FILE)
    if made and made["schema"] != Decision.SCHEMA:
        raise UserError(
            f"run {record.run} was written by another version of slimline", "slimline run CONFIG"
        )
    return Decision.from_json(made) if made else None


def _rows(record: RunRecord, decision: Decision) -> tuple[VariantRow, ...]:
    return tuple(
        VariantRow(
            _output(record, f"convert-{variant.name}", "lite") if variant.sha256 else None, variant
        )
        for variant in decision.variants
    )


def _sealed(
    cache: Cache, record: RunRecord, choice: ChoiceSteps, manifest: Mapping[str, Any] | None
) -> Sealed | None:
    teacher = _read(cache, record, "evaluate-sealed-teacher", "report", Evaluation.FILE)
    if teacher is None:
        return None
    winner = _read(cache, record, choice.sealed, "report", Evaluation.FILE)
    qualified, reasons = (
        qualification_in(manifest) if manifest else (False, ("nothing was released",))
    )
    digest = _output(record, "ingest", "sealed")
    result = cast("dict[str, Any]", (manifest or {}).get("sealed") or {})
    return Sealed(
        digest=digest,
        times_opened=times_opened(cache.store, digest),
        description=teacher.get("description", ""),
        n_images=teacher.get("n_images"),
        winner=winner and winner.get("metrics"),
        teacher=teacher.get("metrics"),
        drop=result.get("drop"),
        one_shot=teacher.get("one_shot"),
        unmeasured=teacher.get("unmeasured", {}),
        pairs=_listed_pairs(winner, teacher),
        qualified=qualified,
        reasons=reasons,
        groups=winner and winner.get("groups"),
    )


def _listed_pairs(
    winner: Mapping[str, Any] | None, teacher: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return who reached what on the listed pairs; None where none are listed."""
    found = {
        "winner": (winner or {}).get("pairs"),
        "teacher": teacher.get("pairs"),
        "baseline": teacher.get("baseline", {}).get("pairs"),
    }
    return found if any(found.values()) else None


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
