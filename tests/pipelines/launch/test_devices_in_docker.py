"""A run under docker that measures on a board: that is a process of this machine, all else containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.runs.records import read_run
from pipelines.runs.step_records import read_record
from pipelines.stores.opening import open_store
from tests.components.devices.remote.linked_runtime import kept
from tests.pipelines.engines.reached import BOARD, sshd
from tests.pipelines.launch.with_devices import VARIANTS, WholeRun, keep_runtime
from tests.servers.kfp.cluster import LocalRun
from tests.servers.sshd import Sshd

__all__ = ["kept", "sshd"]


@pytest.mark.containers
def test_a_board_is_reached_from_this_machine_and_the_rest_runs_in_containers(
    sshd: Sshd, kept: Path, tiny_run: LocalRun, tmp_path: Path
) -> None:
    keep_runtime()
    whole = WholeRun(tmp_path, tiny_run, [BOARD])
    launched = whole.run("docker")
    assert launched.outcome == "done", whole.failed()
    measured = {f"benchmark-{variant}-board" for variant in VARIANTS}
    chosen = {"select", "publish"}
    assert measured | chosen <= whole.executed()
    store = open_store(str(whole.store))
    steps = read_run(store, launched.run).steps
    images = {name: read_record(store, steps[name]["record"]).image for name in measured | chosen}
    assert {name for name, image in images.items() if image} == chosen
    for variant in VARIANTS:
        timing = whole.decision(launched).variant(variant).latency["board"]
        assert timing.p50_ms is not None
    there = tmp_path / "home/.cache/slimline"
    assert not list(there.glob("run-*"))
    assert (whole.output / "report.html").exists()
