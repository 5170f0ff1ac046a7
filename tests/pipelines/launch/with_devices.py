"""Whole runs with devices: what was trained comes from a finished run, so that measuring alone is new."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.artifacts.decision import Decision
from components.devices.fingerprint import runtime_version
from components.devices.remote.looking import look_at
from components.devices.remote.settings import SshSettings
from components.devices.remote.ssh import SshShell
from pipelines.config.loading import load
from pipelines.launch.launching import Launched, launch
from pipelines.runs.cache import Cache
from pipelines.runs.live.events import Event, StepDone, StepFailed, StepSkipped
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.components.devices.remote.linked_runtime import keep_linked_runtime
from tests.pipelines.cli.command_line import TINY
from tests.pipelines.engines.reached import BOARD
from tests.servers.kfp.cluster import LocalRun
from tests.servers.phone.phone import Adb, Phone
from tests.servers.sshd import HOST

VARIANTS = ("teacher", "student", "pruned-int8")

LITTLE = {
    key: value for key, value in BOARD.items() if key not in ("kind", "host", "name", "python")
}
"""What makes any device measure as little as it can."""


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adb]:
    """An adb server, which everything that a test starts asks."""
    (tmp_path / "adb").mkdir()
    with Adb(tmp_path / "adb") as server:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.port))
        yield server


@pytest.fixture
def phone(adb: Adb, tmp_path: Path) -> Iterator[Phone]:
    """A phone that hangs on this machine."""
    with Phone(tmp_path / "phone", adb) as connected:
        yield connected


def phone_section(phone: Phone) -> dict[str, Any]:
    """Return the section of the phone, called ``phone``."""
    reached = {"kind": "adb", "name": "phone", "serial": phone.serial, "python": BOARD["python"]}
    return {**reached, "dir": str(phone.folder / "there"), **LITTLE}


def keep_runtime() -> None:
    """Keep the runtime for the Python of the board, so that nothing is downloaded.

    The fixture ``kept`` says where that is.
    """
    shell = SshShell("board", HOST)
    settings = SshSettings(host=HOST, python=BOARD["python"])
    sight = look_at(shell, "board", settings, runtime_version(), transport="ssh", address=HOST)
    shell.close()
    from components.devices.remote.wheels import wheel_folder

    keep_linked_runtime(wheel_folder(), sight.python)


class WholeRun:
    """The smallest configuration with devices, and a store in which it is trained already."""

    def __init__(self, folder: Path, local: LocalRun, devices: Sequence[dict[str, Any]]) -> None:
        self.store, self.output = folder / "store", folder / "out"
        shutil.copytree(local.store, self.store)
        self.config = folder / "every.yaml"
        self.events: list[Event] = []
        self.write(devices)

    def write(self, devices: Sequence[dict[str, Any]], **changes: Any) -> None:
        written = yaml.safe_load(TINY.read_text()) | {
            "devices": list(devices),
            "store": str(self.store),
        }
        self.config.write_text(yaml.safe_dump(written | changes, sort_keys=False))

    def run(self, engine: str = "local") -> Launched:
        """Run it to its end."""
        self.events.clear()
        return launch(
            load(self.config), engine=engine, store=str(self.store), output=self.output,
            on_event=self.events.append,
        )  # fmt: skip

    def decision(self, launched: Launched) -> Decision:
        store = open_store(str(self.store))
        tree = read_run(store, launched.run).steps["select"]["outputs"]["decision"]
        content = Cache(store, self.store.parent / "scratch").read_file(tree, Decision.FILE)
        return Decision.from_json(json.loads(content))

    def executed(self) -> set[str]:
        done = [one for one in self.events if isinstance(one, StepDone)]
        return {one.step for one in done if not one.cached}

    def failed(self) -> dict[str, StepFailed]:
        """The steps that failed in the last run."""
        return {one.step: one for one in self.events if isinstance(one, StepFailed)}

    def skipped(self) -> set[str]:
        """The steps that were skipped in the last run."""
        return {one.step for one in self.events if isinstance(one, StepSkipped)}
