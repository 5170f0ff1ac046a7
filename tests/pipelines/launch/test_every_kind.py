"""A whole run with a device of every kind: this machine, a board, a phone, a browser, a microcontroller.

The board is a real sshd on this machine, the phone the tests' own behind a real adb.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from components.devices.browser.chromium import chromium_path
from pipelines.config.loading import load
from pipelines.launch.launching import launch
from pipelines.runs.live.events import Event, StepFailed
from tests.components.devices.remote.linked_runtime import kept
from tests.pipelines.cli.command_line import slimline
from tests.pipelines.engines.reached import BOARD, sshd
from tests.pipelines.launch.with_devices import (
    LITTLE,
    VARIANTS,
    WholeRun,
    adb,
    keep_runtime,
    phone,
    phone_section,
)
from tests.servers.kfp.cluster import LocalRun
from tests.servers.phone.phone import Phone
from tests.servers.sshd import Sshd

EXAMPLES = Path(__file__).parents[3] / "pipelines" / "examples"

__all__ = ["adb", "kept", "phone", "sshd"]


@pytest.fixture
def devices(sshd: Sshd, phone: Phone, kept: Path) -> list[dict[str, Any]]:
    """A section for each kind that can be had here; this machine is the first."""
    keep_runtime()
    without = {key: value for key, value in LITTLE.items() if key != "cooldown_s"}
    found = [
        {"kind": "host", "processes": 1},
        BOARD,
        phone_section(phone),
        {"kind": "microcontroller", "name": "nano", "images": 4},
    ]  # fmt: skip
    try:
        chromium_path()
    except UserError:
        return found
    return [*found, {"kind": "browser", "name": "chrome", **without}]


@pytest.fixture
def whole(tmp_path: Path, tiny_run: LocalRun, devices: list[dict[str, Any]]) -> WholeRun:
    return WholeRun(tmp_path, tiny_run, devices)


def test_a_run_measures_on_every_kind_and_releases_what_keeps_to_the_budget(
    whole: WholeRun, devices: list[dict[str, Any]], phone: Phone, tmp_path: Path
) -> None:
    launched = whole.run()
    assert launched.outcome == "done", whole.failed()
    names = ["host", "board", "phone", "nano", "chrome"][: len(devices)]
    measured = {f"benchmark-{variant}-{name}" for variant in VARIANTS for name in names[1:]}
    assert measured <= whole.executed()
    assert not any(step.startswith(("train", "distill", "convert")) for step in whole.executed())

    page = (whole.output / "report.html").read_text()
    decision = whole.decision(launched)
    assert sorted(decision.devices) == sorted(names)
    for name in names:
        assert f"On {name}: all that was measured" in page
        for variant in VARIANTS:
            assert decision.variant(variant).latency[name].verdict != "crashed"
    manifest = json.loads((whole.output / "manifest.json").read_text())
    # A teacher of one epoch is worse than comparing pixels: no release of it qualifies.
    assert (manifest["qualified"], manifest["variant"]) == (False, decision.winner)

    shown = slimline("show", launched.run, "--store", whole.store, check=0).stdout
    assert all(name in shown for name in names)
    lineage = slimline("lineage", launched.run, "--store", whole.store, check=0).stdout
    assert "benchmark-student-board" in lineage
    slimline("verify", "--store", whole.store, check=0)

    left = [path.name for path in (tmp_path / "home/.cache/slimline").iterdir()]
    left += [path.name for path in (phone.folder / "there").iterdir()]
    assert not [name for name in left if name.startswith("run-")], "no process has left a folder"
    again = whole.run()
    assert again.outcome == "done"
    assert not {one for one in whole.executed() if one.startswith("benchmark")}


@pytest.mark.slow
def test_the_demo_on_every_kind_releases_what_qualifies(
    devices: list[dict[str, Any]], tmp_path: Path
) -> None:
    store, output, config = tmp_path / "store", tmp_path / "out", tmp_path / "digits.yaml"
    written = yaml.safe_load((EXAMPLES / "digits.yaml").read_text())
    config.write_text(yaml.safe_dump(written | {"devices": devices, "store": str(store)}))
    events: list[Event] = []
    launched = launch(
        load(config), engine="local", store=str(store), output=output, on_event=events.append
    )
    assert launched.outcome == "done", [one for one in events if isinstance(one, StepFailed)]
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["qualified"], manifest["reasons"]
    page = (output / "report.html").read_text()
    assert all(f"On {device['name']}: all that was measured" in page for device in devices[1:])
    slimline("verify", "--store", store, check=0)
