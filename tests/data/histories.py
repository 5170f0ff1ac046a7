"""Stores with a history, written record by record and without any step being run.

What is written is what engines, sync, gc and erasures write: records, file trees, manifests and
sources by the functions of ``pipelines``; contents are a few bytes, so a store of a hundred runs
takes a second.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np

from components.contract.digests import canonical_json, digest
from components.contract.interface import interface_of
from components.contract.source import SourceFile, source_digest
from components.contract.tree import Tree
from pipelines.runs.kept.kept_sources import pages_of
from pipelines.runs.keys import Ingredients, InputDigest
from pipelines.runs.records import RunRecord
from pipelines.runs.releases.release_log import append, read_log
from pipelines.runs.releases.release_log_entries import LogEntry
from pipelines.runs.step_records import step_record
from pipelines.stores.layout import (
    blob_key,
    journal_key,
    records_key,
    release_key,
    run_key,
    source_key,
    started_key,
    step_record_key,
    tombstone_key,
    tree_key,
)
from pipelines.stores.store import Store
from tests.data.earlier_records import step_record_v1
from tests.data.trees import tree_of_bytes

NAME = "faces"
_BEGIN = datetime.now(UTC) - timedelta(hours=20)


def sha_of(*parts: object) -> str:
    """A sha256 of whatever is given."""
    return sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Picture:
    """A file of the data: what it shows, whose it is and how it is written.

    Attributes:
        name: In the data.
        label: Who is shown.
        shows: Equal for pictures that show the same.
        coding: Another number, other bytes.
        sound: False cannot be decoded.
    """

    name: str
    label: str
    shows: int
    coding: int = 0
    sound: bool = True

    @property
    def sha(self) -> str:
        return sha_of("file", self.shows, self.coding, self.sound)

    @property
    def pixels(self) -> str:
        return sha_of("pixels", self.shows)


@dataclass
class Execution:
    """What an execution made, and where its record lies."""

    record: str
    key: str
    outputs: Mapping[str, str]


@dataclass
class History:
    """Writes what happens to a store, event by event.

    Args:
        store: Where.
        version: Of the records: 2, or 1 as earlier versions wrote them.
        pictured: Whether datasets hold images, of 8 x 8 pixels that are ``shows`` each.
    """

    store: Store
    version: int = 2
    pictured: bool = False
    events: list[list[tuple[str, bytes]]] = field(default_factory=list[list[tuple[str, bytes]]])
    """Keys and values in the order in which they were written, by event."""
    runs: list[str] = field(default_factory=list[str])
    releases: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Run and tree digest of every release."""
    _results: dict[str, Execution] = field(default_factory=dict[str, Execution])

    # events ---------------------------------------------------------------------------------------

    def run(
        self,
        pictures: Sequence[Picture],
        *,
        seed: int = 0,
        ends: bool = True,
        together: bool = True,
        qualified: bool = True,
        split: int = 0,
        variants: int = 1,
    ) -> str:
        """A run on some data; steps whose key is known are cached.

        Args:
            pictures: The data.
            seed: Another one trains anew.
            ends: Whether it lives to write ``run.json``.
            together: Whether all its records are in one value, too.
            qualified: Of its release.
            split: Another one divides the data in another way.
            variants: How many are trained.
        """
        self.events.append([])
        at = _BEGIN + timedelta(seconds=len(self.events))
        run = f"{NAME}-{at:%Y%m%d-%H%M%S}-{len(self.events) % 65536:04x}"
        self.runs.append(run)
        self._announce(at, "run", run)
        source = self._source(pictures)
        steps: dict[str, Execution | None] = {}
        record = self._record(run, at, source)
        self._put(started_key(run), canonical_json(asdict(record)))
        made = self._pipeline(run, pictures, source, seed, split, variants, steps, qualified)
        if not ends:
            return run
        states = {
            name: {
                "state": "done" if one.record.startswith(f"runs/{run}/") else "cached",
                "key": one.key, "outputs": dict(one.outputs), "record": one.record,
            }
            for name, one in made.items()
        }  # fmt: skip
        self._announce(at + timedelta(milliseconds=500), "note", run)
        release = made["publish"].outputs["release"]
        note = {"run": run, "release": release, "at": (at + timedelta(seconds=1)).isoformat()}
        self._put(release_key(NAME, run), canonical_json(note))
        self.releases.append((run, release))
        ended = replace(record, finished=at.isoformat(), outcome="done", steps=states)
        self._announce(at + timedelta(milliseconds=600), "run", run)
        self._put(run_key(run), canonical_json(asdict(ended)))
        if together and self.version > 1:
            own = [key for key, _ in self.events[-1] if key.startswith(f"runs/{run}/steps/")]
            lines = (
                canonical_json({"key": key, "value": json.loads(self.store.get(key))})
                for key in sorted(own)
            )
            self._put(records_key(run), b"".join(line + b"\n" for line in lines))
        return run

    def promote(self, run: str, release: str, kind: str = "promote") -> None:
        """A release becomes the champion."""
        self.events.append([])
        log = read_log(self.store, NAME)
        at = datetime.now(UTC)
        self._announce(at, "log", f"{NAME}.{len(log.entries) + 1}")
        entry = LogEntry(
            name=NAME, seq=0, previous=None, kind=kind, release=release, run=run, actor="anna",
            trained_by="ben", reason="better", at=at.isoformat(), forced=False, gate=None,
        )  # fmt: skip
        assert append(self.store, log, entry)

    def remove(self, keys: Sequence[str], why: str = "collected") -> None:
        """Blobs and trees are collected, or erased."""
        self.events.append([])
        at = datetime.now(UTC)
        identifier = f"gc-{len(self.events)}"
        self._announce(at, "gc" if why == "collected" else "erase", identifier)
        for key in keys:
            stat = self.store.stat(key)
            if stat is None:
                continue
            named = key.rpartition("/")[2].removesuffix(".json")
            stone = {
                "schema": 1, "digest": named, "kind": "tree" if key.startswith("trees/") else "blob",
                "why": why, "cause": identifier, "actor": "anna", "at": at.isoformat(),
            }  # fmt: skip
            self.store.put_if_absent(tombstone_key(named), canonical_json(stone))
            self.store.delete_if_match(key, stat.version)

    # what a run writes ----------------------------------------------------------------------------

    def _pipeline(
        self, run: str, pictures: Sequence[Picture], source: str, seed: int, split: int,
        variants: int, steps: dict[str, Execution | None], qualified: bool,
    ) -> dict[str, Execution]:  # fmt: skip
        open_lines, sealed_lines = manifests(pictures, split)
        made: dict[str, Execution] = {}

        def step(
            name: str, component: str, inputs: Mapping[str, InputDigest],
            outputs: Mapping[str, Mapping[str, bytes]], **parameters: object,
        ) -> Mapping[str, str]:  # fmt: skip
            made[name] = self._execute(run, name, component, inputs, outputs, parameters)
            return made[name].outputs

        if self.version == 1:
            for line in (*open_lines, *sealed_lines):
                line.pop("pixels", None)
                line.pop("label", None)
                line.pop("size_bytes", None)
        data = step(
            "ingest", "ingest", {"source": source, "pairs": None},
            {
                "dataset": {"manifest.jsonl": _jsonl(open_lines), "dataset.json": b"{}",
                            **(_images(open_lines, pictures) if self.pictured else {})},
                "sealed": {"manifest.jsonl": _jsonl(sealed_lines), "dataset.json": b"{}"},
                "report": {"ingest.json": b"{}", **(_left_out(open_lines) if self.pictured else {})},
            },
            channels=3, maximum=255, max_pixels=50_000_000, background="white", split=split,
        )  # fmt: skip
        lites: list[str] = []
        evaluations: list[str] = []
        for number in range(variants):
            model = step(
                f"train-{number}", "train", {"dataset": data["dataset"], "weights": None},
                {
                    "model": {"model.json": _text("model", data["dataset"], seed, number)},
                    "report": {"training.json": b"{}"},
                },
                seed=seed, number=number,
            )["model"]  # fmt: skip
            lite = step(
                f"convert-{number}", "convert", {"model": model},
                {
                    "lite": {"model.tflite": _text("lite", model), "lite.json": b"{}"},
                    "report": {"conversion.json": b"{}"},
                },
            )["lite"]  # fmt: skip
            lites.append(lite)
            evaluations.append(
                step(
                    f"evaluate-{number}", "evaluate",
                    {"model": lite, "dataset": data["dataset"], "thresholds": None},
                    {"report": {"evaluation.json": _text("evaluation", lite)}},
                    split="selection",
                )["report"]
            )  # fmt: skip
        chosen = step(
            "select", "select",
            {"models": lites, "evaluations": evaluations, "benchmarks": [], "data": data["report"]},
            {
                "decision": {"decision.json": _decision(variants)},
                "winner": {"model.tflite": _text("lite", "winner", lites[0])},
            },
        )  # fmt: skip
        sealed = step(
            "evaluate-sealed", "evaluate",
            {"model": chosen["winner"], "dataset": data["sealed"], "thresholds": None},
            {"report": {"evaluation.json": _text("sealed", chosen["winner"], data["sealed"])}},
            split="sealed",
        )["report"]  # fmt: skip
        manifest = canonical_json({"qualified": qualified, "reasons": ["kept"]})
        step(
            "publish", "publish",
            {
                "winners": [chosen["winner"]], "decisions": [chosen["decision"]],
                "sealed": [sealed],
            },
            {
                "release": {
                    "model.tflite": _text("lite", "winner", lites[0]), "manifest.json": manifest,
                },
            },
            qualified=qualified,
        )  # fmt: skip
        return made

    def _execute(
        self, run: str, name: str, component: str, inputs: Mapping[str, InputDigest],
        outputs: Mapping[str, Mapping[str, bytes]], parameters: Mapping[str, object],
    ) -> Execution:  # fmt: skip
        assert set(inputs) <= {port.name for port in interface_of(component).inputs}
        made_of = Ingredients(
            component, sha_of("code", component), sha_of("env"), inputs, parameters, None
        )
        trees = {output: tree_of_bytes(files) for output, files in outputs.items()}
        known = self._results.get(made_of.key)
        values = [tree_key(tree.digest) for tree in trees.values()]
        values += [blob_key(entry.sha256) for tree in trees.values() for entry in tree.entries]
        if known and all(self.store.stat_many(values)):
            return known
        for output, files in outputs.items():
            self._put_tree(trees[output], files)
        digests = {output: tree.digest for output, tree in trees.items()}
        stated = {
            "outcome": {"result": "ok"},
            "outputs": {
                output: {"digest": tree.digest, "size_bytes": tree.size_bytes}
                for output, tree in trees.items()
            },
        }
        key = step_record_key(run, name)
        if self.version == 1:
            record = step_record_v1(
                run=run, step=name, ingredients=made_of, outputs=digests, statement=stated
            )
        else:
            record = step_record(
                run=run, step=name, engine="local", ingredients=made_of, outputs=digests,
                trees=trees, statement=stated, image_digest=None, wall_s=1.0,
                finished=_BEGIN.isoformat(),
            )  # fmt: skip
        self._put(key, canonical_json(record))
        self._results[made_of.key] = Execution(key, made_of.key, digests)
        return self._results[made_of.key]

    def _source(self, pictures: Sequence[Picture]) -> str:
        files = tuple(sorted(SourceFile(picture.name, 100, picture.sha) for picture in pictures))
        source = source_digest("folder", files)
        if self.version == 1:
            return source
        shas: list[str] = []
        for page in pages_of("folder", files):
            shas.append(sha256(page).hexdigest())
            self._put(blob_key(shas[-1]), page)
        listing = {"schema": 1, "format": "folder", "index": "", "excluded": [], "pages": shas}
        self._put(source_key(source), canonical_json(listing))
        return source

    def _record(self, run: str, at: datetime, source: str) -> RunRecord:
        return RunRecord(
            run=run, name=NAME, config_digest=sha_of("config"), graph_digest=sha_of("graph"),
            engine="local", started=at.isoformat(), finished=None, outcome="running", budgets={},
            steps={}, sources={"data": source}, wall_s=0.0, critical_path_s=0.0,
            actor="ben@lab" if self.version > 1 else "",
        )  # fmt: skip

    def _put_tree(self, tree: Tree, files: Mapping[str, bytes]) -> None:
        for data in files.values():
            self._put(blob_key(sha256(data).hexdigest()), data)
        self._put(tree_key(tree.digest), canonical_json(tree.to_json()))

    def _announce(self, at: datetime, kind: str, identifier: str) -> None:
        if self.version > 1:
            self._put(journal_key(at, kind, identifier), b"")

    def _put(self, key: str, data: bytes) -> None:
        self.store.put_if_absent(key, data)
        self.events[-1].append((key, data))


