"""What every ``Device`` promises: this machine, and what is behind ssh, adb or a shell of boards.

``SLIMLINE_TEST_DEVICE=adb:SERIAL`` or ``ssh:HOST`` asks a real one, too.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.artifacts.measurement import Crash, Process
from components.contract.errors import UserError
from components.devices.device import LostError
from components.devices.fingerprint import runtime_version
from components.devices.timing_plan import LastingPlan, TimingPlan
from tests.components.devices.reaching import BEHIND_A_SHELL, WAYS, Reached, reached, until
from tests.components.devices.remote.bundle.built import Bundles, bundles
from tests.data.tiny_lite import write_lite

__all__ = ["bundles"]

PLAN = TimingPlan(threads=1, processes=1, blocks=2, block_ms=1, warm_up_ms=1, limit_s=60)
behind_a_shell = pytest.mark.parametrize("way", BEHIND_A_SHELL, indirect=True)


@pytest.fixture(scope="module", params=WAYS)
def way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bundles: Bundles
) -> Iterator[Reached]:
    """Every device, one after the other, with the runtime on it; then nothing of it is left."""
    folder = tmp_path_factory.mktemp(str(request.param))
    with reached(str(request.param), folder, bundles) as found:
        found.device.install()
        yield found
        assert found.left() == []
    if found.aside is not None:
        assert found.aside.run('[ ! -e "$1" ]', found.folder).code == 0
        found.aside.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = np.random.default_rng(0).normal(size=(8, 64))
    lite = write_lite(tmp_path_factory.mktemp("small") / "lite", weights, (8, 8, 1))
    return lite / "model.tflite"


def test_a_look_says_what_it_is(way: Reached) -> None:
    seen, again = way.device.look(), way.device.look()
    assert (again.id, again.fingerprint, again.transport) == (
        seen.id, seen.fingerprint, seen.transport,
    )  # fmt: skip
    assert len(seen.id) in (0, 16)
    assert seen.fingerprint["runtime"] == runtime_version()
    assert int(seen.fingerprint["cores"]) >= 1
    assert seen.fingerprint["arch"] in ("x86_64", "aarch64")
    numbers_or_words(seen.state)


def test_the_runtime_is_brought_once(way: Reached) -> None:
    found, other = way.device.install(), way.again()
    again = other.install()
    other.close()
    assert found.version == runtime_version()
    assert len(found.sha256) == 64
    assert (again.bytes, again.sha256, again.source) == (0, found.sha256, found.source)
    assert way.left() == []


def test_a_model_is_timed_in_a_fresh_process(way: Reached, model: Path) -> None:
    found = way.device.time(model, PLAN, seed=0)
    assert isinstance(found, Process), found
    assert len(found.blocks) == PLAN.blocks
    assert len(found.samples_ms) == sum(block.runs for block in found.blocks)
    assert min(found.samples_ms) > 0
    assert found.load_ms > 0
    assert found.peak_memory_bytes >= found.baseline_memory_bytes > 0
    assert found.lasting is None
    assert not {"site", "components", "tensorflow"} & set(found.imported)
    assert way.left() == []


def test_a_load_lasts_as_long_as_it_is_to(way: Reached, model: Path) -> None:
    plan = LastingPlan(**vars(PLAN), for_s=0.3)
    found = way.device.time(model, plan, seed=0)
    assert isinstance(found, Process), found
    assert found.lasting is not None
    assert found.lasting.inferences > 0
    assert 0.3 <= found.lasting.end_s - found.lasting.start_s < 5


def test_a_model_that_kills_its_process_is_an_answer(way: Reached, tmp_path: Path) -> None:
    lite = write_lite(tmp_path / "lite", np.eye(16), (4, 4, 1), kills=True)
    found = way.device.time(lite / "model.tflite", PLAN, seed=0)
    assert isinstance(found, Crash)
    assert (found.signal, found.name, found.outside) == (signal.SIGSEGV, "SIGSEGV", False)
    assert "allocate_tensors" in found.stderr
    assert way.left() == []


def test_a_model_that_is_none_is_refused(way: Reached, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no model")
    found = way.device.time(tmp_path / "model.tflite", PLAN, seed=0)
    assert isinstance(found, Crash)
    assert found.refused
    assert found.name.startswith("ValueError")
    assert way.left() == []


def test_a_process_that_takes_too_long_is_ended(way: Reached, model: Path) -> None:
    found = way.device.time(model, replace(PLAN, warm_up_ms=900, limit_s=1), seed=0)
    assert isinstance(found, Crash)
    assert (found.name, found.outside) == ("time limit of 1 s", True)
    assert way.left() == []


def test_more_threads_than_cores_are_refused_and_the_fix_holds(way: Reached) -> None:
    with pytest.raises(UserError, match="threads on ") as caught:
        way.device.check(replace(PLAN, threads=1000))
    words = caught.value.fix.replace(",", " ").split()
    most = next(int(word) for word in words if word.isdecimal())
    way.device.check(replace(PLAN, threads=most))


def test_its_state_and_what_measures_its_energy_are_told(way: Reached) -> None:
    numbers_or_words(way.device.state())
    meter = way.device.meter()
    if isinstance(meter, str):
        assert meter.startswith("not available: ")
        return
    first, second = meter.reading(), meter.reading()
    assert second.at_s >= first.at_s
    assert second.joules >= first.joules
    assert meter.scope


@behind_a_shell
def test_one_measures_there_at_a_time(way: Reached) -> None:
    other = way.again()
    with way.device.take(0), pytest.raises(UserError, match="pi is in use by"), other.take(0):
        pass
    with other.take(0):
        pass
    other.close()


@behind_a_shell
def test_one_that_was_started_again_is_lost(way: Reached, model: Path) -> None:
    sight = way.remote._seen()
    way.remote._sight = replace(sight, boot_id="0" * 36)
    try:
        with pytest.raises(LostError, match="pi was restarted"):
            way.device.time(model, PLAN, seed=0)
    finally:
        way.remote._sight = sight
    assert way.left() == []


@behind_a_shell
def test_a_model_that_is_another_there_is_not_timed(
    way: Reached, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The disk returns other bytes than it was given, as many."""
    push, other = way.remote._shell.push, tmp_path / "other"
    other.write_bytes(model.read_bytes()[:-1] + b"\xff")

    def damaging(local: Path, remote: str) -> None:
        push(other if local == model else local, remote)

    monkeypatch.setattr(way.remote._shell, "push", damaging)
    with pytest.raises(UserError, match="not the one that was sent"):
        way.device.time(model, PLAN, seed=0)
    assert way.left() == []


