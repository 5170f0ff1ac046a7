"""Pruning of channels and of residual blocks, down to the file that ships."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.cost_model import CostModel
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.model import ImageInput, ModelInfo, Scores
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.convert import convert
from components.ml.settings import Augmentation, TrainingSchedule
from components.ml.techniques.channel_settings import StructureSettings
from components.prune import prune
from components.statistics.linear_fit import LinearFit
from tests.components.flat import quantize
from tests.data import patterns

PLAIN = Augmentation(augment="none")


def residual_network() -> Any:
    """A stem and three residual blocks, each with squeeze and excitation, on the patterns."""
    from components.ml.runtime import tf_keras

    layers = tf_keras.layers
    image = layers.Input((patterns.SIDE, patterns.SIDE, 1))
    flow = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    flow = layers.ReLU(name="stem_relu")(layers.BatchNormalization(momentum=0.8)(flow))
    for block in ("a", "b", "c"):
        inner = layers.Conv2D(32, 3, padding="same", use_bias=False, name=f"{block}_in")(flow)
        inner = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(inner))
        gate = layers.GlobalAveragePooling2D(keepdims=True)(inner)
        gate = layers.Conv2D(32, 1, activation="sigmoid", name=f"{block}_gate")(gate)
        inner = layers.Multiply()([inner, gate])
        inner = layers.Conv2D(16, 3, padding="same", use_bias=False, name=f"{block}_out")(inner)
        inner = layers.BatchNormalization(momentum=0.8)(inner)
        flow = layers.Add(name=f"{block}_add")([flow, inner])
    flow = layers.GlobalAveragePooling2D()(flow)
    scores = layers.Dense(len(patterns.NAMES), activation="softmax", name="scores")(flow)
    return tf_keras.Model(image, scores)


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model with residual blocks that tells the patterns apart."""
    from components.ml.formats import model_folder
    from components.ml.runtime import configure, tf_keras

    configure(threads=2, seed=0)
    model = residual_network()
    info = ModelInfo("classification", ImageInput(8, 8, 1), Scores(patterns.NAMES, "softmax"), 0)
    pixels, labels = patterns.images_of(160, seed=0)
    model.compile(tf_keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(model_folder.normalize(pixels, info), labels, batch_size=32, epochs=8, verbose=0)
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = 0.999  # as published networks have it
    path = tmp_path_factory.mktemp("residual") / "model"
    model_folder.save(path, model, info.after({"component": "train"}))
    return path


@dataclass(frozen=True)
class Made:
    """A pruned Model and what lies around it."""

    folder: Path
    report: dict[str, Any]

    @property
    def info(self) -> ModelInfo:
        return ModelInfo.read(self.folder / "model")


def made(
    folder: Path, model: Path, data: Path, method: str, epochs: int = 4, **settings: Any
) -> Made:
    prune(
        model, data, folder / "model", folder / "report",
        method=method, structure=StructureSettings(**settings), augmentation=PLAIN,
        schedule=TrainingSchedule(epochs=epochs, learning_rate=3e-3),
    )  # fmt: skip
    return Made(folder, json.loads((folder / "report" / "pruning.json").read_bytes()))


@pytest.fixture(scope="module")
def narrow(residual: Path, pattern_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("narrow")
    return made(folder, residual, pattern_data, "channels", remove=0.5, rounds=2)


@pytest.fixture(scope="module")
def shallow(residual: Path, pattern_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("shallow")
    return made(folder, residual, pattern_data, "layers", remove=0.6)


def file_macs(lite: Path) -> int:
    """Count the multiply-accumulates of a written file from its operators and their tensors."""
    from components.ml.lite.flatbuffer import LiteFile

    (graph,) = LiteFile.parse((lite / "model.tflite").read_bytes()).subgraphs
    found = 0
    for operator in graph.operators:
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            kernel = graph.tensors[operator.inputs[1]]
            _, *places, _ = graph.tensors[operator.outputs[0]].shape
            found += int(np.prod(places)) * kernel.elements
    return found


def file_widths(lite: Path) -> list[int]:
    """Output channels of every convolution and matrix of a file, in its order."""
    from components.ml.lite.flatbuffer import LiteFile

    (graph,) = LiteFile.parse((lite / "model.tflite").read_bytes()).subgraphs
    kernels = [
        graph.tensors[operator.inputs[1]]
        for operator in graph.operators
        if operator.name in ("CONV_2D", "FULLY_CONNECTED")
    ]
    return [kernel.shape[0] for kernel in kernels]


def hold_file_to_its_report(lite: Path, report: Mapping[str, Any]) -> None:
    """Ask of a file that its multiply-accumulates are those after pruning, and fell as said."""
    macs, before = file_macs(lite), report["costs_before"]["macs"]
    assert macs == report["costs_after"]["macs"]
    assert macs <= before * (1 - report["remove"])
    if "widths" in report:
        assert sorted(file_widths(lite)) == sorted(row["after"] for row in report["widths"])


def accuracy(model: Path) -> float:
    from components.ml.formats import model_folder

    images, labels = patterns.images_of(80, seed=7)
    info = ModelInfo.read(model)
    scores = model_folder.inference(model)(model_folder.normalize(images, info))
    return float((scores.argmax(axis=1) == labels).mean())


@pytest.fixture(scope="module")
def files(
    narrow: Made, shallow: Made, pattern_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """The pruned ones as files: in float, and the narrow one in int8, which is a Model too."""
    root = tmp_path_factory.mktemp("files")
    quantize(narrow.folder / "model", pattern_data, root / "int8", root / "plan", scheme="int8")
    models = {"narrow": narrow.folder / "model", "shallow": shallow.folder / "model"}
    for name, model in {**models, "narrow-int8": root / "int8"}.items():
        convert(model, root / name, root / f"{name}-report")
    return {name: root / name for name in (*models, "narrow-int8", "int8")}


def test_files_are_as_narrow_and_as_shallow_as_was_asked(
    files: Mapping[str, Path], narrow: Made, shallow: Made, residual: Path, tmp_path: Path
) -> None:
    hold_file_to_its_report(files["narrow"], narrow.report)
    hold_file_to_its_report(files["narrow-int8"], narrow.report)
    hold_file_to_its_report(files["shallow"], shallow.report)
    # The same check of a file that was not pruned fails.
    convert(residual, tmp_path / "whole", tmp_path / "report")
    assert file_macs(tmp_path / "whole") == narrow.report["costs_before"]["macs"]
    for made_of in (narrow, shallow):
        with pytest.raises(AssertionError):
            hold_file_to_its_report(tmp_path / "whole", made_of.report)
    whole, small = (
        LiteModelInfo.read(path).size_bytes for path in (tmp_path / "whole", files["narrow"])
    )
    assert small < 0.6 * whole


def test_the_task_is_still_done(narrow: Made, shallow: Made, residual: Path) -> None:
    assert accuracy(residual) > 0.95
    assert accuracy(narrow.folder / "model") > 0.95
    assert accuracy(shallow.folder / "model") > 0.95


def test_the_report_of_channels_tells_every_width_and_what_is_tied(narrow: Made) -> None:
    report, widths = narrow.report, {row["layer"]: row for row in narrow.report["widths"]}
    assert all(row["after"] % 8 == 0 for name, row in widths.items() if name != "scores")
    assert len({widths[name]["after"] for name in ("stem", "a_out", "b_out", "c_out")}) == 1
    assert widths["a_in"]["after"] == widths["a_gate"]["after"]
    assert widths["scores"] == {
        "layer": "scores", "kind": "Dense", "before": 4, "after": 4,
        "frozen": "scores (Dense): its softmax needs all channels",
    }  # fmt: skip
    groups = {tuple(group["layers"]): group for group in report["groups"]}
    assert groups["stem", "a_out", "b_out", "c_out"]["channels"] == 16
    assert groups["a_in", "a_gate"] == {
        "layers": ["a_in", "a_gate"], "channels": 32, "frozen": None
    }  # fmt: skip
    assert report["removed"] >= 0.5
    assert report["deviation"] < 1e-5
    assert report["validation_before"] > 0.9
    first, second = report["rounds"]
    assert report["costs_before"]["macs"] > first["costs"]["macs"] > second["costs"]["macs"]
    assert second["costs"] == report["costs_after"]
    step = narrow.info.steps[-1]
    assert step["method"] == "channels"
    assert step["removed"] == pytest.approx(report["removed"], abs=1e-4)
    assert narrow.info.parameters == report["costs_after"]["parameters"]
    facts = narrow.info.history[-1]
    epochs = sum(len(one["history"]["epochs"]) for one in report["rounds"])
    assert (facts.parameters, facts.curve.epochs) == (narrow.info.parameters, epochs)
    assert [point.epoch for point in facts.curve.points] == list(range(1, epochs + 1))


def test_the_report_of_layers_tells_every_block(shallow: Made) -> None:
    blocks = {block["addition"]: block for block in shallow.report["blocks"]}
    assert list(blocks) == ["a_add", "b_add", "c_add"]
    removed = [block for block in blocks.values() if block["removed"]]
    kept = [block for block in blocks.values() if not block["removed"]]
    assert len(removed) == 2
    assert max(block["importance"] for block in removed) < min(b["importance"] for b in kept)
    assert "a_gate" in blocks["a_add"]["layers"]
    assert "stem" not in blocks["a_add"]["layers"]
    assert shallow.report["frozen"] == {}


def test_the_momentum_of_the_batch_norms_is_what_it_was(narrow: Made) -> None:
    text = (narrow.folder / "model" / "architecture.json").read_text()
    assert '"momentum":0.999' in text
    assert '"momentum":0.5' not in text


def test_the_same_call_gives_the_same_bytes(
    pattern_verifier: Path, pattern_pairs: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        prune(
            pattern_verifier, pattern_pairs, tmp_path / name / "model", tmp_path / name / "report",
            method="channels", structure=StructureSettings(target="parameters", remove=0.4),
            schedule=TrainingSchedule(epochs=1, learning_rate=3e-3),
        )  # fmt: skip
    assert tree_of(tmp_path / "one").digest == tree_of(tmp_path / "two").digest


def test_more_than_there_is_to_remove_is_refused_with_what_works(
    residual: Path, pattern_data: Path, tmp_path: Path
) -> None:
    for method, importance in (("channels", "l2"), ("layers", "batch_norm")):
        with pytest.raises(UserError, match=rf"at most \d+% of the macs .* {method}") as caught:
            made(
                tmp_path / "refused", residual, pattern_data, method,
                remove=0.999, importance=importance,
            )  # fmt: skip
        remove = float(caught.value.fix.removeprefix("write remove: "))
        fixed = made(
            tmp_path / method, residual, pattern_data, method,
            epochs=1, remove=remove, importance=importance,
        )  # fmt: skip
        assert fixed.report["removed"] >= remove > 0.5
    assert not (tmp_path / "refused").exists()


def test_a_network_of_which_nothing_can_be_removed_is_refused(
    pattern_verifier: Path, pattern_pairs: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="no layer of it adds two tensors") as caught:
        made(tmp_path / "refused", pattern_verifier, pattern_pairs, "layers")
    assert "leave prune away" in caught.value.fix
    with pytest.raises(UserError, match="it is the answer; no layer is wider") as caught:
        made(tmp_path / "refused", pattern_verifier, pattern_pairs, "channels", multiple_of=64)
    assert "multiple_of" in str(caught.value)


def test_a_network_that_was_cut_wrongly_is_noticed_whatever_it_is_made_of(
    residual: Path, pattern_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.ml.graphs import channel_cutting

    taken = channel_cutting._taken
    monkeypatch.setattr(
        channel_cutting,
        "_taken",
        lambda weight, axes: taken(
            weight, {at: np.roll(keep, 1) if at == -2 else keep for at, keep in axes.items()}
        ),
    )
    with pytest.raises(AssertionError, match="from the one that reads zeros"):
        made(tmp_path / "wrong", residual, pattern_data, "channels", importance="l2")


def test_a_quantized_model_is_refused(
    files: Mapping[str, Path], pattern_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="has a quantization plan already") as caught:
        made(tmp_path / "refused", files["int8"], pattern_data, "channels")
    assert "before quantize" in caught.value.fix


def cost_model(folder: Path, constant: float, macs: float) -> Path:
    """Write a cost model by which a network takes so long, and longer with its MACs."""
    fit = LinearFit(constant, {"macs": macs, "activations": 0.0, "kernels": 0.0}, 0.05, 0.99)
    CostModel("host", {}, 1, "int8", (), {}, fit, fit).write(folder)
    return folder


def test_latency_is_pruned_as_it_is_predicted(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    ends = (tmp_path / "model", tmp_path / "report")
    settings: Any = {
        "method": "channels", "augmentation": PLAIN, "schedule": TrainingSchedule(epochs=1),
        "structure": StructureSettings(target="latency_ms", remove=0.3, multiple_of=4),
    }  # fmt: skip
    with pytest.raises(UserError, match="no cost model of a device is given") as caught:
        prune(pattern_classifier, pattern_data, *ends, **settings)
    assert "give --costs" in caught.value.fix
    # The mutation: where all networks take equally long, nothing makes one faster.
    constant = cost_model(tmp_path / "constant", 0.004, 0.0)
    with pytest.raises(UserError, match="nothing of the model"):
        prune(pattern_classifier, pattern_data, *ends, costs=constant, **settings)
    costs = cost_model(tmp_path / "costs", 0.001, 1e-6)
    prune(pattern_classifier, pattern_data, *ends, costs=costs, **settings)
    report = json.loads((ends[1] / "pruning.json").read_bytes())
    predicted, model = report["predicted_latency"], CostModel.read(costs)
    assert predicted["after_ms"] == model.latency_ms(report["costs_after"])
    assert predicted["after_ms"] <= 0.7 * predicted["before_ms"] + 1e-9
    assert "predicted, not measured" in predicted["said"]
    convert(ends[0], tmp_path / "lite", tmp_path / "conversion")
    assert file_macs(tmp_path / "lite") == report["costs_after"]["macs"]
    assert ModelInfo.read(ends[0]).steps[-1]["target"] == "latency_ms"


def test_bytes_that_are_to_go_are_gone_from_the_int8_file(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    """The mutation: of a file of the whole network the same is not true."""
    done = made(
        tmp_path / "done", pattern_classifier, pattern_data, "channels",
        epochs=1, target="bytes", remove=0.4, multiple_of=4, rounds=2,
    )  # fmt: skip
    told = done.report
    assert told["costs_after"]["int8_bytes"] <= 0.6 * told["costs_before"]["int8_bytes"]
    sizes = {}
    for name, model in (("whole", pattern_classifier), ("pruned", done.folder / "model")):
        folder = tmp_path / name
        quantize(model, pattern_data, folder / "int8", folder / "plan", scheme="int8")
        convert(folder / "int8", folder / "lite", folder / "report", repack=False)
        sizes[name] = LiteModelInfo.read(folder / "lite").size_bytes
    expected = told["costs_before"]["int8_bytes"] - told["costs_after"]["int8_bytes"]
    assert sizes["whole"] - sizes["pruned"] == pytest.approx(expected, rel=0.15)
