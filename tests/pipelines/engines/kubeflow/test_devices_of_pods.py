"""Pods that measure on devices: the very command of their containers, by way of a machine.

Real servers: one is the machine that holds the devices, which has a real adb too, another a board.
The other steps are carried out by stand-ins.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.artifacts.measurement import Measurement
from components.devices.fingerprint import runtime_version
from components.devices.remote.jump import Jump
from components.devices.remote.looking import look_at
from components.devices.remote.settings import SshSettings
from components.devices.remote.ssh import SshShell
from components.devices.remote.ssh_device import open_ssh
from pipelines.config.loading import load
from pipelines.engines.engine import Cluster as Place
from pipelines.launch.explaining import explain_cluster
from pipelines.launch.launching import Launched, launch
from pipelines.runs.cache import Cache
from pipelines.runs.kept.devices_seen import list_devices, put_device
from pipelines.runs.live.events import StepDone, StepFailed
from pipelines.runs.records import RunRecord, read_run
from pipelines.runs.step_records import read_ingredients
from pipelines.stores.opening import open_store
from tests.components.devices.remote.linked_runtime import keep_linked_runtime, kept
from tests.pipelines.engines.reached import BOARD
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import LocalRun
from tests.servers.kfp.executing import Executing
from tests.servers.kfp.pods import Pod, ProcessPod
from tests.servers.kfp.server import KfpServer
from tests.servers.kfp.stand_ins import StandIns
from tests.servers.phone.phone import Adb, Phone
from tests.servers.secrets import LAB, make_secret
from tests.servers.sshd import HOST, Sshd

__all__ = ["kept"]

ROOT = Path(__file__).parents[4]
TINY = ROOT / "tests" / "data" / "tiny.yaml"


class Lab:
    """A machine that holds a board, a cluster that has its key, and a configuration for both."""

    def __init__(
        self, gcs: GcsServer, folder: Path, local: LocalRun, adb: Adb, phone: Phone
    ) -> None:
        self.folder = folder
        self.home = folder / "board-home"
        self.home.mkdir()
        reaching = {"PATH": "/usr/bin:/bin", "ANDROID_ADB_SERVER_PORT": str(adb.port)}
        self.host = Sshd(folder / "lab", environment={**reaching, "HOME": str(folder)})
        self.board = Sshd(
            folder / "board", environment={"PATH": "/usr/bin:/bin", "HOME": str(self.home)}
        )
        self.keys = make_secret(
            folder / "volumes" / "secrets" / "lab-ssh", self.host, {HOST: self.board}
        )
        kfp_cluster.put_data(gcs)
        settings = {"retries": 0, "devices": {"host": LAB, "secret": "lab-ssh"}}
        path = kfp_cluster.configured(TINY, folder / "lab.yaml", **settings)
        written = yaml.safe_load(path.read_text())
        hanging = {"kind": "adb", "name": "s21", "serial": phone.serial}
        hanging |= {"dir": str(phone.folder / "there")}
        without = {
            key: value for key, value in BOARD.items() if key not in ("kind", "host", "name")
        }
        written["devices"] = [*written["devices"], BOARD, {**without, **hanging}]
        path.write_text(yaml.safe_dump(written, sort_keys=False))
        self.config = path
        self._stand_ins = StandIns(local.store, local.run, real=("select", "publish"))
        self.server = KfpServer(version="2.17.0")
        self.executing = Executing(self.server, gcs, self._pod, volumes=folder / "volumes")
        self.events: list[Any] = []

    def _pod(self, folder: Path, task: str) -> Pod:
        if task in MEASURED:
            return ProcessPod(folder)
        return self._stand_ins.pod(folder, task)

    def run(self) -> Launched:
        self.events.clear()
        self.server.after = self.executing.advance_all
        return launch(
            load(self.config),
            engine="kubeflow",
            store=str(self.folder / "store"),
            output=self.folder / "out",
            cluster=Place(host=self.server.url),
            on_event=self.events.append,
        )

    @property
    def store(self) -> Any:
        return open_store(str(self.folder / "store"))

    def measurement(self, record: RunRecord, step: str) -> Measurement:
        """What a step reported."""
        cache = Cache(self.store, self.folder / "scratch")
        report = record.steps[step]["outputs"]["report"]
        return Measurement.from_json(json.loads(cache.read_file(report, Measurement.FILE)))

    def explained(self) -> set[str]:
        """The measurements on devices that a run would carry out."""
        told, _ = explain_cluster(load(self.config), None, store=str(self.folder / "store"))
        return {one.step for one in told if one.reason and one.step in MEASURED}

    def ran(self) -> set[str]:
        """The measurements on devices that the cluster carried out in the last run."""
        done = [event for event in self.events if isinstance(event, StepDone)]
        return {one.step for one in done if one.step in MEASURED and not one.cached}

    def let_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give whoever submits settings of their own that lead there."""
        lines = [
            (self.keys / "config").read_text(),
            "Host *",
            f"  IdentityFile {self.host.programs.parent / 'user'}",
            f"  UserKnownHostsFile {self.keys / 'known_hosts'}",
        ]
        users = self.folder / "users"
        users.mkdir()
        (users / "config").write_text("\n".join(lines) + "\n")
        client = users / "ssh"
        client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {users}/config "$@"\n')
        client.chmod(0o755)
        monkeypatch.setenv("PATH", f"{users}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def lab(
    gcs: GcsServer, tmp_path: Path, tiny_run: LocalRun, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lab]:
    (tmp_path / "adb").mkdir()
    with Adb(tmp_path / "adb") as adb, Phone(tmp_path / "phone", adb) as phone:
        made = Lab(gcs, tmp_path, tiny_run, adb, phone)
        with made.host, made.board, made.server:
            keep_runtime(made, kept)
            yield made


