"""Sparse float16 files: smaller where zeros are many, the same answers, and dense where they are few."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.model import ModelInfo
from components.artifacts.promises import Promises
from components.benchmark import benchmark
from components.contract.errors import UserError
from components.convert import convert
from components.devices.timing_plan import TimingPlan
from components.ml.lite.flatbuffer import LiteFile
from tests.components.flat import quantize


def written(model: Path, data: Path, folder: Path, **settings: Any) -> dict[str, Any]:
    quantize(model, data, folder / "planned", folder / "plan", scheme="float16", **settings)
    convert(folder / "planned", folder / "lite", folder / "conversion")
    return json.loads((folder / "conversion" / "conversion.json").read_bytes())


def pruned(model: Path, path: Path, share: float) -> Path:
    """The Model with the smallest weights of each kernel at 0, as prune would promise it."""
    from components.ml.formats import model_folder
    from components.ml.graphs.kernels import kernels_of_model

    network, info = model_folder.load(model)
    zeros = 0
    for kernel in kernels_of_model(network):
        values = kernel.variable.numpy()
        small = np.abs(values) <= np.quantile(np.abs(values), share)
        kernel.variable.assign(np.where(small, 0, values))
        zeros += int(small.sum())
    model_folder.save(
        path, network, info.after({"component": "prune"}, promises=Promises(zeros=zeros))
    )
    return path


@pytest.fixture(scope="module")
def sparse(
    pattern_classifier: Path, pattern_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A folder with the sparse file of a model of which four fifths are 0, and its report."""
    folder = tmp_path_factory.mktemp("sparse")
    model = pruned(pattern_classifier, folder / "pruned", share=0.8)
    return folder, written(model, pattern_data, folder, sparse=True)


def test_zeros_are_left_out_and_every_answer_stays(
    sparse: tuple[Path, dict[str, Any]], pattern_data: Path, tmp_path: Path
) -> None:
    folder, report = sparse
    dense = written(folder / "pruned", pattern_data, tmp_path)
    told = report["sparse_layout"]
    assert told["written"]
    assert "every answer is the same" in told["why"]
    assert report["size_bytes"] == told["bytes"]["sparse"]["raw"] < 0.8 * dense["size_bytes"]
    assert report["gzip_bytes"] == told["bytes"]["sparse"]["gzip"]
    assert told["bytes"]["dense"] == {"raw": dense["size_bytes"], "gzip": dense["gzip_bytes"]}
    assert report["parity"] == dense["parity"]
    assert dense["sparse_layout"] is None
    file = LiteFile.parse((folder / "lite" / MODEL_FILE).read_bytes())
    assert sum(tensor.sparse for tensor in file.weights) >= 1
    assert file.zeros >= ModelInfo.read(folder / "pruned").promises.zeros  # counted, not stored
    plan = LiteModelInfo.read(folder / "lite").quantization
    assert plan is not None
    assert plan.sparse


def test_the_sparse_file_is_what_is_timed(
    sparse: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    plan = TimingPlan(processes=1, blocks=2, block_ms=2.0, warm_up_ms=2.0)
    benchmark(
        sparse[0] / "lite", tmp_path / "report", tmp_path / "metrics.json", device="host", plan=plan
    )
    told = json.loads((tmp_path / "report" / "benchmark.json").read_bytes())
    assert told["size_bytes"] == sparse[1]["size_bytes"]
    assert told["summary"]["p50_ms"]["value"] > 0


def test_the_dense_file_is_written_where_there_are_no_zeros(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    report = written(pattern_classifier, pattern_data, tmp_path / "asked", sparse=True)
    told = report["sparse_layout"]
    assert not told["written"]
    assert "is not smaller" in told["why"]
    assert report["size_bytes"] == told["bytes"]["dense"]["raw"] <= told["bytes"]["sparse"]["raw"]
    written(pattern_classifier, pattern_data, tmp_path / "plain")
    one, other = (
        (tmp_path / name / "lite" / MODEL_FILE).read_bytes() for name in ("asked", "plain")
    )
    assert one == other


@pytest.mark.slow
def test_the_same_model_gives_the_same_bytes(
    sparse: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    convert(sparse[0] / "planned", tmp_path / "lite", tmp_path / "report")
    one, other = ((path / "lite" / MODEL_FILE).read_bytes() for path in (sparse[0], tmp_path))
    assert one == other


def test_other_schemes_are_refused_and_the_fix_works(
    pattern_classifier: Path, pattern_data: Path, tmp_path: Path
) -> None:
    given = (pattern_classifier, pattern_data)
    with pytest.raises(UserError, match="sparse leaves zeros out") as caught:
        quantize(*given, tmp_path / "m", tmp_path / "r", scheme="int8", sparse=True)
    assert "use scheme: float16" in caught.value.fix
    quantize(*given, tmp_path / "m", tmp_path / "r", scheme="float16", sparse=True)
