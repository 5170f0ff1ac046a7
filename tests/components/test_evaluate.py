"""Evaluate, on models of one layer whose answers are known."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.dataset import Dataset, write_dataset
from components.artifacts.empty import empty_reason, write_empty
from components.artifacts.evaluation import Evaluation
from components.artifacts.grouping import Grouping
from components.artifacts.measurement import Crash
from components.artifacts.pair_list import PairList
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.measure.paired import Answers, Reference
from components.statistics.bootstrap import digest_of
from components.statistics.fold_accuracy import fold_accuracy
from components.statistics.metrics import drop, estimate
from components.statistics.one_shot import Trials, draw_trials
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.resampling import Resampling
from components.statistics.verification import Pairs, cosines
from tests.components.flat import evaluate
from tests.data.tiny_lite import write_lite

SHAPE = (4, 4, 1)
PIXELS = 16


def people(count: int, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images of a few people, labels 0 to count - 1."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(count), images)
    faces = random.integers(0, 256, (count, *SHAPE))
    noisy = faces[labels] + 90 * random.standard_normal((labels.size, *SHAPE))
    return np.clip(noisy, 0, 255).astype(np.uint8), labels


def verification(path: Path, splits: dict[str, tuple[int, int]], **options: Any) -> Path:
    """A Dataset whose splits hold these numbers of people and of images of each."""
    first, made = 0, dict[str, tuple[np.ndarray, np.ndarray]]()
    for name, (count, images) in splits.items():
        found, labels = people(count, images, seed=first)
        made[name] = found, labels + first
        first += count
    return write_dataset(
        path, made, task="verification", classes=[f"s{number:02d}" for number in range(first)],
        split_by="identity", resample="identity", description="people never trained on", **options,
    ).path  # fmt: skip


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces") / "dataset"
    return verification(folder, {"train": (2, 2), "validation": (5, 6), "selection": (6, 6)})


@pytest.fixture(scope="module")
def sealed_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return verification(tmp_path_factory.mktemp("sealed") / "dataset", {"sealed": (4, 5)})


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pixels less their mean, which sets faces apart better than pixels do."""
    weights = np.eye(PIXELS) - 1 / PIXELS
    return write_lite(tmp_path_factory.mktemp("verifier") / "lite", weights, SHAPE)


class Run:
    """The outputs of one evaluation."""

    def __init__(self, root: Path, model: Path, dataset: Path, **options: Any) -> None:
        root.mkdir()
        self.report = root / "report"
        thresholds = options.pop("thresholds", None)
        options = {"resamples": 200, **options}
        evaluate(model, dataset, thresholds, self.report, root / "m", root / "c", **options)
        self.metrics: dict[str, float] = json.loads((root / "m").read_bytes())
        self.curve: dict[str, Any] = json.loads((root / "c").read_bytes())

    @property
    def evaluation(self) -> Evaluation:
        return Evaluation.read(self.report)

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.report.iterdir()}


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory, verifier: Path, faces: Path) -> Run:
    return Run(tmp_path_factory.mktemp("verified") / "run", verifier, faces)


def centred(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1).astype(float)
    return flat - flat.mean(axis=1, keepdims=True)


def test_metrics_are_those_of_the_known_answers(verified: Run, faces: Path) -> None:
    data, found = Dataset.open(faces), verified.evaluation
    chosen = Pairs.of(centred(data.images("validation")), data.labels("validation"))
    labels = data.labels("selection")
    expected = Pairs.of(
        centred(data.images("selection")), labels, threshold=chosen.balanced_threshold()
    )
    assert found.threshold == pytest.approx(chosen.balanced_threshold(), abs=1e-4)
    draws = expected.draw(200, seed=0)
    assert set(found.metrics) == {"auc", "eer", "accuracy", "tar"}
    for name, item in estimate(expected, draws).items():
        assert asdict(found.metrics[name]) == pytest.approx(asdict(item.interval(0.95)), abs=2e-3)
    assert (found.task, found.split, found.primary) == ("verification", "selection", "auc")
    assert (found.n_images, found.n_identities, found.resample) == (36, 6, "identity")
    assert found.description == "people never trained on"
    assert found.crashed is None