def manifests(
    pictures: Sequence[Picture], split: int
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The lines of the open and of the sealed manifest, as ingest would decide it.

    The first by name of several that show the same stands for all; where labels differ, all are
    quarantined.
    """
    first: dict[int, Picture] = {}
    torn: set[int] = set()
    for picture in sorted(pictures, key=lambda one: one.name):
        if picture.sound:
            leader = first.setdefault(picture.shows, picture)
            if leader.label != picture.label:
                torn.add(picture.shows)
    rows: Counter[str] = Counter()
    opened: list[dict[str, object]] = []
    sealed: list[dict[str, object]] = []
    for picture in sorted(pictures, key=lambda one: one.name):
        line: dict[str, object] = {
            "name": picture.name, "sha256": picture.sha, "size_bytes": 100, "label": picture.label,
            "status": "used", "split": None, "index": None, "reason": None, "duplicate_of": None,
            "pixels": picture.pixels if picture.sound else None,
        }  # fmt: skip
        if not picture.sound or picture.shows in torn:
            line |= {"status": "quarantined", "reason": "corrupt: or torn"}
        elif first[picture.shows] is not picture:
            line |= {"status": "duplicate", "duplicate_of": first[picture.shows].name}
        else:
            splits = ("train", "train", "validation", "selection", "sealed")
            where = splits[(picture.shows + split) % 5]
            line |= {"split": where, "index": None if where == "sealed" else rows[where]}
            rows[where] += 1
            if where == "sealed":
                sealed.append(line | {"index": len(sealed)})
        opened.append(line)
    return opened, sealed


def _images(lines: Sequence[Mapping[str, object]], pictures: Sequence[Picture]) -> dict[str, bytes]:
    """The images of the open splits, in two files where there are more than two."""
    shows = {picture.name: picture.shows for picture in pictures}
    files: dict[str, bytes] = {}
    for split in ("train", "validation", "selection"):
        found = [shows[str(line["name"])] for line in lines if line["split"] == split]
        parts = [found[:2], found[2:]] if 2 < len(found) <= 4 else [found]
        for number, part in enumerate(parts):
            if part:
                array = np.full((len(part), 8, 8, 3), np.array(part).reshape(-1, 1, 1, 1), np.uint8)
                held = io.BytesIO()
                np.save(held, array)
                name = f"images-{number:05d}.npy" if len(parts) > 1 else "images.npy"
                files[f"{split}/{name}"] = held.getvalue()
    return files


def _left_out(lines: Sequence[Mapping[str, object]]) -> dict[str, bytes]:
    lost = [line for line in lines if line["status"] == "quarantined"]
    told = [{"name": line["name"], "kind": "corrupt", "reason": line["reason"]} for line in lost]
    return {"left_out.jsonl": _jsonl(told)}


def _jsonl(lines: Sequence[Mapping[str, object]]) -> bytes:
    return b"".join(canonical_json(line) + b"\n" for line in lines)


def _text(*parts: object) -> bytes:
    return digest("test", [str(part) for part in parts]).encode()


def _decision(variants: int) -> bytes:
    interval = {"value": 0.9, "low": 0.8, "high": 0.95}
    return canonical_json({
        "winner": "v0",
        "variants": [
            {"name": f"v{number}", "size_bytes": 1000 + number, "metrics": {"auc": interval},
             "drop": interval, "latency": {"host": {"p50_ms": interval}}}
            for number in range(variants)
        ],
    })  # fmt: skip
