"""A cluster for tests: what a launched graph leaves in its pipeline root, and what the API says.

Nothing is executed here. A run of the local engine has made every artifact for real; they are laid
into the bucket as Kubeflow's launcher lays them, at
``<root>/<pipeline>/<run>/<task>/<salt>/<artifact>``, with statements that name the addresses of the
inputs, and the API server is told of each task.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from components.contract.digests import canonical_json
from components.contract.tree import SINGLE
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.engines.kubeflow.ir.result_layout import layout_of_step
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Graph, Ref, SourceRef, Step
from pipelines.runs.records import read_run
from pipelines.stores.opening import open_store
from tests.servers.gcs.server import GcsServer
from tests.servers.kfp.server import KfpServer

ROOT = "gs://kubeflow/pipelines"
DATA = "gs://kubeflow/uploads/digits.csv.gz"


@dataclass(frozen=True)
class LocalRun:
    """A finished run of the local engine: configuration, store and the run's identifier."""

    config: Config
    store: Path
    run: str


def configured(config: Path, path: Path, **kubeflow: Any) -> Path:
    """Write the same configuration for a cluster, with its data in the bucket."""
    plain = yaml.safe_load(config.read_text())
    images = {
        image: f"registry.example/{image}@sha256:{index:064x}"
        for index, image in enumerate(("train", "device", "light"), 1)
    }
    plain |= {"data": DATA, "kubeflow": {"pipeline_root": ROOT, "images": images, **kubeflow}}
    path.write_text(yaml.safe_dump(plain, sort_keys=False))
    return path


def put_data(gcs: GcsServer) -> None:
    """Put the data of the smallest configuration into the bucket."""
    import sklearn

    data = Path(sklearn.__file__).parent / "datasets/data/digits.csv.gz"
    put(gcs, DATA, data.read_bytes())


def put(gcs: GcsServer, uri: str, data: bytes) -> None:
    """Write an object."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    gcs.bucket(bucket)
    gcs.storage.write(bucket, name, data, {}, {})


def names(gcs: GcsServer, prefix: str = ROOT) -> list[str]:
    """Return the addresses of all objects that begin so."""
    bucket, _, start = prefix.removeprefix("gs://").partition("/")
    return [f"gs://{bucket}/{n}" for n in gcs.bucket(bucket).objects if n.startswith(start)]


def read(gcs: GcsServer, uri: str) -> bytes:
    """Return the bytes of an object."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bytes(gcs.storage.live(bucket, name, {}).data)


