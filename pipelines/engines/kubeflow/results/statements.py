"""What the steps of a run stated of themselves, found in the pipeline root.

The pipeline root is the only witness: ``task_details`` of the API never say what a task read or
wrote. The statement of each step lies in its result, below a folder that is named after run and
task, and names the address of each input. So whoever reads the statement of ``publish`` finds the
folder of every step before it, also of those whose results Kubeflow took from an earlier run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from components.contract.digests import digest
from components.contract.errors import UserError
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.ir.result_layout import layout_of
from pipelines.engines.kubeflow.results.stated import Found, folder_of, is_statement, read_found
from pipelines.runs.graph import Graph, Ref, SourceRef, Step
from pipelines.stores.store import KeyMissing, Store


class Statements:
    """Finds the statements of one run of a pipeline version.

    Args:
        root: The pipeline root.
        version: The pipeline version.
        kfp_run: Kubeflow's identifier of the run.
        folders: Says by a step's name the folder of its artifacts below the root, or None, where
            somebody knows that better than the run's own name does.
        steps: What is followed, where that is not the whole graph of the version.
    """

    def __init__(
        self,
        root: Store,
        version: PipelineVersion,
        kfp_run: str,
        folders: Callable[[str], str | None] | None = None,
        steps: Graph | None = None,
    ) -> None:
        self._root = root
        self._version = version
        self._kfp_run = kfp_run
        self._folders = folders
        self._steps = steps or version.graph
        self._found: dict[str, Found] = {}

    def find(self, step: Step) -> Found | None:
        """Find the result of a step, its own run's or the one that its consumers have read."""
        if step.name not in self._found:
            found = self._own(step)
            if found is None:
                return None
            self._found[step.name] = found
        return self._found[step.name]

    def whole(self, step: Step) -> bool:
        """Whether this run's own result of a step lies there, and all that its statement names.

        The launcher uploads in no promised order, so the statement alone proves nothing.
        """
        found = self._own(step)
        if found is None:
            return False
        listed = set(self._root.list(f"{found.folder}/"))
        for output in found.places:
            files, stated = found.files(output), found.statement["outputs"][output]
            if files is None:  # too many for a statement to list
                begin = f"{found.path_of(output)}/"
                if sum(key.startswith(begin) for key in listed) < stated["files"]:
                    return False
            elif not listed.issuperset(files):
                return False
        return True

    def follow(self, *, complete: bool = False) -> list[Step]:
        """Find the result of every step that something which was found has read.

        Args:
            complete: The run succeeded: of a step that nothing leads to, such as one without
                readers, Kubeflow took the result from an earlier run of the pipeline, where it is
                looked for.

        Returns:
            The steps that nothing leads to, producers first.
        """
        missing: list[Step] = []
        for step in reversed(self._steps.ordered):
            found = self.find(step)
            if found is None:
                missing.append(step)
                continue
            self._trace_inputs(step, found)
        missing.reverse()
        return [step for step in missing if not self._find_earlier(step)] if complete else missing

    def trace(self, step: Step) -> None:
        """Find the result of every step that one which was found has read directly."""
        if found := self.find(step):
            self._trace_inputs(step, found)

    def _trace_inputs(self, step: Step, found: Found) -> None:
        for port, flow in step.inputs.items():
            refs = flow if isinstance(flow, tuple) else (flow,)
            for ref, stated in zip(refs, found.inputs(port), strict=False):
                if isinstance(ref, Ref):
                    self._trace(step, port, ref, stated)

    def _own(self, step: Step) -> Found | None:
        """Return this run's newest result of a step, or None."""
        if known := self._folders and self._folders(step.name):
            return self._in_folder(step, known)
        prefix = f"{self._version.graph.name}/{self._kfp_run}/{step.name}/"
        places = ((folder_of(key), key) for key in self._root.list(prefix))
        found = [
            self._read(step, folder, key)
            for folder, key in places
            if folder and is_statement(key.removeprefix(f"{folder}/"))
        ]
        return max(found, key=lambda one: one.statement["started"], default=None)

    def _in_folder(self, step: Step, folder: str) -> Found | None:
        """Return the result of a step whose artifacts lie in a folder, or None."""
        keys = self._root.list(f"{folder}/")
        statement = (key for key in keys if is_statement(key.removeprefix(f"{folder}/")))
        key = next(statement, None)
        return self._read(step, folder, key) if key else None

    def _read(self, step: Step, folder: str, key: str) -> Found:
        try:
            return read_found(step, folder, self._root.get(key))
        except KeyMissing:
            raise self.damaged(step, f"{key} was removed while it was read") from None
        except ValueError as error:
            what = f"{key} is no statement of {step.component}: {error}"
            raise self.damaged(step, what) from None

    def _trace(self, step: Step, port: str, ref: Ref, stated: Mapping[str, str]) -> None:
        """Take the address of one input, and hold both ends' digests against each other."""
        uri, producer = stated["uri"], self._version.graph.by_name[ref.step]
        found = self._found.get(ref.step)
        if found is None and self._folders and self._folders(ref.step):
            found = self.find(producer)
        if found is None:
            prefix = f"{self._root.uri}/"
            folder = _producer_folder(producer, ref.output, uri.removeprefix(prefix))
            if not uri.startswith(prefix) or not folder:
                what = f"its input {port} came from {uri}, which no run wrote there"
                raise self.damaged(step, what)
            found = self._in_folder(producer, folder)
            if found is None:
                what = f"{folder} has no statement, although another step has read its results"
                raise self.damaged(producer, what)
            self._found[ref.step] = found
        if ref.output not in found.places:
            what = f"it read {uri}, and {ref.step} does not say that it made {ref.output}"
            raise self.damaged(step, what)
        made = found.statement["outputs"][ref.output]["digest"]
        if made != stated["digest"]:
            raise self.damaged(
                step,
                f"it read {uri} with the digest {stated['digest']}, and {ref.step} says that it "
                f"made {made} in {found.folder}",
            )

    def _find_earlier(self, step: Step) -> bool:
        """Find what an earlier run of the pipeline made of the same; True where there is one."""
        if not step.interface.cached_by_name:
            return False
        if any(self.find(self._version.graph.by_name[ref.step]) is None for ref in step.refs):
            return False
        inputs: dict[str, list[str]] = {}
        for port, flow in step.inputs.items():
            refs = flow if isinstance(flow, tuple) else (flow,)
            inputs[port] = [
                self._found[ref.step].statement["outputs"][ref.output]["digest"]
                if isinstance(ref, Ref)
                else self._version.sources[ref.name]
                for ref in refs
                if isinstance(ref, Ref | SourceRef)
            ]
        found = find_equal(self._root, self._version, step, inputs)
        if found is not None:
            self._found[step.name] = found
        return found is not None

    def damaged(self, step: Step, what: str) -> UserError:
        """Return the error for a step that is not whole in the pipeline root."""
        return UserError(
            f"{step.name} of the run {self._kfp_run} cannot be imported: {what}",
            f"look into {self._root.uri}: was something deleted or overwritten there? Then run the "
            "configuration again, with cache: false under kubeflow",
        )


