"""ResultImporter: what a run left in its pipeline root becomes results and records of a store here.

The pipeline root is the only witness: ``task_details`` of the API never say what a task read or
wrote. The statement of each step lies beside its outputs and names the address of each input, so
whoever reads the statement of ``publish`` finds the folder of every step before it, also of those
whose results Kubeflow took from an earlier run.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, cast

from components.artifacts.measurement import Measurement
from components.contract.digests import canonical_json
from components.contract.errors import UserError
from components.contract.executor_input import STATEMENT
from components.contract.types import SINGLE_FILE_KINDS, Kind
from pipelines.disk.folders import remove_tree
from pipelines.engines.engine import StepDone
from pipelines.engines.kubeflow.versions import Plan
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Ref, Step
from pipelines.runs.keys import Ingredients, InputDigest
from pipelines.runs.records import open_sealed, step_record
from pipelines.stores.store import KeyMissing, Store

ENGINE = "kubeflow"

AT_HOME: frozenset[Kind] = frozenset({"Report", "Metrics", "Page", "Curve", "Release"})
"""What is brought home; data and models stay in the bucket, by digest and address in the record."""

_LEVELS = 4  # pipeline, run, task, salt


@dataclass(frozen=True)
class Found:
    """One step's result in the pipeline root.

    Attributes:
        folder: Where its outputs and its statement lie, below the root.
        statement: What the step said of itself.
    """

    folder: str
    statement: Mapping[str, Any]

    @property
    def executed_by(self) -> tuple[str, str]:
        """Kubeflow's identifier of the run that executed it, and the task's name there."""
        _, run, task, _ = PurePosixPath(self.folder).parts
        return run, task

    @property
    def function_s(self) -> float:
        """Wall time of the component's function, in seconds."""
        return float(self.statement["wall_s"])

    @property
    def finished(self) -> str:
        """When the function had ended, ISO 8601."""
        started = datetime.fromisoformat(self.statement["started"])
        return (started + timedelta(seconds=self.function_s)).isoformat(timespec="milliseconds")


