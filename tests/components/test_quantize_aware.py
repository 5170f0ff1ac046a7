import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.model import ModelInfo, QuantizationPlan
from components.artifacts.promises import Promises
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.convert import convert
from components.ml.settings import Augmentation, TrainingSchedule
from components.prune import prune
from components.quantize_aware import quantize_aware
from tests.components.flat import quantize
from tests.components.test_cluster import pruned, run
from tests.data.patterns import NAMES, images_of

WEIGHTS = "weights.safetensors"
PLAIN = Augmentation(augment="none")
ONE_EPOCH = TrainingSchedule(epochs=1, learning_rate=3e-3)


def aware(model: Path, data: Path, folder: Path, **parameters: object) -> dict:
    given = {"input_type": "uint8", "output_type": "int8", **parameters}
    quantize_aware(
        model, data, folder / "model", folder / "report", schedule=ONE_EPOCH, augmentation=PLAIN,
        **given,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    return json.loads((folder / "report" / "quantization.json").read_bytes())


def converted(folder: Path) -> object:
    from components.ml.lite.flatbuffer import LiteFile

    convert(folder / "model", folder / "lite", folder / "conversion")
    return LiteFile.parse((folder / "lite" / MODEL_FILE).read_bytes())


@pytest.fixture(scope="module")
def trained(
    pattern_classifier: Path, pattern_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the classifier trained through its rounding, model, report and file."""
    path = tmp_path_factory.mktemp("aware")
    aware(pattern_classifier, pattern_data, path, label_weight=0.5)
    converted(path)
    return path


def test_the_model_stays_plain_with_rounded_kernels_ranges_and_a_plan(
    trained: Path, pattern_classifier: Path
) -> None:
    from components.ml.formats import model_folder, ranges

    info = ModelInfo.read(trained / "model")
    assert info.quantization == QuantizationPlan("int8", "uint8", "int8")
    assert [step["component"] for step in info.steps] == ["train", "quantize_aware"]
    assert info.history[-1].curve.before is not None
    weights = load_file(trained / "model" / WEIGHTS)
    start = load_file(pattern_classifier / WEIGHTS)
    assert not [name for name in weights if "norm" in name]
    for layer in ("first", "second", "embedding", "scores"):
        kernel = weights[f"{layer}/kernel"].reshape(-1, weights[f"{layer}/kernel"].shape[-1])
        levels = kernel / np.abs(kernel).max(axis=0) * 127
        assert np.abs(levels - np.round(levels)).max() < 1e-2, layer
    assert not np.allclose(weights["scores/kernel"], start["scores/kernel"], atol=1e-3)
    known = ranges.read(trained / "model")
    assert len(known) == info.promises.ranges == 8
    low, high = known["image"]
    assert (high - low) / 255 == pytest.approx(1 / 127.5)
    network, _ = model_folder.load(trained / "model")
    images, labels = images_of(40, seed=2)
    scores = network(model_folder.normalize(images, info), training=False).numpy()
    assert (scores.argmax(axis=1) == labels).mean() > 0.9


def test_the_file_computes_in_integers_as_it_was_trained(trained: Path) -> None:
    report = json.loads((trained / "conversion" / "conversion.json").read_bytes())
    assert report["float_operators"] == []
    assert report["promises"]["ranges"] == 8
    assert report["parity"]["cosine_min"] > 0.99
    info = LiteModelInfo.read(trained / "lite")
    assert (info.input.dtype, info.output.dtype) == ("uint8", "int8")
    assert info.input.takes_pixels


def test_the_report_tells_the_training(trained: Path) -> None:
    report = json.loads((trained / "report" / "quantization.json").read_bytes())
    assert report["folded"] == {
        "norms": {"first_norm": "first", "second_norm": "second"}, "left": {},
    }  # fmt: skip
    assert set(report["ranges"]) == {
        "image", "first_relu", "second_relu", "depthwise", "pool", "embedding", "scores",
        "scores_activation",
    }  # fmt: skip
    assert report["training"]["validation_before"] > 0.9
    assert report["training"]["validation_untrained"] > 0.9
    assert len(report["training"]["history"]["epochs"]) == 1


def test_a_layer_that_has_no_integers_is_named_though_the_converter_only_prints_it(
    pattern_data: Path, tmp_path: Path
) -> None:
    from components.artifacts.model import ImageInput, Scores
    from components.ml.formats import model_folder
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = layers.Input((8, 8, 1))
    flow = layers.ELU(alpha=0.5, name="bent")(layers.Conv2D(4, 3, name="conv")(image))
    scores = layers.Dense(len(NAMES), activation="softmax")(layers.Flatten()(flow))
    info = ModelInfo("classification", ImageInput(8, 8, 1), Scores(NAMES), 0)
    model_folder.save(tmp_path / "net", tf_keras.Model(image, scores), info)
    aware(tmp_path / "net", pattern_data, tmp_path / "aware")
    with pytest.raises(UserError, match=r"converted as int8: bent/\w+: tfl\.\w+ ") as caught:
        converted(tmp_path / "aware")
    found = re.search(r"(?<=quantize: )\{.*?\}", caught.value.fix)
    assert found, caught.value.fix
    (tmp_path / "quantized").mkdir()
    quantize(
        tmp_path / "net", pattern_data, tmp_path / "quantized" / "model", tmp_path / "report",
        **yaml.safe_load(found[0]),
    )  # fmt: skip
    converted(tmp_path / "quantized")


def test_a_file_of_other_ranges_is_refused(trained: Path, tmp_path: Path) -> None:
    from components.ml.formats import ranges

    for entry in tree_of(trained / "model").entries:
        target = tmp_path / "model" / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((trained / "model" / entry.path).read_bytes())
    known = ranges.read(tmp_path / "model")
    ranges.write(tmp_path / "model", {**known, "pool": (0.0, 1.05 * known["pool"][1])})
    with pytest.raises(UserError, match="other ranges than they were trained in: pool"):
        converted(tmp_path)


@pytest.mark.parametrize("kept", ["zeros", "values", "zeros and values"])
def test_what_steps_before_promised_is_in_the_file(
    kept: str, pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    model = pattern_classifier
    if "zeros" in kept:
        model = pruned(model, tmp_path / "pruned")
    if "values" in kept:
        run(model, pattern_data, tmp_path / "clustered", clusters=8)
    if kept != "zeros":
        model = tmp_path / "clustered" / "model"
    before = ModelInfo.read(model).promises
    aware(model, pattern_data, tmp_path)
    after = ModelInfo.read(tmp_path / "model").promises
    assert after.zeros >= before.zeros
    assert bool(after.zeros) is ("zeros" in kept)
    assert len(after.shared) == len(before.shared) == (0 if kept == "zeros" else 4)
    file = converted(tmp_path)
    (tensor,) = (tensor for tensor in file.weights if tensor.elements == 9 * 12 * 24)
    if "zeros" in kept:
        assert tensor.zeros >= tensor.elements // 2
    if kept != "zeros":
        assert max(tensor.unique_per_channel) <= 8


@pytest.mark.parametrize("lost", ["Zeros", "Centroids"])
def test_a_mask_or_assignment_that_is_lost_is_found(
    lost: str,
    pattern_classifier: Path,
    pattern_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from components.ml.techniques import quantization_aware_training
    from components.ml.training import constraints

    model = pruned(pattern_classifier, tmp_path / "pruned")
    if lost == "Centroids":
        run(model, pattern_data, tmp_path / "clustered", clusters=8)
        model = tmp_path / "clustered" / "model"
    promises = ModelInfo.read(model).promises
    monkeypatch.setattr(getattr(constraints, lost), "__call__", lambda _, kernel: kernel)
    monkeypatch.setattr(
        quantization_aware_training, "_kept",
        lambda _promises, _kernels, known: replace(promises, ranges=len(known)),
    )  # fmt: skip
    aware(model, pattern_data, tmp_path)
    with pytest.raises(AssertionError, match=r"were pruned|values a layer"):
        converted(tmp_path)


def test_a_model_can_be_trained_again_in_its_ranges_and_can_be_pruned(
    trained: Path, pattern_data: Path, tmp_path: Path
) -> None:
    from components.ml.formats import ranges

    aware(trained / "model", pattern_data, tmp_path)
    assert ranges.read(tmp_path / "model") == ranges.read(trained / "model")
    prune(
        trained / "model", pattern_data, tmp_path / "pruned", tmp_path / "pruning",
        schedule=ONE_EPOCH, augmentation=PLAIN,
    )  # fmt: skip
    info = ModelInfo.read(tmp_path / "pruned")
    assert info.quantization is None
    assert (info.promises.ranges, info.promises.zeros > 0) == (0, True)


def test_ranges_of_a_network_that_was_pruned_after_its_rounding_are_calibrated_again(
    trained: Path, pattern_data: Path, tmp_path: Path
) -> None:
    from components.ml.formats import ranges
    from components.ml.lite import checking
    from components.ml.lite.flatbuffer import LiteFile

    prune(
        trained / "model", pattern_data, tmp_path / "pruned", tmp_path / "pruning",
        schedule=ONE_EPOCH, augmentation=PLAIN,
    )  # fmt: skip
    quantize(tmp_path / "pruned", pattern_data, tmp_path / "model", tmp_path / "q", scheme="int8")
    file, info = converted(tmp_path), ModelInfo.read(tmp_path / "model")
    assert file.sparsity > 0.45
    assert not file.float_operators
    known = ranges.read(trained / "model")
    before = LiteFile.parse((trained / "lite" / MODEL_FILE).read_bytes())
    checking.refuse(before, ModelInfo.read(trained / "model"), known)
    with pytest.raises(UserError, match="other ranges than they were trained in"):
        checking.refuse(file, replace(info, promises=Promises(ranges=len(known))), known)


def test_the_same_call_gives_the_same_bytes(
    pattern_verifier: Path, pattern_pairs: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        aware(pattern_verifier, pattern_pairs, tmp_path / name)
    assert tree_of(tmp_path / "one").digest == tree_of(tmp_path / "two").digest


def test_what_does_not_fit_together_is_refused(
    pattern_classifier: Path, pattern_data: Path, pattern_pairs: Path, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"for classification .* and the dataset for verification"):
        aware(pattern_classifier, pattern_pairs, tmp_path)
    quantize(pattern_classifier, pattern_data, tmp_path / "int8", tmp_path / "plan", scheme="int8")
    with pytest.raises(UserError, match="has a plan of quantize already") as caught:
        aware(tmp_path / "int8", pattern_data, tmp_path)
    assert "take the place of quantize" in caught.value.fix
    with pytest.raises(UserError, match="quantized already"):
        quantize(
            trained / "model", pattern_data, tmp_path / "model", tmp_path / "plan", scheme="int8"
        )


def test_tfmot_trains_what_it_takes_and_the_model_stays_plain(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    from components.ml.formats import model_folder

    report = aware(pattern_classifier, pattern_data, tmp_path, method="tfmot")
    assert report["training"]["validation_before"] > 0.9
    info = ModelInfo.read(tmp_path / "model")
    assert (info.promises.ranges, info.steps[-1]["method"]) == (0, "tfmot")
    network, _ = model_folder.load(tmp_path / "model")
    start, _ = model_folder.load(pattern_classifier)
    assert [layer.name for layer in network.layers] == [layer.name for layer in start.layers]
    trained, before = (model.get_layer("scores").get_weights()[0] for model in (network, start))
    assert 0 < np.abs(trained - before).max() < 1
    file = converted(tmp_path)
    assert not file.float_operators
    assert all(tensor.dtype == "INT8" for tensor in file.weights)


@pytest.mark.parametrize("why", ["skipped", "refused", "promised"])
def test_what_tfmot_would_leave_in_float_or_undo_is_refused_and_our_own_method_takes_it(
    why: str, tmp_path: Path, pattern_pairs: Path
) -> None:
    from components.artifacts.model import Embedding, ImageInput
    from components.ml.formats import model_folder
    from components.ml.runtime import configure, tf_keras

    configure(threads=2, seed=0)
    layers = tf_keras.layers
    image = layers.Input((8, 8, 1))
    flow = layers.Conv2D(4, 3, name="conv")(image)
    flow = layers.PReLU()(flow) if why == "refused" else layers.ReLU()(flow)
    model = tf_keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(flow)))
    info = ModelInfo("verification", ImageInput(8, 8, 1), Embedding(4), 0)
    kept = Promises(zeros=1) if why == "promised" else Promises()
    model_folder.save(tmp_path / "made", model, info.after({"component": "train"}, promises=kept))
    said = {
        "skipped": "leave these weights in float: conv/kernel", "refused": "does not take this",
        "promised": "does not keep the zeros",
    }[why]  # fmt: skip
    with pytest.raises(UserError, match=said) as caught:
        aware(tmp_path / "made", pattern_pairs, tmp_path / "tfmot", method="tfmot")
    assert "method: own" in caught.value.fix
    if why == "skipped":
        aware(tmp_path / "made", pattern_pairs, tmp_path / "own", method="own")
        converted(tmp_path / "own")
