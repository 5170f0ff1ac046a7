"""What a run left in its pipeline root becomes results and records of a store here."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, cast

from components.artifacts.cost_model import CostModel
from components.artifacts.measurement import Measurement
from components.contract.digests import canonical_json
from components.contract.tree import Tree
from components.contract.types import SINGLE_FILE_KINDS, Kind
from pipelines.disk.folders import remove_tree
from pipelines.engines.kubeflow.bucket.versions import PipelineVersion
from pipelines.engines.kubeflow.results.earlier import PLACEMENT
from pipelines.engines.kubeflow.results.stated import Found
from pipelines.engines.kubeflow.results.statements import Statements
from pipelines.images.building import step_environment
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Step
from pipelines.runs.kept.cluster_results import DATASET_FILES, KUBEFLOW, WHOLE
from pipelines.runs.keys import Ingredients, InputDigest
from pipelines.runs.ledger import open_sealed
from pipelines.runs.live.events import StepDone
from pipelines.runs.step_records import step_record
from pipelines.stores.layout import log_key, step_record_key
from pipelines.stores.store import KeyMissing, Store

ENGINE = KUBEFLOW


class ResultImporter:
    """Imports one run of a pipeline version, step by step; again and again to the same end.

    Args:
        root: The pipeline root.
        version: The pipeline version.
        kfp_run: Kubeflow's identifier of the run.
        run: Identifier under which the store keeps it.
        cache: Where results go.
        scratch: A folder of this machine for what is on its way.
        launch: Kubeflow's identifiers of all runs that carry out the launch. Then what they and
            earlier runs made is imported as well; without it, what this run carries out.
        folders: See ``Statements``; None takes those that the version names.
        engine: Which engine ran it.
    """

    def __init__(
        self,
        root: Store,
        version: PipelineVersion,
        kfp_run: str,
        run: str,
        cache: Cache,
        scratch: Path,
        launch: Collection[str] = (),
        *,
        folders: Callable[[str], str | None] | None = None,
        engine: str = ENGINE,
    ) -> None:
        self._engine = engine
        self._root = root
        self._version = version
        self._kfp_runs = {kfp_run, *launch}
        self._run = run
        self._cache = cache
        self._scratch = scratch
        self._steps = version.known if launch else version.part
        self._statements = Statements(
            root, version, kfp_run, folders=folders or version.folders.get, steps=self._steps
        )
        self._done: dict[str, StepDone] = {}

    @property
    def done(self) -> Mapping[str, StepDone]:
        """What has been imported."""
        return self._done

    @property
    def root(self) -> Store:
        """The pipeline root."""
        return self._root

    @property
    def version(self) -> PipelineVersion:
        """The pipeline version."""
        return self._version

    def whole(self, step: Step) -> bool:
        """Whether this run has a result of a step, and all of it is there."""
        return self._statements.whole(step)

    def find(self, step: Step) -> Found | None:
        """Find what a step made, in this run or in the one that its consumers have read from."""
        return self._statements.find(step)

    def import_all(self, *, complete: bool) -> list[StepDone]:
        """Import whatever is not there yet.

        Args:
            complete: The run succeeded, so every step must be found.

        Returns:
            The steps that this call imported, producers first.

        Raises:
            UserError: Something is missing, or is not what its statement says.
        """
        missing = self._statements.follow(complete=complete)
        if missing and complete:
            raise self._statements.damaged(
                missing[0], f"there is no statement of it in {self._root.uri}"
            )
        absent = {step.name for step in missing} | self._done.keys()
        return [self.import_step(step) for step in self._steps.ordered if step.name not in absent]

    def import_inputs(self, step: Step) -> list[StepDone]:
        """Import what a found step has read and is not there yet, as it says where that lies.

        Returns:
            The steps that this call imported, producers first.

        Raises:
            UserError: Something is missing, or is not what its statement says.
        """
        self._statements.trace(step)
        imported: list[StepDone] = []
        for name in dict.fromkeys(ref.step for ref in step.refs):
            if name not in self._done and name in self._steps.by_name:
                producer = self._version.graph.by_name[name]
                imported += self.import_inputs(producer)
                imported.append(self.import_step(producer))
        return imported

    def keep_log(self, step: str, log: str | None) -> None:
        """Keep what a step that failed has printed, which the cluster forgets."""
        if log is not None:
            self._cache.store.put_if_absent(log_key(self._run, step), log.encode())

    def import_step(self, step: Step, wall_s: float | None = None) -> StepDone:
        """Import one step that has been found: outputs, ledger, record.

        Args:
            step: Which one.
            wall_s: What the engine spent on it; None is as long as its function ran.

        Raises:
            UserError: What lies in the bucket is not what the statement says.
        """
        if step.name in self._done:
            return self._done[step.name]
        found = self._statements.find(step)
        assert found, step.name
        statement = found.statement
        cached = found.executed_by[0] not in self._kfp_runs
        outputs = {name: stated["digest"] for name, stated in statement["outputs"].items()}
        trees: dict[str, Tree] = {}
        for port in (one for one in step.interface.outputs if one.name in found.places):
            key, stated = found.path_of(port.name), outputs[port.name]
            if port.kind in WHOLE:
                self._fetch(step, key, port.kind, stated)
                trees[port.name] = self._cache.tree(stated)
            elif tree := self._listed(step, port.name, statement["outputs"][port.name]):
                self._fetch_some(step, key, tree, DATASET_FILES if port.kind == "Dataset" else ())
                trees[port.name] = tree
        ingredients = self._ingredients(step, found)
        if step.opens_sealed and not cached:
            sealed = cast("str", ingredients.inputs["dataset"])
            opened = cast("str", statement["started"])
            open_sealed(self._cache.store, sealed, self._run, step.name, opened)
        wall_s = found.function_s if wall_s is None else wall_s
        record = self._record(step, found, ingredients, outputs, trees, wall_s)
        done = StepDone(
            step.name, ingredients.key, outputs, record,
            cached=cached, function_s=found.function_s, wall_s=0.0 if cached else wall_s,
        )  # fmt: skip
        self._done[step.name] = done
        return done

    def _fetch(self, step: Step, key: str, kind: Kind, digest: str) -> None:
        """Copy an output that lies under a key into the store, every byte checked."""
        output = key.rpartition("/")[2]
        single = kind in SINGLE_FILE_KINDS
        names = [key] if single else list(self._root.list(f"{key}/"))
        folder = Path(tempfile.mkdtemp(prefix="import-", dir=self._scratch))
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
                what = f"its {output} cannot be kept: {error}"
                raise self._statements.damaged(step, what) from None
        finally:
            remove_tree(folder)
        if found != digest:
            raise self._statements.damaged(
                step, f"its {output} has the digest {found}, and its statement says {digest}"
            )

    def _listed(self, step: Step, output: str, stated: Mapping[str, Any]) -> Tree | None:
        """Return the files of an output by its statement; images of earlier versions say none."""
        if "entries" not in stated:
            return None
        try:
            tree = Tree.from_json({"entries": stated["entries"]})
        except (ValueError, TypeError):
            tree = None
        if tree is None or tree.digest != stated["digest"]:
            raise self._statements.damaged(
                step, f"its {output} has other files than its statement says"
            )
        return tree

    def _fetch_some(self, step: Step, key: str, tree: Tree, names: Collection[str]) -> None:
        """Copy some files of an output into the store, then the list of all of them."""
        wanted = [entry for entry in tree.entries if entry.path in names]
        with tempfile.TemporaryDirectory(prefix="import-", dir=self._scratch) as folder:
            paths = [Path(folder, str(number)) for number in range(len(wanted))]
            items = [
                (f"{key}/{entry.path}", path) for entry, path in zip(wanted, paths, strict=True)
            ]
            try:
                digests = self._root.fetch_many(items)
            except KeyMissing as missing:
                raise self._statements.damaged(step, f"{missing.key} is missing") from None
            for entry, digest in zip(wanted, digests, strict=True):
                if digest != entry.sha256:
                    what = f"{key}/{entry.path} has the sha256 {digest}, not {entry.sha256}"
                    raise self._statements.damaged(step, what)
            named = {entry.path: path for entry, path in zip(wanted, paths, strict=True)}
            self._cache.put_some(tree, named)

    def _ingredients(self, step: Step, found: Found) -> Ingredients:
        statement = found.statement
        inputs: dict[str, InputDigest] = {}
        for port, flow in step.inputs.items():
            digests = [stated["digest"] for stated in found.inputs(port)]
            inputs[port] = (
                digests if isinstance(flow, tuple) else digests[0] if flow and digests else None
            )
        return Ingredients(
            component=step.component,
            code=statement["code"],
            environment=step_environment(step.component, self._version.environments[step.image]),
            inputs=inputs,
            parameters=statement["parameters"],
            device=self._device(step, statement) if step.occupies else None,
            gpu=step.gpu,
        )

    def _device(self, step: Step, statement: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the fingerprint of the measured machine or device, which the report holds."""
        (report,) = (port.name for port in step.interface.outputs if port.kind == "Report")
        tree = statement["outputs"][report]["digest"]
        if step.component == "cost_model":
            return json.loads(self._cache.read_file(tree, CostModel.FILE))["fingerprint"]
        return json.loads(self._cache.read_file(tree, Measurement.FILE))["device"]["fingerprint"]

    def _besides(self, step: Step, found: Found) -> dict[str, Any]:
        """Return what is to be said of an execution that its component does not know."""
        where = self._version.placements.get(step.component) if step.alone else None
        return {
            "folder": f"{self._root.uri}/{found.folder}",
            **({PLACEMENT: where} if where else {}),
        }

    def _record(
        self,
        step: Step,
        found: Found,
        ingredients: Ingredients,
        outputs: Mapping[str, str],
        trees: Mapping[str, Tree],
        wall_s: float,
    ) -> str:
        """Write the step's record once: whoever imports the run again finds the same."""
        kfp_run, task = found.executed_by
        record = step_record(
            run=kfp_run,
            step=task,
            engine=self._engine,
            ingredients=ingredients,
            outputs=outputs,
            trees=trees,
            statement={**found.statement, **self._besides(step, found)},
            image_digest=self._version.images[step.image].rpartition("@")[2],
            wall_s=wall_s,
            finished=found.finished,
        )
        key = step_record_key(self._run, step.name)
        self._cache.store.put_if_absent(key, canonical_json(record))
        return key