def test_every_answer_is_kept(verified: Run, faces: Path) -> None:
    data = Dataset.open(faces)
    outputs = np.load(verified.report / "outputs.npy")
    assert outputs.dtype == np.float32
    assert outputs == pytest.approx(centred(data.images("selection")) / 127.5, abs=1e-5)
    assert (np.load(verified.report / "labels.npy") == data.labels("selection")).all()
    again = Answers.read(verified.report).sample
    assert again.measure(np.ones((1, 6), np.int32))["auc"][0] == (
        verified.evaluation.metrics["auc"].value
    )


def test_every_resample_is_kept_for_its_draws_and_no_others(verified: Run) -> None:
    kept = Answers.read(verified.report)
    assert kept.resampled_mr is not None
    again = replace(kept, resampled_mr=None)
    shifted = replace(kept, resampled_mr=kept.resampled_mr + 1)
    draws, others = (kept.sample.draw(200, seed=seed) for seed in (0, 1))
    given, other = (draws, digest_of(draws)), (others, digest_of(others))
    for metric in verified.evaluation.metrics:
        expected = again.measured(metric, *given)
        assert kept.measured(metric, *given).value == expected.value
        assert (kept.measured(metric, *given).resampled == expected.resampled).all()
        assert (shifted.measured(metric, *given).resampled == expected.resampled + 1).all()
        measured = (one.measured(metric, *other).resampled for one in (again, shifted))
        assert np.array_equal(*measured), "of other draws nothing is kept"


def test_the_baseline_is_the_cosine_of_raw_pixels(verified: Run, faces: Path) -> None:
    data, baseline = Dataset.open(faces), verified.evaluation.baseline
    raw = {name: data.images(name).reshape(-1, PIXELS) for name in ("validation", "selection")}
    chosen = Pairs.of(raw["validation"], data.labels("validation")).balanced_threshold()
    pixels = Pairs.of(raw["selection"], data.labels("selection"), threshold=chosen)
    draws = pixels.draw(200, seed=0)
    assert baseline.name == "raw-pixel cosine"
    assert baseline.threshold == chosen
    for name, item in estimate(pixels, draws).items():
        assert baseline.metrics[name] == item.interval(0.95)
    model = estimate(Answers.read(verified.report).sample, draws)
    lead = drop("auc", model["auc"], estimate(pixels, draws)["auc"]).interval(0.95)
    assert asdict(baseline.lead["auc"]) == pytest.approx(asdict(lead))
    assert verified.metrics["baseline_auc"] == baseline.metrics["auc"].value


def test_a_model_that_only_passes_pixels_on_leads_by_nothing(tmp_path: Path, faces: Path) -> None:
    model = write_lite(tmp_path / "lite", np.eye(PIXELS), SHAPE, mean=0.0, scale=255.0)
    lead = Run(tmp_path / "run", model, faces).evaluation.baseline.lead["auc"]
    assert asdict(lead) == pytest.approx({"value": 0, "low": 0, "high": 0}, abs=1e-3)


def test_metrics_are_flat_numbers(verified: Run) -> None:
    assert all(isinstance(value, int | float) for value in verified.metrics.values())
    auc = verified.evaluation.metrics["auc"]
    assert [verified.metrics[f"auc{end}"] for end in ("", "_low", "_high")] == [
        auc.value, auc.low, auc.high,
    ]  # fmt: skip


def test_the_curve_has_the_shape_that_kubeflow_draws(verified: Run) -> None:
    assert set(verified.curve) == {"confidenceMetrics"}
    points = verified.curve["confidenceMetrics"]
    assert 2 <= len(points) <= 200
    for point in points:
        assert set(point) == {"confidenceThreshold", "falsePositiveRate", "recall"}
        assert all(math.isfinite(value) for value in point.values())
    ends = [(points[end]["falsePositiveRate"], points[end]["recall"]) for end in (0, -1)]
    assert ends == [(0, 0), (1, 1)]


def test_the_histogram_holds_all_pairs(verified: Run) -> None:
    histogram = json.loads((verified.report / "histogram.json").read_bytes())
    assert sum(histogram["genuine"]) == 6 * 15
    assert sum(histogram["impostor"]) == 36 * 35 // 2 - 6 * 15


def test_equal_inputs_give_equal_bytes(
    tmp_path: Path, verified: Run, verifier: Path, faces: Path
) -> None:
    assert tree_of(Run(tmp_path / "run", verifier, faces).report) == tree_of(verified.report)


