import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import brotli
import numpy as np
import pytest

from components.artifacts.dataset import Dataset
from components.artifacts.lite_model import MODEL_FILE, Affine, LiteModelInfo
from components.artifacts.making import Making
from components.artifacts.model import ModelInfo
from components.contract.digests import canonical_json
from components.contract.tree import tree_of
from components.convert import convert
from components.ml.formats import calibration, samples
from tests.components.flat import quantize


def report_of(folder: Path) -> dict:
    return json.loads((folder / "report" / "conversion.json").read_bytes())


def test_the_card_describes_the_file(lite_patterns: Mapping[str, Path]) -> None:
    folder = lite_patterns["int8-uint8"]
    content = (folder / "lite" / MODEL_FILE).read_bytes()
    info, model = LiteModelInfo.read(folder / "lite"), ModelInfo.read(folder / "model")
    assert info.sha256 == hashlib.sha256(content).hexdigest()
    assert info.size_bytes == len(content)
    assert info.gzip_bytes == len(gzip.compress(content, 9, mtime=0)) < len(content)
    assert (info.task, info.parameters, info.quantization) == (
        model.task, model.parameters, model.quantization,
    )  # fmt: skip
    assert info.steps == model.steps
    made, report = Making.read(folder / "lite"), report_of(folder)
    assert made == Making.told(model.history, report)
    assert sum(made.anatomy.values()) == info.size_bytes
    assert made.delegate.inside + len(made.delegate.outside) == sum(made.operators.values())
    assert made.parity.cosine_min == report["parity"]["cosine_min"]
    assert info.input.quantization == Affine(pytest.approx(2 / 255), 127)
    assert info.input.takes_pixels
    assert (info.output.kind, info.output.size) == ("scores", 4)
    assert info.output.classes == ("bars", "checks", "edge", "ring")
    assert info.output.quantization == Affine(1 / 256, 0)
    assert tree_of(folder / "lite").entries[0].path == "lite.json"
    assert len(tree_of(folder / "lite").entries) == 2


def test_each_scheme_is_smaller_than_the_last(lite_patterns: Mapping[str, Path]) -> None:
    sizes = {
        name: LiteModelInfo.read(folder / "lite").size_bytes
        for name, folder in lite_patterns.items()
    }
    assert sizes["float32"] > sizes["float16"] > sizes["int8-int8"]
    assert sizes["float32"] > sizes["dynamic"]


@pytest.mark.parametrize(
    ("scheme", "drawn_from", "left", "cosine"),
    [("float32", "synthetic", 7, 0.99999), ("float16", "calibration", 16, 0.9999),
     ("dynamic", "calibration", 7, 0.999), ("int8", "calibration", 0, 0.99)],
)  # fmt: skip
def test_the_report_says_what_is_in_the_file(
    lite_patterns: Mapping[str, Path], scheme: str, drawn_from: str, left: int, cosine: float
) -> None:
    report = report_of(lite_patterns[scheme])
    info = LiteModelInfo.read(lite_patterns[scheme] / "lite")
    assert report["scheme"] == scheme
    assert report["parity"]["drawn_from"] == drawn_from
    assert cosine < report["parity"]["cosine_min"] <= 1.0001
    assert len(report["float_operators"]) == left
    assert report["operators"]["before"]["FusedBatchNormV3"] == 2  # and none of them is left
    assert "FusedBatchNormV3" not in report["operators"]["after"]
    assert report["operators"]["after"]["CONV_2D"] == 2
    assert report["delegate"]["partitions"] >= 1
    assert report["delegate"]["outside"] == (["SOFTMAX"] if scheme == "int8" else [])
    assert (report["size_bytes"], report["gzip_bytes"]) == (info.size_bytes, info.gzip_bytes)
    content = (lite_patterns[scheme] / "lite" / MODEL_FILE).read_bytes()
    assert report["brotli_quality"] == 11
    assert len(brotli.compress(content, quality=11, lgwin=24)) == report["brotli_bytes"]
    assert report["repack"]["after_bytes"] == info.size_bytes < report["repack"]["before_bytes"]
    assert report["repack"]["kept"] is None
    assert sum(report["anatomy"].values()) == info.size_bytes
    assert sum(report["repack"]["anatomy_before"].values()) == report["repack"]["before_bytes"]
    for row in report["weights"].values():
        assert 1 < row["unique_per_channel_max"] <= row["unique_max"]
    elements = sum(row["elements"] for row in report["weights"].values())
    assert elements == 12 * 9 + 12 * 24 * 9 + 24 * 4 + 24 * 8 + 8 * 4
    assert (
        canonical_json(report)
        == (lite_patterns[scheme] / "report" / "conversion.json").read_bytes()
    )


