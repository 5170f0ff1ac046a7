"""Devices are asked before a run, all at once; what they say is kept and is part of step keys."""

import time
from dataclasses import replace

import numpy as np
import pytest

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.measurement import Measurement
from components.contract.errors import UserError
from components.devices.fingerprint import runtime_version
from components.devices.remote.looking import look_at as look_over
from components.devices.remote.settings import SshSettings
from components.devices.remote.ssh import SshShell
from pipelines.compress import graph_of
from pipelines.config.devices import device_of
from pipelines.engines.devices import check_devices, clean_device, look_at, named_devices
from pipelines.engines.engine import Cluster
from pipelines.engines.machine.local import LocalRunner
from pipelines.engines.machine.scheduler import Scheduler
from pipelines.engines.opening import Request, choose
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, Kept
from pipelines.runs.kept.devices_seen import (
    last_fingerprints,
    list_devices,
    put_device,
    read_device,
)
from pipelines.runs.keys import ingredients_of
from pipelines.runs.live.events import StepDone, StepFailed
from pipelines.runs.verifying import verify_store
from pipelines.stores.layout import device_key
from pipelines.stores.opening import open_store
from tests.components.devices.remote.linked_runtime import PYTHON, keep_linked_runtime, kept
from tests.data.benchmark_programs import tflite_output, write_program
from tests.data.tiny_lite import write_lite
from tests.pipelines.engines.kubeflow.graphs import config_of
from tests.pipelines.engines.reached import BOARD, sshd
from tests.servers.sshd import HOST

__all__ = ["kept", "sshd"]


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def config_with(tmp_path, *devices):
    return config_of(tmp_path, devices=list(devices))


def test_what_a_device_says_is_kept_for_when_it_is_unplugged(sshd, store, tmp_path):
    config = config_with(tmp_path, "host", BOARD)
    found = check_devices(config, store)
    assert found.keys() == {"board"}, "this machine is asked where a key is made"
    assert found["board"]["arch"]
    assert last_fingerprints(store, ["host", "board", "other"]) == found
    (seen,) = list_devices(store)
    assert (seen.name, len(seen.id)) == ("board", 16)
    assert device_of(seen.section) == config.devices[1]
    assert verify_store(store)[1] == []
    check_devices(config, store)
    again = read_device(store, "board")
    assert again.at > seen.at
    step = graph_of(config).by_name["benchmark-teacher-board"]
    assert ingredients_of(step, {}, "0", found).device == found["board"]


def test_one_that_is_missing_ends_the_run_before_it_begins(sshd, store, tmp_path):
    sshd.stop()
    try:
        with pytest.raises(UserError) as caught:
            check_devices(config_with(tmp_path, "host", BOARD), store)
        assert caught.value.what.startswith("board does not answer")
        assert caught.value.fix.endswith("; or leave it out: --without board")
        fixed = config_with(tmp_path, "host", BOARD).without(["board"])
        assert check_devices(fixed, store) == {}
        with pytest.raises(UserError) as caught:
            check_devices(config_with(tmp_path, "host", BOARD, BOARD | {"name": "two"}), store)
        assert "board does not answer" in caught.value.what
        assert "two does not answer" in caught.value.what
        assert caught.value.fix.endswith("; or leave them out: --without board --without two")
        with pytest.raises(UserError) as caught:
            check_devices(config_with(tmp_path, BOARD), store)
        assert caught.value.fix.endswith("; or measure on this machine: devices: [host]")
    finally:
        sshd.start()
    assert list_devices(store) == []


def test_a_plan_that_a_device_cannot_carry_out_is_refused_first(sshd, store, tmp_path):
    for device in ({"kind": "host", "threads": 1000}, BOARD | {"threads": 1000}):
        with pytest.raises(UserError, match="1000 threads") as caught:
            check_devices(config_with(tmp_path, device), store)
        assert "threads" in caught.value.fix
    check_devices(config_with(tmp_path, "host", BOARD), store)


def test_one_that_hangs_holds_up_nobody(sshd, store, tmp_path):
    sshd.freeze()
    try:
        began = time.monotonic()
        host, board = look_at(named_devices(config_with(tmp_path, "host", BOARD)), answer_s=1.0)
        assert time.monotonic() - began < 5
    finally:
        sshd.thaw()
    assert host.seen
    assert not host.fault
    assert board.fault.what == "board did not answer within 1 seconds"
    assert "cable" in board.fault.fix


def test_a_note_that_is_damaged_is_as_none(store):
    assert read_device(store, "board") is None
    store.put_if_absent(device_key("board"), b"{}")
    assert read_device(store, "board") is None
    assert last_fingerprints(store, ["board"]) == {}
    assert list_devices(store) == []
    assert [fault.place for fault in verify_store(store)[1]] == [device_key("board")]


