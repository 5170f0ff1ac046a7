"""A store of very many runs that exists only as it is read: each value is made when it is asked for.

What a reader gets is what engines write, so an index of it is read, parsed and written as of a real
store; only the disk or the bucket is missing. Runs share datasets, as they do where data grows
every few days, and some images are in all of them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256

from components.contract.digests import canonical_json
from components.contract.interface import interface_of
from components.contract.tree import Entry, Tree
from pipelines.runs.keys import Ingredients, InputDigest
from pipelines.runs.records import RunRecord
from pipelines.runs.step_records import step_record
from pipelines.stores.layout import (
    blob_digest,
    blob_key,
    records_key,
    release_key,
    run_key,
    source_key,
    step_record_key,
)
from pipelines.stores.store import KeyMissing, Stat

_NAME, _VARIANTS = "many", 7
_AT = "2026-01-02T03:04:05.678+00:00"
_FILES = {
    "lite": ("model.tflite", "lite.json"), "winner": ("model.tflite", "lite.json"),
    "release": ("model.tflite", "manifest.json", "card.md", "card.html"),
    "dataset": ("manifest.jsonl", "dataset.json"), "sealed": ("manifest.jsonl", "dataset.json"),
    "decision": ("decision.json",), "model": ("model.json", "weights.safetensors"),
}  # fmt: skip
"""Names of the files of outputs; of others there is one."""
_CODE, _SOURCE = sha256(b"code").hexdigest(), sha256(b"source").hexdigest()
_RUN, _FIRST = b"run-00000000-000000-0000", b"first-00000000-000000-0000"
"""What stands for a run's name, and for that of the first run on the same data."""
_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_SPLITS = ("train", "train", "train", "validation", "selection", "sealed")


def digest_of(*parts: object) -> str:
    """A digest of whatever is given."""
    return sha256("/".join(map(str, parts)).encode()).hexdigest()


