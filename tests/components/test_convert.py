import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.lite_model import MODEL_FILE, Affine, LiteModelInfo
from components.artifacts.model import ModelInfo
from components.contract.digests import canonical_json
from components.contract.tree import tree_of
from components.convert import convert
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
