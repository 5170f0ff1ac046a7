"""The probe: one file, the runtime alone, every sample."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.devices.probing import PROBE
from tests.data.tiny_lite import write_lite

QUICK = ("--blocks", "3", "--block-ms", "1", "--warm-up-ms", "1")


def probe(model: Path, *flags: str, program: Path = PROBE) -> dict[str, Any]:
    """Run the probe as a device would: its file and the model, nothing of ours on the path."""
    told = subprocess.run(
        [sys.executable, "-I", str(program), str(model), *QUICK, *flags],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    return write_lite(tmp_path_factory.mktemp("small") / "lite", weights, (8, 8, 1))


@pytest.fixture(scope="module")
def document(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy of the file prints that lies alone in a folder."""
    copied = Path(shutil.copy(PROBE, tmp_path_factory.mktemp("device")))
    return probe(small / "model.tflite", program=copied)


def test_nothing_but_the_runtime_is_loaded(document: dict[str, Any]) -> None:
    loaded = set(document["imported"])
    assert {"ai_edge_litert", "numpy"} <= loaded
    assert not {"components", "pipelines", "tensorflow", "tf_keras", "kfp", "pydantic"} & loaded
    # What is left was there before the first line ran: hooks of the virtual environment.
    plain = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    hooks = subprocess.run(
        [sys.executable, "-I", "-c", plain], capture_output=True, text=True, check=True
    )
    known = {"ai_edge_litert", "numpy", "cython_runtime", *hooks.stdout.split()}
    assert {name for name in loaded - known if not name.startswith("_cython")} == set()


def test_its_source_imports_python_numpy_and_the_runtime() -> None:
    found: set[str] = set()
    for node in ast.walk(ast.parse(PROBE.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    assert found - set(sys.stdlib_module_names) == {"ai_edge_litert", "numpy"}


def test_every_sample_belongs_to_a_block(document: dict[str, Any]) -> None:
    blocks, samples = document["blocks"], document["samples_ms"]
    assert len(blocks) == 3
    assert sum(block["runs"] for block in blocks) == len(samples) >= 9
    assert min(samples) > 0
    end = 0
    for block in blocks:
        start, end = end, end + block["runs"]
        assert sum(samples[start:end]) <= block["wall_ms"]
        assert block["cpu_ms"] >= 0
        assert block["involuntary_switches"] >= 0
    assert len(document["warmups_ms"]) == min(document["warmups"], 250) >= 3
    assert document["load_ms"] > 0
    assert document["first_ms"] > 0


def test_pressure_is_told_where_the_kernel_tells_it(document: dict[str, Any]) -> None:
    known = Path("/proc/pressure/cpu").is_file()
    assert all((block["psi_cpu_us"] is not None) == known for block in document["blocks"])


def test_the_machine_worked_at_least_for_us(document: dict[str, Any]) -> None:
    machine = document["machine"]
    assert set(machine) == {"wall_ms", "own_cpu_ms", "busy_ms", "stolen_ms"}
    assert machine["wall_ms"] > 0
    assert machine["own_cpu_ms"] > 0


def test_runs_a_block_keep_between_their_limits(small: Path) -> None:
    model, short = small / "model.tflite", ("--least-ms", "0")
    blocks = probe(model, *short, "--block-ms", "1000", "--most-runs", "20")["blocks"]
    assert [block["runs"] for block in blocks] == [20, 20, 20]
    blocks = probe(model, *short, "--block-ms", "1e-9", "--least-runs", "5")["blocks"]
    assert [block["runs"] for block in blocks] == [5, 5, 5]


def test_a_block_has_ten_milliseconds_of_work_however_fast_the_model(
    document: dict[str, Any],
) -> None:
    ends = np.cumsum([block["runs"] for block in document["blocks"]])[:-1]
    parts = np.split(np.array(document["samples_ms"]), ends)
    assert all(part.sum() >= 10 for part in parts)
    assert all(part.size > 250 for part in parts)  # some microseconds each


def test_a_warm_up_lasts_as_long_as_asked(small: Path) -> None:
    """More than 2,000 runs of this model, and the times of 250 are enough to tell."""
    fast = ("--least-ms", "0", "--blocks", "1")
    began = time.perf_counter()
    found = probe(small / "model.tflite", "--warm-up-ms", "600", *fast)
    assert time.perf_counter() - began >= 0.6
    assert found["warmups"] > 20_000  # of about a microsecond
    assert len(found["warmups_ms"]) == 250


def test_the_memory_of_a_known_model_is_plausible(small: Path, tmp_path: Path) -> None:
    """16 MB of weights are mapped, and perhaps packed once more; 2 kB are not to be seen."""

    def above_baseline(model: Path) -> int:
        found = probe(model / "model.tflite")
        return found["peak_memory_bytes"] - found["baseline_memory_bytes"]

    weights = np.random.default_rng(0).normal(size=(1000, 4096))
    large = above_baseline(write_lite(tmp_path / "lite", weights, (64, 64, 1)))
    little = above_baseline(small)
    size = 4 * weights.size
    assert 0 < little < 12_000_000
    assert size < large - little < 3 * size


def test_models_of_integers_are_fed_integers(shared: Path) -> None:
    folder = shared / "data" / "models" / "mlperf_tiny"
    found = probe(folder / "pretrainedResnet_quant.tflite")
    assert found["delegate_partitions"] == 2
    assert len(found["samples_ms"]) >= 9


def test_the_delegate_takes_a_small_model_whole(document: dict[str, Any]) -> None:
    assert document["delegate_partitions"] == 1


def test_a_loop_without_the_model_tells_how_fast_the_device_is(document: dict[str, Any]) -> None:
    before, after = document["reference_ms_before"], document["reference_ms_after"]
    assert 0.5 < before < 1000
    assert 0.5 < after < 1000


def test_it_runs_on_the_cores_that_it_is_given(small: Path, document: dict[str, Any]) -> None:
    last = max(os.sched_getaffinity(0))
    assert document["cores"] == []
    assert probe(small / "model.tflite", "--cores", str(last))["cores"] == [last]


def test_it_ends_itself_at_its_limit(small: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-I", str(PROBE), str(small / "model.tflite"), "--warm-up-ms", "60000",
         "--limit-s", "1"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert told.returncode == -signal.SIGALRM


def test_what_a_kernel_refuses_is_unknown(small: Path, tmp_path: Path) -> None:
    """As on phones, where pressure, all processors' work and clocks are not for everybody."""
    program = tmp_path / "probe.py"
    places = {"/proc/pressure/cpu": "/proc/self/clear_refs", "/proc/stat": "/nowhere",
              "/sys/devices/system/cpu/cpu": "/nowhere/cpu"}  # fmt: skip
    text = PROBE.read_text()
    for place, other in places.items():
        assert f'"{place}' in text
        text = text.replace(f'"{place}', f'"{other}')
    program.write_text(text)
    found = probe(small / "model.tflite", program=program)
    assert found["machine"] == {}
    assert {block["psi_cpu_us"] for block in found["blocks"]} == {None}
    assert {block["frequency_mhz"] for block in found["blocks"]} == {None}
