"""Runs with a real model each, as engines leave them in a store, for the gate to compare.

The data: images of 8 x 8 random pixels, whose class is what a linear map of them says. A model is
that map with noise, so how often it errs is the noise's to say. No training takes place.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts.dataset import write_dataset
from components.artifacts.evaluation import Baseline, Evaluation
from components.contract.digests import canonical_json, digest
from pipelines.releases.published import PublishedRelease, read_published
from pipelines.runs.cache import Cache
from pipelines.runs.choices import ChoiceSteps
from pipelines.runs.keys import Ingredients
from pipelines.runs.records import RunRecord, put_finished, read_run
from pipelines.runs.releases.registry import register_release
from pipelines.runs.step_records import put_step_record, step_record
from pipelines.stores.layout import config_key
from tests.data.tiny_lite import write_lite

NAME = "faces"
CLASSES = ("a", "b", "c", "d")
SHAPE = (8, 8, 1)
TRAINED = 40
PARAMETERS: dict[str, Any] = {
    "split": "sealed", "resamples": 200, "confidence": 0.95, "seed": 0, "ways": 20, "trials": 100,
    "threads": 1,
}  # fmt: skip

_RANDOM = np.random.default_rng(7)
_MAP = _RANDOM.normal(size=(len(CLASSES), 64)).astype(np.float32)
_IMAGES = _RANDOM.integers(0, 256, (4000, *SHAPE), dtype=np.uint8)
_LABELS = ((_IMAGES.reshape(-1, 64) - 127.5) / 127.5 @ _MAP.T).argmax(axis=1)
_NOISE = _RANDOM.normal(size=_MAP.shape).astype(np.float32)


def pixels_of(image: int) -> str:
    """Return what identifies the pixels of an image, by its number."""
    return hashlib.sha256(_IMAGES[image].tobytes()).hexdigest()


@dataclass(frozen=True)
class Run:
    """A run to write.

    Attributes:
        run: Its identifier.
        noise: Of its model: 0 answers everything right.
        trained: Numbers of the images that it was trained on.
        sealed: Those that were sealed.
        actor: Who started it.
        manifest: Changes to the release's manifest.
        earlier: The manifest of its data is of an earlier version: without pixels.
        records: Its data is one file of records, and not a file an image.
        releases: The section ``releases`` of its configuration.
        devices: Noise of the model of each device that has its own; None is one for all.
    """

    run: str
    noise: float = 0.0
    trained: Sequence[int] = range(TRAINED)
    sealed: Sequence[int] = range(1000, 1260)
    actor: str = "bob@desk"
    manifest: Mapping[str, Any] = field(default_factory=dict[str, Any])
    earlier: bool = False
    records: bool = False
    releases: Mapping[str, Any] = field(default_factory=dict[str, Any])
    devices: Mapping[str, float] | None = None

    @property
    def models(self) -> Mapping[str | None, float]:
        """The noise of each model, by the device that it is for."""
        return {None: self.noise} if self.devices is None else {**self.devices}

    @property
    def config(self) -> dict[str, Any]:
        """What the store keeps of its configuration."""
        return {"name": NAME, **({"releases": self.releases} if self.releases else {})}


def write_run(cache: Cache, given: Run, *, name: str = NAME) -> PublishedRelease:
    """Write a run with its data, its model and its release."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        dataset = _put_open(cache, folder / "open", given)
        sealed = _put(
            cache,
            folder / "sealed",
            given.sealed,
            "sealed",
            [_line(given, n, 1) for n in given.sealed],
        )
        _evaluation(folder / "evaluation")
        thresholds = cache.put_tree(folder / "evaluation").digest
        lites = {
            choice: write_lite(
                folder / choice.select, _MAP + noise * _NOISE, SHAPE, classes=CLASSES
            )
            for choice, noise in ((ChoiceSteps.on(one), n) for one, n in given.models.items())
        }
        release = _write_release(folder / "release", list(lites.values()), given, name)
        trees = {
            "ingest": {"dataset": dataset, "sealed": sealed},
            **{
                choice.select: {
                    "winner": cache.put_tree(lite).digest, "winner_evaluation": thresholds,
                }
                for choice, lite in lites.items()
            },
            "publish": {"release": cache.put_tree(release).digest},
        }  # fmt: skip
    steps: dict[str, dict[str, Any]] = {
        step: {"state": "done", "component": step, "outputs": outputs}
        for step, outputs in trees.items()
    }
    for choice in lites:
        record = _put_sealed(cache, given, choice.sealed, trees[choice.select]["winner"], sealed)
        steps[choice.sealed] = {
            "state": "done", "component": "evaluate", "outputs": {}, "record": record,
        }  # fmt: skip
    key = config_key(digest("config", given.config))
    cache.store.put_if_absent(key, canonical_json(given.config))
    put_finished(cache.store, _record(given, name, steps))
    register_release(cache.store, name, given.run, trees["publish"]["release"])
    published = read_published(cache, name, given.run, trees["publish"]["release"])
    assert published
    assert published.record == read_run(cache.store, given.run)
    return published