def _producer_folder(producer: Step, output: str, key: str) -> str:
    """Return the folder of a step's artifacts by where one of its outputs lies, or ""."""
    layout = layout_of(producer.interface)
    for place in (f"/{layout.name}/{output}", f"/{output}"):
        folder = key.removesuffix(place)
        if folder != key:
            return folder
    return ""


def find_equal(
    root: Store, version: PipelineVersion, step: Step, inputs: Mapping[str, list[str]]
) -> Found | None:
    """Find the newest result of a step that has the same name, code, inputs and parameters.

    Args:
        root: The pipeline root.
        version: The pipeline version that the step is of.
        step: The step.
        inputs: By input the digests of what enters it.
    """
    codes = {digest(kind, content) for kind, content in version.documents if kind == "code"}
    parameters = json.dumps(step.parameters, sort_keys=True)
    equal: list[Found] = []
    for key in root.list(f"{version.graph.name}/"):
        folder = folder_of(key)
        if not folder or PurePosixPath(folder).parts[2] != step.name:
            continue
        if not is_statement(key.removeprefix(f"{folder}/")):
            continue
        try:
            found = read_found(step, folder, root.get(key))
        except (KeyMissing, ValueError):
            continue  # another run's damage is nothing to this one
        stated = {port: [item["digest"] for item in found.inputs(port)] for port in inputs}
        if (
            stated == inputs
            and json.dumps(found.statement["parameters"], sort_keys=True) == parameters
            and (not codes or found.statement["code"] in codes)
        ):
            equal.append(found)
    return max(equal, key=lambda one: one.statement["started"], default=None)
