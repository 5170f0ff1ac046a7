"""Metrics within groups: those of the group's images alone, or the reason why there are none."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.artifacts.dataset import Dataset, write_dataset
from components.artifacts.grouping import NO_GROUP, Grouping
from components.measure.groups import by_group
from components.measure.trials import trials_on
from components.statistics.metrics import estimate, sample_of
from components.statistics.one_shot import Trials
from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.resampling import Resampling
from pipelines.sources.snapshot import snapshot, stage
from tests.components.flat import ingest

RESAMPLING = Resampling(resamples=100)
ALPHABETS = ("Greek", "Latin", "Lao", "Thai", "Unseen")
SHAPE = (4, 4, 1)


def characters(path: Path, **options: str) -> tuple[Dataset, np.ndarray]:
    """A split as Omniglot's, and embeddings: Greek is told apart well, Latin badly, Lao is small.

    Thai has as many characters as need be, but too few drawings of each for a false accept rate of
    one in a hundred. Some images are of no alphabet.
    """
    counts = {"Greek": (8, 6), "Latin": (8, 6), "Lao": (3, 6), "Thai": (6, 2), "": (2, 3)}
    noise = {"Greek": 0.2, "Latin": 1.5, "Lao": 0.2, "Thai": 0.2, "": 0.2}
    random = np.random.default_rng(0)
    labels, groups, outputs, first = [], [], [], 0
    for name, (known, drawings) in counts.items():
        of_group = np.repeat(np.arange(known), drawings)
        labels.append(of_group + first)
        place = ALPHABETS.index(name) if name else NO_GROUP
        groups.append(np.full(of_group.size, place))
        centres = random.normal(size=(known, 16))
        outputs.append(centres[of_group] + noise[name] * random.normal(size=(of_group.size, 16)))
        first += known
    images = random.integers(0, 256, (sum(map(len, labels)), *SHAPE), dtype=np.uint8)
    data = write_dataset(
        path,
        {"selection": (images, np.concatenate(labels))},
        task="verification",
        classes=[f"c{number:02d}" for number in range(first)],
        groups=Grouping(ALPHABETS, {"selection": np.concatenate(groups)}),
        **{"split_by": "identity", "resample": "identity", **options},  # type: ignore[arg-type]
    )
    return data, np.concatenate(outputs).astype(np.float32)


def measured(data: Dataset, outputs: np.ndarray, threshold: float | None = 0.5):
    names = ("auc", "eer", "tar", "accuracy")
    return by_group(data, "selection", outputs, names, threshold=threshold, resampling=RESAMPLING)


@pytest.mark.parametrize("resample", ["identity", "image"])
def test_a_group_is_measured_on_the_pairs_within_it(tmp_path: Path, resample: str) -> None:
    data, outputs = characters(tmp_path / "data", resample=resample)
    found = measured(data, outputs).groups
    chosen = data.groups("selection") == ALPHABETS.index("Latin")
    sample = sample_of(
        "verification",
        outputs[chosen],
        data.labels("selection")[chosen],
        resample=resample,  # type: ignore[arg-type]
        threshold=0.5,
    )
    alone = estimate(sample, sample.draw(100, seed=0))
    assert found["Latin"].metrics == {name: item.interval(0.95) for name, item in alone.items()}
    assert (found["Latin"].n_images, found["Latin"].n_identities) == (48, 8)
    assert found["Latin"].unmeasured == {}
    assert found["Latin"].metrics["auc"].high < found["Greek"].metrics["auc"].low


def test_a_group_that_is_too_small_is_there_with_the_reason(tmp_path: Path) -> None:
    data, outputs = characters(tmp_path / "data")
    results = measured(data, outputs)
    assert results.ungrouped == 6
    assert tuple(results.groups) == ALPHABETS
    lao, thai, unseen = (results.groups[name] for name in ("Lao", "Thai", "Unseen"))
    assert lao.metrics == unseen.metrics == {}
    assert (lao.n_images, lao.n_identities) == (18, 3)
    reason = "3 identities; 5 are needed for an interval"
    assert lao.unmeasured == dict.fromkeys(("accuracy", "auc", "eer", "tar"), reason)
    assert set(unseen.unmeasured.values()) == {"no image in this split"}
    assert set(thai.metrics) == {"accuracy", "auc", "eer"}
    far = "60 impostor pairs; a false accept rate of 0.01 takes 100"
    assert thai.unmeasured == {"tar": far}


def test_a_metric_that_a_group_cannot_give_is_there_with_the_reason(tmp_path: Path) -> None:
    data, outputs = characters(tmp_path / "data")
    names = ("auc", "accuracy", "tar_1e3", "one_shot")
    found = by_group(
        data, "selection", outputs, names, threshold=None, resampling=RESAMPLING
    ).groups["Greek"]
    assert set(found.metrics) == {"auc"}
    assert found.unmeasured == {
        "accuracy": "no threshold could be chosen: there are no validation pairs",
        "one_shot": "no one-shot trial is about it: it has too few identities, or none of them two "
        "images",
        "tar_1e3": "10,000 impostor pairs are needed, and there are 1,008",
    }


def test_one_shot_trials_of_a_group_are_those_about_its_images(tmp_path: Path) -> None:
    data, outputs = characters(tmp_path / "data")
    trials = trials_on(data, "selection", OneShotPlan(ways=5, trials=300), 0)
    assert isinstance(trials, Trials)
    found = by_group(
        data, "selection", outputs, ("one_shot",), threshold=None, resampling=RESAMPLING,
        trials=trials,
    ).groups  # fmt: skip
    latin, greek = (found[name].metrics["one_shot"] for name in ("Latin", "Greek"))
    assert latin.high < greek.low
    chosen = data.groups("selection") == ALPHABETS.index("Latin")
    about = np.flatnonzero(chosen[trials.query_t])
    answers = [
        np.argmax(_cosines(outputs[trials.query_t[row]], outputs[trials.support_tw[row]])) == 0
        for row in about
    ]
    assert latin.value == pytest.approx(np.mean(answers))
    assert "one_shot" not in found["Lao"].metrics  # three characters


def _cosines(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    return others @ one / np.linalg.norm(others, axis=1)


def test_groups_that_went_whole_to_other_splits_are_not_missed(tmp_path: Path) -> None:
    data, outputs = characters(tmp_path / "data", split_by="group")
    assert "Unseen" not in measured(data, outputs).groups


def test_groups_without_pairs_are_said_to_have_none(tmp_path: Path) -> None:
    labels = np.arange(6)
    images = np.zeros((6, *SHAPE), np.uint8)
    data = write_dataset(
        tmp_path / "data",
        {"selection": (images, labels)},
        task="verification",
        classes=[f"c{number}" for number in labels],
        groups=Grouping(("a",), {"selection": np.zeros(6, np.int64)}),
        resample="identity",
    )
    (result,) = measured(data, np.eye(6, dtype=np.float32)).groups.values()
    assert set(result.unmeasured.values()) == {
        "6 identities in 6 images: no pair of one identity, or none of two"
    }


def test_classes_are_measured_within_groups(tmp_path: Path) -> None:
    labels, groups = np.tile([0, 1], 30), np.repeat([0, 1, 2], [24, 24, 12])
    outputs = np.eye(2, dtype=np.float32)[labels]
    outputs[groups == 1] = outputs[groups == 1][:, ::-1]
    outputs[0] = outputs[0][::-1]
    data = write_dataset(
        tmp_path / "data",
        {"selection": (np.zeros((60, *SHAPE), np.uint8), labels)},
        task="classification",
        classes=("ant", "bee"),
        groups=Grouping(("Oslo", "Rome", "Turin"), {"selection": groups}),
    )
    found = by_group(
        data, "selection", outputs, ("accuracy", "macro_f1"), threshold=None,
        resampling=RESAMPLING,
    ).groups  # fmt: skip
    assert found["Oslo"].metrics["accuracy"].value == pytest.approx(23 / 24)
    assert found["Oslo"].metrics["accuracy"].low < 23 / 24
    assert asdict(found["Rome"].metrics["accuracy"]) == {"value": 0, "low": 0, "high": 0}
    assert set(found["Turin"].unmeasured.values()) == {"12 images; 20 are needed for an interval"}
    assert found["Turin"].metrics == {}


def test_alphabets_of_omniglot_have_one_shot_figures_of_their_own(
    shared: Path, tmp_path: Path
) -> None:
    """``Alphabet/characterNN/NNNN.png``, and the pixels themselves answer: better than chance."""
    with np.load(shared / "data/omniglot/background.npz") as arrays:
        labels, images = arrays["labels"], arrays["images"]
    alphabets = sorted({label.partition("/")[0] for label in labels})[:3]
    chosen = [n for n, label in enumerate(labels) if label.partition("/")[0] in alphabets][::4]
    for number in chosen:
        (tmp_path / "data" / labels[number]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[number]).save(
            tmp_path / "data" / labels[number] / f"{number:05d}.png"
        )
    stage(snapshot(str(tmp_path / "data")), tmp_path / "source")
    outputs = {name: tmp_path / name for name in ("dataset", "sealed", "report")}
    ingest(
        tmp_path / "source", **outputs, task="verification", height=24, width=24, channels=1,
        labels="path", selection=0.5, ways_needed=5,
    )  # fmt: skip
    data = Dataset.open(outputs["dataset"])
    assert data.info.groups == tuple(alphabets)
    trials = trials_on(data, "selection", OneShotPlan(ways=5, trials=2000), 0)
    assert isinstance(trials, Trials)
    ink = 255 - np.asarray(data.images("selection")[:], np.float32)
    found = by_group(
        data, "selection", ink.reshape(len(ink), -1), ("auc", "one_shot"), threshold=None,
        resampling=RESAMPLING, trials=trials,
    )  # fmt: skip
    assert tuple(found.groups) == data.info.groups
    for name, result in found.groups.items():
        assert result.metrics["one_shot"].low > trials.task.chance, name
