import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.model import Embedding, ImageInput, ModelInfo
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.convert import convert
from components.ml.settings import Augmentation, TrainingSchedule
from components.ml.techniques.weight_pruning_settings import WeightPruningSettings
from components.prune import prune
from tests.components.flat import quantize
from tests.data.patterns import images_of


@pytest.fixture(scope="module")
def pruned(
    pattern_classifier: Path, pattern_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the pruned classifier, model, and its report."""
    path = tmp_path_factory.mktemp("pruned")
    prune(
        pattern_classifier, pattern_data, path / "model", path / "report",
        sparsity=0.6, schedule=TrainingSchedule(epochs=3, learning_rate=3e-3),
        augmentation=Augmentation(augment="none"),
    )  # fmt: skip
    return path


def test_the_zeros_are_there_and_the_answers_too(pruned: Path, pattern_classifier: Path) -> None:
    from components.ml.formats import model_folder

    before, after = ModelInfo.read(pattern_classifier), ModelInfo.read(pruned / "model")
    step = after.steps[-1]
    assert [given["component"] for given in after.steps] == ["train", "prune"]
    report = json.loads((pruned / "report" / "pruning.json").read_bytes())
    curve = after.history[-1].curve
    assert [point.epoch for point in curve.points] == [1, 2, 3]
    assert curve.points[0].validation is None, "not all zeros were chosen yet"
    assert curve.before == report["validation_before"]
    weights = load_file(pruned / "model" / "weights.safetensors")
    kernels = [name for name in weights if name.endswith("/kernel")]
    assert len(kernels) == 4
    for name in kernels:
        assert (weights[name] == 0).mean() == pytest.approx(0.6, abs=0.01), name
    assert step["zeros"] == sum(int((weights[name] == 0).sum()) for name in kernels)
    assert (after.parameters, after.output) == (before.parameters, before.output)
    architecture = "architecture.json"
    assert (pruned / "model" / architecture).read_bytes() == (
        pattern_classifier / architecture
    ).read_bytes()
    images, labels = images_of(40, seed=2)
    scores = model_folder.inference(pruned / "model")(model_folder.normalize(images, after))
    assert (scores.argmax(axis=1) == labels).mean() > 0.9
    model, _ = model_folder.load(pruned / "model")
    reloaded = model(model_folder.normalize(images, after), training=False).numpy()
    assert np.allclose(reloaded, scores, atol=1e-5)


def test_the_report_tells_every_layer(pruned: Path) -> None:
    report = json.loads((pruned / "report" / "pruning.json").read_bytes())
    assert [(row["name"], row["skipped"] is None) for row in report["layers"]] == [
        ("first", True), ("second", True), ("depthwise", False), ("embedding", True),
        ("scores", True),
    ]  # fmt: skip
    assert "DepthwiseConv2D" in report["layers"][2]["skipped"]
    assert 0.55 < report["sparsity_of_model"] < 0.6
    assert report["validation_before"] > 0.9
    epochs = report["history"]["epochs"]
    assert [epoch["validation"] is None for epoch in epochs] == [True, False, False]
    assert report["history"]["kept"]["number"] > 1


def test_zeros_outlive_quantization_and_shrink_what_is_shipped(
    pruned: Path, pattern_data: Path, lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    quantize(
        pruned / "model", pattern_data, tmp_path / "model", tmp_path / "plan",
        scheme="int8", input_type="int8", output_type="int8",
    )  # fmt: skip
    convert(tmp_path / "model", tmp_path / "lite", tmp_path / "report")
    info, dense = (
        LiteModelInfo.read(tmp_path / "lite"),
        LiteModelInfo.read(lite_patterns["int8-int8"] / "lite"),
    )
    report = json.loads((tmp_path / "report" / "conversion.json").read_bytes())
    assert report["sparsity"] > 0.55
    assert info.gzip_bytes < 0.9 * dense.gzip_bytes
    assert info.size_bytes == pytest.approx(dense.size_bytes, rel=0.05)


SHORT = TrainingSchedule(epochs=3, learning_rate=3e-3)
PLAIN = Augmentation(augment="none")


@pytest.mark.parametrize(
    ("method", "curve"), [("weights", "constant"), ("tfmot", "cubic"), ("tfmot", "constant")]
)
def test_every_way_of_pruning_leaves_its_zeros_in_the_final_file(
    method: Any, curve: Any, pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    prune(
        pattern_classifier, pattern_data, tmp_path / "model", tmp_path / "report",
        method=method, sparsity=0.6, schedule=SHORT, augmentation=PLAIN,
        weight_pruning=WeightPruningSettings(sparsity_schedule=curve),
    )  # fmt: skip
    convert(tmp_path / "model", tmp_path / "lite", tmp_path / "convert")
    info = ModelInfo.read(tmp_path / "model")
    assert (info.steps[-1]["method"], info.steps[-1]["component"]) == (method, "prune")
    converted = json.loads((tmp_path / "convert" / "conversion.json").read_bytes())
    assert converted["sparsity"] == pytest.approx(0.6, abs=0.05)  # counted in the file
    report = json.loads((tmp_path / "report" / "pruning.json").read_bytes())
    assert report["history"]["kept"]["validation"] > 0.9
    counted = [epoch["validation"] is not None for epoch in report["history"]["epochs"]]
    assert counted == ([True] * 3 if curve == "constant" else [False, True, True])


def test_plain_tfmot_with_few_steps_is_refused_and_the_fix_works(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutation: as TFMOT's own schedule has it, zeros are looked at every 100 steps."""
    from tensorflow_model_optimization.sparsity import keras

    from components.ml.techniques import weight_pruning

    def every_hundred(sparsity: float, steps: int, _: str) -> Any:
        return keras.PolynomialDecay(0.0, sparsity, 0, steps, frequency=100)

    def run(method: Any, folder: Path) -> None:
        prune(
            pattern_classifier, pattern_data, folder / "model", folder / "report",
            method=method, sparsity=0.6, schedule=SHORT, augmentation=PLAIN,
        )  # fmt: skip

    with monkeypatch.context() as patched:
        patched.setattr(weight_pruning, "schedule_of", every_hundred)
        with pytest.raises(UserError, match="TFMOT chose too few zeros") as caught:
            run("tfmot", tmp_path / "few")
        assert not (tmp_path / "few" / "model").exists()
    assert "write method: weights" in caught.value.fix
    run("weights", tmp_path / "ours")


def test_tfmot_learns_no_embedding_and_the_fix_works(
    pattern_verifier: Path, pattern_pairs: Path, tmp_path: Path
) -> None:
    given = {"schedule": SHORT, "augmentation": PLAIN}
    out = (tmp_path / "model", tmp_path / "report")
    with pytest.raises(UserError, match="learns from the labels of a softmax") as caught:
        prune(pattern_verifier, pattern_pairs, *out, method="tfmot", **given)
    assert caught.value.fix == "write method: weights"
    prune(pattern_verifier, pattern_pairs, *out, method="weights", **given)


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_labels_that_contradict_the_network_are_learned_as_far_as_they_weigh(
    weight: float, pattern_classifier: Path, tmp_path: Path
) -> None:
    """All labels are moved on by one: who learns answers keeps to them, who learns labels moves."""
    from components.artifacts.dataset import write_dataset
    from components.ml.formats import model_folder
    from tests.data.patterns import NAMES

    images, labels = images_of(160, seed=0)
    moved = write_dataset(
        tmp_path / "data",
        {"train": (images, (labels + 1) % 4), "validation": (images[:40], (labels[:40] + 1) % 4)},
        task="classification",
        classes=NAMES,
    ).path
    prune(
        pattern_classifier, moved, tmp_path / "model", tmp_path / "report", sparsity=0.3,
        schedule=TrainingSchedule(epochs=12, learning_rate=1e-2, keep="last"),
        augmentation=PLAIN, weight_pruning=WeightPruningSettings(label_weight=weight),
    )  # fmt: skip
    info = ModelInfo.read(tmp_path / "model")
    scores = model_folder.inference(tmp_path / "model")(model_folder.normalize(images, info))
    on_labels = np.log(scores[np.arange(160), (labels + 1) % 4] + 1e-9).mean()
    report = json.loads((tmp_path / "report" / "pruning.json").read_bytes())
    assert report["label_weight"] == weight
    low, high = {0.0: (-21, -3), 0.5: (-3, -0.3), 1.0: (-0.5, 0)}[weight]
    assert low < on_labels < high


def test_the_answers_of_a_teacher_are_learned_in_place_of_its_own(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    """A teacher that names every class by its neighbour, and no labels."""
    from components.ml.formats import model_folder

    network, info = model_folder.load(pattern_classifier)
    kernel, bias = network.get_layer("scores").get_weights()
    network.get_layer("scores").set_weights([np.roll(kernel, 1, 1), np.roll(bias, 1)])
    model_folder.save(tmp_path / "teacher", network, info)
    images, labels = images_of(160, seed=0)
    right: dict[str, float] = {}
    for answers_of in ("model", "teacher"):
        folder = tmp_path / answers_of
        prune(
            pattern_classifier, pattern_data, folder / "model", folder / "report",
            tmp_path / "teacher", sparsity=0.3, augmentation=PLAIN,
            schedule=TrainingSchedule(epochs=12, learning_rate=1e-2, keep="last"),
            weight_pruning=WeightPruningSettings(label_weight=0.0, answers_of=answers_of),
        )  # fmt: skip
        scores = model_folder.inference(folder / "model")(model_folder.normalize(images, info))
        right[answers_of] = float((scores.argmax(axis=1) == (labels + 1) % 4).mean())
    assert right["model"] < 0.2
    assert right["teacher"] > 0.8


def test_the_same_call_gives_the_same_bytes(
    pattern_verifier: Path, pattern_pairs: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        prune(
            pattern_verifier, pattern_pairs, tmp_path / name / "model", tmp_path / name / "report",
            sparsity=0.5, schedule=TrainingSchedule(epochs=1, learning_rate=3e-3),
        )  # fmt: skip
    assert tree_of(tmp_path / "one").digest == tree_of(tmp_path / "two").digest
    weights = load_file(tmp_path / "one" / "model" / "weights.safetensors")
    assert (weights["embedding/kernel"] == 0).mean() == pytest.approx(0.5, abs=0.01)


def test_a_program_without_an_architecture_cannot_be_pruned_and_hears_what_it_can_do(
    pattern_data: Path, tmp_path: Path
) -> None:
    ModelInfo(
        "verification", ImageInput(8, 8, 1), Embedding(4), 0, trainable=False, source="a SavedModel"
    ).write(tmp_path / "program")
    with pytest.raises(UserError, match=r"cannot be pruned: .*a SavedModel") as caught:
        prune(tmp_path / "program", pattern_data, tmp_path / "model", tmp_path / "report")
    assert "int8" in caught.value.fix
    assert not (tmp_path / "model").exists()


def test_what_does_not_fit_together_is_refused(
    pattern_classifier: Path, pattern_pairs: Path, lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"for classification .* and the dataset for verification"):
        prune(pattern_classifier, pattern_pairs, tmp_path / "model", tmp_path / "report")
    with pytest.raises(UserError, match="has a quantization plan already"):
        prune(
            lite_patterns["int8"] / "model", pattern_pairs, tmp_path / "model", tmp_path / "report"
        )


def test_a_model_with_nothing_to_prune_is_refused(pattern_pairs: Path, tmp_path: Path) -> None:
    from components.ml.formats import model_folder
    from components.ml.runtime import configure, tf_keras

    configure(threads=2, seed=0)
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [layers.Input((8, 8, 1)), layers.DepthwiseConv2D(3, name="only"), layers.Flatten()]
    )
    info = ModelInfo("verification", ImageInput(8, 8, 1), Embedding(36), 0)
    model_folder.save(tmp_path / "program", model, info.after({"component": "train"}))
    with pytest.raises(UserError, match="can be pruned: only: TFMOT prunes no weight") as caught:
        prune(tmp_path / "program", pattern_pairs, tmp_path / "model", tmp_path / "report")
    assert "leave prune away" in caught.value.fix
