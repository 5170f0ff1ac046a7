"""A cluster that carries out what was submitted: drivers, launchers and steps, and what goes wrong.

Each call of ``advance`` carries out one task of a run. Steps run in pods of the test's choice, storage
is the tests' server, and failures strike root drivers, importers, drivers and steps.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from tests.servers.gcs.server import GcsServer
from tests.servers.kfp.compiled_workflow import compiled_bytes, start_fault
from tests.servers.kfp.driver import LOGS, Driver, Metadata
from tests.servers.kfp.faults import TaskFailedError
from tests.servers.kfp.launcher import Launcher
from tests.servers.kfp.object_storage import (
    Bucket,
    Moved,
    ServerStorage,
    generate_output_uri,
    remove_folder,
)
from tests.servers.kfp.pods import Pod
from tests.servers.kfp.run_states import FINAL
from tests.servers.kfp.server import KfpServer
from tests.servers.kfp.volumes import Volumes
from tests.servers.kfp.workflow_json import LIMIT_BYTES, WorkflowJson

Where = Literal["root", "importer", "driver", "step"]
Strike = Literal["fails", "lost"]

_LOST_AGAIN = 2
"""How often Argo runs a lost pod again where the default configuration says so."""

_COMPRESSED_MIN = 4
"""Nodes take at most this part of their bytes once they are compressed; in the recordings a tenth."""


class Faults(Protocol):
    """Says what goes wrong."""

    def strike(self, where: Where, task: str) -> Strike | None:
        """Return what becomes of the next pod of a task."""
        ...


@dataclass
class Planned:
    """Goes wrong as a test says: by kind and task what becomes of one pod after the other."""

    plan: Mapping[tuple[Where, str], list[Strike]] = field(default_factory=dict)

    def strike(self, where: Where, task: str) -> Strike | None:
        left = self.plan.get((where, task))
        return left.pop(0) if left else None


@dataclass
class Seeded:
    """Goes wrong at random, the same for the same seed.

    Attributes:
        seed: Of everything.
        lost: Which share of all pods is lost.
        failing: Which share of the drivers fails.
    """

    seed: int
    lost: float = 0.0
    failing: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    _seen: Counter[str] = field(default_factory=Counter)

    def strike(self, where: Where, task: str) -> Strike | None:
        key = f"{where} {task}"
        self._seen[key] += 1
        luck = random.Random(f"{self.seed} {key} {self._seen[key]}").random()
        strike: Strike | None = "lost" if luck < self.lost else None
        if strike is None and where == "driver" and luck < self.lost + self.failing:
            strike = "fails"
        if strike:
            self.struck[f"{where} {strike}"] += 1
        return strike


@dataclass
class Executing:
    """Carries out the runs of a server.

    Attributes:
        kfp: The API server.
        gcs: The storage service.
        pod: Returns what runs a step, given its folder and the task's name.
        faults: What goes wrong.
        metadata: ML Metadata, of all runs.
        pods: How many pods there were of each kind.
        moved: What launchers downloaded and uploaded.
        inputs: By run and task what its driver worked out.
        limit_bytes: What Argo writes of one Workflow: above it nodes are kept compressed, and when
            they are too large even so the run breaks off.
        sizes: By run the Workflow's length with its nodes plain and compressed, as last written.
        volumes: With a folder for each claim of the cluster; None: there is none.
    """

    kfp: KfpServer
    gcs: GcsServer
    pod: Callable[[Path, str], Pod]
    faults: Faults = field(default_factory=Planned)
    metadata: Metadata = field(default_factory=Metadata)
    pods: Counter[Where] = field(default_factory=Counter)
    moved: Moved = field(default_factory=Moved)
    inputs: dict[str, dict[str, pb.ExecutorInput]] = field(default_factory=dict)
    limit_bytes: int = LIMIT_BYTES
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    volumes: Path | None = None
    _drivers: dict[str, Driver] = field(default_factory=dict)
    _json: dict[str, WorkflowJson] = field(default_factory=dict)
    _compiled: dict[str, int] = field(default_factory=dict)
    _cache: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def advance_all(self, operation: str = "get_run") -> None:
        """Take one step of every run whenever somebody asks how one is: for ``KfpServer.after``."""
        if operation == "get_run":
            for run in list(self.kfp.backend.runs):
                self.advance(run)

    def complete(self, run: str) -> None:
        """Carry a run out to its end."""
        while self.advance(run):
            pass

    def advance(self, run: str) -> bool:
        """Carry out the next task of a run; True while it goes on."""
        backend = self.kfp.backend
        match backend.runs[run]["state"]:
            case "PENDING":
                fault = start_fault(self._written(run)) or self._lasting("root", "root")
                backend.begin(run, "Failed" if fault else "Succeeded")
                return not fault
            case "CANCELING":
                backend.end(run)
                return False
            case "RUNNING":
                more = self._go_on(run)
                return self._write(run) and more
            case _:
                return False

    def _go_on(self, run: str) -> bool:
        backend = self.kfp.backend
        workflow = backend.workflows[run]
        ready = workflow.ready()
        if not ready:
            steps = [workflow.phase_of(name) for name in workflow.tasks]
            backend.end(run, "SUCCEEDED" if set(steps) <= {"Succeeded"} else "FAILED")
            return False
        name = ready[0]
        driver = self._driver(run)
        if workflow.tasks[name].importer:
            self._import(run, driver, name)
        else:
            self._step(run, driver, name)
        return True

    def _written(self, run: str) -> WorkflowJson:
        """Return the run's Workflow as Argo writes it."""
        if run not in self._json:
            backend = self.kfp.backend
            record = backend.runs[run]
            whole = backend.source_of(record)["pipeline_spec"]
            self._json[run] = WorkflowJson(
                backend.release,
                backend.spec_of(record),
                whole.get("platform_spec", {}),
                run,
                record.get("runtime_config", {}).get("pipeline_root", ""),
                self.inputs.setdefault(run, {}),
            )
        return self._json[run]

    def _write(self, run: str) -> bool:
        """Write the Workflow; False where the cluster takes it no more."""
        written, workflow = self._written(run), self.kfp.backend.workflows[run]
        if run not in self._compiled:
            self._compiled[run] = compiled_bytes(written)
        compiled = self._compiled[run]
        plain = compiled + written.status_bytes(workflow)
        self.sizes[run] = (plain, self.sizes.get(run, (0, 0))[1])
        if plain <= self.limit_bytes and not self.kfp.backend.rows[run].frozen:
            return True
        self.kfp.backend.freeze(run)
        ended = self.kfp.backend.runs[run]["state"] in FINAL
        if not ended and compiled + (plain - compiled) / _COMPRESSED_MIN < self.limit_bytes:
            return True  # far from the limit: what takes long is not worked out
        self.sizes[run] = (plain, compiled + written.compressed_bytes(workflow))
        if ended or self.sizes[run][1] <= self.limit_bytes:
            return True
        self.kfp.backend.break_off(run)
        return False

    def _driver(self, run: str) -> Driver:
        if run not in self._drivers:
            backend = self.kfp.backend
            spec = json_format.ParseDict(backend.spec_of(backend.runs[run]), pb.PipelineSpec())
            runtime = backend.runs[run].get("runtime_config", {})
            root = runtime.get("pipeline_root") or spec.default_pipeline_root
            place = generate_output_uri(root, [spec.pipeline_info.name, run])
            self._drivers[run] = Driver(backend.release, spec, place, self.metadata)
        return self._drivers[run]

    def _volumes(self, run: str) -> Volumes:
        backend = self.kfp.backend
        whole = backend.source_of(backend.runs[run])["pipeline_spec"]
        folder = self.volumes or Path(tempfile.gettempdir())
        return Volumes(folder, whole.get("platform_spec", {}), run)

    def _lasting(self, where: Where, task: str) -> Strike | None:
        """Return what becomes of a pod after Argo's own retries, which are for lost ones alone."""
        again = _LOST_AGAIN if self.kfp.backend.release.retries_every_template else 0
        for _ in range(again + 1):
            self.pods[where] += 1
            struck = self.faults.strike(where, task)
            if struck != "lost":
                break
        return struck

    def _import(self, run: str, driver: Driver, name: str) -> None:
        if self._lasting("importer", name):
            self.kfp.backend.fail_importer(run, name)
            return
        driver.import_(name)
        self.kfp.backend.import_one(run, name)

    def _step(self, run: str, driver: Driver, name: str) -> None:
        backend = self.kfp.backend
        inputs = self.inputs.setdefault(run, {})
        if name not in inputs:
            struck = self._lasting("driver", name)
            try:
                given = driver.executor_input(name)
            except TaskFailedError as error:
                backend.fail_driver(run, name, str(error))
                return
            if struck:
                backend.fail_driver(run, name)
                return
            self._volumes(run).resolve(given)
            inputs[name] = given
        given = inputs[name]
        fingerprint = driver.fingerprint(name, given)
        if fingerprint in self._cache and fingerprint is not None:
            for output, artifact in self._cache[fingerprint].items():
                driver.made[name, output] = artifact
            backend.skip(run, name)
            return
        made = self._attempts(run, driver, name, given)
        backend.finish(run, name, "FAILED" if made is None else "SUCCEEDED")
        if made is not None and fingerprint is not None:
            self._cache[fingerprint] = made

    def _attempts(
        self, run: str, driver: Driver, name: str, given: pb.ExecutorInput
    ) -> dict[str, dict[str, Any]] | None:
        """Run a step as often as its policy, or the default one, lets it; None where it fails."""
        backend = self.kfp.backend
        own = backend.workflows[run].tasks[name].retries
        merged = backend.release.retries_every_template
        left = {"lost": _LOST_AGAIN if merged else 0, "fails": 0 if merged else own}
        attempt = 0
        while True:
            backend.start(run, name, attempt)
            self.pods["step"] += 1
            struck = self.faults.strike("step", name)
            made = None if struck else self._launch(run, driver, name, given, attempt)
            if made is not None:
                return made
            ended: Strike = struck or "fails"
            if left[ended] == 0:
                return None
            left[ended] -= 1
            backend.fail_attempt(run, name, attempt, lost=ended == "lost")
            attempt += 1

    def _launch(
        self, run: str, driver: Driver, name: str, given: pb.ExecutorInput, attempt: int
    ) -> dict[str, dict[str, Any]] | None:
        """Run one attempt of a step; None where it fails."""
        message = pb.ExecutorInput()
        message.CopyFrom(given)
        folder = Path(tempfile.mkdtemp(prefix="kfp-pod-"))
        bucket = Bucket(ServerStorage(self.gcs), driver.root, self.moved)
        pod = self.pod(folder, name)
        launcher = Launcher(bucket, pod, driver.release, driver.components[name], attempt)
        try:
            label = driver.own_component(name).executor_label
            self._volumes(run).mount(folder, label, message)
            made = launcher.execute(message, driver.executor(name)["container"])
        except TaskFailedError:
            return None
        finally:
            logs = pod.mount(launcher.log_path(message))
            if logs.exists():
                self.kfp.backend.printed(run, name, logs.read_text(), attempt)
            remove_folder(folder)
        recorded = {
            output: self.metadata.record(output, artifact)
            for output, artifact in made.items()
            if output != LOGS
        }
        for output, artifact in recorded.items():
            driver.made[name, output] = artifact
        return recorded
