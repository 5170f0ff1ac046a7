"""Train as a component: its files, its bytes, and what it says to what cannot be trained."""

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.dataset import write_dataset
from components.artifacts.model import ModelInfo
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.contract.tree import tree_of
from components.contract.types import Formerly
from components.ml.settings import Augmentation, LossSettings, Network, Optimization
from components.ml.techniques.fisher_settings import FisherSettings
from components.train import train
from pipelines.sources.snapshot import snapshot_weights, stage
from tests.data.patterns import NAMES, images_of

NETWORK = Network(backbone="conv", alpha=0.25)
OPTIMIZATION = Optimization(
    epochs=3, learning_rate=0.01, warmup=0.3, identities_per_batch=4
)  # fmt: skip


def run(data: Path, folder: Path, **parameters: object) -> tuple[ModelInfo, dict]:
    given = {"network": NETWORK, "embedding": 8, "optimization": OPTIMIZATION, **parameters}
    train(data, given.pop("weights", None), folder / "model", folder / "report", **given)
    info = ModelInfo.read(folder / "model")
    return info, json.loads((folder / "report" / "training.json").read_bytes())


def flat(parameters: dict[str, object]) -> dict[str, object]:
    """Return parameters as the command line takes them: the fields of each part."""
    flat: dict[str, object] = {}
    for name, value in parameters.items():
        flat |= asdict(value) if is_dataclass(value) else {name: value}
    return {name: value for name, value in flat.items() if value is not None}


def fresh(component: str, folder: Path, inputs: dict[str, Path], **parameters: object) -> str:
    """Run a component in a process of its own, as an engine does, and return its log."""
    arguments = {**inputs, "model": folder / "model", "report": folder / "report"}
    command = [sys.executable, "-m", "components", component]
    for name, value in (arguments | flat(parameters)).items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_two_fresh_processes_write_the_same_bytes(pattern_pairs, tmp_path):
    for name in ("one", "other"):
        fresh(
            "train", tmp_path / name, {"dataset": pattern_pairs},
            network=replace(NETWORK, dropout=0.2), embedding=8, fisher=FisherSettings(fisher_weight=10.0),
            augmentation=Augmentation(augment="strong", flip=True),
            optimization=replace(OPTIMIZATION, averaging=0.9),
        )  # fmt: skip
    one, other = (tree_of(tmp_path / name) for name in ("one", "other"))
    assert one == other
    assert {entry.path for entry in one.entries} == {
        "model/architecture.json",
        "model/model.json",
        "model/samples.npz",
        "model/saved_model/saved_model.pb",
        "model/saved_model/variables/variables.data-00000-of-00001",
        "model/saved_model/variables/variables.index",
        "model/weights.safetensors",
        "report/training.json",
    }


def test_a_process_that_did_other_things_before_writes_them_too(pattern_pairs, tmp_path):
    fresh(
        "train", tmp_path / "fresh", {"dataset": pattern_pairs},
        network=NETWORK, embedding=8, optimization=OPTIMIZATION, fisher=FisherSettings(fisher_weight=10.0),
    )  # fmt: skip
    run(pattern_pairs, tmp_path / "here", fisher=FisherSettings(fisher_weight=10.0))
    run(pattern_pairs, tmp_path / "again", fisher=FisherSettings(fisher_weight=10.0))
    trees = {tree_of(tmp_path / name).digest for name in ("fresh", "here", "again")}
    assert len(trees) == 1


def test_the_report_tells_the_whole_training(pattern_pairs, tmp_path):
    info, report = run(pattern_pairs, tmp_path)
    assert (report["metric"], report["classes"], report["images"]) == ("auc", 4, 160)
    assert (report["batch"], report["steps_per_epoch"]) == (16, 10)
    assert [epoch["number"] for epoch in report["epochs"]] == [1, 2, 3]
    (facts,) = info.history  # what pages draw of it travels in the Model
    assert [point.epoch for point in facts.curve.points] == [1, 2, 3]
    losses = [epoch["loss"] for epoch in report["epochs"]]
    assert [point.loss for point in facts.curve.points] == pytest.approx(losses, rel=1e-5)
    assert (facts.curve.metric, facts.curve.kept) == ("auc", report["kept"]["number"])
    assert facts.curve.augment == "light"
    assert facts.parameters == info.parameters
    assert report["parameters"]["learning_rate"] == 0.01
    assert info.steps == (
        {
            "component": "train", "backbone": "conv", "alpha": 0.25, "loss": "cosine_softmax",
            "epochs": report["kept"]["number"],
        },
    )  # fmt: skip
    assert info.output.size == 8


