import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.model import ModelInfo, QuantizationPlan
from components.contract.errors import UserError
from components.contract.tree import tree_of
from tests.components.flat import quantize


def run(model: Path, data: Path, folder: Path, **parameters: object) -> tuple[Path, dict]:
    quantize(model, data, folder / "model", folder / "report", **parameters)
    return folder / "model", json.loads((folder / "report" / "quantization.json").read_bytes())


def test_the_model_goes_with_its_plan_and_its_images(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    model, report = run(
        pattern_classifier, pattern_data, tmp_path,
        scheme="int8", input_type="uint8", calibration_images=40,
    )  # fmt: skip
    before, after = ModelInfo.read(pattern_classifier), ModelInfo.read(model)
    plan = QuantizationPlan("int8", "uint8", "float32")
    assert after.quantization == plan
    assert [step["component"] for step in after.steps] == ["train", "quantize"]
    assert (after.input, after.output, after.parameters) == (
        before.input, before.output, before.parameters,
    )  # fmt: skip
    same = {
        e.path: e.sha256 for e in tree_of(pattern_classifier).entries if e.path != ModelInfo.FILE
    }
    rest = {e.path: e.sha256 for e in tree_of(model).entries}
    assert rest.items() >= same.items()
    assert rest.keys() - same.keys() == {ModelInfo.FILE, "calibration.npz"}
    with np.load(model / "calibration.npz") as arrays:
        images = arrays["images"]
    assert (images.dtype, images.shape) == (np.float32, (40, 8, 8, 1))
    assert (images.min(), images.max()) == (-1.0, 1.0)
    drawn = report["calibration"]
    assert drawn["images_by_class"] == dict.fromkeys(("bars", "checks", "edge", "ring"), 10)
    pixels = np.load(pattern_data / "train" / "images.npy")[drawn["rows"]]
    normalised = (pixels.astype(np.float32) - 127.5) / 127.5
    assert np.array_equal(images[1:], normalised[1:])
    assert (images[0] != normalised[0]).sum() <= 2


def test_the_images_alone_decide_the_range_when_it_is_not_asked_for(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    _, report = run(
        pattern_classifier, pattern_data, tmp_path,
        scheme="int8", calibration_images=3, full_range=False,
    )  # fmt: skip
    pixels = np.load(pattern_data / "train" / "images.npy")[report["calibration"]["rows"]]
    assert report["calibration"]["minimum"] == pytest.approx(pixels.min() / 127.5 - 1)
    assert report["calibration"]["maximum"] == pytest.approx(pixels.max() / 127.5 - 1)


def test_the_same_call_writes_the_same_bytes(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    # Another day, and a store that hands out read-only files.
    kept = shutil.copytree(pattern_classifier, tmp_path / "kept")
    for path in kept.rglob("*"):
        os.utime(path, (10**9, 10**9))
        path.chmod(0o555 if path.is_dir() else 0o444)
    for name, model in (("one", pattern_classifier), ("two", kept)):
        run(model, pattern_data, tmp_path / name, scheme="int8", calibration_images=12, seed=3)
    assert tree_of(tmp_path / "one").digest == tree_of(tmp_path / "two").digest
    run(kept, pattern_data, tmp_path / "three", scheme="int8", calibration_images=12, seed=4)
    assert tree_of(tmp_path / "one").digest != tree_of(tmp_path / "three").digest


@pytest.mark.parametrize("edges", [{"input_type": "uint8"}, {"output_type": "int8"}])
def test_integer_edges_belong_to_int8(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path, edges: dict[str, str]
) -> None:
    with pytest.raises(UserError, match="float16 computes in floating point") as caught:
        run(pattern_classifier, pattern_data, tmp_path, scheme="float16", **edges)
    assert "int8" in caught.value.fix
    assert not list(tmp_path.iterdir())


def test_a_model_is_quantized_once(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    model, _ = run(pattern_classifier, pattern_data, tmp_path / "one", scheme="dynamic")
    with pytest.raises(UserError, match="quantized already"):
        run(model, pattern_data, tmp_path / "two", scheme="int8")


def test_images_of_another_size_are_refused(pattern_classifier: Path, tmp_path: Path) -> None:
    from components.artifacts.dataset import write_dataset

    images, labels = np.zeros((2, 4, 4, 1), np.uint8), np.array([0, 1])
    write_dataset(
        tmp_path / "small", {"train": (images, labels)}, task="classification", classes="ab"
    )
    with pytest.raises(UserError, match="8 x 8 x 1 and the dataset has 4 x 4 x 1"):
        run(pattern_classifier, tmp_path / "small", tmp_path / "out", scheme="int8")
