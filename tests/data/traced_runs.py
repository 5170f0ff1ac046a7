"""Runs as an engine leaves them in a store, without what the engine does: records, trees, blobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.contract.digests import canonical_json, digest
from components.contract.interface import interface_of
from pipelines.runs.keys import Ingredients
from pipelines.runs.records import RunRecord, put_finished
from pipelines.runs.releases.registry import register_release
from pipelines.runs.step_records import put_step_record, step_record
from pipelines.stores.layout import code_key, environment_key
from pipelines.stores.store import Store
from tests.data.trees import put_tree

MACHINE = {"architecture": "x86_64", "cpu": "a processor", "cores": 2, "onednn": "1"}
VERSIONS = {"python": "3.11.7", "numpy": "2.4.6"}
CODE = {"train.py": "1" * 64, "ml/training/loop.py": "2" * 64}
ENVIRONMENT = {"packages": {"numpy": "2.4.6"}, "python": "3.11", "architecture": "x86_64"}


@dataclass
class RunWriter:
    """Writes one run.

    Attributes:
        store: Where to.
        run: Its identifier.
        name: The configuration's name.
        steps: How its steps ended, as its record has it.
        sources: Digest of every source.
        graph: Digest of its graph.
    """

    store: Store
    run: str
    name: str = "faces"
    steps: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    sources: dict[str, str] = field(default_factory=dict[str, str])
    graph: str = "d" * 64

    def step(
        self,
        name: str,
        inputs: Mapping[str, str | list[str]],
        outputs: Mapping[str, Mapping[str, bytes]],
        component: str = "",
        *,
        parameters: Mapping[str, Any] | None = None,
        code: Mapping[str, str] | str = CODE,
        environment: Mapping[str, Any] | str = ENVIRONMENT,
        machine: Mapping[str, Any] = MACHINE,
        versions: Mapping[str, str] = VERSIONS,
        device: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Write a step that was executed; return the tree digest of every output."""
        component = component or name
        made = {port: put_tree(self.store, files) for port, files in outputs.items()}
        trees = {port: tree.digest for port, tree in made.items()}
        ports = {port.name: None for port in interface_of(component).inputs}
        ingredients = Ingredients(
            component=component,
            code=self._listed(code_key, "code", code),
            environment=self._listed(environment_key, "environment", environment),
            inputs={**ports, **inputs},
            parameters=dict(parameters or {}),
            device=device,
        )
        statement = {
            "component": component,
            "outcome": {"result": "ok"},
            "machine": dict(machine),
            "versions": dict(versions),
            "started": "2026-11-26T00:00:00.000+00:00",
            "outputs": {
                port: {"digest": tree.digest, "size_bytes": tree.size_bytes, "files": 1}
                for port, tree in made.items()
            },
        }
        record = step_record(
            run=self.run, step=name, engine="local", ingredients=ingredients, outputs=trees,
            trees=made, statement=statement, image_digest=None, wall_s=1.0,
            finished="2026-11-26T00:00:01.000+00:00",
        )  # fmt: skip
        key = put_step_record(self.store, self.run, name, record)
        self.steps[name] = {
            "component": component, "state": "done", "key": ingredients.key, "outputs": trees,
            "record": key, "function_s": 1.0,
        }  # fmt: skip
        return trees

    def cached(self, name: str, other: RunWriter) -> dict[str, str]:
        """Take over the result of a step of another run."""
        self.steps[name] = {**other.steps[name], "state": "cached"}
        return self.steps[name]["outputs"]

    def end(self, started: str = "2026-11-26T00:00:00.000+00:00", **changes: Any) -> RunRecord:
        """Write that the run has ended, and note its release if it published one."""
        given: dict[str, Any] = {
            "run": self.run, "name": self.name, "config_digest": "c" * 64,
            "graph_digest": self.graph, "engine": "local", "started": started,
            "finished": "2026-11-26T01:00:00.000+00:00", "outcome": "done", "budgets": {},
            "steps": self.steps, "sources": self.sources, "wall_s": 1.0, "critical_path_s": 1.0,
            "actor": "ann@desk", **changes,
        }  # fmt: skip
        record = RunRecord(**given)
        put_finished(self.store, record)
        if "publish" in self.steps:
            release = self.steps["publish"]["outputs"]["release"]
            register_release(self.store, self.name, self.run, release)
        return record

    def _listed(self, key: Any, kind: str, content: Mapping[str, Any] | str) -> str:
        """Keep what a digest stands for; a digest alone is of a run that kept no list."""
        if isinstance(content, str):
            return content
        found = digest(kind, dict(content))
        self.store.put_if_absent(key(found), canonical_json(dict(content)))
        return found
