import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.model import ModelInfo
from components.artifacts.promises import Promises
from components.cluster import cluster
from components.contract.errors import UserError
from components.contract.tree import tree_of
from components.convert import convert
from components.ml.settings import Augmentation, TeacherViews, TrainingSchedule
from components.ml.techniques.clustering_settings import ClusteringSettings
from tests.components.flat import quantize
from tests.data.patterns import images_of

WEIGHTS = "weights.safetensors"
CLUSTERED = ("first", "second", "embedding", "scores")


def run(
    model: Path,
    data: Path,
    folder: Path,
    *,
    epochs: int = 0,
    rate: float = 1e-3,
    **settings: object,
) -> dict:
    cluster(
        model, data, folder / "model", folder / "report",
        clustering=ClusteringSettings(**settings), fine_tune=bool(epochs),  # pyright: ignore[reportArgumentType]
        schedule=TrainingSchedule(epochs=max(epochs, 1), learning_rate=rate),
        augmentation=Augmentation(augment="none"),
    )  # fmt: skip
    return json.loads((folder / "report" / "clustering.json").read_bytes())


def converted(model: Path, data: Path, folder: Path, scheme: str | None) -> tuple[object, int, int]:
    """The file of a Model in a scheme: read back, its length, and its length gzipped."""
    from components.ml.lite.flatbuffer import LiteFile

    if scheme:
        quantize(model, data, folder / "planned", folder / "plan", scheme=scheme)
        model = folder / "planned"
    convert(model, folder / "lite", folder / "conversion")
    info = LiteModelInfo.read(folder / "lite")
    content = (folder / "lite" / MODEL_FILE).read_bytes()
    return LiteFile.parse(content), info.size_bytes, info.gzip_bytes


def pruned(model: Path, path: Path, share: float = 0.5) -> Path:
    """The Model with the smallest weights of each kernel at 0, as prune would promise it."""
    info = ModelInfo.read(model)
    weights = load_file(model / WEIGHTS)
    zeros = 0
    for name in (name for name in weights if name.endswith("/kernel")):
        values = weights[name]
        small = np.abs(values) <= np.quantile(np.abs(values), share)
        weights[name] = np.where(small, np.float32(0), values)
        zeros += int((weights[name] == 0).sum())
    for name, entry in ((e.path, e) for e in tree_of(model).entries):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes((model / entry.path).read_bytes())
    save_file(weights, path / WEIGHTS)
    replace(info, promises=Promises(zeros=zeros)).write(path)
    return path