@behind_a_shell
def test_a_probe_ends_with_whoever_asked_for_it(way: Reached, model: Path) -> None:
    """Killed with signal 9: nobody can close or clean up anything."""
    ask_and_die(way, model)
    assert until(lambda: not running(way) and way.left() == [])


def ask_and_die(way: Reached, model: Path) -> None:
    """Time a model from a process that is killed as soon as the probe runs."""
    asking = os.fork()
    if asking == 0:
        try:
            way.device.time(model, replace(PLAN, warm_up_ms=30_000), seed=0)
        finally:
            os._exit(0)
    try:
        assert until(lambda: running(way))
    finally:
        os.kill(asking, signal.SIGKILL)
        os.waitpid(asking, 0)


def running(way: Reached) -> bool:
    """Whether a probe of this device runs there, by the processes that its kernel shows."""
    assert way.aside is not None
    script = """\
for each in /proc/[0-9]*; do
    { tr '\\0' ' ' <"$each/cmdline"; } 2>/dev/null
    echo
done
"""
    listed = way.aside.run(script).out.decode(errors="replace").splitlines()
    return any(f"{way.folder}/run-" in line and "/probe.py " in line for line in listed)


def numbers_or_words(state: Mapping[str, float | str]) -> None:
    assert all(isinstance(each, float | str) for each in state.values())
