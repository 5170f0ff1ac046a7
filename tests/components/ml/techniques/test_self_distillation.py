"""A learning rate that ruins a network of raw pixels: seen, and trained again at a tenth."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from components.artifacts.dataset import Dataset
from components.artifacts.model import ModelInfo
from components.cluster import cluster
from components.contract.errors import UserError
from components.ml.settings import Augmentation, Optimization, TeacherViews, TrainingSchedule
from components.ml.techniques.clustering_settings import ClusteringSettings
from components.ml.training.ruin import floor_of
from components.ml.training.validation import Validation
from components.quantize_aware import quantize_aware

WEIGHTS = "weights.safetensors"
PLAIN = Augmentation(augment="none")
RUINOUS = 2e-2


def trained(
    component: str, model: Path, data: Path, folder: Path, **schedule: object
) -> tuple[dict, ModelInfo]:
    """Cluster the model or train it through its rounding; the training's report and the Model."""
    given = TrainingSchedule(**{"epochs": 4, **schedule})  # pyright: ignore[reportArgumentType]
    ends = model, data, folder / "model", folder / "report"
    if component == "cluster":
        levels = ClusteringSettings(method="grid", bits=6)
        cluster(*ends, clustering=levels, schedule=given, augmentation=PLAIN)
    else:
        quantize_aware(*ends, schedule=given, augmentation=PLAIN)
    name = "clustering.json" if component == "cluster" else "quantization.json"
    report = json.loads((folder / "report" / name).read_bytes())
    return report["training"], ModelInfo.read(folder / "model")


@pytest.mark.parametrize(("raw", "ruined"), [(True, True), (False, False)])
def test_nothing_but_the_size_of_kernels_makes_the_rate_ruinous(
    raw: bool, ruined: bool, of_raw_pixels: Path, pattern_classifier: Path, pattern_data: Path
) -> None:
    """The bare loop, which gives up nothing: what happened before ruin was looked for."""
    from components.ml.formats import model_folder
    from components.ml.graphs.folding import fold
    from components.ml.graphs.kernels import kernels_of_model
    from components.ml.techniques.preservation import OutputPreservation
    from components.ml.training import loop
    from components.ml.training.constrained import ConstrainedNetwork
    from components.ml.training.constraints import Levels
    from components.ml.training.examples import examples_of
    from components.ml.training.outputs import outputs_of
    from components.ml.training.teacher import ask_teacher

    model, info = model_folder.load(of_raw_pixels if raw else pattern_classifier)
    data = Dataset.open(pattern_data)
    folded = fold(model, info.image_shape).model
    network = ConstrainedNetwork(
        folded, {kernel.name: [Levels.of(kernel, 6)] for kernel in kernels_of_model(folded)}
    )
    examples = ask_teacher(
        examples_of(data), outputs_of(model, info), info, TeacherViews(views=1), PLAIN, 0
    )
    history = loop.fit(
        network, info, examples, OutputPreservation(info.output),
        Validation(data, info.task),
        Optimization(epochs=4, learning_rate=RUINOUS, weight_decay=0.0, warmup=0.0), PLAIN, 0,
    )  # fmt: skip
    reached = max(epoch.validation or 0.0 for epoch in history.epochs)
    assert reached < 0.6 if ruined else reached > 0.9


@pytest.mark.parametrize("component", ["quantize_aware", "cluster"])
def test_a_rate_that_ruins_a_network_of_raw_pixels_is_lowered(
    component: str, of_raw_pixels: Path, pattern_data: Path, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    training, info = trained(
        component, of_raw_pixels, pattern_data, tmp_path, learning_rate=RUINOUS
    )
    assert training["validation_untrained"] > 0.9
    (given_up,) = training["ruined"]
    assert (given_up["learning_rate"], given_up["epochs"]) == (RUINOUS, 1)
    assert given_up["validation"] < 0.6
    assert training["learning_rate"] == pytest.approx(RUINOUS / 10)
    assert training["history"]["kept"]["validation"] > 0.9
    assert len(training["history"]["epochs"]) == 4
    assert "begun again with learning_rate 0.002 in place of 0.02" in caplog.text
    curve = info.history[-1].curve
    assert curve is not None
    assert curve.lowered_to == pytest.approx(RUINOUS / 10)


def test_a_training_begun_again_is_the_same_as_one_at_the_lower_rate(
    of_raw_pixels: Path, pattern_data: Path, tmp_path: Path
) -> None:
    for name, rate in (("again", RUINOUS), ("lower", RUINOUS * 0.1)):
        trained("cluster", of_raw_pixels, pattern_data, tmp_path / name, learning_rate=rate)
    again, lower = (load_file(tmp_path / name / "model" / WEIGHTS) for name in ("again", "lower"))
    for name, values in lower.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)
    curve = ModelInfo.read(tmp_path / "lower" / "model").history[-1].curve
    assert curve is not None
    assert curve.lowered_to is None


def test_what_stays_ruined_is_refused_where_the_last_epoch_is_kept_and_the_fix_helps(
    of_raw_pixels: Path, pattern_data: Path, tmp_path: Path
) -> None:
    hopeless = {"learning_rate": 1e6, "epochs": 1, "keep": "last"}
    with pytest.raises(UserError, match=r"ruined the network: accuracy .* after epoch 1") as caught:
        trained("cluster", of_raw_pixels, pattern_data, tmp_path / "bad", **hopeless)
    assert caught.value.fix == "set learning_rate below 10000"
    fixed = {**hopeless, "learning_rate": 1e-3}
    training, _ = trained("cluster", of_raw_pixels, pattern_data, tmp_path / "good", **fixed)
    assert training["ruined"] == []
    assert training["history"]["kept"]["validation"] > 0.9


def test_the_start_is_kept_where_every_rate_ruins_and_the_best_is_kept(
    of_raw_pixels: Path, pattern_data: Path, tmp_path: Path
) -> None:
    hopeless = {"learning_rate": 1e6, "epochs": 1}
    training, _ = trained("cluster", of_raw_pixels, pattern_data, tmp_path, **hopeless)
    assert [one["learning_rate"] for one in training["ruined"]] == pytest.approx([1e6, 1e5])
    assert training["history"]["kept"]["number"] == 0
    assert training["history"]["kept"]["validation"] == training["validation_untrained"]


def test_a_network_that_knew_little_cannot_be_ruined() -> None:
    assert floor_of(0.72, 0.1) == pytest.approx(0.41)
    assert floor_of(0.55, 0.5) is None
