"""Residual convolutions that share a kernel: cut as one, in every call, down to the file."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from components.artifacts.model import ImageInput, ModelInfo, Scores
from components.convert import convert
from components.ml.graphs.costs import costs_of
from components.ml.settings import Augmentation, TrainingSchedule
from components.ml.techniques.channel_settings import StructureSettings
from components.prune import prune
from components.quantize_aware import quantize_aware
from tests.components.ml.techniques.test_structured_pruning import accuracy, file_macs
from tests.data import patterns

PLAIN = Augmentation(augment="none")
CALLS = 3


def tied_network() -> Any:
    """A stem, and one convolution that is called three times, each time with a norm of its own."""
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = layers.Input((patterns.SIDE, patterns.SIDE, 1))
    flow = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    flow = layers.ReLU(name="stem_relu")(layers.BatchNormalization(momentum=0.8)(flow))
    tied = layers.Conv2D(16, 3, padding="same", use_bias=False, name="tied")
    for call in range(CALLS):
        change = layers.BatchNormalization(momentum=0.8, name=f"norm{call}")(tied(flow))
        flow = layers.Add(name=f"add{call}")([flow, layers.ReLU(name=f"relu{call}")(change)])
    flow = layers.GlobalAveragePooling2D()(flow)
    scores = layers.Dense(len(patterns.NAMES), activation="softmax", name="scores")(flow)
    return tf_keras.Model(image, scores)


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model with tied convolutions that tells the patterns apart."""
    from components.ml.formats import model_folder
    from components.ml.runtime import configure, tf_keras

    configure(threads=2, seed=0)
    model = tied_network()
    info = ModelInfo("classification", ImageInput(8, 8, 1), Scores(patterns.NAMES, "softmax"), 0)
    pixels, labels = patterns.images_of(160, seed=0)
    model.compile(tf_keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(model_folder.normalize(pixels, info), labels, batch_size=32, epochs=12, verbose=0)
    path = tmp_path_factory.mktemp("tied") / "model"
    model_folder.save(path, model, info.after({"component": "train"}))
    return path


@pytest.fixture(scope="module")
def narrowed(tied: Path, pattern_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pruned Model, and its report."""
    folder = tmp_path_factory.mktemp("narrowed")
    prune(
        tied, pattern_data, folder / "model", folder / "report", method="channels",
        structure=StructureSettings(remove=0.5), augmentation=PLAIN,
        schedule=TrainingSchedule(epochs=3, learning_rate=3e-3),
    )  # fmt: skip
    return folder


def test_a_kernel_that_is_called_again_is_cut_once_and_exactly(
    narrowed: Path, tied: Path, tmp_path: Path
) -> None:
    report = json.loads((narrowed / "report" / "pruning.json").read_bytes())
    assert report["removed"] >= 0.5
    assert 0 <= report["deviation"] < 1e-5
    (group,) = (one for one in report["groups"] if "tied" in one["layers"])
    assert set(group["layers"]) == {"stem", "tied"}
    assert group["frozen"] is None
    widths = {row["layer"]: row["after"] for row in report["widths"]}
    assert widths["stem"] == widths["tied"] < 16
    weights = load_file(narrowed / "model" / "weights.safetensors")
    assert weights["tied/kernel"].shape == (3, 3, widths["tied"], widths["tied"])
    assert accuracy(narrowed / "model") > accuracy(tied) - 0.1 > 0.7
    convert(narrowed / "model", tmp_path / "lite", tmp_path / "conversion")
    assert file_macs(tmp_path / "lite") == report["costs_after"]["macs"]
    parity = json.loads((tmp_path / "conversion" / "conversion.json").read_bytes())["parity"]
    assert parity["cosine_min"] > 0.9999


@pytest.mark.parametrize("importance", ["l2", "batch_norm"])
def test_other_importances_cut_it_exactly_too(importance: str, tied: Path) -> None:
    from components.ml.formats import model_folder
    from components.ml.techniques.channel_removal import ChannelRemoval

    model, info = model_folder.load(tied)
    settings = StructureSettings(remove=0.5, importance=importance)  # pyright: ignore[reportArgumentType]
    removal = ChannelRemoval(model, settings, info, lambda costs: costs.macs)
    pixels, _ = patterns.images_of(16, seed=3)
    goal = costs_of(model).macs // 2
    images = [model_folder.normalize(pixels, info)]
    pruned = removal.reduced(model, goal, images, seed=0)  # which asserts that it is exact
    assert costs_of(pruned).macs <= goal
    assert pruned.get_layer("tied").kernel.shape[-1] < 16
    assert removal.report(pruned)["deviation"] == pytest.approx(0, abs=1e-5)


def test_what_is_frozen_in_one_call_is_frozen_in_all() -> None:
    from components.ml.graphs.channels import channels_of
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = layers.Input((8, 8, 3))
    flow = layers.Conv2D(16, 3, padding="same", name="stem")(image)
    tied = layers.Conv2D(16, 3, padding="same", name="tied")
    flow = layers.Add(name="add")([flow, tied(flow)])
    flow = layers.Conv2D(16, 1, name="between")(flow)
    last = layers.LayerNormalization(name="across")(tied(flow))
    wide = layers.Conv2D(32, 1, name="wide")(last)
    model = tf_keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(wide)))
    frozen = {name: group.frozen for group in channels_of(model).groups for name in group.layers}
    assert frozen["wide"] is None
    for name in ("stem", "tied", "between"):
        assert "across (LayerNormalization): it computes across channels" in str(frozen[name])


@pytest.mark.slow
def test_a_tied_network_is_trained_through_its_rounding_and_keeps_its_answers(
    narrowed: Path, pattern_data: Path, tmp_path: Path
) -> None:
    quantize_aware(
        narrowed / "model", pattern_data, tmp_path / "model", tmp_path / "quantized",
        schedule=TrainingSchedule(epochs=1, learning_rate=1e-3), augmentation=PLAIN,
    )  # fmt: skip
    convert(tmp_path / "model", tmp_path / "lite", tmp_path / "conversion")
    conversion = json.loads((tmp_path / "conversion" / "conversion.json").read_bytes())
    assert conversion["float_operators"] == []
    assert conversion["parity"]["cosine_min"] > 0.98


def test_a_block_of_a_tied_layer_stays_and_the_report_says_why(tied: Path) -> None:
    from components.ml.formats import model_folder
    from components.ml.graphs.residual_blocks import reasons_to_stay, residual_blocks

    model, _ = model_folder.load(tied)
    assert residual_blocks(model) == ()
    assert reasons_to_stay(model) == {
        f"add{call}": "tied is called elsewhere, too" for call in range(CALLS)
    }
