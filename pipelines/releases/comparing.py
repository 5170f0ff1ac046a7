"""Comparing: champion and challenger, evaluated on equal terms on sealed images.

Both run through the component ``evaluate`` as steps of the local engine, so results are cached: to
ask again costs nothing, and what is known of the challenger already is not measured twice.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from components.artifacts.dataset import SEALED, Dataset, Images, write_dataset
from components.artifacts.evaluation import Evaluation
from components.artifacts.grouping import Grouping
from components.contract.interface import interface_of
from components.data.spelling import key_of
from components.measure.paired import Answers, read_evaluated
from pipelines.disk.scratch import scratch_folder
from pipelines.engines.machine.local import LocalRunner
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.releases.gate_finding import CannotDecideError
from pipelines.releases.pairs import FilePair, choice_of
from pipelines.releases.published import PublishedRelease
from pipelines.releases.unseen import Unseen
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.choices import ChoiceSteps
from pipelines.runs.graph import Graph, Kept, Step
from pipelines.runs.live.events import StepDone, StepFailed
from pipelines.runs.removal.tombstones import tombstone_of
from pipelines.runs.step_records import read_ingredients
from pipelines.runs.workspace import workspace_root
from pipelines.stores.layout import blob_key

CHALLENGER, CHAMPION = "challenger", "champion"


@dataclass(frozen=True)
class Compared:
    """What both answered on the same images.

    Attributes:
        challenger: Its evaluation, and its answers unless it crashed.
        champion: The same.
        reports: Tree digests of the two reports, by role, and device where each has a file.
        parameters: Of both evaluations.
    """

    challenger: tuple[Evaluation, Answers | None]
    champion: tuple[Evaluation, Answers | None]
    reports: Mapping[str, str]
    parameters: Mapping[str, Any]


def comparison_id(challenger: PublishedRelease, champion: PublishedRelease) -> str:
    """Return what the ledger and the records call a comparison: the same two, the same name."""
    return f"gate-{challenger.release[:12]}-{champion.release[:12]}"


def compare(
    cache: Cache,
    challenger: PublishedRelease,
    champion: PublishedRelease,
    unseen: Unseen,
    pair: FilePair,
) -> Compared:
    """Evaluate two files on the challenger's sealed images that neither release has seen.

    Args:
        cache: The store.
        challenger: Who may become the champion.
        champion: Who is.
        unseen: Which images.
        pair: Which files of the two.

    Raises:
        CannotDecideError: Something for it is missing, or a model cannot be evaluated.
        UserError: LiteRT is not installed, or the store cannot be written.
    """
    parameters = _parameters(cache, challenger, choice_of(pair.challenger))
    run = comparison_id(challenger, champion)
    with (
        # Two may ask at once: what both write in the store is the same.
        scratch_folder(workspace_root(cache.store), f"{run}-{secrets.token_hex(4)}") as work,
        tempfile.TemporaryDirectory(prefix="gate-", dir=work) as temporary,
    ):
        staged = Cache(cache.store, work)
        try:
            dataset = _dataset(staged, challenger, unseen, Path(temporary))
            steps = tuple(
                _step(role, published, choice_of(entry), dataset, parameters)
                for role, published, entry in (
                    (f"{CHALLENGER}{pair.end}", challenger, pair.challenger),
                    (f"{CHAMPION}{pair.end}", champion, pair.champion),
                )
            )
            for step in steps:
                _check_there(staged, step)
            reports = _run(staged, Graph(challenger.name, steps, {}), work, run)
            found = {
                role: read_evaluated(staged.stage(tree, Path(temporary, role)))
                for role, tree in reports.items()
            }
        except CorruptionError as error:
            stone = tombstone_of(cache.store, error.key)
            why = (
                f"was {stone.in_words}"
                if stone
                else (
                    "is not in this store or damaged: slimline verify names what is damaged, and "
                    "images of a cluster's run stay there"
                )
            )
            raise CannotDecideError(f"the evaluation needs {error.key}, which {why}") from error
    one, other = found[f"{CHALLENGER}{pair.end}"], found[f"{CHAMPION}{pair.end}"]
    return Compared(one, other, reports, parameters)


def _parameters(
    cache: Cache, challenger: PublishedRelease, choice: ChoiceSteps
) -> Mapping[str, Any]:
    """Return the parameters with which the challenger's run evaluated on sealed images."""
    record = challenger.execution(choice.sealed)
    ingredients = read_ingredients(cache.store, record) if record else None
    if ingredients is None:
        raise CannotDecideError(
            f"no record says how {challenger} was evaluated on its sealed images; slimline verify "
            "names what is missing"
        )
    return cast("Mapping[str, Any]", ingredients["parameters"])


