"""Runs as they lie in a store, small and quick to make: their bytes follow from names."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from components.contract.digests import digest
from pipelines.runs.cache import Cache
from pipelines.runs.keys import Ingredients
from pipelines.runs.records import RunRecord, put_finished, put_started
from pipelines.runs.releases.registry import register_release
from pipelines.runs.results import CachedResult
from pipelines.runs.step_records import put_step_record, step_record
from pipelines.runs.workspace import machine_name
from tests.pipelines.launch.published import record_of

Files = Mapping[str, bytes]


def put_files(cache: Cache, files: Files) -> str:
    """Keep an artifact of these files; return its digest."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        return cache.put_tree(root).digest


@dataclass
class History:
    """One run that is being written.

    Attributes:
        cache: Of the store.
        run: Its identifier.
        at: When it began.
        name: The configuration's name.
        work: Its scratch folder, if it lives.
        root: The pipeline root of a cluster that runs it; empty on this machine.
        outputs: By step the tree of every output.
        steps: As the record of the run has them.
    """

    cache: Cache
    run: str
    at: datetime
    name: str = "digits"
    work: str = ""
    root: str = ""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    steps: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])

    @property
    def record(self) -> RunRecord:
        """The record of the run while it goes on."""
        return replace(
            record_of(self.run, self.steps),
            name=self.name, started=self.at.isoformat(), finished=None, outcome="running",
            machine=machine_name(), work=self.work or "/gone/work",
        )  # fmt: skip

    def start(self) -> None:
        """Write the record of its beginning."""
        put_started(self.cache.store, replace(self.record, steps={}))

    def step(
        self,
        name: str,
        outputs: Mapping[str, Files | str],
        inputs: Mapping[str, Any] | None = None,
        component: str | None = None,
        **parameters: object,
    ) -> dict[str, str]:
        """Do a step: keep what it makes, its record and its result; return the trees.

        Args:
            name: Of the step.
            outputs: By port the files of what it makes, or the tree of what it has uploaded.
            inputs: By port the tree, or the trees, that enter it.
            component: What it runs, if its name does not begin so.
            parameters: Of the component.
        """
        made = {
            port: files if isinstance(files, str) else put_files(self.cache, files)
            for port, files in outputs.items()
        }
        ingredients = Ingredients(
            component or name.partition("-")[0], "c" * 64, "e" * 64, dict(inputs or {}),
            {"name": name, **parameters}, None,
        )  # fmt: skip
        record = put_step_record(
            self.cache.store, self.run, name,
            step_record(
                run=self.run, step=name, engine="kubeflow" if self.root else "local", ingredients=ingredients, outputs=made,
                trees={port: self.cache.tree(tree) for port, tree in made.items()},
                statement={"folder": self.folder(name)} if self.root else {}, image_digest=None, wall_s=1.0,
            ),
        )  # fmt: skip
        self.cache.commit(CachedResult(ingredients.key, made, record, 1.0))
        self.outputs[name] = made
        self.steps[name] = {
            "component": ingredients.component, "state": "done", "key": ingredients.key,
            "outputs": made, "record": record, "function_s": 1.0, "wall_s": 1.0, "waited_s": 0.0,
        }  # fmt: skip
        return made

    def folder(self, name: str) -> str:
        """Return where a cluster keeps what a step made."""
        return f"{self.root}/{self.name}/{self.run}/{name}/salt"

    def end(self, outcome: str = "done") -> None:
        """Write the record of its end."""
        finished = (self.at + timedelta(minutes=1)).isoformat()
        put_finished(self.cache.store, replace(self.record, finished=finished, outcome=outcome))

    def release(self) -> str:
        """Register what ``publish`` made."""
        tree = self.outputs["publish"]["release"]
        register_release(self.cache.store, self.name, self.run, tree, self.at.isoformat())
        return tree


def compression(
    cache: Cache, run: str, at: datetime, *, data: str = "data", published: bool = True
) -> History:
    """Write a whole run of two variants, of which ``small`` wins."""
    history = History(cache, run, at)
    history.start()
    source = digest("source", data)
    manifest = json.dumps({"name": f"{data}.png", "sha256": digest("file", data)}).encode()
    ingest = history.step(
        "ingest",
        {
            "dataset": {"train/images.npy": data.encode(), "manifest.jsonl": manifest},
            "sealed": {"sealed/images.npy": b"sealed " + data.encode(), "manifest.jsonl": manifest},
            "report": {"ingest.json": b'{"data": "%s"}' % data.encode()},
        },
        {"source": source},
    )
    dataset = {"dataset": ingest["dataset"]}
    teacher = history.step("train", model_of("teacher", run), dataset)
    lites: list[str] = []
    evaluations: list[str] = []
    for variant in ("small", "loser"):
        model = history.step(
            f"distill-{variant}", model_of(variant, run), {**dataset, "teacher": teacher["model"]}
        )
        lite = history.step(
            f"convert-{variant}",
            {
                "lite": {"model.tflite": f"lite {variant} {run}".encode()},
                "report": {"conversion.json": b"{}"},
            },
            {"model": model["model"]},
        )["lite"]
        lites.append(lite)
        evaluations.append(
            history.step(
                f"evaluate-{variant}",
                {"report": {"evaluation.json": lite.encode(), "scores.npy": b"s" + lite.encode()}},
                {"model": lite, "dataset": ingest["dataset"]},
            )["report"]
        )
    select = history.step(
        "select",
        {
            "winner": {"model.tflite": f"lite small {run}".encode()},
            "decision": {"decision.json": run.encode()},
            "page": {"page.html": b"<p>" + run.encode()},
        },
        {"models": lites, "evaluations": evaluations, "data": ingest["report"]},
    )
    sealed = history.step(
        "evaluate-sealed",
        {"report": {"evaluation.json": b"sealed " + run.encode()}},
        {"model": select["winner"], "dataset": ingest["sealed"]},
        "evaluate",
    )
    history.step(
        "publish",
        {"release": {"model.tflite": f"lite small {run}".encode(), "manifest.json": b"{}"}},
        {"winner": select["winner"], "decision": select["decision"], "sealed": sealed["report"]},
    )
    history.end()
    if published:
        history.release()
    return history


def model_of(name: str, run: str) -> dict[str, Files | str]:
    """Return the files of a Model and of the report on its training."""
    weights = f"weights {name} {run}".encode()
    return {
        "model": {"weights.safetensors": weights, "model.json": b'"%s"' % name.encode()},
        "report": {"history.json": weights.hex().encode()},
    }


def long_ago(days: float = 100) -> datetime:
    """Return a time that is not young."""
    return datetime.now(UTC) - timedelta(days=days)


def orphan(cache: Cache, files: Files) -> str:
    """Leave an artifact that no record names, as a run that was killed leaves it."""
    return put_files(cache, files)


def whole(cache: Cache, trees: Sequence[str]) -> bool:
    """Whether every byte of these artifacts is there, as someone without a memory finds it."""
    from pipelines.runs.cache import CorruptionError

    fresh = Cache(cache.store, Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory() as folder:
        for tree in trees:
            try:
                fresh.stage(tree, Path(folder, secrets.token_hex(8)))
            except CorruptionError:
                return False
    return True
