"""A release whose whole lineage a store holds, small and quick: nothing is trained for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from components.contract.digests import canonical_json, digest
from components.contract.execution import OK
from components.contract.interface import interface_of
from components.contract.tree import Tree, tree_of
from components.contract.types import SINGLE_FILE_KINDS
from pipelines.engines.machine.runner import EXITED, Ended, Job
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Flow, Graph, Ref, SourceRef, Step
from pipelines.runs.inputs import input_digests
from pipelines.runs.kept.kept_graphs import put_graph
from pipelines.runs.kept.kept_sources import put_source
from pipelines.runs.keys import Ingredients, ingredients_of
from pipelines.runs.records import RunRecord, put_finished
from pipelines.runs.releases.registry import register_release
from pipelines.runs.results import CachedResult
from pipelines.runs.step_records import put_step_record, step_record
from pipelines.sources.snapshot import Snapshot, snapshots
from pipelines.stores.layout import code_key, config_key, environment_key
from tests.data.runners import ENVIRONMENT, InPlaceRunner
from tests.data.trees import tree_of_bytes

NAME = "digits"
CONFIG = {"name": NAME, "seed": 0}
PACKAGES = {"packages": {"numpy": "2.0"}, "python": "3.11"}


REQUIRED: dict[str, dict[str, object]] = {
    "ingest": {"task": "classification", "height": 8, "width": 8, "channels": 1},
    "train": {"backbone": "conv"},
    "benchmark": {"device": "host"},
    "select": {"names": ["teacher"], "devices": ["host"], "candidates": ["teacher"],
               "task": "classification", "metric": "accuracy", "drop": 0.1},
    "publish": {"metric": "accuracy", "drop": 0.1},
}  # fmt: skip
"""Parameters without a default."""


def write_data(folder: Path) -> Path:
    """Write images of two classes; no step decodes them."""
    for label in ("one", "two"):
        for index in range(4):
            path = folder / label / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{label} {index}".encode())
    return folder


def graph_of() -> Graph:
    """Return a graph with a step of each kind that matters here."""

    def step(called: str, component: str, inputs: dict[str, Flow], **parameters: object) -> Step:
        device = "host" if component == "benchmark" else None
        complete = {
            item.name: item.default for item in interface_of(component).parameters
        } | REQUIRED.get(component, {})
        return Step(called, component, inputs, complete | parameters, 1.0, 60.0, device)

    dataset = Ref("ingest", "dataset")
    return Graph(
        NAME,
        (
            step("ingest", "ingest", {"source": SourceRef("data"), "pairs": None}, seed=0),
            step("train", "train", {"dataset": dataset, "weights": None}, epochs=1, seed=0),
            step("convert-teacher", "convert", {"model": Ref("train", "model")}),
            step("benchmark-teacher-host", "benchmark", {"model": Ref("convert-teacher", "lite")}),
            step(
                "select",
                "select",
                {
                    "models": (Ref("convert-teacher", "lite"),),
                    "benchmarks": (Ref("benchmark-teacher-host", "report"),),
                },
            ),
            step(
                "publish",
                "publish",
                {"winners": (Ref("select", "winner"),), "decisions": (Ref("select", "decision"),)},
                name=NAME,
            ),
        ),
        {},
    )


Outputs: TypeAlias = Mapping[tuple[str, str], Mapping[str, bytes]]
"""By step and output the files of an artifact."""


@dataclass(frozen=True)
class Kept:
    """A run in a store, with a release."""

    run: str
    release: str
    record: RunRecord
    sources: Mapping[str, Snapshot]
    model: bytes


class Writer:
    """Writes runs as an engine leaves them.

    Args:
        cache: Of the store.
        folder: For what is on its way.
    """

    def __init__(self, cache: Cache, folder: Path) -> None:
        self._cache = cache
        self._folder = folder
        self._made = 0

    def run(
        self, run: str, data: Path, *, model: str = "model", instead: Outputs | None = None
    ) -> Kept:
        """Put a whole run into the store.

        Args:
            run: Its identifier.
            data: The user's files.
            model: What the released file holds.
            instead: Files of outputs, by step and name, in place of what they hold else.
        """
        store, graph = self._cache.store, graph_of()
        sources = snapshots({"data": str(data)})
        put_source(store, sources["data"])
        put_graph(store, graph)
        config = digest("config", CONFIG)
        store.put_if_absent(config_key(config), canonical_json(CONFIG))
        outputs: dict[str, dict[str, str]] = {}
        steps: dict[str, dict[str, object]] = {}
        for step in graph.ordered:
            files = contents(step, sources["data"], model)
            files |= {
                output: held
                for (name, output), held in (instead or {}).items()
                if name == step.name
            }
            trees = {name: self._put(held) for name, held in files.items()}
            outputs[step.name] = {name: tree.digest for name, tree in trees.items()}
            inputs = input_digests(step, outputs, sources)
            steps[step.name] = self._step(run, step, inputs, trees)
        record = RunRecord(
            run=run, name=NAME, config_digest=config, graph_digest=graph.digest, engine="local",
            started="2026-01-02T03:04:05.678+00:00", finished="2026-01-02T03:05:05.678+00:00",
            outcome="done", budgets={"metric": "auc"}, steps=steps,
            sources={name: source.digest for name, source in sources.items()},
            wall_s=60.0, critical_path_s=51.5, places={"data": str(data)}, actor="ann@desk",
        )  # fmt: skip
        put_finished(store, record)
        release = outputs["publish"]["release"]
        register_release(store, NAME, run, release)
        return Kept(run, release, record, sources, model.encode())

    def _put(self, files: Mapping[str, bytes]) -> Tree:
        self._made += 1
        folder = self._folder / str(self._made)
        for name, data in files.items():
            path = folder / name if name != "." else folder
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return self._cache.put_tree(folder)

    def _step(
        self, run: str, step: Step, inputs: Mapping[str, Any], trees: Mapping[str, Tree]
    ) -> dict[str, object]:
        code = {"ingest.py": "1" * 64, f"{step.component}.py": "2" * 64}
        store = self._cache.store
        ingredients = Ingredients(
            step.component, digest("code", code), digest("environment", PACKAGES), inputs,
            step.parameters, {"cpu": "test"} if step.alone else None,
        )  # fmt: skip
        store.put_if_absent(code_key(ingredients.code), canonical_json(code))
        store.put_if_absent(environment_key(ingredients.environment), canonical_json(PACKAGES))
        outputs = {name: tree.digest for name, tree in trees.items()}
        stated = {
            "code": ingredients.code,
            "outputs": {name: {"digest": tree} for name, tree in outputs.items()},
            "machine": {"cpu": "test"},
        }
        record = put_step_record(
            store, run, step.name,
            step_record(
                run=run, step=step.name, engine="local", ingredients=ingredients, outputs=outputs,
                trees=trees, statement=stated, image_digest=None, wall_s=1.0,
            ),
        )  # fmt: skip
        result = CachedResult(ingredients.key, outputs, record, 1.0)
        self._cache.commit(result)
        return {
            "state": "done", "component": step.component, "key": ingredients.key,
            "outputs": outputs, "record": record, "function_s": 1.0,
        }  # fmt: skip


def contents(step: Step, data: Snapshot, model: str) -> dict[str, Mapping[str, bytes]]:
    """Return the files of every output of a step."""
    held: dict[str, Mapping[str, bytes]] = {**_telling(step, data, model)}
    for port in step.interface.outputs:
        single = port.kind in SINGLE_FILE_KINDS
        held.setdefault(port.name, {"." if single else f"{port.name}.json": b"{}"})
    return held


def _telling(step: Step, data: Snapshot, model: str) -> dict[str, dict[str, bytes]]:
    """Return the outputs that tests look into."""
    lite = model.encode()
    match step.component:
        case "ingest":
            lines = [
                {
                    "name": file.name, "sha256": file.sha256, "size_bytes": file.size_bytes,
                    "status": "used", "split": "train", "index": index, "label": "one",
                    "reason": None, "duplicate_of": None,
                }
                for index, file in enumerate(data.files)
            ]  # fmt: skip
            manifest = b"".join(canonical_json(line) + b"\n" for line in lines)
            held = {"manifest.jsonl": manifest, "dataset.json": b"{}", "images.npy": b"\0" * 64}
            return {"dataset": held, "sealed": {"manifest.jsonl": b"", "dataset.json": b"{}"}}
        case "train":
            return {"model": {"weights.safetensors": b"weights of " + lite, "model.json": b"{}"}}
        case "convert":
            return {"lite": {"model.tflite": lite, "lite.json": b"{}"}}
        case "benchmark":
            return {"report": {"benchmark.json": b'{"p50_ms": 1}'}}
        case "select":
            decision = canonical_json({"winner": "teacher"})
            return {
                "winner": {"model.tflite": lite, "lite.json": b"{}"},
                "decision": {"decision.json": decision},
                "page": {".": b"<p>board"},
            }
        case _:
            winner = tree_of_bytes({"model.tflite": lite, "lite.json": b"{}"}).digest
            manifest = {
                "name": NAME, "sha256": hashlib.sha256(lite).hexdigest(), "qualified": True,
                "reasons": ["kept"], "lineage": {"LiteModel": winner}, "file": "model.tflite",
                "task": "classification", "size_bytes": len(lite), "variant": "teacher",
            }  # fmt: skip
            held = {
                "model.tflite": lite, "manifest.json": canonical_json(manifest),
                "card.md": b"# card", "card.html": b"<p>card",
            }  # fmt: skip
            return {"release": held, "page": {".": b"<p>card"}, "report": {".": b"<p>report"}}


class AgainRunner(InPlaceRunner):
    """The ``Runner`` that makes what ``Writer`` wrote, as steps that run again do.

    Args:
        data: The user's files.
        model: What the released file holds.
        name: Of the engine.
    """

    def __init__(self, data: Snapshot, model: str = "model", name: str = "local") -> None:
        self.name = name
        self.executed: list[str] = []
        self.ends: dict[str, BaseException] = {}
        self._data, self._model = data, model

    def run(self, job: Job) -> Ended:
        """See ``Runner``."""
        name = job.step.name
        if name in self.ends:
            raise self.ends[name]
        self.executed.append(name)
        outputs: dict[str, object] = {}
        for output, files in contents(job.step, self._data, self._model).items():
            root = job.folder / "out" / output
            for path, data in files.items():
                file = root if path == "." else root / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            outputs[output] = {"digest": tree_of(root).digest}
        statement = {
            "code": ingredients_of(job.step, {}, ENVIRONMENT).code, "wall_s": 0.0,
            "outputs": outputs, "machine": {"cpu": "another"},
        }  # fmt: skip
        (job.folder / "statement.json").write_text(json.dumps(statement))
        return Ended(OK, EXITED, 0)
