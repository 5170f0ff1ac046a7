import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.model import Embedding, ImageInput, ModelInfo
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.convert import convert
from components.ml.settings import Augmentation, TrainingSchedule
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
