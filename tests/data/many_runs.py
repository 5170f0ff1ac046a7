"""A store of very many runs that exists only as it is read: each value is made when it is asked for.

What a reader gets is what engines write, so an index of it is read, parsed and written as of a real
store; only the disk or the bucket is missing. Runs share datasets, as they do where data grows
every few days, and some images are in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256

from components.contract.digests import canonical_json
from components.contract.interface import interface_of
from components.contract.tree import Entry, Tree
from pipelines.runs.keys import Ingredients
from pipelines.runs.records import RunRecord
from pipelines.runs.step_records import step_record
from pipelines.stores.layout import (
    blob_digest,
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
        self._manifests: dict[tuple[int, str], str] = {}
        self._sources: dict[int, bytes] = {}
        for number in range(datasets):
            self._make_data(number)
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
        return digest_of(run - run % self._per if step == "ingest" else run, step, output)

    # Store ----------------------------------------------------------------------------------------

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        """See ``Store``."""
        data = self._value(key)
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
            return next(
                (one for n, one in self._sources.items() if source_key(self._source(n)) == key),
                None,
            )
        name = rest.split("/")[-1 if kind == "releases" else 0].removesuffix(".json")
        run = int(name.rpartition("-")[2], 16) if name.startswith(f"{_NAME}-2") else -1
        if run < 0:
            return None
        if kind == "releases":
            release = self.artifact(run, "publish", "release")
            return canonical_json({"run": name, "release": release, "at": _AT})
        if key == run_key(name):
            return canonical_json(asdict(self._run(run)))
        return self._records(run) if key == records_key(name) else None

    def _steps(self, run: int) -> Iterator[tuple[str, str, dict[str, object]]]:
        """Yield name, component and inputs of the steps of a run."""
        data = {
            port: self.artifact(run, "ingest", port) for port in ("dataset", "sealed", "report")
        }
        yield "ingest", "ingest", {"source": self._source(run // self._per), "pairs": None}
        lites: list[str] = []
        evaluations: list[str] = []
        for n in range(_VARIANTS):
            yield f"train-{n}", "train", {"dataset": data["dataset"], "weights": None}
            model = self.artifact(run, f"train-{n}", "model")
            yield f"convert-{n}", "convert", {"model": model}
            lites.append(self.artifact(run, f"convert-{n}", "lite"))
            yield (
                f"evaluate-{n}",
                "evaluate",
                {"model": lites[-1], "dataset": data["dataset"], "thresholds": None},
            )
            evaluations.append(self.artifact(run, f"evaluate-{n}", "report"))
            yield f"benchmark-{n}", "benchmark", {"model": lites[-1]}
        benchmarks = [self.artifact(run, f"benchmark-{n}", "report") for n in range(_VARIANTS)]
        yield (
            "select",
            "select",
            {"models": lites, "evaluations": evaluations, "benchmarks": benchmarks},
        )
        winner = self.artifact(run, "select", "winner")
        yield (
            "evaluate-sealed",
            "evaluate",
            {"model": winner, "dataset": data["sealed"], "thresholds": None},
        )
        sealed = self.artifact(run, "evaluate-sealed", "report")
        yield (
            "publish",
            "publish",
            {
                "winner": winner,
                "decision": self.artifact(run, "select", "decision"),
                "sealed": sealed,
            },
        )

    def _record_of(self, run: int, step: str) -> str:
        return step_record_key(self.name(run - run % self._per if step == "ingest" else run), step)

    def _run(self, run: int) -> RunRecord:
        steps = {
            step: {
                "state": "cached" if step == "ingest" and run % self._per else "done",
                "record": self._record_of(run, step), "key": digest_of("key", run, step),
                "outputs": {port: self.artifact(run, step, port) for port in _outputs(component)},
            }
            for step, component, _ in self._steps(run)
        }  # fmt: skip
        return RunRecord(
            run=self.name(run), name=_NAME, config_digest=digest_of("config"),
            graph_digest=digest_of("graph"), engine="local",
            started=f"2026-01-02T03:04:05.{run:06d}+00:00", finished=_AT, outcome="done",
            budgets={}, steps=steps, sources={"data": self._source(run // self._per)}, wall_s=60.0,
            critical_path_s=50.0, actor="anna@lab",
        )  # fmt: skip

    def _records(self, run: int) -> bytes:
        lines: list[bytes] = []
        for step, component, inputs in self._steps(run):
            if step == "ingest" and run % self._per:
                continue
            parameters = {"seed": 0, "channels": 3} if component == "ingest" else {"seed": 0}
            made_of = Ingredients(
                component, digest_of("code"), digest_of("env"), inputs, parameters, None
            )
            trees = {port: self._tree(run, step, port) for port in _outputs(component)}
            record = step_record(
                run=self.name(run), step=step, engine="local", ingredients=made_of,
                outputs={port: self.artifact(run, step, port) for port in trees}, trees=trees,
                statement={"outcome": {"result": "ok"}}, image_digest=None, wall_s=1.0, finished=_AT,
            )  # fmt: skip
            key = self._record_of(run, step)
            lines.append(canonical_json({"key": key, "value": record}) + b"\n")
        return b"".join(lines)

    def _tree(self, run: int, step: str, port: str) -> Tree:
        entries: list[Entry] = []
        for path in _FILES.get(port, ("content.json",)):
            sha = digest_of(self.artifact(run, step, port), path)
            if path == "manifest.jsonl":
                sha = self._manifests[run // self._per, port]
            elif path == "decision.json":
                sha = self._decision
            elif (port, path) == ("release", "manifest.json"):
                sha = self._manifest
            entries.append(Entry(path, 100, sha))
        return Tree(tuple(entries))

    # data -----------------------------------------------------------------------------------------

    def _source(self, dataset: int) -> str:
        return digest_of("source", dataset)

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
        self._sources[dataset] = canonical_json(listing)
        sealed = [line for line in lines if line["split"] == "sealed"]
        for port, part in (("dataset", lines), ("sealed", sealed)):
            data = b"".join(canonical_json(line) + b"\n" for line in part)
            self._manifests[dataset, port] = self._blob(data)

    def _blob(self, data: bytes) -> str:
        sha = sha256(data).hexdigest()
        self._blobs[sha] = data
        return sha


def _outputs(component: str) -> tuple[str, ...]:
    return tuple(port.name for port in interface_of(component).outputs)