def test_a_classifier_answers_for_the_classes_by_name(pattern_data, tmp_path):
    info, report = run(pattern_data, tmp_path, mean=0.0, scale=255.0)
    assert info.output.classes == NAMES
    assert (info.input.mean, info.input.scale) == (0.0, 255.0)
    assert report["metric"] == "accuracy"


def test_training_starts_from_given_weights(pattern_pairs, tmp_path):
    run(pattern_pairs, tmp_path / "first")
    given = tmp_path / "first" / "model" / "weights.safetensors"
    stage(snapshot_weights(str(given)), tmp_path / "source")
    info, report = run(
        pattern_pairs, tmp_path / "second", weights=tmp_path / "source", embedding=5,
        optimization=replace(OPTIMIZATION, epochs=1),
    )  # fmt: skip
    assert "weights.safetensors" in report["weights"]
    assert "weights.safetensors" in info.steps[0]["weights"]
    assert report["kept"]["validation"] > 0.9


@pytest.mark.parametrize(
    ("component", "old", "new"),
    [
        ("train", Formerly("guide_weight"), "fisher_weight"), ("train", Formerly("mixes"), "mixup"),
        ("train", Formerly("warmup_epochs"), "warmup"),
        ("distill", Formerly("mixes"), "mixup"), ("prune", Formerly("mixes"), "mixup"),
    ],
)  # fmt: skip
def test_a_former_name_is_an_error_that_gives_the_new_one(component, old, new):
    with pytest.raises(UserError, match=rf"write {new} in place of {old.name}"):
        interface_of(component).complete({old.name: 1}, where="teacher")


def test_a_warm_up_in_epochs_is_told_as_a_share_and_the_fix_works(pattern_data, tmp_path):
    with pytest.raises(UserError, match="'warmup_epochs' of train is called 'warmup'") as caught:
        interface_of("train").complete({"warmup_epochs": 3}, where="teacher")
    share = float(re.search(r"(0\.\d+) for 3 epochs of 30", caught.value.fix)[1])
    interface_of("train").complete({"warmup": share}, where="teacher")
    assert share * 30 == 3


def test_short_trainings_of_classifiers_see_the_images_as_they_are(
    pattern_data, pattern_pairs, tmp_path
):
    """What auto came to stands in the report; what is asked for is done however short."""
    for data, given, augment in (
        (pattern_data, Augmentation(), "none"),
        (pattern_data, Augmentation(augment="strong"), "strong"),
        (pattern_pairs, Augmentation(), "light"),
    ):
        folder = tmp_path / f"{data.parent.name}-{given.augment}"
        _, report = run(
            data, folder, augmentation=given, optimization=replace(OPTIMIZATION, epochs=1)
        )
        assert report["parameters"]["augment"] == augment


def test_one_identity_is_refused_and_nothing_is_written(tmp_path):
    images = np.zeros((4, 8, 8, 1), np.uint8)
    data = write_dataset(
        tmp_path / "data",
        {"train": (images, np.zeros(4, int)), "validation": (images, np.array([0, 0, 1, 1]))},
        task="verification",
        classes=("ann", "bob"),
    )
    with pytest.raises(UserError, match="of one identity, 'ann'"):
        run(data.path, tmp_path)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_norm_momentum", 1.0), ("dropout", -0.1), ("averaging", 1.0), ("epochs", 0),
        ("learning_rate", 0.0), ("loss", "hinge"), ("images_per_identity", 1),
        ("identities_per_batch", 1), ("patience", 0), ("clip_norm", -1.0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("component", ["train", "distill"])
def test_values_out_of_range_are_refused_before_anything_runs(component, name, value):
    with pytest.raises(UserError, match=name):
        interface_of(component).complete({name: value}, where="teacher")


def test_balanced_classes_are_trained_by_their_weights(tmp_path):
    images, labels = images_of(160, seed=0)
    rare = (labels != 3) | (np.arange(160) < 16)
    splits = {
        "train": (images[rare], labels[rare]), "validation": images_of(40, 1),
        "selection": images_of(40, 2),
    }  # fmt: skip
    write_dataset(tmp_path / "data", splits, task="classification", classes=NAMES)
    once = replace(OPTIMIZATION, epochs=1)
    first = {}
    for weight in ("none", "balanced"):
        _, report = run(
            tmp_path / "data", tmp_path / weight,
            loss=LossSettings(class_weight=weight), optimization=once,
        )  # fmt: skip
        assert report["parameters"]["class_weight"] == weight
        first[weight] = report["epochs"][0]["loss"]
    assert first["none"] != first["balanced"]