def test_a_sealed_split_takes_the_threshold_that_was_chosen_before(
    tmp_path: Path, verifier: Path, sealed_faces: Path, verified: Run
) -> None:
    run = Run(tmp_path / "run", verifier, sealed_faces, thresholds=verified.report, split="sealed")
    assert run.evaluation.threshold == verified.evaluation.threshold
    assert run.evaluation.baseline.threshold == verified.evaluation.baseline.threshold
    assert json.loads((run.report / "evaluation.json").read_bytes())["opened"] == "sealed"
    assert "accuracy" in run.evaluation.metrics


def test_without_any_threshold_there_is_no_accuracy(
    tmp_path: Path, verifier: Path, sealed_faces: Path
) -> None:
    found = Run(tmp_path / "run", verifier, sealed_faces, split="sealed").evaluation
    assert found.threshold is None
    assert set(found.metrics) == {"auc", "eer", "tar"}


def test_every_group_of_the_data_is_in_the_report(tmp_path: Path, verifier: Path) -> None:
    groups = {"validation": np.zeros(20, int), "selection": np.repeat([0, 1], [30, 6])}
    data = verification(
        tmp_path / "data", {"validation": (5, 4), "selection": (6, 6)},
        groups=Grouping(("Oslo", "Rome"), groups),
    )  # fmt: skip
    run = Run(tmp_path / "run", verifier, data)
    found = run.evaluation.groups
    assert set(found["Oslo"].metrics) == set(run.evaluation.metrics)
    assert set(found["Rome"].unmeasured) == set(run.evaluation.metrics)
    assert run.evaluation.ungrouped == 0
    content = json.loads((run.report / "evaluation.json").read_bytes())
    assert content["groups"]["Oslo"]["n_images"] == 30


def test_a_constant_embedding_is_a_coin(tmp_path: Path, faces: Path) -> None:
    model = write_lite(tmp_path / "lite", np.zeros((3, PIXELS)), SHAPE)
    metrics = Run(tmp_path / "run", model, faces).evaluation.metrics
    assert asdict(metrics["auc"]) == {"value": 0.5, "low": 0.5, "high": 0.5}


def crash_of(run: Run) -> Crash:
    """Check what every crash has in common: an answer, and no metrics."""
    found = run.evaluation
    assert found.crashed is not None
    assert found.metrics == {}
    assert found.threshold is None
    assert found.baseline.metrics["auc"].value > 0.5
    assert run.files == {"evaluation.json", "labels.npy"}
    assert run.metrics["crashed"] == 1
    assert run.curve == {}
    return found.crashed


def test_a_model_that_kills_its_process_is_an_answer(tmp_path: Path, faces: Path) -> None:
    model = write_lite(tmp_path / "lite", np.eye(PIXELS), SHAPE, kills=True)
    crash = crash_of(Run(tmp_path / "run", model, faces))
    assert (crash.signal, crash.name) == (11, "SIGSEGV")


def test_a_model_that_the_runtime_refuses_is_an_answer(tmp_path: Path, faces: Path) -> None:
    model = write_lite(tmp_path / "lite", np.eye(PIXELS), SHAPE, data=b"TFL3 but no more of it")
    crash = crash_of(Run(tmp_path / "run", model, faces))
    assert crash.signal is None
    assert crash.stderr


def test_answers_that_are_no_numbers_are_an_answer(tmp_path: Path, faces: Path) -> None:
    weights = np.eye(PIXELS)
    weights[0, 0] = np.nan
    crash = crash_of(Run(tmp_path / "run", write_lite(tmp_path / "lite", weights, SHAPE), faces))
    assert crash.name == "an output is not finite on 66 of 66 images"


def test_an_empty_result_is_passed_on(tmp_path: Path, faces: Path) -> None:
    write_empty(tmp_path / "none", "nothing keeps to 5 MB")
    run = Run(tmp_path / "run", tmp_path / "none", faces, split="sealed")
    assert empty_reason(run.report) == "nothing keeps to 5 MB"
    assert (run.files, run.metrics, run.curve) == ({"none.json"}, {}, {})


COLOURS = ("dark", "grey", "light")


