"""Benchmark microcontroller: memory, operators and answers of models in TensorFlow Lite Micro."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.measurement import Measurement
from components.artifacts.microcontroller import MicroReport
from components.contract.closure import closure_of
from components.contract.errors import UserError
from components.contract.interface import interface_of
from components.devices import microcontroller
from components.devices.microcontroller import MicroRun, run_micro, write_unshared
from components.devices.vela import vela_program
from tests.components.flat import flat
from tests.data.tiny_lite import one_layer, write_lite


def measured(model: Path, folder: Path) -> tuple[Measurement, MicroReport, dict[str, float]]:
    report, metrics = folder / "report", folder / "metrics"
    flat("benchmark_microcontroller")(model, report, metrics, device="nano", images=4)
    found = Measurement.read(report), MicroReport.read(report)
    return *found, json.loads(metrics.read_bytes())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = np.random.default_rng(0).normal(size=(3, 16))
    folder = tmp_path_factory.mktemp("micro") / "lite"
    return write_lite(folder, weights, (4, 4, 1), classes=("a", "b", "c"))


def test_a_model_that_runs_tells_its_memory_and_no_time(small: Path, tmp_path: Path) -> None:
    found, told, metrics = measured(small, tmp_path)
    size = (small / "model.tflite").stat().st_size
    assert (found.verdict, found.summary, found.crashed) == ("stable", None, None)
    assert found.device.kind == "microcontroller"
    assert (found.flash_bytes, found.arena_bytes) == (size, told.arena_bytes)
    assert found.arena_bytes is not None
    assert 16 * 4 + 3 * 4 < found.arena_bytes < 4096
    assert metrics["arena_bytes"] == found.arena_bytes
    assert not any(name.endswith("_ms") for name in metrics)
    assert told.operators == ("FULLY_CONNECTED",)
    assert (told.lacking, told.refused, told.unshared) == ((), "", "")
    assert told.parity is not None
    assert told.parity.max_abs < 1e-4
    assert (told.parity.images, told.parity.same_class, told.parity.max_levels) == (4, 1.0, None)


def test_an_estimate_is_asked_for_and_is_no_time(small: Path, tmp_path: Path) -> None:
    asked = {"device": "nano", "images": 4, "estimate": "ethos-u55-128"}
    try:
        vela_program()
    except UserError:
        pytest.skip("ethos-u-vela is not installed: pip install 'slimline[vela]'")
    flat("benchmark_microcontroller")(small, tmp_path / "r", tmp_path / "m", **asked)
    found = Measurement.read(tmp_path / "r")
    assert found.estimate is not None
    assert found.estimate.why_not.startswith("nothing in it runs on the accelerator")
    assert found.summary is None
    assert not any(name.endswith("_ms") for name in json.loads((tmp_path / "m").read_bytes()))


def test_the_arena_is_the_smallest_that_it_runs_in(small: Path, tmp_path: Path) -> None:
    from tflite_micro.python.tflite_micro import runtime

    found, _, _ = measured(small, tmp_path)
    assert found.arena_bytes is not None
    content = (small / "model.tflite").read_bytes()
    runtime.Interpreter.from_bytes(content, arena_size=found.arena_bytes).invoke()
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(content, arena_size=found.arena_bytes - 16).invoke()


def test_the_firmware_holds_the_model(small: Path, tmp_path: Path) -> None:
    found, _, _ = measured(small, tmp_path)
    content = (small / "model.tflite").read_bytes()
    source = (tmp_path / "report/firmware/model_data.c").read_text()
    assert bytes(int(each, 16) for each in re.findall(r"0x([0-9a-f]{2}),", source)) == content
    header = (tmp_path / "report/firmware/model_data.h").read_text()
    assert f"#define MODEL_ARENA_BYTES {found.arena_bytes}\n" in header
    assert f"sha256 {LiteModelInfo.read(small).sha256}" in header
    assert "Operators to register: FULLY_CONNECTED\n" in header


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_compiler_takes_the_firmware(small: Path, tmp_path: Path) -> None:
    measured(small, tmp_path)
    folder = tmp_path / "report/firmware"
    (folder / "main.c").write_text(
        '#include "model_data.h"\n#include <stdint.h>\n#include <stdio.h>\n'
        "int main(void) { fwrite(model_data, 1, MODEL_DATA_BYTES, stdout);"
        " return (uintptr_t)model_data % 16 != 0; }\n"
    )
    options = ("-std=c99", "-Wall", "-Werror", "-o", "main", "main.c", "model_data.c")
    subprocess.run(["cc", *options], cwd=folder, check=True)
    done = subprocess.run([folder / "main"], capture_output=True, check=True)
    assert done.stdout == (small / "model.tflite").read_bytes()


def with_operator(kind: int) -> bytes:
    """The small model, but its operator is another one."""
    model = schema.ModelT.InitFromPackedBuf(one_layer(np.eye(16, dtype=np.float32), (4, 4, 1)), 0)
    code = model.operatorCodes[0]
    code.builtinCode, code.deprecatedBuiltinCode = kind, min(kind, 127)
    model.subgraphs[0].operators[0].builtinOptionsType = 0
    model.subgraphs[0].operators[0].builtinOptions = None
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_operators_that_are_lacking_are_named(tmp_path: Path) -> None:
    content = with_operator(schema.BuiltinOperator.GELU)
    model = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), data=content)
    found, told, metrics = measured(model, tmp_path)
    assert (found.verdict, found.arena_bytes, metrics["crashed"]) == ("crashed", None, 1)
    assert found.evidence == "TensorFlow Lite Micro has no operator GELU"
    assert told.lacking == ("GELU",)
    assert told.refused == found.evidence
    assert not (tmp_path / "report/firmware").exists()


def test_converted_models_run_or_say_why_not(
    lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    found = {
        name: measured(lite_patterns[name] / "lite", tmp_path / name)[:2]
        for name in ("float32", "float16", "int8-int8", "int8-uint8")
    }
    for name in ("float32", "int8-int8", "int8-uint8"):
        measurement, told = found[name]
        assert measurement.verdict == "stable", told.refused
        assert told.unshared == "", "what convert has repacked is loaded as it is"
        assert told.parity is not None
        assert told.parity.same_class == 1.0
        levels = told.parity.max_levels
        assert levels is None if name == "float32" else levels is not None and levels <= 2
    small, large = (found[name][0].arena_bytes for name in ("int8-int8", "float32"))
    assert small is not None
    assert large is not None
    assert (small, large) != (0, 0)
    refused = found["float16"][0]
    assert refused.verdict == "crashed"
    assert "DEQUANTIZE (number 0) failed to prepare" in refused.evidence


def test_without_repack_a_file_is_larger_and_answers_the_same(
    lite_patterns: Mapping[str, Path], tmp_path: Path
) -> None:
    file, copy = lite_patterns["int8-int8"] / "lite/model.tflite", tmp_path / "model.tflite"
    assert write_unshared(file, copy) is None
    assert copy.stat().st_size > file.stat().st_size
    tensors = np.random.default_rng(0).integers(-128, 128, (4, 8, 8, 1), np.int8)
    ran = [run_micro(each, tensors) for each in (file, copy)]
    assert all(isinstance(each, MicroRun) for each in ran)
    assert np.array_equal(ran[0].outputs_nd, ran[1].outputs_nd)  # type: ignore[union-attr]


def test_a_file_that_is_none_is_an_answer(tmp_path: Path) -> None:
    model = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), data=b"TFL3 but no more of it")
    found, told, _ = measured(model, tmp_path)
    assert found.verdict == "crashed"
    assert told.refused


def test_it_needs_a_package_and_says_which(small: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(microcontroller, "PACKAGE", "tflite-micro-absent")
    with pytest.raises(UserError, match="the package tflite-micro-absent") as caught:
        measured(small, tmp_path)
    assert caught.value.fix.endswith("[microcontroller]'")


def test_it_occupies_no_device_and_its_key_holds_the_probe() -> None:
    assert interface_of("benchmark_microcontroller").occupies is None
    assert "components.devices.micro_probe" in closure_of("benchmark_microcontroller")