def remove(gcs: GcsServer, uri: str) -> None:
    """Remove an object, as a lifecycle rule would."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    gcs.storage.delete(bucket, name, {})


@dataclass
class Cluster:
    """Carries out runs by laying out what a local run made.

    Attributes:
        kfp: The API server.
        gcs: The storage service.
        local: Where artifacts come from.
        graph: What runs.
        earlier: Each output is an artifact, and so is the statement, as slimline 0.1 left a root.
        places: By run and step the folder of its artifacts.
    """

    kfp: KfpServer
    gcs: GcsServer
    local: LocalRun
    graph: Graph
    earlier: bool = False
    places: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        store = open_store(str(self.local.store))
        self._cache = Cache(store, self.local.store / "tmp" / "cluster")
        self._steps: Mapping[str, Any] = read_run(store, self.local.run).steps
        self._store = store

    def folder(self, run: str, step: str) -> str:
        """Return a new folder for the results of one step, as the launcher names it."""
        return f"{ROOT}/{self.graph.name}/{run}/{step}/{uuid.uuid4()}"

    def execute(self, run: str, step: str) -> str:
        """Lay out the results of one step, and return their folder."""
        folder = self.folder(run, step)
        self.places[run, step] = folder
        record = json.loads(self._store.get(self._steps[step]["record"]))
        (byproduct,) = record["predicate"]["runDetails"]["byproducts"]
        statement = byproduct["content"]
        for output, tree in self._steps[step]["outputs"].items():
            # The record has them as subjects; what the container states has them here.
            statement["outputs"][output] |= self._cache.tree(tree).to_json()
            place = self.address(run, step, output)
            if not self.earlier:
                statement["outputs"][output]["uri"] = place
            for entry in self._cache.tree(tree).entries:
                name = place if entry.path == SINGLE else f"{place}/{entry.path}"
                put(self.gcs, name, self._cache.read_file(tree, entry.path))
        flows = self.graph.by_name[step]
        statement["inputs"] = {
            port: self._said(run, flows, port, digest)
            for port, digest in statement["inputs"].items()
        }
        put(self.gcs, self.statement(run, step), canonical_json(statement))
        return folder

    def _said(self, run: str, step: Step, port: str, digest: Any) -> Any:
        flow = step.inputs[port]
        if isinstance(flow, tuple):
            return [
                {"digest": one, "uri": self.address(run, ref.step, ref.output)}
                for one, ref in zip(digest, flow, strict=True)
            ]
        if isinstance(flow, SourceRef):
            return {"digest": digest, "uri": f"{ROOT}/sources/{digest}"}
        place = self.address(run, flow.step, flow.output) if isinstance(flow, Ref) else None
        return {"digest": digest, "uri": place} if place else None

    def address(self, run: str, step: str, output: str) -> str:
        """Return where an output of a step lies, be it of this run or imported by it."""
        if (run, step) not in self.places:
            layout = layout_of_step(self.graph.by_name[step])
            imports = imports_of(self._spec(run))
            if output in layout.beside:
                return imports[step, output]
            if (step, layout.name) not in imports:
                (folder,) = {uri for (_, name), uri in imports.items() if name == "gathered"}
                return f"{folder}/{step}/{output}"
            return f"{imports[step, layout.name]}/{output}"
        folder, layout = self.places[run, step], layout_of_step(self.graph.by_name[step])
        own = self.earlier or output in layout.beside
        return f"{folder}/{output}" if own else f"{folder}/{layout.name}/{output}"

    def statement(self, run: str, step: str) -> str:
        """Return where the statement of a step lies."""
        folder, layout = self.places[run, step], layout_of_step(self.graph.by_name[step])
        return f"{folder}/statement" if self.earlier else f"{folder}/{layout.name}/statement.json"

    def _spec(self, run: str) -> Mapping[str, Any]:
        """The compiled pipeline that a run is of."""
        reference = self.kfp.backend.runs[run]["pipeline_version_reference"]
        spec = self.kfp.backend.versions[reference["pipeline_version_id"]]["pipeline_spec"]
        return spec.get("pipeline_spec", spec)

    def steps(self, run: str) -> list[Step]:
        """The steps that a run carries out, which need not be all of the graph."""
        tasks = self._spec(run)["root"]["dag"]["tasks"]
        return [step for step in self.graph.ordered if step.name in tasks]

    def advance(
        self, run: str, *, cached_from: str | None = None, uncached: Collection[str] = ()
    ) -> bool:
        """Take the next step of a run; True when there was one.

        Args:
            run: Kubeflow's identifier.
            cached_from: A run whose results the cluster takes again, except for steps that its
                cache may not answer for, those in ``uncached``, and what reads what they make.
            uncached: See there.
        """
        backend = self.kfp.backend
        if backend.runs[run]["state"] == "PENDING":
            backend.begin(run)
            return True
        if backend.runs[run]["state"] == "CANCELING":
            backend.end(run)
        if backend.runs[run]["state"] != "RUNNING":
            return False
        for step in self.steps(run):
            if (run, step.name) in self.places:
                continue
            # Artifacts that were made anew have new names, and names are part of the cache's key.
            fresh = any(
                self.places[run, ref.step].split("/")[5] == run
                for ref in step.refs
                if (run, ref.step) in self.places
            )
            always = not step.interface.cached_by_name
            if cached_from and not (always or fresh or step.name in uncached):
                self.places[run, step.name] = self.places[cached_from, step.name]
                backend.skip(run, step.name)
                return True
            backend.start(run, step.name)
            self.execute(run, step.name)
            backend.finish(run, step.name)
            return True
        backend.end(run)
        return False

    def complete(self, run: str, **how: Any) -> None:
        """Carry a run out to its end."""
        while self.advance(run, **how):
            pass

    def fail(
        self,
        run: str,
        step: str,
        message: str = "",
        *,
        where: Literal["step", "driver"] = "step",
        printed: str = "",
    ) -> None:
        """Carry a run out to a step that fails; what does not need it is left out as well.

        Args:
            run: Kubeflow's identifier.
            step: Which one.
            message: What Argo says of it, which the API does not tell.
            where: Whether the step itself fails or its driver.
            printed: What the step wrote before: its pod has it, and the pipeline root where the
                version uploads what failed.
        """
        assert step in self.graph.by_name
        backend = self.kfp.backend
        if backend.runs[run]["state"] == "PENDING":
            backend.begin(run)
        for before in self.steps(run):
            if before.name == step:
                break
            if (run, before.name) in self.places:
                continue
            backend.start(run, before.name)
            self.execute(run, before.name)
            backend.finish(run, before.name)
        if where == "driver":
            backend.fail_driver(run, step)
        else:
            backend.start(run, step)
            backend.printed(run, step, printed)
            if printed and backend.release.logs_of_failures:
                folder = f"{ROOT}/{self.graph.name}/{run}/{step}/{uuid.uuid4()}"
                put(self.gcs, f"{folder}/{backend.release.logs_name(0)}", printed.encode())
            backend.finish(run, step, "FAILED", message)
        backend.end(run, "FAILED")


def imports_of(spec: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the addresses that a pipeline imports, by step and artifact that they are of."""
    executors = spec["deploymentSpec"]["executors"]
    found: dict[tuple[str, str], str] = {}
    for name, task in spec["root"]["dag"]["tasks"].items():
        component = spec["components"][task["componentRef"]["name"]]
        executor = executors[component["executorLabel"]]
        if name.startswith("gathered-"):
            found[name, "gathered"] = executor["importer"]["artifactUri"]["constant"]
        if name.startswith("result-") and "importer" in executor:
            (output,) = component["outputDefinitions"]["artifacts"]
            step = name.removeprefix("result-").removesuffix(f"-{output.replace('_', '-')}")
            found[step, output] = executor["importer"]["artifactUri"]["constant"]
    return found


def local_run(config: Path, store: Path) -> LocalRun:
    """Run a configuration here, for real."""
    from pipelines.launch.launching import launch

    loaded = load(config)
    launched = launch(
        loaded, store=str(store), output=store.parent / "out", on_event=lambda _: None
    )
    assert launched.outcome == "done"
    return LocalRun(loaded, store, launched.run)


def shared_local_run(config: Path, folder: Path, variable: str = "SLIMLINE_TINY_RUN") -> LocalRun:
    """The same, or what a variable of the environment names: a store that has one run of it."""
    ready = os.environ.get(variable)
    return finished_run(config, Path(ready)) if ready else local_run(config, folder / "store")


def finished_run(config: Path, store: Path) -> LocalRun:
    """Return the only run of a store, which is one of a configuration."""
    return LocalRun(load(config), store, read_run(open_store(str(store)), None).run)