@pytest.fixture(scope="module")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark, grey and light images; of the training images most are light."""
    random = np.random.default_rng(0)

    def split(labels: list[int]) -> tuple[np.ndarray, np.ndarray]:
        images = 40 + 85 * np.array(labels)[:, None, None, None]
        noise = random.integers(-40, 40, (len(labels), *SHAPE))
        return (images + noise).clip(0, 255).astype(np.uint8), np.array(labels)

    splits = {
        "train": split([0, 1, 2, 2]),
        "validation": split([0, 1]),
        "selection": split([0, 0, 0, 0, 1, 1, 1, 2, 2, 2]),
    }
    return write_dataset(
        tmp_path_factory.mktemp("shades") / "dataset",
        splits, task="classification", classes=COLOURS, description="shades",
    ).path  # fmt: skip


def classifier(path: Path, order: tuple[str, ...] = COLOURS) -> Path:
    """Light where bright, dark where not, grey never; its columns in ``order``."""
    slope = {"dark": -1.0, "grey": 0.0, "light": 1.0}
    weights = np.array([[slope[name]] * PIXELS for name in order])
    return write_lite(path, weights, SHAPE, classes=order)


@pytest.mark.parametrize("order", [COLOURS, ("light", "dark", "grey")])
def test_a_classifier_is_read_by_the_names_of_its_classes(
    tmp_path: Path, shades: Path, order: tuple[str, ...]
) -> None:
    run = Run(tmp_path / "run", classifier(tmp_path / "lite", order), shades)
    found, matrix = run.evaluation, run.curve["confusionMatrix"]
    assert set(found.metrics) == {"accuracy", "macro_f1"}
    assert matrix["annotationSpecs"] == [{"displayName": name} for name in COLOURS]
    rows = [row["row"] for row in matrix["rows"]]
    assert rows[0] == [4, 0, 0]
    assert rows[2] == [0, 0, 3]
    assert rows[1][1] == 0
    assert found.metrics["accuracy"].value == pytest.approx(0.7)
    assert found.threshold is None
    assert run.files == {"evaluation.json", "outputs.npy", "labels.npy", "resampled.npy"}


def test_of_many_classes_the_curve_is_small_and_a_file_has_the_rest(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    names = tuple(f"species {n:03d}" for n in range(700))
    images = random.integers(0, 256, (700, *SHAPE), dtype=np.uint8)
    data = write_dataset(
        tmp_path / "data", {"selection": (images, np.arange(700))}, task="classification",
        classes=names,
    ).path  # fmt: skip
    model = write_lite(tmp_path / "lite", random.normal(size=(700, PIXELS)), SHAPE, classes=names)
    run = Run(tmp_path / "run", model, data, resamples=20)
    assert len(json.dumps(run.curve)) < 20_000
    assert run.curve["confusionMatrix"]["annotationSpecs"][-1]["displayName"].startswith("(the oth")
    assert "confusions.csv" in run.files
    rows = list(csv.DictReader((run.report / "confusions.csv").open()))
    assert sum(int(row["images"]) for row in rows) == 700
    assert sum(row["true"] == row["predicted"] for row in rows) == round(
        700 * run.evaluation.metrics["accuracy"].value
    )


def test_the_baseline_is_the_class_seen_most_in_training(tmp_path: Path, shades: Path) -> None:
    baseline = Run(tmp_path / "run", classifier(tmp_path / "lite"), shades).evaluation.baseline
    assert (baseline.name, baseline.majority) == ("majority class", "light")
    assert baseline.metrics["accuracy"].value == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("shape", "classes", "fault"),
    [
        ((4, 4, 1), ("dark", "grey", "pink"), "classes of model and dataset differ: light, pink"),
        ((8, 2, 1), COLOURS, "images of 8 x 2 x 1, the dataset for classification of images of 4"),
        ((4, 4, 1), None, "the model is for verification"),
    ],
)
def test_a_model_of_another_dataset_is_refused(
    tmp_path: Path, shades: Path, shape: tuple[int, int, int], classes: Any, fault: str
) -> None:
    model = write_lite(tmp_path / "lite", np.ones((3, PIXELS)), shape, classes=classes)
    with pytest.raises(UserError, match=fault):
        Run(tmp_path / "run", model, shades)
    assert not (tmp_path / "run" / "report").exists()


def test_a_split_without_pairs_is_refused(tmp_path: Path, verifier: Path) -> None:
    data = verification(tmp_path / "data", {"selection": (5, 1)})
    with pytest.raises(UserError, match="selection split has 5 identities in 5 images"):
        Run(tmp_path / "run", verifier, data)


def test_a_split_that_is_not_there_is_refused(tmp_path: Path, verifier: Path, faces: Path) -> None:
    with pytest.raises(UserError, match="no split 'sealed'"):
        Run(tmp_path / "run", verifier, faces, split="sealed")


def test_what_is_no_evaluation_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no evaluation\.json"):
        Evaluation.read(tmp_path)
    (tmp_path / "evaluation.json").write_text('{"schema": 0}')
    with pytest.raises(UserError, match="another version"):
        Evaluation.read(tmp_path)


def test_one_shot_accuracy_is_that_of_the_known_answers(
    tmp_path: Path, verifier: Path, faces: Path
) -> None:
    run = Run(tmp_path / "run", verifier, faces, ways=4, trials=300)
    data, found = Dataset.open(faces), run.evaluation
    labels = data.labels("selection")
    drawn = draw_trials(labels, None, OneShotPlan(ways=4, trials=300), seed=0)
    assert isinstance(drawn, Trials)
    assert found.one_shot == drawn.task
    for outputs, metrics in (
        (centred(data.images("selection")), found.metrics),
        (data.images("selection").reshape(len(labels), -1), found.baseline.metrics),
    ):
        sample = Pairs.of(outputs, labels, trials=drawn)
        item = estimate(sample, sample.draw(200, seed=0))["one_shot"]
        assert asdict(metrics["one_shot"]) == pytest.approx(asdict(item.interval(0.95)), abs=4e-3)
    assert found.baseline.lead["one_shot"].value > 0
    again = Answers.read(run.report).sample
    assert (
        estimate(again, again.draw(200, 0))["one_shot"].interval(0.95)
        == (found.metrics["one_shot"])
    )


def test_one_shot_trials_stay_within_the_groups_of_the_dataset(
    tmp_path: Path, verifier: Path
) -> None:
    images, labels = people(7, 3, seed=5)
    groups = np.where(labels < 4, 0, 1)
    groups[-1] = -1
    grouping = Grouping(("Greek", "Latin"), {"selection": groups})
    split = {"selection": (images, labels)}
    names = [f"s{number}" for number in range(7)]
    data = write_dataset(
        tmp_path / "data", split, task="verification", classes=names, resample="identity",
        groups=grouping,
    )  # fmt: skip
    run = Run(tmp_path / "run", verifier, data.path, ways=4, trials=100)
    found, answers = run.evaluation, Answers.read(run.report)
    assert found.one_shot
    assert (found.one_shot.groups, found.one_shot.left_out) == (1, ("Latin",))
    assert answers.groups_n is not None
    assert answers.groups_n.tolist() == groups.tolist()
    again = estimate(answers.sample, answers.sample.draw(200, 0))["one_shot"]
    assert again.interval(0.95) == found.metrics["one_shot"]


def test_what_a_split_cannot_give_is_left_out_with_the_reason(verified: Run) -> None:
    assert verified.evaluation.unmeasured == {
        "tar_1e3": "10,000 impostor pairs are needed, and there are 540",
        "one_shot": "a trial of 20 ways needs 20 identities, and there are 6",
    }


def test_a_drop_of_what_the_split_cannot_give_is_refused_until_it_can(
    tmp_path: Path, verified: Run, verifier: Path, faces: Path
) -> None:
    with pytest.raises(UserError, match="the selection split gives no one_shot: a trial") as error:
        Reference.of(Answers.read(verified.report), "one_shot", Resampling(resamples=50))
    assert "evaluate: {ways: N}" in error.value.fix
    answers = Answers.read(Run(tmp_path / "run", verifier, faces, ways=6).report)
    drop = Reference.of(answers, "one_shot", Resampling(resamples=50)).drop_of(answers)
    assert (drop.value, drop.low, drop.high) == (0, 0, 0)


def test_listed_pairs_are_judged_fold_by_fold_beside_the_baseline(
    tmp_path: Path, verifier: Path
) -> None:
    path = verification(tmp_path / "data", {"sealed": (4, 5)})
    shown, whose = people(6, 4, seed=9)
    first, second = np.triu_indices(len(whose), k=1)
    same, folds = whose[first] == whose[second], np.arange(len(first)) % 3
    PairList("pairs.txt", shown, first, second, same, folds).write(path)
    found = Run(tmp_path / "run", verifier, path, split="sealed").evaluation
    for outputs, result in (
        (centred(shown), found.pairs),
        (shown.reshape(len(shown), -1), found.baseline.pairs),
    ):
        assert result is not None
        scores = cosines(outputs)[first, second]
        expected = fold_accuracy(scores, same, folds)
        assert expected is not None
        assert (result.pairs, result.images, result.name) == (276, 24, "pairs.txt")
        assert result.accuracies == pytest.approx(expected.accuracies, abs=0.011)
        assert result.standard_error == pytest.approx(expected.standard_error, abs=0.01)