@pytest.fixture
def board_step(sshd, kept, store, tmp_path):
    """A configuration with the board, and a step that measures a model on it."""
    config = config_with(tmp_path, BOARD)
    shell = SshShell("board", HOST)
    settings = SshSettings(host=HOST, python=PYTHON)
    sight = look_over(shell, "board", settings, runtime_version(), transport="ssh", address=HOST)
    shell.close()
    keep_linked_runtime(kept, sight.python)
    model = write_lite(tmp_path / "lite", np.ones((8, 64)), (8, 8, 1))
    cache = Cache(store, tmp_path / "scratch")
    found = graph_of(config).by_name["benchmark-teacher-board"]
    return config, replace(found, inputs={"model": Kept(cache.put_tree(model).digest)})


def test_one_whose_results_are_there_need_not_answer(sshd, board_step, store, tmp_path):
    config, step = board_step
    told = []

    def opened(step, *, remeasure=False, config=config):
        graph = Graph("g", (step,), {})
        request = Request(
            config, graph, Cluster(), remeasure, store, sources=dict, tell=told.append
        )
        return choose("local", request)

    def events(opener, number):
        work = tmp_path / f"work-{number}"
        work.mkdir()
        engine = opener(Cache(store, work), work)
        return list(engine.submit(Graph("g", (step,), {}), {}, f"run-{number}"))

    with_answer = opened(step)
    (done,) = [one for one in events(with_answer, 1) if isinstance(one, StepDone)]
    assert not done.cached
    assert told == []
    sshd.stop()
    try:
        began = time.monotonic()
        (cached,) = events(opened(step), 2)
        assert (cached.cached, cached.outputs) == (True, done.outputs)
        (spared,) = told
        assert (spared.device, spared.results) == ("board", 1)
        assert spared.why.startswith("board does not answer")
        for needed in (
            {"step": replace(step, parameters={**step.parameters, "seed": 9})},
            {"step": step, "remeasure": True},
            {"step": step, "config": config_with(tmp_path, BOARD | {"host": "other.invalid"})},
        ):
            with pytest.raises(UserError) as caught:
                opened(**needed)
            assert "measure on this machine" in caught.value.fix
        assert time.monotonic() - began < 60
        assert told == [spared]
    finally:
        sshd.start()
    opened(replace(step, parameters={**step.parameters, "seed": 9}))  # the fix: switch it on


def test_a_step_measures_on_the_board_with_the_keys_of_the_user(board_step, sshd, store, tmp_path):
    """As a process of this machine, whose own folder is no home; then the board is as before."""
    config, step = board_step
    cache, model = Cache(store, tmp_path / "scratch"), tmp_path / "lite"
    devices = check_devices(config, store)

    def events(number):
        work = tmp_path / f"work-{number}"
        work.mkdir()
        engine = Scheduler(LocalRunner(), Cache(store, work), work, devices=devices)
        return list(engine.submit(Graph("g", (step,), {}), {}, f"run-{number}"))

    (done,) = [one for one in events(1) if isinstance(one, StepDone | StepFailed)]
    assert isinstance(done, StepDone), done
    report = cache.stage(done.outputs["report"], tmp_path / "report")
    measured = Measurement.read(report)
    assert measured.device.name == "board"
    assert measured.model_sha256 == LiteModelInfo.read(model).sha256
    assert (model / MODEL_FILE).exists()
    (again,) = [one for one in events(2) if isinstance(one, StepDone)]
    assert again.cached
    there = tmp_path / "home" / ".cache" / "slimline"
    assert there.is_dir()
    assert clean_device("board", config.devices[0]) == "~/.cache/slimline"
    assert not there.exists()
    with pytest.raises(UserError, match="nothing is ever put on one"):
        clean_device("host", device_of({"kind": "host"}))
    sshd.stop()
    try:
        step = replace(step, name="other", parameters={**step.parameters, "seed": 9})
        (failed,) = [one for one in events(3) if isinstance(one, StepFailed)]
        assert failed.user_fault
        assert "board" in failed.what
    finally:
        sshd.start()


def test_put_replaces_what_was_there(store, tmp_path):
    from pipelines.runs.kept.devices_seen import DeviceSeen

    for at in ("2026-01-01T00:00:00.000+00:00", "2026-01-02T00:00:00.000+00:00"):
        put_device(store, DeviceSeen("a", {"kind": "host"}, at, "", {}))
    assert read_device(store, "a").at.startswith("2026-01-02")


def test_a_device_with_a_runner_needs_no_python(sshd, store, tmp_path):
    program = write_program(tmp_path / "program", [tflite_output(4200)])
    device = {"kind": "ssh", "host": HOST, "name": "s21", "runner": str(program)}
    assert check_devices(config_with(tmp_path, device), store)["s21"]["runtime"] == "runner"
    (seen,) = list_devices(store)
    assert device_of(seen.section).runner == str(program)
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00")
    with pytest.raises(UserError, match="cannot execute program, which is for RISC-V") as caught:
        check_devices(config_with(tmp_path, device), store)
    assert "give the benchmark_model for" in caught.value.fix
