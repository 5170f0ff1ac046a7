"""Probes as processes of this machine: plans kept, deaths reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from components.artifacts.measurement import Crash, Process
from components.contract.closure import closure_of
from components.contract.errors import UserError
from components.devices import host
from components.devices.device import Device
from components.devices.fingerprint import fingerprint, usable_cores
from components.devices.host import (
    Host,
    check_threads,
    is_quiet,
    machine_id,
    run_probe,
)
from components.devices.probing import check_time
from components.devices.timing_plan import TimingPlan
from tests.components.devices.pressure import pressure
from tests.data.tiny_lite import write_lite

PLAN = TimingPlan(threads=1, processes=2, blocks=3, block_ms=1, warm_up_ms=1, limit_s=60)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    return write_lite(tmp_path_factory.mktemp("small") / "lite", weights, (8, 8, 1)) / (
        "model.tflite"
    )


def test_a_probe_keeps_to_its_plan(model: Path) -> None:
    found = run_probe(model, replace(PLAN, blocks=4), seed=0)
    assert isinstance(found, Process)
    assert len(found.blocks) == len(found.blocks_p50_ms) == 4
    assert min(found.samples_ms) <= found.p50_ms <= max(found.samples_ms)
    assert not {"tensorflow", "components"} & set(found.imported)


def test_a_process_killed_by_a_signal_has_its_name(tmp_path: Path) -> None:
    lite = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), kills=True)
    found = run_probe(lite / "model.tflite", PLAN, seed=0)
    assert isinstance(found, Crash)
    assert (found.signal, found.name) == (11, "SIGSEGV")
    assert "allocate_tensors" in found.stderr


def test_a_damaged_file_of_a_real_model_kills_only_the_probe(tmp_path: Path, shared: Path) -> None:
    source = shared / "data" / "models" / "mlperf_tiny" / "pretrainedResnet_quant.tflite"
    content = schema.ModelT.InitFromPackedBuf(source.read_bytes())
    codes = [code.builtinCode for code in content.operatorCodes]
    addition = next(
        operator
        for operator in content.subgraphs[0].operators
        if codes[operator.opcodeIndex] == schema.BuiltinOperator.ADD
    )
    addition.inputs = [addition.inputs[0], -1]  # a summand that is "optional and absent"
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(content.Pack(builder), b"TFL3")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(builder.Output())
    found = run_probe(damaged, PLAN, seed=0)
    assert isinstance(found, Crash)
    # The runtime reads what lies before its tensors: that kills it, or it takes it for a tensor.
    assert found.name in ("SIGSEGV", "Node number 3 (ADD) failed to prepare.")


def test_a_file_that_is_refused_is_a_crash_without_a_signal(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no flatbuffer")
    found = run_probe(tmp_path / "model.tflite", PLAN, seed=0)
    assert isinstance(found, Crash)
    assert found.signal is None
    assert found.name.startswith("ValueError")


def test_a_process_that_hangs_is_ended(model: Path) -> None:
    found = run_probe(model, replace(PLAN, limit_s=0.01), seed=0)
    assert found == Crash(None, "time limit of 0.01 s", "", outside=True)


def test_a_plan_longer_than_its_limit_is_refused() -> None:
    """Otherwise no model would ever be measured, and each run would try again."""
    plan = replace(PLAN, warm_up_ms=2000, limit_s=2)
    with pytest.raises(UserError, match=r"takes 2\.03 s, and its limit is 2 s") as fault:
        check_time(plan)
    assert fault.value.fix.startswith("set limit_s of benchmark to 20.3")
    check_time(replace(plan, limit_s=20.3))


def test_more_threads_than_cores_are_refused() -> None:
    cores = usable_cores()
    check_threads(cores)
    with pytest.raises(UserError, match=f"{cores + 1} threads on {cores} cores"):
        check_threads(cores + 1)


def test_a_change_of_the_probe_changes_what_is_cached() -> None:
    assert "components.devices.probe" in closure_of("benchmark")


def test_the_machine_is_a_device(model: Path) -> None:
    device: Device = Host()
    seen, installed = device.look(), device.install()
    assert (device.kind, seen.fingerprint) == ("host", fingerprint())
    assert "load_1min" in seen.state
    assert (installed.source, installed.bytes) == ("wheel", 0)
    assert installed.version == seen.fingerprint["runtime"]
    assert len(installed.sha256) == 64
    with device.take(0), pytest.raises(UserError, match="threads that wait for each other"):
        device.check(replace(PLAN, threads=usable_cores() + 1))
    device.close()


def test_a_machine_is_known_by_a_digest(tmp_path: Path) -> None:
    ids = []
    for text in ("c0ffee\n", "c0ffee", "decaf\n"):
        (tmp_path / "machine-id").write_text(text)
        ids.append(machine_id(tmp_path / "machine-id"))
    assert ids[0] == ids[1] != ids[2]
    assert "c0ffee" not in ids[0]
    assert machine_id(tmp_path / "absent") == ""


def test_a_machine_is_quiet_or_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = pressure(tmp_path / "cpu", 0)
    monkeypatch.setattr(host, "PRESSURE", file)
    assert is_quiet(5.0)

    waited_us = iter(range(0, 10**9, 10**6))  # a second more each look
    monkeypatch.setattr(host, "_waited_s", lambda: next(waited_us) / 1e6)
    assert not is_quiet(0.6)


def test_a_kernel_without_pressure_figures_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "PRESSURE", tmp_path / "absent")
    assert is_quiet(1e9)