class ResultImporter:
    """Brings one run of a pipeline version home, step by step; again and again to the same end.

    Args:
        root: The pipeline root.
        plan: The pipeline version.
        kfp_run: Kubeflow's identifier of the run.
        run: Identifier under which the store keeps it.
        cache: Where results go.
        scratch: A folder of this machine for what is on its way.
    """

    def __init__(
        self, root: Store, plan: Plan, kfp_run: str, run: str, cache: Cache, scratch: Path
    ) -> None:
        self._root = root
        self._plan = plan
        self._kfp_run = kfp_run
        self._run = run
        self._cache = cache
        self._scratch = scratch
        self._found: dict[str, Found] = {}
        self._done: dict[str, StepDone] = {}

    @property
    def done(self) -> Mapping[str, StepDone]:
        """What is at home."""
        return self._done

    def find(self, step: Step) -> Found | None:
        """Find the result of a step, its own run's or the one that its consumers have read."""
        if step.name not in self._found:
            folder = self._own_folder(step.name)
            if folder is None:
                return None
            self._found[step.name] = self._read(step, folder)
        return self._found[step.name]

    def follow(self) -> list[Step]:
        """Find the result of every step that something which was found has read.

        Returns:
            The steps that nothing leads to, producers first.
        """
        missing: list[Step] = []
        for step in reversed(self._plan.graph.ordered):
            found = self.find(step)
            if found is None:
                missing.append(step)
                continue
            for port, flow in step.inputs.items():
                refs = flow if isinstance(flow, tuple) else (flow,)
                for ref, said in zip(refs, _said(found.statement, port), strict=False):
                    if isinstance(ref, Ref):
                        self._trace(step, port, ref, said)
        return missing[::-1]

    def bring_all(self, *, complete: bool) -> list[StepDone]:
        """Bring home whatever is not there yet.

        Args:
            complete: The run succeeded, so every step must be found.

        Returns:
            The steps that this call brought, producers first.

        Raises:
            UserError: Something is missing, or is not what its statement says.
        """
        missing = self.follow()
        if missing and complete:
            raise self._damaged(missing[0], f"there is no statement of it in {self._root.uri}")
        absent = {step.name for step in missing} | self._done.keys()
        return [self.bring(step) for step in self._plan.graph.ordered if step.name not in absent]

    def bring(self, step: Step, wall_s: float | None = None) -> StepDone:
        """Bring one step home that has been found: outputs, ledger, record.

        Args:
            step: Which one.
            wall_s: What the engine spent on it; None is as long as its function ran.

        Raises:
            UserError: What lies in the bucket is not what the statement says.
        """
        if step.name in self._done:
            return self._done[step.name]
        found = self._found[step.name]
        statement = found.statement
        cached = found.executed_by[0] != self._kfp_run
        outputs = {name: said["digest"] for name, said in statement["outputs"].items()}
        for port in step.interface.outputs:
            if port.kind in AT_HOME:
                self._fetch(step, port.name, port.kind, outputs[port.name])
        ingredients = self._ingredients(step, statement)
        if step.opens_sealed and not cached:
            sealed = cast("str", ingredients.inputs["dataset"])
            opened = cast("str", statement["started"])
            open_sealed(self._cache.store, sealed, self._run, step.name, opened)
        wall_s = found.function_s if wall_s is None else wall_s
        record = self._record(step, found, ingredients, outputs, wall_s)
        done = StepDone(
            step.name, ingredients.key, outputs, record,
            cached=cached, function_s=found.function_s, wall_s=0.0 if cached else wall_s,
        )  # fmt: skip
        self._done[step.name] = done
        return done

    def _own_folder(self, task: str) -> str | None:
        """Return the folder of this run's newest execution of a task, or None."""
        prefix = f"{self._plan.graph.name}/{self._kfp_run}/{task}/"
        folders = {
            key.rpartition("/")[0]
            for key in self._root.list(prefix)
            if key.endswith(f"/{STATEMENT}") and key.removeprefix(prefix).count("/") == 1
        }
        return max(folders, key=self._started, default=None)

    def _started(self, folder: str) -> str:
        return json.loads(self._root.get(f"{folder}/{STATEMENT}"))["started"]

    def _read(self, step: Step, folder: str) -> Found:
        key = f"{folder}/{STATEMENT}"
        try:
            statement = cast("dict[str, Any]", json.loads(self._root.get(key)))
            names = {port.name for port in step.interface.outputs}
            whole = (
                statement["component"] == step.component and names <= statement["outputs"].keys()
            )
        except KeyMissing:
            raise self._damaged(
                step, f"{key} is missing, although another step has read its results"
            ) from None
        except (ValueError, KeyError, TypeError):
            whole = False
            statement = {}
        if not whole:
            raise self._damaged(step, f"{key} is no statement of {step.component}")
        return Found(folder, statement)

    def _trace(self, step: Step, port: str, ref: Ref, said: Mapping[str, str]) -> None:
        """Take the address of one input, and hold both ends' digests against each other."""
        prefix, uri = f"{self._root.uri}/", said["uri"]
        folder = uri.removeprefix(prefix).rpartition("/")[0]
        if not uri.startswith(prefix) or len(PurePosixPath(folder).parts) != _LEVELS:
            raise self._damaged(step, f"its input {port} came from {uri}, which no run wrote there")
        producer = self._plan.graph.by_name[ref.step]
        found = self._found.get(ref.step)
        if found is None:
            found = self._found[ref.step] = self._read(producer, folder)
        made = found.statement["outputs"][ref.output]["digest"]
        if made != said["digest"]:
            raise self._damaged(
                step,
                f"it read {uri} with the digest {said['digest']}, and {ref.step} says that it made "
                f"{made} in {found.folder}",
            )

    def _fetch(self, step: Step, output: str, kind: Kind, digest: str) -> None:
        """Copy an output into the store, every byte checked."""
        key = f"{self._found[step.name].folder}/{output}"
        single = kind in SINGLE_FILE_KINDS
        names = [key] if single else list(self._root.list(f"{key}/"))
        folder = Path(tempfile.mkdtemp(prefix="home-", dir=self._scratch))
        try:
            path = folder / output
            try:
                self._root.fetch_many(
                    (name, path if single else path / name.removeprefix(f"{key}/"))
                    for name in names
                )
                found = self._cache.put_tree(path).digest if path.exists() else "nothing"
            except KeyMissing:
                found = "nothing"
            except ValueError as error:
                raise self._damaged(step, f"its {output} cannot be kept: {error}") from None
        finally:
            remove_tree(folder)
        if found != digest:
            raise self._damaged(
                step, f"its {output} has the digest {found}, and its statement says {digest}"
            )

    def _ingredients(self, step: Step, statement: Mapping[str, Any]) -> Ingredients:
        inputs: dict[str, InputDigest] = {}
        for port, flow in step.inputs.items():
            digests = [said["digest"] for said in _said(statement, port)]
            inputs[port] = (
                digests if isinstance(flow, tuple) else digests[0] if flow and digests else None
            )
        return Ingredients(
            component=step.component,
            code=statement["code"],
            environment=self._plan.environments[step.interface.image],
            inputs=inputs,
            parameters=statement["parameters"],
            device=self._device(step, statement) if step.alone else None,
        )

    def _device(self, step: Step, statement: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the fingerprint of the measured machine, which the report holds."""
        (report,) = (port.name for port in step.interface.outputs if port.kind == "Report")
        tree = statement["outputs"][report]["digest"]
        return json.loads(self._cache.read_file(tree, Measurement.FILE))["device"]["fingerprint"]

    def _record(
        self,
        step: Step,
        found: Found,
        ingredients: Ingredients,
        outputs: Mapping[str, str],
        wall_s: float,
    ) -> str:
        """Write the step's record once: whoever brings the run home again finds the same."""
        kfp_run, task = found.executed_by
        record = step_record(
            run=kfp_run,
            step=task,
            engine=ENGINE,
            ingredients=ingredients,
            outputs=outputs,
            statement={**found.statement, "folder": f"{self._root.uri}/{found.folder}"},
            image_digest=self._plan.images[step.interface.image].rpartition("@")[2],
            wall_s=wall_s,
            finished=found.finished,
        )
        key = f"runs/{self._run}/steps/{step.name}.json"
        self._cache.store.put_if_absent(key, canonical_json(record))
        return key

    def _damaged(self, step: Step, what: str) -> UserError:
        return UserError(
            f"{step.name} of the run {self._kfp_run} cannot be brought home: {what}",
            f"look into {self._root.uri}: was something deleted or overwritten there? Then run the "
            "configuration again, with cache: false under kubeflow",
        )


def _said(statement: Mapping[str, Any], port: str) -> list[Mapping[str, str]]:
    """Return address and digest of what entered a port, in order."""
    said = statement["inputs"].get(port)
    items = cast("list[Any]", said if isinstance(said, list) else [said])
    return [item for item in items if isinstance(item, dict)]
