"""Score a model and the trivial baseline on a split: ``evaluate``'s part after the options.

Shapes: n images, d outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.artifacts.answers import GivenAnswers
from components.artifacts.chained import ChainedImages
from components.artifacts.dataset import Dataset
from components.artifacts.empty import empty_reason
from components.artifacts.evaluation import (
    CONFUSIONS,
    GROUPS,
    HISTOGRAM,
    LABELS,
    OUTPUTS,
    RESAMPLED,
    Baseline,
    Evaluation,
)
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.measurement import Crash
from components.artifacts.pair_list import FOLDER, PairList
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.progress import tell
from components.contract.provisional import PROVISIONAL
from components.devices.isolated import answers_of
from components.measure.baseline import TrivialAnswer, trivial_answer
from components.measure.curve import MOST_CLASSES, confusions_csv, curve_of
from components.measure.groups import by_group
from components.measure.protocol import raw_pixels, result_on
from components.measure.threshold import VALIDATION, threshold_of
from components.measure.trials import trials_on
from components.measure.unmeasured import unmeasured
from components.statistics.bootstrap import Estimate, Interval, digest_of
from components.statistics.metrics import (
    PRIMARY,
    Predictions,
    drop,
    estimate,
    sample_of,
)
from components.statistics.one_shot import Trials
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.resampling import Resampling
from components.statistics.verification import Pairs, has_pairs


@dataclass(frozen=True, eq=False)
class Scored:
    """What an evaluation found.

    Attributes:
        evaluation: The report.
        outputs_nd: What the model answered on the split, or None after a crash.
        labels_n: The split's labels.
        sample: What was measured, or None after a crash.
        measured: Its metrics on the data and on every resample; none after a crash.
    """

    evaluation: Evaluation
    outputs_nd: NDArray[np.float32] | None
    labels_n: NDArray[np.int32]
    sample: Pairs | Predictions | None
    measured: Mapping[str, Estimate]


def score(
    data: Dataset,
    model: Path,
    *,
    split: str,
    earlier: Evaluation | None,
    resampling: Resampling,
    one_shot: OneShotPlan,
    threads: int,
) -> Scored:
    """Run a LiteModel on a split and measure what it answers.

    Args:
        data: Holds the split, and perhaps others.
        model: Folder of the LiteModel.
        split: What to measure on.
        earlier: An evaluation of the same model that had the splits which ``data`` lacks.
        resampling: How intervals are made.
        one_shot: How one-shot trials are drawn.
        threads: Of the runtime.

    Raises:
        UserError: Dataset and model do not fit each other, or nothing can be compared in the split.
    """
    lite = LiteModelInfo.read(model)
    labels = data.labels(split)
    _check_fit(data, lite)
    _check_pairs(data, labels, split)
    drawn = trials_on(data, split, one_shot, resampling.seed)
    trials = drawn if isinstance(drawn, Trials) else None
    tell(phase="the trivial baseline")
    trivial = trivial_answer(data, split, earlier, trials)
    tell(phase="what the model answers")
    answered = _answers(data, lite, model, split, threads)
    if isinstance(answered, Crash):
        evaluation, _ = _evaluation(data, split, labels, trivial, None, resampling)
        missing = unmeasured(data.info.task, labels, trivial.threshold, drawn)
        evaluation = replace(evaluation, one_shot=trials and trials.task, unmeasured=missing)
        return Scored(replace(evaluation, crashed=answered), None, labels, None, {})
    return _scored(data, split, answered, trivial, drawn, earlier, resampling)


def score_answers(
    data: Dataset,
    given: GivenAnswers,
    *,
    split: str,
    earlier: Evaluation | None,
    resampling: Resampling,
    one_shot: OneShotPlan,
) -> Scored:
    """Measure answers that were given to the images of a split.

    Args:
        data: Holds the split, and perhaps others.
        given: The answers, by path.
        split: What to measure on.
        earlier: An evaluation of the same answers that had the splits which ``data`` lacks.
        resampling: How intervals are made.
        one_shot: How one-shot trials are drawn.

    Raises:
        UserError: Nothing can be compared in the split.
    """
    _check_pairs(data, data.labels(split), split)
    drawn = trials_on(data, split, one_shot, resampling.seed)
    trivial = trivial_answer(data, split, earlier, drawn if isinstance(drawn, Trials) else None)
    answered = {name: given.of(data, name) for name in _splits(data, split)}
    return _scored(data, split, answered, trivial, drawn, earlier, resampling)


def _scored(
    data: Dataset,
    split: str,
    answered: Mapping[str, NDArray[np.float32]],
    trivial: TrivialAnswer,
    drawn: Trials | str | None,
    earlier: Evaluation | None,
    resampling: Resampling,
) -> Scored:
    """Return what answers to a split, and to validation where it is there, are worth."""
    labels, trials = data.labels(split), drawn if isinstance(drawn, Trials) else None
    tell(phase="metrics and their intervals")
    threshold = threshold_of(answered.get(VALIDATION), data, earlier.threshold if earlier else None)
    sample = sample_of(
        data.info.task,
        answered[split],
        labels,
        resample=data.info.resample,
        threshold=threshold,
        trials=trials,
    )
    evaluation, measured = _evaluation(data, split, labels, trivial, sample, resampling)
    grouped = by_group(
        data,
        split,
        answered[split],
        evaluation.metrics,
        threshold=threshold,
        resampling=resampling,
        trials=trials,
    )
    evaluation = replace(
        evaluation,
        threshold=threshold,
        one_shot=trials and trials.task,
        unmeasured=unmeasured(data.info.task, labels, threshold, drawn),
        groups=grouped.groups,
        ungrouped=grouped.ungrouped,
    )
    if listed := PairList.read(data.path):
        beaten = result_on(listed, raw_pixels(listed), trivial.threshold)
        evaluation = replace(
            evaluation,
            pairs=result_on(listed, answered[FOLDER], threshold),
            baseline=replace(evaluation.baseline, pairs=beaten),
        )
    return Scored(evaluation, answered[split], labels, sample, measured)


def write(scored: Scored, data: Dataset, report: Path, metrics: Path, curve: Path) -> None:
    """Write what an evaluation found, as the outputs of a component."""
    scored.evaluation.write(report)
    np.save(report / LABELS, scored.labels_n)
    if (groups := data.groups(scored.evaluation.split)) is not None:
        np.save(report / GROUPS, groups)
    if scored.outputs_nd is not None:
        np.save(report / OUTPUTS, scored.outputs_nd)
    if scored.measured:
        rows = [scored.measured[name].resampled for name in sorted(scored.measured)]
        np.save(report / RESAMPLED, np.stack(rows))
    if isinstance(scored.sample, Pairs):
        (report / HISTOGRAM).write_bytes(canonical_json(scored.sample.histogram()))
    classes = data.info.classes
    if isinstance(scored.sample, Predictions) and len(classes) > MOST_CLASSES:
        (report / CONFUSIONS).write_bytes(confusions_csv(scored.sample, classes))
    metrics.write_bytes(canonical_json(flat_metrics(scored.evaluation)))
    curve.write_bytes(canonical_json(curve_of(scored.sample, classes)))


def _evaluation(
    data: Dataset,
    split: str,
    labels: NDArray[np.int32],
    trivial: TrivialAnswer,
    sample: Pairs | Predictions | None,
    resampling: Resampling,
) -> tuple[Evaluation, dict[str, Estimate]]:
    """Return the report on a split and what it rests on; ``sample`` is None after a crash."""
    info = data.info
    # Of labels alone, so that whatever is measured on these draws is paired.
    draws_ru = trivial.sample.draw(resampling.resamples, resampling.seed)
    beaten = estimate(trivial.sample, draws_ru)
    measured = estimate(sample, draws_ru) if sample else {}
    # How far the model is ahead is how far the baseline drops against it.
    lead = {name: drop(name, measured[name], beaten[name]) for name in measured.keys() & beaten}
    evaluation = Evaluation(
        task=info.task,
        split=split,
        description=info.description,
        splits=dict(info.splits),
        n_images=len(labels),
        n_identities=np.unique(labels).size,
        classes=info.classes if info.task == "classification" else (),
        resample=info.resample,
        primary=PRIMARY[info.task],
        metrics=_intervals(measured, resampling),
        threshold=None,
        baseline=Baseline(
            trivial.name,
            metrics=_intervals(beaten, resampling),
            lead=_intervals(lead, resampling),
            threshold=trivial.threshold,
            majority=trivial.majority,
        ),
        confidence=resampling.confidence,
        draws=digest_of(draws_ru) if measured else "",
    )
    return evaluation, measured


def _intervals(estimates: Mapping[str, Estimate], resampling: Resampling) -> dict[str, Interval]:
    return {name: item.interval(resampling.confidence) for name, item in estimates.items()}


def read_earlier(path: Path | None) -> Evaluation | None:
    """Read the evaluation that a sealed one takes its threshold from, where there is one."""
    return None if path is None or empty_reason(path) else Evaluation.read(path)


def _check_fit(data: Dataset, lite: LiteModelInfo) -> None:
    info = data.info
    takes = (lite.input.height, lite.input.width, lite.input.channels)
    if lite.task != info.task or takes != info.shape:
        raise UserError(
            f"the model is for {lite.task} of images of {_size(takes)}, the dataset "
            f"for {info.task} of images of {_size(info.shape)}",
            "evaluate a model that was made from this dataset",
        )
    if info.task == "classification" and set(lite.output.classes or ()) != set(info.classes):
        unknown = sorted(set(info.classes) ^ set(lite.output.classes or ()))
        raise UserError(
            f"the classes of model and dataset differ: {', '.join(unknown[:5])}",
            "evaluate a model that was made from this dataset",
        )


def _check_pairs(data: Dataset, labels: NDArray[np.int32], split: str) -> None:
    if data.info.task == "verification" and not has_pairs(labels):
        raise UserError(
            f"the {split} split has {np.unique(labels).size} identities in {len(labels)} images: "
            "there is no pair of one identity, or none of two",
            f"add images of each identity, or raise {split} under split:",
        )


def _size(shape: tuple[int, int, int]) -> str:
    return " x ".join(map(str, shape))


def _splits(data: Dataset, split: str) -> list[str]:
    """Return what is to be answered: the split, and the one that a threshold is chosen on."""
    chosen_on = data.info.task == "verification" and VALIDATION in data.info.splits
    return [split, VALIDATION] if chosen_on else [split]


def _answers(
    data: Dataset, lite: LiteModelInfo, model: Path, split: str, threads: int
) -> dict[str, NDArray[np.float32]] | Crash:
    """Run all splits that are needed in one process; columns in the order of the dataset."""
    splits, listed = _splits(data, split), PairList.read(data.path)
    images = [data.images(name) for name in splits]
    if listed:
        splits.append(FOLDER)
        images.append(np.asarray(listed.images))
    ran = answers_of(model, ChainedImages(images), threads=threads)
    if isinstance(ran, Crash):
        return ran
    outputs = ran.outputs_nd
    broken = np.count_nonzero(~np.isfinite(outputs).all(axis=1))
    if broken:
        what = f"an output is not finite on {broken} of {len(outputs)} images"
        return Crash(signal=None, name=what, stderr="")
    if lite.output.classes:
        place = {name: column for column, name in enumerate(lite.output.classes)}
        columns = [place[name] for name in data.info.classes]
        if columns != sorted(columns):
            outputs = outputs[:, columns]
    ends = np.cumsum([len(part) for part in images])[:-1]
    return dict(zip(splits, np.split(outputs, ends), strict=True))


def flat_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Return the metrics as Kubeflow Pipelines shows them: numbers by name."""
    crash = evaluation.crashed
    flat: dict[str, float] = {PROVISIONAL if crash.outside else "crashed": 1} if crash else {}
    for name, item in evaluation.metrics.items():
        flat |= {name: item.value, f"{name}_low": item.low, f"{name}_high": item.high}
    for name, item in evaluation.baseline.metrics.items():
        flat[f"baseline_{name}"] = item.value
    if evaluation.threshold is not None:
        flat["threshold"] = evaluation.threshold
    return flat