def test_nothing_of_the_conversion_itself_is_left_in_a_file(
    lite_patterns: Mapping[str, Path],
) -> None:
    for folder in lite_patterns.values():
        assert "CONVERSION_METADATA" not in report_of(folder)["metadata"]
        content = (folder / "lite" / MODEL_FILE).read_bytes()
        assert str(folder).encode() not in content
        assert b"2.21" not in content


def test_a_fresh_process_writes_the_same_bytes(
    lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    # Other paths, another seed of hashes, and no history; this process has trained and converted.
    folder = lite_patterns["int8-uint8"]
    model = shutil.copytree(folder / "model", tmp_path / "elsewhere")
    command = [sys.executable, "-m", "components", "convert"]
    given = ["--model", str(model), "--lite", str(tmp_path / "lite")]
    subprocess.run(
        [*command, *given, "--report", str(tmp_path / "report")],
        check=True,
        capture_output=True,
        timeout=300,
    )
    for part in ("lite", "report"):
        there = tree_of(tmp_path / part)
        assert there.digest == tree_of(folder / part).digest


def test_without_repacking_the_file_is_as_the_converter_wrote_it(
    lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    convert(lite_patterns["int8"] / "model", tmp_path / "lite", tmp_path / "report", repack=False)
    report, repacked = report_of(tmp_path), report_of(lite_patterns["int8"])
    assert report["size_bytes"] == repacked["repack"]["before_bytes"]
    assert report["repack"]["after_bytes"] == report["repack"]["before_bytes"]
    assert report["repack"]["kept"] == "it was not asked for"
    assert report["anatomy"] == repacked["repack"]["anatomy_before"]
    same = ("parity", "delegate", "fusion", "operators", "float_operators", "input", "output")
    assert [report[key] for key in same] == [repacked[key] for key in same]


def test_parity_is_shown_on_images_of_the_models_own(
    lite_patterns: Mapping[str, Path], pattern_data: Path, tmp_path: Path
) -> None:
    from components.ml.lite import parity

    folder = lite_patterns["int8"]
    model = shutil.copytree(folder / "model", tmp_path / "model")
    samples.draw(model, Dataset.open(pattern_data), seed=5)
    info, images = ModelInfo.read(model), calibration.read(model)
    found = parity.measure(model, folder / "lite", info, images, seed=0).differences
    assert (found["drawn_from"], found["images"]) == ("samples", 32)
    shown, _ = parity.images_of(model, info, images, 0)
    train = {image.tobytes() for image in np.asarray(Dataset.open(pattern_data).images("train"))}
    assert {(image * 127.5 + 127.5).round().astype(np.uint8).tobytes() for image in shown} <= train
    other = parity.measure(folder / "model", folder / "lite", info, images, seed=0).differences
    assert other["drawn_from"] == "calibration"
    assert other["max_abs"] != found["max_abs"]


def test_a_tower_is_converted_and_calibrated_on_its_own_images(
    pattern_verifier: Path, pattern_pairs: Path, tmp_path: Path
) -> None:
    quantize(
        pattern_verifier, pattern_pairs, tmp_path / "model", tmp_path / "plan",
        scheme="int8", input_type="int8", output_type="int8", calibration_images=16,
    )  # fmt: skip
    convert(tmp_path / "model", tmp_path / "lite", tmp_path / "report")
    info = LiteModelInfo.read(tmp_path / "lite")
    assert (info.output.kind, info.output.size, info.output.classes) == ("embedding", 8, None)
    assert info.output.dtype == info.input.dtype == "int8"
    report = report_of(tmp_path)
    assert report["parity"]["images"] == 16
    assert report["parity"]["cosine_min"] > 0.95
    with np.load(tmp_path / "model" / "calibration.npz") as arrays:
        assert len(arrays["images"]) == 16
