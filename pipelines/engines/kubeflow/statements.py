"""What the steps of a run stated of themselves, found in the pipeline root.

The pipeline root is the only witness: ``task_details`` of the API never say what a task read or
wrote. The statement of each step lies beside its outputs and names the address of each input, so
whoever reads the statement of ``publish`` finds the folder of every step before it, also of those
whose results Kubeflow took from an earlier run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, cast

from components.contract.errors import UserError
from components.contract.executor_input import STATEMENT
from pipelines.engines.kubeflow.versions import PipelineVersion
from pipelines.runs.graph import Ref, Step
from pipelines.stores.store import KeyMissing, Store

_LEVELS = 4  # pipeline, run, task, salt


@dataclass(frozen=True)
class Found:
    """One step's result in the pipeline root.

    Attributes:
        folder: Where its outputs and its statement lie, below the root.
        statement: What the step states of itself.
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

    def inputs(self, port: str) -> list[Mapping[str, str]]:
        """Return address and digest of what entered a port, in order."""
        stated = self.statement["inputs"].get(port)
        items = cast("list[Any]", stated if isinstance(stated, list) else [stated])
        return [item for item in items if isinstance(item, dict)]


class Statements:
    """Finds the statements of one run of a pipeline version.

    Args:
        root: The pipeline root.
        version: The pipeline version.
        kfp_run: Kubeflow's identifier of the run.
    """

    def __init__(self, root: Store, version: PipelineVersion, kfp_run: str) -> None:
        self._root = root
        self._version = version
        self._kfp_run = kfp_run
        self._found: dict[str, Found] = {}

    def find(self, step: Step) -> Found | None:
        """Find the result of a step, its own run's or the one that its consumers have read."""
        if step.name not in self._found:
            folder = self._version.folders.get(step.name) or self._own_folder(step.name)
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
        for step in reversed(self._version.part.ordered):
            found = self.find(step)
            if found is None:
                missing.append(step)
                continue
            for port, flow in step.inputs.items():
                refs = flow if isinstance(flow, tuple) else (flow,)
                for ref, stated in zip(refs, found.inputs(port), strict=False):
                    if isinstance(ref, Ref):
                        self._trace(step, port, ref, stated)
        return missing[::-1]

    def _own_folder(self, task: str) -> str | None:
        """Return the folder of this run's newest execution of a task, or None."""
        prefix = f"{self._version.graph.name}/{self._kfp_run}/{task}/"
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
            raise self.damaged(
                step, f"{key} is missing, although another step has read its results"
            ) from None
        except (ValueError, KeyError, TypeError):
            whole = False
            statement = {}
        if not whole:
            raise self.damaged(step, f"{key} is no statement of {step.component}")
        return Found(folder, statement)

    def _trace(self, step: Step, port: str, ref: Ref, stated: Mapping[str, str]) -> None:
        """Take the address of one input, and hold both ends' digests against each other."""
        prefix, uri = f"{self._root.uri}/", stated["uri"]
        folder = uri.removeprefix(prefix).rpartition("/")[0]
        if not uri.startswith(prefix) or len(PurePosixPath(folder).parts) != _LEVELS:
            raise self.damaged(step, f"its input {port} came from {uri}, which no run wrote there")
        producer = self._version.graph.by_name[ref.step]
        found = self._found.get(ref.step)
        if found is None:
            found = self._found[ref.step] = self._read(producer, folder)
        made = found.statement["outputs"][ref.output]["digest"]
        if made != stated["digest"]:
            raise self.damaged(
                step,
                f"it read {uri} with the digest {stated['digest']}, and {ref.step} says that it "
                f"made {made} in {found.folder}",
            )

    def damaged(self, step: Step, what: str) -> UserError:
        """Return the error for a step that is not whole in the pipeline root."""
        return UserError(
            f"{step.name} of the run {self._kfp_run} cannot be imported: {what}",
            f"look into {self._root.uri}: was something deleted or overwritten there? Then run the "
            "configuration again, with cache: false under kubeflow",
        )