class ManyRuns:
    """A ``Store`` that holds nothing; see above.

    Args:
        runs: How many.
        datasets: How many of them are made of other data than the run before.
        images: Of each dataset; half of them are in all.
    """

    def __init__(self, runs: int, datasets: int, images: int) -> None:
        self.runs, self.images = runs, images
        self._per = runs // datasets
        self._blobs: dict[str, bytes] = {}
        self._sources: dict[str, bytes] = {}
        self._tables: list[dict[str, str]] = []
        interval = {"value": 0.9, "low": 0.8, "high": 0.95}
        self._decision = self._blob(canonical_json({
            "winner": "v0",
            "variants": [
                {"name": f"v{n}", "size_bytes": 9_000, "metrics": {"auc": interval},
                 "drop": interval, "latency": {"host": {"p50_ms": interval}}}
                for n in range(_VARIANTS)
            ],
        }))  # fmt: skip
        self._manifest = self._blob(canonical_json({"qualified": True, "reasons": ["kept"]}))
        for number in range(datasets):
            self._make_data(number)
        first, later = (self._written(cached=cached) for cached in (False, True))
        self._parts = {
            "run.json": (first[0], later[0]), "records.jsonl": (first[1], later[1]),
        }  # fmt: skip
        self._lock = threading.Lock()
        self.making_s = 0.0
        """Processor time that went into values."""

    @property
    def uri(self) -> str:
        """An address of its own."""
        return f"/generated/{self.runs}/{self.images}"

    def name(self, run: int) -> str:
        """The identifier of a run."""
        return (
            f"{_NAME}-20260102-{run // 3600 % 24:02d}{run // 60 % 60:02d}{run % 60:02d}-{run:06x}"
        )

    def image(self, dataset: int, number: int) -> tuple[str, str, str]:
        """Name, sha256 and pixel digest of an image of a dataset."""
        of = "all" if number < self.images // 2 else dataset
        name = f"p{number % 50}/{of}-{number}.png"
        return name, digest_of("file", of, number), digest_of("pixels", of, number)

    def artifact(self, run: int, step: str, output: str) -> str:
        """The digest of an artifact; ingest is executed once for each dataset."""
        written = _artifact(step, output)
        return self._tables[run // self._per].get(written) or _of_run(written, run)

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Yield all that is in the store: another one then has the same."""
        yield from ((blob_key(sha), data) for sha, data in self._blobs.items())
        yield from self._sources.items()
        for key in (*self.list("runs/"), *self.list("releases/")):
            yield key, self.get(key)

    # Store ----------------------------------------------------------------------------------------

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Store``."""
        began = time.thread_time()
        data = self._value(key)
        with self._lock:
            self.making_s += time.thread_time() - began
        if data is None:
            raise KeyMissing(key)
        return data[start:end]

    def stat(self, key: str) -> Stat | None:
        """See ``Store``."""
        return Stat(1, "1") if self._value(key) is not None else None

    def stat_many(self, keys: Iterator[str]) -> tuple[Stat | None, ...]:
        """See ``Store``."""
        return tuple(self.stat(key) for key in keys)

    def list(self, prefix: str) -> Iterator[str]:
        """See ``Store``."""
        for run in range(self.runs):
            name = self.name(run)
            if prefix == "runs/":
                yield from (records_key(name), run_key(name))
            elif prefix == "releases/":
                yield release_key(_NAME, name)

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"a store that is read alone: {name}")

    # values ---------------------------------------------------------------------------------------

    def _value(self, key: str) -> bytes | None:
        if sha := blob_digest(key):
            return self._blobs.get(sha)
        kind, _, rest = key.partition("/")
        if kind == "sources":
            return self._sources.get(key)
        name = rest.split("/")[-1 if kind == "releases" else 0].removesuffix(".json")
        run = int(name.rpartition("-")[2], 16) if name.startswith(f"{_NAME}-2") else -1
        if run < 0:
            return None
        if kind == "releases":
            release = self.artifact(run, "publish", "release")
            return canonical_json({"run": name, "release": release, "at": _AT})
        part = self._parts.get(key.removeprefix(f"runs/{name}/"))
        return part and self._filled(part[run % self._per > 0], run)

    def _filled(self, written: bytes, run: int) -> bytes:
        """Put the digests of a run into what is the same for all of them."""
        table, first = self._tables[run // self._per], run - run % self._per

        def found(match: re.Match[bytes]) -> bytes:
            digest = match[0].decode()
            return (table.get(digest) or _of_run(digest, run)).encode()

        filled = _DIGEST.sub(found, written)
        filled = filled.replace(_RUN, self.name(run).encode())
        filled = filled.replace(_FIRST, self.name(first).encode())
        return filled.replace(b"05.678", f"05.{run:06d}".encode(), 1)

    def _written(self, *, cached: bool) -> tuple[bytes, bytes]:
        """Return record and records of a run, with digests that are none of a run's yet."""
        lines: list[bytes] = []
        steps: dict[str, dict[str, object]] = {}
        for step, component, inputs in _steps():
            of = _FIRST if step == "ingest" and cached else _RUN
            key = step_record_key(of.decode(), step)
            outputs = {port: _artifact(step, port) for port in _outputs(component)}
            steps[step] = {
                "state": "done" if of == _RUN else "cached", "record": key, "outputs": outputs,
                "key": digest_of("key", step),
            }  # fmt: skip
            if of == _FIRST:
                continue
            parameters = {"seed": 0, "channels": 3} if component == "ingest" else {"seed": 0}
            made_of = Ingredients(component, _CODE, _CODE, inputs, parameters, None)
            record = step_record(
                run=_RUN.decode(), step=step, engine="local", ingredients=made_of, outputs=outputs,
                trees={port: self._tree(step, port) for port in outputs},
                statement={"outcome": {"result": "ok"}}, image_digest=None, wall_s=1.0, finished=_AT,
            )  # fmt: skip
            lines.append(canonical_json({"key": key, "value": record}) + b"\n")
        whole = RunRecord(
            run=_RUN.decode(), name=_NAME, config_digest=_CODE, graph_digest=_CODE, engine="local",
            started=_AT, finished=None, outcome="done", budgets={}, steps=steps,
            sources={"data": _SOURCE}, wall_s=60.0, critical_path_s=50.0, actor="anna@lab",
        )  # fmt: skip
        return canonical_json(asdict(whole)), b"".join(lines)

    def _tree(self, step: str, port: str) -> Tree:
        entries: list[Entry] = []
        for path in _FILES.get(port, ("content.json",)):
            sha = digest_of(_artifact(step, port), path)
            if path == "decision.json":
                sha = self._decision
            elif (port, path) == ("release", "manifest.json"):
                sha = self._manifest
            entries.append(Entry(path, 100, sha))
        return Tree(tuple(entries))

    # data -----------------------------------------------------------------------------------------

    def _make_data(self, dataset: int) -> None:
        lines: list[dict[str, object]] = []
        pages: dict[int, list[list[object]]] = {}
        for number in range(self.images):
            name, sha, pixels = self.image(dataset, number)
            lines.append({
                "name": name, "sha256": sha, "size_bytes": 100, "label": name.split("/")[0],
                "status": "used", "split": _SPLITS[number % 6], "index": None, "reason": None,
                "duplicate_of": None, "pixels": pixels,
            })  # fmt: skip
            place = int(sha256(name.encode()).hexdigest()[:8], 16) % 32
            pages.setdefault(place, []).append([name, 100, sha, "", ""])
        shas = [self._blob(canonical_json(sorted(page))) for page in pages.values()]
        listing = {"schema": 1, "format": "folder", "index": "", "excluded": [], "pages": shas}
        source = digest_of("source", dataset)
        self._sources[source_key(source)] = canonical_json(listing)
        table = {_SOURCE: source, _CODE: _CODE, self._decision: self._decision,
                 self._manifest: self._manifest}  # fmt: skip
        sealed = [line for line in lines if line["split"] == "sealed"]
        for port, part in (("dataset", lines), ("sealed", sealed)):
            data = b"".join(canonical_json(line) + b"\n" for line in part)
            table[digest_of(_artifact("ingest", port), "manifest.jsonl")] = self._blob(data)
        for port in ("dataset", "sealed", "report"):
            table[_artifact("ingest", port)] = digest_of("dataset", dataset, port)
        self._tables.append(table)

    def _blob(self, data: bytes) -> str:
        sha = sha256(data).hexdigest()
        self._blobs[sha] = data
        return sha


def _artifact(step: str, output: str) -> str:
    return digest_of("artifact", step, output)


def _of_run(written: str, run: int) -> str:
    return digest_of(written, run)


def _steps() -> Iterator[tuple[str, str, dict[str, InputDigest]]]:
    """Yield name, component and inputs of the steps of a run."""
    data = {port: _artifact("ingest", port) for port in ("dataset", "sealed", "report")}
    yield "ingest", "ingest", {"source": _SOURCE, "pairs": None}
    lites: list[str] = []
    evaluations: list[str] = []
    for n in range(_VARIANTS):
        yield f"train-{n}", "train", {"dataset": data["dataset"], "weights": None}
        yield f"convert-{n}", "convert", {"model": _artifact(f"train-{n}", "model")}
        lites.append(_artifact(f"convert-{n}", "lite"))
        yield f"evaluate-{n}", "evaluate", {"model": lites[-1], "dataset": data["dataset"]}
        evaluations.append(_artifact(f"evaluate-{n}", "report"))
        yield f"benchmark-{n}", "benchmark", {"model": lites[-1]}
    benchmarks = [_artifact(f"benchmark-{n}", "report") for n in range(_VARIANTS)]
    given: dict[str, InputDigest] = {"models": lites, "evaluations": evaluations}
    yield "select", "select", {**given, "benchmarks": benchmarks}
    winner = _artifact("select", "winner")
    yield "evaluate-sealed", "evaluate", {"model": winner, "dataset": data["sealed"]}
    sealed, decision = _artifact("evaluate-sealed", "report"), _artifact("select", "decision")
    yield "publish", "publish", {"winner": winner, "decision": decision, "sealed": sealed}


def _outputs(component: str) -> tuple[str, ...]:
    return tuple(port.name for port in interface_of(component).outputs)