def _put_sealed(cache: Cache, given: Run, step: str, model: str, sealed: str) -> str:
    """Keep the record of an evaluation on sealed images; return its key."""
    ingredients = Ingredients(
        "evaluate", "0" * 64, "0" * 64,
        {"model": model, "dataset": sealed, "thresholds": None}, PARAMETERS, None,
    )  # fmt: skip
    record = step_record(
        run=given.run, step=step, engine="local", ingredients=ingredients,
        outputs={}, trees={}, statement={}, image_digest=None, wall_s=1.0,
    )  # fmt: skip
    return put_step_record(cache.store, given.run, step, record)


def _record(given: Run, name: str, steps: Mapping[str, Mapping[str, Any]]) -> RunRecord:
    return RunRecord(
        run=given.run, name=name, config_digest=digest("config", given.config), graph_digest="g", engine="local",
        started="2026-11-26T20:00:00.000+00:00", finished="2026-11-26T20:01:00.000+00:00",
        outcome="done", budgets={}, steps=steps, sources={}, wall_s=60.0, critical_path_s=60.0,
        actor=given.actor,
    )  # fmt: skip


def _put_open(cache: Cache, path: Path, given: Run) -> str:
    """Keep the open dataset: its manifest names sealed images too."""
    if not given.records:
        lines = [_line(given, n, 0) for n in given.trained]
        lines += [_line(given, n, 1) for n in given.sealed]
        return _put(cache, path, given.trained, "train", lines)
    numbers = [*given.trained, *given.sealed]
    fates = [0] * len(given.trained) + [3] * len(given.sealed)
    splits = {"train": len(given.trained), "sealed": len(given.sealed)}
    records: dict[str, Any] = {"used": len(numbers), "splits": splits}
    if not given.earlier:
        records |= {"first": 0, "count": len(numbers)}
    line = {
        "name": "all.npz", "sha256": hashlib.sha256(given.run.encode()).hexdigest(),
        "status": "used", "split": None, "index": None, "reason": None, "duplicate_of": None,
        "records": records,
    }  # fmt: skip
    extra = {
        "records/pixels.bin": b"".join(bytes.fromhex(pixels_of(n)) for n in numbers),
        "records/fates.bin": bytes(fates),
        "records/labels.bin": b"".join(int(_LABELS[n]).to_bytes(4, "little") for n in numbers),
        "records/labels.json": json.dumps(CLASSES).encode(),
    }
    return _put(cache, path, given.trained, "train", [line], {} if given.earlier else extra)


def _put(
    cache: Cache,
    path: Path,
    numbers: Sequence[int],
    split: str,
    lines: Sequence[Mapping[str, object]],
    extra: Mapping[str, bytes] | None = None,
) -> str:
    chosen = np.array(numbers)
    write_dataset(
        path,
        {split: (_IMAGES[chosen], _LABELS[chosen])},
        task="classification",
        classes=CLASSES,
        description="images of a test",
        manifest=lines,
    )
    for name, data in (extra or {}).items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(data)
    return cache.put_tree(path).digest


def _line(given: Run, number: int, sealed: int) -> dict[str, object]:
    """Return the line of an image; its file differs from run to run, as if it had been encoded."""
    found: dict[str, object] = {
        "name": f"{CLASSES[_LABELS[number]]}/{number}.png",
        "sha256": hashlib.sha256(f"{given.run} {number}".encode()).hexdigest(),
        "status": "used",
        "split": "sealed" if sealed else "train",
        "index": None,
        "reason": None,
        "duplicate_of": None,
    }
    if not given.earlier:
        label = CLASSES[_LABELS[number]]
        found |= {"size_bytes": 64, "label": label, "pixels": pixels_of(number)}
    return found


def _evaluation(path: Path) -> None:
    Evaluation(
        task="classification", split="selection", description="images", splits={"selection": 10},
        n_images=10, n_identities=4, classes=CLASSES, resample="image", primary="accuracy",
        metrics={}, threshold=None, baseline=Baseline("majority class", {}, {}), confidence=0.95,
    ).write(path)  # fmt: skip


def _write_release(path: Path, lites: Sequence[Path], given: Run, name: str) -> Path:
    """Write the files of a release: the models, and what an app has to know."""
    path.mkdir()
    entries: list[dict[str, Any]] = []
    for device, lite in zip(given.models, lites, strict=True):
        file = f"model-{device}.tflite" if entries else "model.tflite"
        data = (lite / "model.tflite").read_bytes()
        (path / file).write_bytes(data)
        entries.append(_entry(device, file, data))
    content = {
        "schema": 2,
        "name": name,
        **entries[0],
        **({"files": entries} if given.devices is not None else {}),
        **given.manifest,
    }
    (path / "manifest.json").write_text(json.dumps(content))
    return path


def _entry(device: str | None, file: str, data: bytes) -> dict[str, Any]:
    return {
        "variant": "student",
        "task": "classification",
        "file": file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "input": {"shape": [1, *SHAPE], "dtype": "float32", "normalization": {"mean": 127.5}},
        "output": {"shape": [1, 4], "dtype": "float32", "meaning": "scores", "labels": [*CLASSES]},
        "budgets": {"metric": "accuracy", "drop": 0.02, "size_mb": 0.1, "latency_ms": 1.0},
        "selection": {"p50_ms": {device or "host": {"value": 0.1, "low": 0.1, "high": 0.2}}},
        "qualified": True,
        "reasons": ["the sealed images confirm it"],
        **({"devices": [device]} if device else {}),
    }