def _step(
    role: str,
    published: PublishedRelease,
    choice: ChoiceSteps,
    dataset: str,
    parameters: Mapping[str, Any],
) -> Step:
    """Return the step that evaluates what won a choice.

    Raises:
        CannotDecideError: Its run did not keep what was measured.
    """
    model = published.output(choice.select, "winner")
    thresholds = published.output(choice.select, "winner_evaluation")
    if model is None or thresholds is None:
        raise CannotDecideError(
            f"the record of the run of {published} does not say which model won; slimline verify "
            "names what is missing"
        )
    interface = interface_of("evaluate")
    return Step(
        name=f"evaluate-{role}",
        component="evaluate",
        inputs={"model": Kept(model), "dataset": Kept(dataset), "thresholds": Kept(thresholds)},
        parameters=parameters,
        memory_gb=interface.memory_gb,
        time_limit_s=interface.time_limit_s,
    )


def _check_there(cache: Cache, step: Step) -> None:
    """Look for everything that enters a step.

    Raises:
        CorruptionError: Some of it is not in the store.
    """
    for flow in step.inputs.values():
        assert isinstance(flow, Kept)
        keys = [blob_key(entry.sha256) for entry in cache.tree(flow.tree).entries]
        for key, stat in zip(keys, cache.store.stat_many(keys), strict=True):
            if stat is None:
                raise CorruptionError(key)


def _run(cache: Cache, graph: Graph, work: Path, run: str) -> dict[str, str]:
    """Run the two evaluations; return the digests of their reports, by role."""
    reports: dict[str, str] = {}
    for event in Scheduler(LocalRunner(), cache, work).submit(graph, {}, run):
        if isinstance(event, StepFailed):
            raise CannotDecideError(f"{event.step} failed: {event.what}; {event.fix}")
        if isinstance(event, StepDone):
            reports[event.step.removeprefix("evaluate-")] = event.outputs["report"]
    if len(reports) != len(graph.steps):
        raise CannotDecideError("the evaluation was cancelled; ask again")
    return reports


def _dataset(cache: Cache, challenger: PublishedRelease, unseen: Unseen, folder: Path) -> str:
    """Return the tree digest of the sealed images that judge; all of them are a dataset already.

    Raises:
        CannotDecideError: They are not those that the manifest tells of.
        CorruptionError: They are missing or damaged.
    """
    sealed = challenger.output("ingest", "sealed")
    if sealed is None:
        raise CannotDecideError(f"the record of the run of {challenger} names no sealed images")
    whole = Dataset.open(cache.stage(sealed, folder / "sealed"))
    count = len(unseen.rows) + unseen.left_out
    if whole.info.splits.get(SEALED) != count:
        raise CannotDecideError(
            f"the manifest of {challenger} tells of {count} sealed images, and there are "
            f"{whole.info.splits.get(SEALED)}; slimline verify names what is damaged"
        )
    named = [key_of(whole.info.classes[int(label)]) for label in whole.labels(SEALED)]
    if named != [key_of(label) for label in unseen.labels]:
        raise CannotDecideError(
            f"the sealed images of {challenger} are not in the order of its manifest; slimline "
            "verify names what is damaged"
        )
    if not unseen.left_out:
        return sealed
    rows = np.array(unseen.rows, np.int64)
    groups = whole.groups(SEALED)
    images, labels = _Chosen(whole.images(SEALED), rows), whole.labels(SEALED)[rows]
    write_dataset(
        folder / "unseen",
        {SEALED: (images, labels)},
        task=whole.info.task,
        classes=whole.info.classes,
        split_by=whole.info.split_by,
        resample=whole.info.resample,
        description=f"{whole.info.description}; {unseen.left_out} images that were seen are left "
        "out",
        groups=None if groups is None else Grouping(whole.info.groups, {SEALED: groups[rows]}),
    )
    return cache.put_tree(folder / "unseen").digest


class _Chosen:
    """Rows of images, read a slice at a time."""

    def __init__(self, images: Images, rows: NDArray[np.int64]) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]:
        return self._images[self._rows[rows]]
