"""A store with one run, written the way an engine leaves it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from components.artifacts.budgets import Budgets
from components.artifacts.decision import (
    BaselineCheck,
    Candidate,
    Decision,
    NearMiss,
    Split,
    Timing,
)
from components.artifacts.empty import write_empty
from components.statistics.bootstrap import Interval
from pipelines.runs.cache import Cache
from pipelines.runs.leaderboard import Leaderboard, leaderboard_of
from pipelines.runs.ledger import open_sealed
from pipelines.runs.records import RunRecord, put_finished, read_run
from pipelines.stores.opening import open_store
from pipelines.stores.store import Store

TEACHER = Candidate(
    name="teacher",
    steps=({"component": "train", "backbone": "conv"},),
    candidate=False,
    sha256="1" * 64,
    size_bytes=91_234,
    gzip_bytes=83_000,
    parameters=22_000,
    metric=Interval(0.991, 0.985, 0.995),
    metrics={"auc": Interval(0.991, 0.985, 0.995)},
    drop=Interval(0.0, 0.0, 0.0),
    latency={"host": Timing(Interval(0.31, 0.3, 0.33), None, 0.9, 2.0, "stable", "quiet")},
    peak_memory_bytes=410_000,
    verdict="reference",
    on_front=True,
    reason="the reference that every drop is measured against",
    excess=0.0,
)
SMALL = replace(
    TEACHER,
    name="student-int8",
    candidate=True,
    sha256="2" * 64,
    size_bytes=9_876,
    drop=Interval(0.004, 0.001, 0.008),
    verdict="winner",
    reason="the smallest that keeps every budget: 9,876 bytes",
)
DEAD = replace(
    SMALL,
    name="pruned",
    sha256="3" * 64,
    metric=None,
    metrics={},
    drop=None,
    latency={"host": Timing(None, None, None, None, "crashed", "signal 11 (SIGSEGV)")},
    peak_memory_bytes=None,
    verdict="failed",
    on_front=False,
    reason="crashed on host: signal 11 (SIGSEGV)",
)
DECISION = Decision(
    winner="student-int8",
    reason="student-int8 alone of 2 candidates keeps every budget",
    reference="teacher",
    task="verification",
    budgets=Budgets(metric="auc", drop=0.01, size_mb=0.05, latency_ms=1.0),
    minimize="size",
    confidence=0.95,
    resamples=100,
    variants=(TEACHER, SMALL, DEAD),
    baseline=BaselineCheck(
        "raw-pixel cosine",
        {"auc": Interval(0.87, 0.86, 0.88)},
        Interval(0.12, 0.11, 0.13),
        reference_above=True,
        note="the teacher is better than that for certain",
    ),
    near_misses=(),
    split=Split("selection", "unseen images of all 10 classes", 270, 10, "image", {"train": 990}),
    devices={},
)
LOST = replace(
    DECISION,
    winner=None,
    reason="none of 2 candidates keeps every budget; nearest is student-int8",
    variants=(
        TEACHER,
        replace(SMALL, verdict="over-budget", reason="9,876 bytes > 5,000 bytes", excess=0.975),
        DEAD,
    ),
    near_misses=(NearMiss("student-int8", 0.975, "9,876 bytes > 5,000 bytes"),),
)
SEALED_DROP = {"value": 0.005, "low": 0.0, "high": 0.009}


def evaluation(auc: float) -> dict[str, object]:
    return {
        "schema": 1,
        "description": "unseen images of all 10 classes",
        "n_images": 270,
        "metrics": {"auc": {"value": auc, "low": auc - 0.01, "high": auc + 0.005}},
    }


class Kept:
    """A store with one run, written the way an engine leaves it."""

    def __init__(self, folder: Path, decision: Decision) -> None:
        self.store: Store = open_store(str(folder / "store"))
        self.cache = Cache(self.store, folder / "scratch")
        self._folder = folder
        steps = {
            "ingest": {"sealed": self.put("sealed", {"dataset.json": {}})},
            "select": {"decision": self.put("decision", {"decision.json": decision.to_json()})},
            "evaluate-sealed-teacher": {
                "report": self.put("sealed-teacher", {"evaluation.json": evaluation(0.989)})
            },
        }
        for name in ("teacher", "student-int8", "pruned"):
            steps[f"convert-{name}"] = {"lite": self.put(name, {"lite.json": {"name": name}})}
        if decision.winner:
            manifest = {
                "qualified": True,
                "reasons": ["kept on the sealed images too"],
                "sealed": {"drop": SEALED_DROP},
            }
            steps["evaluate-sealed"] = {
                "report": self.put("sealed-winner", {"evaluation.json": evaluation(0.984)})
            }
            steps["publish"] = {"release": self.put("release", {"manifest.json": manifest})}
        else:
            write_empty(folder / "nothing", "nothing keeps to the budgets")
            nothing = self.cache.put_tree(folder / "nothing").digest
            steps["evaluate-sealed"] = {"report": nothing}
            steps["publish"] = {"release": nothing}
        self.steps = steps
        put_finished(self.store, self.record())
        for run in ("digits-1", "digits-2"):
            open_sealed(self.store, steps["ingest"]["sealed"], run, "evaluate-sealed")

    def put(self, name: str, files: Mapping[str, object]) -> str:
        folder = self._folder / name
        folder.mkdir()
        for file, content in files.items():
            (folder / file).write_text(json.dumps(content))
        return self.cache.put_tree(folder).digest

    def record(self) -> RunRecord:
        return RunRecord(
            run="digits-1",
            name="digits",
            config_digest="c" * 64,
            graph_digest="d" * 64,
            engine="local",
            started="2026-01-02T03:04:05.678+00:00",
            finished="2026-01-02T03:05:05.678+00:00",
            outcome="done",
            budgets={"metric": "auc"},
            steps={
                name: {"state": "cached" if name == "ingest" else "done", "outputs": outputs}
                for name, outputs in self.steps.items()
            },
            sources={"data": "e" * 64},
            wall_s=60.0,
            critical_path_s=51.5,
        )

    def board(self, exported: str | None = None) -> Leaderboard:
        return leaderboard_of(self.cache, read_run(self.store, "digits-1"), exported)