def keep_runtime(lab: Lab, kept: Path) -> None:
    """Keep the runtime for the board's Python, so that nothing is downloaded."""
    shell = SshShell("board", HOST, jump=Jump(LAB, lab.keys))
    settings = SshSettings(host=HOST, python=BOARD["python"])
    sight = look_at(shell, "board", settings, runtime_version(), transport="ssh", address=HOST)
    shell.close()
    keep_linked_runtime(kept, sight.python)


MEASURED = {
    f"benchmark-{variant}-{device}"
    for variant in ("teacher", "student", "pruned-int8")
    for device in ("board", "s21")
}


def test_pods_measure_where_whoever_submits_does_not_get_to(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(UserWarning, match="pods will try") as warned:
        launched = lab.run()
    told = {str(one.message) for one in warned if "pods will try" in str(one.message)}
    assert len(told) == 2, told
    assert all("by way of lab.lan; it is measured anew" in one for one in told)
    assert launched.outcome == "done", [e for e in lab.events if isinstance(e, StepFailed)]
    assert lab.ran() == MEASURED
    record = read_run(lab.store, launched.run)
    for device, transport in (("board", "ssh by way of lab.lan"), ("s21", "adb by way of lab.lan")):
        found = lab.measurement(record, f"benchmark-student-{device}")
        assert (found.device.name, found.device.transport) == (device, transport)
        assert found.crashed is None
        step = record.steps[f"benchmark-student-{device}"]
        stated = read_ingredients(lab.store, step["record"])
        assert stated["device"] == found.device.fingerprint, "what it hangs on is on record"
    assert not list(lab.home.glob(".cache/slimline/run-*")), "nothing is left of any process"
    key = (lab.keys / "ssh-privatekey").read_bytes().splitlines()[1]
    kept_bytes = [path.read_bytes() for path in (lab.folder / "store").rglob("*") if path.is_file()]
    assert not any(key in content for content in kept_bytes), "no secret goes into the store"

    # With a way of their own, whoever submits knows the devices, and what was measured counts.
    lab.let_in(monkeypatch)
    again = lab.run()
    assert again.outcome == "done"
    assert lab.ran() == set()
    seen = {one.name: one for one in list_devices(lab.store)}
    assert seen.keys() == {"board", "s21"}
    assert lab.explained() == set()

    # Another kernel is another device; and one that is unplugged is what it was last.
    lab.host.stop()
    try:
        assert lab.explained() == set()
        older = replace(seen["board"], fingerprint={**seen["board"].fingerprint, "kernel": "0"})
        put_device(lab.store, older)
        assert lab.explained() == {one for one in MEASURED if one.endswith("-board")}
    finally:
        lab.host.start()


@pytest.mark.slow
def test_a_secret_that_the_cluster_lacks_fails_the_steps_that_need_it_alone(lab: Lab) -> None:
    lab.keys.rename(lab.keys.parent / "elsewhere")
    with pytest.warns(UserWarning, match="pods will try"):
        launched = lab.run()
    assert launched.outcome == "failed"
    failed = {event.step for event in lab.events if isinstance(event, StepFailed)}
    assert failed
    assert failed <= MEASURED
    done = {event.step for event in lab.events if isinstance(event, StepDone)}
    assert "benchmark-student-host" in done
    (lab.keys.parent / "elsewhere").rename(lab.keys)
    with pytest.warns(UserWarning, match="pods will try"):
        again = lab.run()
    assert again.outcome == "done", "made again, the secret is all that was missing"
    assert lab.ran() == MEASURED


def test_two_pods_take_turns_on_one_board(lab: Lab, tmp_path: Path) -> None:
    """Pods know nothing of each other: what they wait for is the lock on the device."""
    jump = Jump(LAB, lab.keys)
    settings = SshSettings(host=HOST, python=BOARD["python"], cooldown_s=0.1)
    held: list[str] = []

    def measure(name: str) -> None:
        device = open_ssh("board", settings, jump=jump)
        with device.take(60.0):
            held.append(f"{name} has it")
            time.sleep(0.5)
            held.append(f"{name} leaves it")
        device.close()

    pods = [threading.Thread(target=measure, args=(name,)) for name in "ab"]
    for pod in pods:
        pod.start()
    for pod in pods:
        pod.join()
    first, second = held[0][0], held[2][0]
    assert held == [
        f"{first} has it",
        f"{first} leaves it",
        f"{second} has it",
        f"{second} leaves it",
    ]