@pytest.fixture(scope="module")
def trained(
    pattern_classifier: Path, pattern_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the classifier of 8 values a layer, model, and its report."""
    path = tmp_path_factory.mktemp("clustered")
    run(pattern_classifier, pattern_data, path, epochs=1, clusters=8)
    return path


def test_layers_share_their_values_and_the_answers_stay(
    trained: Path, pattern_classifier: Path
) -> None:
    from components.ml.formats import model_folder

    info = ModelInfo.read(trained / "model")
    weights = load_file(trained / "model" / WEIGHTS)
    for layer in CLUSTERED:
        assert 1 < len(np.unique(weights[f"{layer}/kernel"])) <= 8, layer
    assert info.steps[-1] == {
        "component": "cluster", "method": "centroids", "clusters": 8, "epochs": 1,
    }  # fmt: skip
    assert {(kernel.layer, kernel.unique, kernel.per) for kernel in info.promises.shared} == {
        (f"{layer}/kernel", 8, "layer") for layer in CLUSTERED
    }
    assert (info.history[-1].curve.epochs, info.history[-1].parameters) == (1, info.parameters)
    assert not [name for name in weights if "norm" in name]  # folded
    images, labels = images_of(40, seed=2)
    network, _ = model_folder.load(trained / "model")
    scores = network(model_folder.normalize(images, info), training=False).numpy()
    assert (scores.argmax(axis=1) == labels).mean() > 0.9


def test_a_layer_that_has_few_values_already_keeps_them_while_others_are_trained(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    for entry in tree_of(pattern_classifier).entries:
        (tmp_path / "given" / entry.path).parent.mkdir(parents=True, exist_ok=True)
        content = (pattern_classifier / entry.path).read_bytes()
        (tmp_path / "given" / entry.path).write_bytes(content)
    weights = load_file(pattern_classifier / WEIGHTS)
    kernel = weights["embedding/kernel"]
    weights["embedding/kernel"] = np.where(kernel < 0, np.float32(-0.1), np.float32(0.15))
    save_file(weights, tmp_path / "given" / WEIGHTS)
    report = run(tmp_path / "given", pattern_data, tmp_path, epochs=1, rate=1e-2, clusters=8)
    rows = {row["name"]: row for row in report["kernels"]}
    row = rows["embedding/kernel"]
    assert row["skipped"] == "it has no more than 8 different values"
    assert (row["unique_before"], row["unique_after"]) == (2, 2)
    assert row["change"] > 0, "they are trained"
    promised = {one.layer: one for one in ModelInfo.read(tmp_path / "model").promises.shared}
    assert (promised["embedding/kernel"].unique, promised["embedding/kernel"].per) == (2, "layer")
    file, _, _ = converted(tmp_path / "model", pattern_data, tmp_path, None)
    (tensor,) = (tensor for tensor in file.weights if tensor.elements == kernel.size)
    assert tensor.unique == 2


def test_the_report_says_what_shrinks_and_what_does_not(trained: Path) -> None:
    report = json.loads((trained / "report" / "clustering.json").read_bytes())
    assert "length of the .tflite does not change" in report["raw_length"]
    sizes = report["kernel_bytes"]["float32"]
    assert sizes["gzip_after"] < 0.4 * sizes["gzip_before"]
    rows = {row["name"]: row for row in report["kernels"]}
    assert "depthwise" in rows["depthwise/depthwise_kernel"]["skipped"]
    assert rows["second/kernel"]["unique_before"] > 2000
    assert rows["second/kernel"]["unique_after"] == 8
    assert report["folded"]["norms"] == {"first_norm": "first", "second_norm": "second"}
    assert report["training"]["validation_before"] > 0.9
    assert len(report["training"]["history"]["epochs"]) == 1


@pytest.mark.parametrize(
    ("scheme", "settings"),
    [
        (None, {"clusters": 8}),
        ("int8", {"clusters": 8, "per": "channel", "initialization": "density"}),
        ("int8", {"method": "grid", "bits": 3}),
    ],
)
def test_the_file_holds_few_values_keeps_its_length_and_compresses_better(
    scheme: str | None,
    settings: dict,
    pattern_classifier: Path,
    pattern_data: Path,
    tmp_path: Path,
) -> None:
    run(pattern_classifier, pattern_data, tmp_path, **settings)
    file, size, zipped = converted(tmp_path / "model", pattern_data, tmp_path, scheme)
    _, dense, dense_zipped = converted(pattern_classifier, pattern_data, tmp_path / "dense", scheme)
    assert size == pytest.approx(dense, rel=0.02)
    assert zipped < 0.95 * dense_zipped
    limit = settings.get("clusters", 7)
    (tensor,) = (tensor for tensor in file.weights if tensor.elements == 9 * 12 * 24)
    if scheme is None:
        assert tensor.unique <= limit
    else:
        assert max(tensor.unique_per_channel) <= limit
    if settings.get("per") == "channel":
        assert tensor.unique <= limit  # integers of all channels are the same shares


def test_a_file_that_lost_its_shared_values_is_refused(
    trained: Path, pattern_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.ml.lite import checking

    model = tmp_path / "model"
    for entry in tree_of(trained / "model").entries:
        (model / entry.path).parent.mkdir(parents=True, exist_ok=True)
        (model / entry.path).write_bytes((trained / "model" / entry.path).read_bytes())
    info = ModelInfo.read(model)
    fewer = tuple(replace(kernel, unique=7) for kernel in info.promises.shared)
    replace(info, promises=Promises(shared=fewer)).write(model)
    with pytest.raises(AssertionError, match="was to have 7 values a layer"):
        convert(model, tmp_path / "lite", tmp_path / "report")
    file, _, _ = converted(trained / "model", pattern_data, tmp_path / "int8", "int8")
    checking.refuse(file, ModelInfo.read(tmp_path / "int8" / "planned"))


def test_pruned_weights_stay_zero_and_others_do_not_become_it(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    sparse = pruned(pattern_classifier, tmp_path / "pruned")
    before = ModelInfo.read(sparse).promises.zeros
    kernel = load_file(sparse / WEIGHTS)["second/kernel"]
    for name, settings in (
        ("few", {"clusters": 8}), ("shares", {"clusters": 8, "per": "channel"}),
        ("grid", {"method": "grid", "bits": 4}),
    ):  # fmt: skip
        folder = tmp_path / name
        run(sparse, pattern_data, folder, epochs=int(name == "few"), **settings)
        after = load_file(folder / "model" / WEIGHTS)["second/kernel"]
        assert (after[kernel == 0] == 0).all()
        if name != "grid":
            assert (after[kernel != 0] != 0).all()
        assert ModelInfo.read(folder / "model").promises.zeros >= before
        assert len(np.unique(after[..., 3])) <= 15


def test_what_cannot_be_clustered_is_refused(
    pattern_classifier: Path, pattern_data: Path, pattern_pairs: Path, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"for classification .* and the dataset for verification"):
        run(pattern_classifier, pattern_pairs, tmp_path)
    with pytest.raises(UserError, match=r"can be clustered: .*no more than 16 different") as caught:
        run(trained / "model", pattern_data, tmp_path)
    assert "set fewer clusters" in caught.value.fix
    run(trained / "model", pattern_data, tmp_path / "fixed", clusters=4)
    quantize(pattern_classifier, pattern_data, tmp_path / "int8", tmp_path / "plan", scheme="int8")
    with pytest.raises(UserError, match="put cluster before quantize"):
        run(tmp_path / "int8", pattern_data, tmp_path)


def test_turned_images_are_learned_from_where_they_are_asked_for(
    pattern_verifier, pattern_pairs, tmp_path
):
    cluster(
        pattern_verifier, pattern_pairs, tmp_path / "model", tmp_path / "report",
        clustering=ClusteringSettings(method="grid"),
        schedule=TrainingSchedule(epochs=1), augmentation=Augmentation(turns=True, augment="none"),
        teacher_views=TeacherViews(views=1),
    )  # fmt: skip
    report = json.loads((tmp_path / "report" / "clustering.json").read_bytes())
    assert report["training"]["steps_per_epoch"] == 4 * 160 // 32  # of 160 images


@pytest.mark.parametrize(("bits", "same"), [(4, True), (5, False)])
def test_levels_of_four_bits_stand_in_a_file_of_four_bits_as_they_are(
    pattern_classifier, pattern_data, tmp_path, bits, same
):
    """With more levels than the file has, which the second case is, they are rounded again."""
    run(pattern_classifier, pattern_data, tmp_path, method="grid", bits=bits)
    weights = load_file(tmp_path / "model" / WEIGHTS)
    file, _, _ = converted(tmp_path / "model", pattern_data, tmp_path, "w4a8")
    stored = [
        np.moveaxis(tensor.constant.values, tensor.channel_axis, -1) * np.asarray(tensor.scales)
        for tensor in file.weights
        if tensor.dtype == "INT4"
    ]
    assert len(stored) == len(CLUSTERED)
    errors = [
        min(
            float(np.abs(kernel.reshape(values.shape) - values).max() / np.abs(kernel).max())
            for values in stored
            if values.size == kernel.size
        )
        for kernel in (weights[f"{layer}/kernel"] for layer in CLUSTERED)
    ]
    assert (max(errors) < 1e-5) is same, errors


def test_training_that_only_harms_leaves_the_values_as_they_were_found(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = run(pattern_classifier, pattern_data, tmp_path / "found", clusters=8)
    report = run(
        pattern_classifier, pattern_data, tmp_path / "harmed", epochs=2, rate=5e6, clusters=8
    )
    training = report["training"]
    scores = [epoch["validation"] for epoch in training["history"]["epochs"]]
    assert max(scores) < training["validation_untrained"]  # else this shows nothing
    assert training["history"]["kept"]["number"] == 0
    assert [one["learning_rate"] for one in training["ruined"]] == pytest.approx([5e6, 5e5])
    assert "learning_rate below 50000" in caplog.text
    assert found["training"] is None
    one, other = (load_file(tmp_path / name / "model" / WEIGHTS) for name in ("found", "harmed"))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    info = ModelInfo.read(tmp_path / "harmed" / "model")
    assert info.history[-1].curve.kept == 0
