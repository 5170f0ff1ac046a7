"""What people and programs are told of a run, from a store that holds one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

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
from components.contract.errors import UserError
from components.statistics.bootstrap import Interval
from pipelines.cli import documents, tables
from pipelines.launch.explaining import Changed, Explanation, Upstream
from pipelines.runs.cache import Cache
from pipelines.runs.leaderboard import Leaderboard, leaderboard_of
from pipelines.runs.ledger import open_sealed
from pipelines.runs.records import RunRecord, put_finished, read_run
from pipelines.stores.layout import blob_key
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
            "ingest": {"sealed": self._tree("sealed", {"dataset.json": {}})},
            "select": {"decision": self._tree("decision", {"decision.json": decision.to_json()})},
            "evaluate-sealed-teacher": {
                "report": self._tree("sealed-teacher", {"evaluation.json": evaluation(0.989)})
            },
        }
        for name in ("teacher", "student-int8", "pruned"):
            steps[f"convert-{name}"] = {"lite": self._tree(name, {"lite.json": {"name": name}})}
        if decision.winner:
            manifest = {
                "promoted": True,
                "reason": "kept on the sealed images too",
                "sealed": {"drop": SEALED_DROP},
            }
            steps["evaluate-sealed"] = {
                "report": self._tree("sealed-winner", {"evaluation.json": evaluation(0.984)})
            }
            steps["publish"] = {"release": self._tree("release", {"manifest.json": manifest})}
        else:
            write_empty(folder / "nothing", "nothing keeps to the budgets")
            nothing = self.cache.put_tree(folder / "nothing").digest
            steps["evaluate-sealed"] = {"report": nothing}
            steps["publish"] = {"release": nothing}
        self.steps = steps
        put_finished(self.store, self.record())
        for run in ("digits-1", "digits-2"):
            open_sealed(self.store, steps["ingest"]["sealed"], run, "evaluate-sealed")

    def _tree(self, name: str, files: Mapping[str, object]) -> str:
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


def text_of(board: Leaderboard) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(tables.leaderboard(board))
    return capture.get()


def test_the_document_holds_what_it_promises(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECISION)
    document = json.loads(json.dumps(kept.board().to_json()))
    assert document["run"] == "digits-1"
    assert document["config_digest"] == "c" * 64
    assert document["winner"] == "student-int8"
    assert document["budgets"] == {
        "metric": "auc",
        "drop": 0.01,
        "size_mb": 0.05,
        "latency_ms": 1.0,
    }
    assert document["baseline"]["metrics"]["auc"]["value"] == 0.87
    assert document["data"] == "unseen images of all 10 classes"
    assert (document["steps_cached"], document["steps_run"]) == (1, len(kept.steps) - 1)
    assert document["sealed"]["times_opened"] == 2
    assert document["sealed"]["winner"]["auc"]["value"] == 0.984
    assert document["sealed"]["drop"] == SEALED_DROP
    assert document["sealed"]["promoted"] is True
    assert [variant["name"] for variant in document["variants"]] == [
        "teacher",
        "student-int8",
        "pruned",
    ]
    small = document["variants"][1]
    assert small["digest"] == kept.steps["convert-student-int8"]["lite"]
    assert small["steps"] == [{"component": "train", "backbone": "conv"}]
    assert (small["size_bytes"], small["gzip_bytes"]) == (9_876, 83_000)
    assert small["latency"]["host"]["p50_ms"] == {"value": 0.31, "low": 0.3, "high": 0.33}
    assert small["metric"] == {"value": 0.991, "low": 0.985, "high": 0.995}
    assert small["drop"] == {"value": 0.004, "low": 0.001, "high": 0.008}
    assert small["verdict"] == "winner"
    assert small["reason"].startswith("the smallest")
    dead = document["variants"][2]
    assert dead["metric"] is dead["drop"] is dead["latency"]["host"]["p50_ms"] is None


def test_a_person_is_told_everything(tmp_path: Path) -> None:
    release = tmp_path / "out"
    release.mkdir()
    for name in ("model.tflite", "card.md", "report.html"):
        (release / name).write_text("12345")
    text = text_of(Kept(tmp_path, DECISION).board(str(release)))
    assert "digits: done in 60.0 s" in text
    assert "critical path of the functions 51.5 s" in text
    assert "unseen images of all 10 classes" in text
    row = next(line for line in text.splitlines() if line.startswith(" student-int8 *"))
    for cell in (
        "0.991 (0.985 to 0.995)",
        "0.004 (0.001 to 0.008)",
        "9,876",
        "83,000",
        "0.31 ms (0.3 to 0.33 ms)",
        "410 kB",
        "winner",
    ):
        assert cell in row
    assert "winner: student-int8. student-int8 alone of 2 candidates" in text
    assert "pruned: crashed on host: signal 11 (SIGSEGV)" in text
    assert "baseline: raw-pixel cosine auc 0.870 (0.860 to 0.880)" in text
    assert "opened by 2 runs" in text
    assert "drop 0.005 (0.000 to 0.009); promoted" in text
    for name in ("model.tflite (5 bytes)", "card.md", "report.html"):
        assert str(release / name) in text
    assert "manifest.json" not in text, "what is not there is not listed"


def test_without_a_winner_the_nearest_misses_are_shown(tmp_path: Path) -> None:
    board = Kept(tmp_path, LOST).board()
    assert board.decision is not None
    assert board.decision.winner is None
    assert board.sealed is not None
    assert board.sealed.winner is None
    assert not board.sealed.promoted
    text = text_of(board)
    assert "no winner: none of 2 candidates keeps every budget" in text
    lines = text.splitlines()
    nearest = lines.index("  student-int8: 9,876 bytes > 5,000 bytes (missed by 97.5%)")
    assert lines[nearest + 1] == "  pruned: crashed on host: signal 11 (SIGSEGV)"


def test_a_failed_run(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECISION)
    failure = {"state": "failed", "what": "train: too small", "fix": "more", "user_fault": True}
    record = replace(kept.record(), run="digits-3", outcome="failed", steps={"train": failure})
    board = leaderboard_of(kept.cache, record)
    assert board.to_json()["failures"] == [
        {"step": "train", "what": "train: too small", "fix": "more", "user_fault": True}
    ]
    assert board.decision is None
    assert board.to_json()["winner"] is None
    assert board.to_json()["variants"] == []
    assert "failed: train: too small" in text_of(board)


def test_damaged_bytes_are_never_shown(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECISION)
    tree = kept.steps["select"]["decision"]
    (entry,) = kept.cache.tree(tree).entries
    blob = Path(kept.store.uri, blob_key(entry.sha256))
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"student-int8", b"student-int9"))
    with pytest.raises(UserError, match="decision of select is damaged") as caught:
        kept.board()
    assert "slimline run" in caught.value.fix


def test_another_versions_decision_is_refused(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECISION)
    tree = kept._tree("future", {"decision.json": {**DECISION.to_json(), "schema": 99}})
    record = replace(
        kept.record(), steps={"select": {"state": "done", "outputs": {"decision": tree}}}
    )
    with pytest.raises(UserError, match="another version"):
        leaderboard_of(kept.cache, record)


@pytest.mark.parametrize(
    ("reason", "words", "document"),
    [
        (None, "its result is there", {"state": "cached", "changed": (), "upstream": None}),
        (
            Changed(("parameters.epochs", "code")),
            "changed: parameters.epochs, code",
            {"state": "run", "changed": ("parameters.epochs", "code"), "upstream": None},
        ),
        (
            Changed(("new",)),
            "it has never run",
            {"state": "run", "changed": ("new",), "upstream": None},
        ),
        (
            Upstream("train"),
            "train would run",
            {"state": "run", "changed": (), "upstream": "train"},
        ),
    ],
)
def test_an_explanation(
    reason: Changed | Upstream | None, words: str, document: dict[str, object]
) -> None:
    item = Explanation("prune", reason)
    assert tables.because(item) == words
    assert asdict(documents.explained_step(item)) == {"step": "prune", **document}
    console = Console(width=200)
    with console.capture() as capture:
        console.print(tables.explanation([item]))
    assert words in capture.get()
    assert f"{int(reason is not None)} of 1 steps would run" in capture.get()


def test_the_list_of_runs(tmp_path: Path) -> None:
    record = Kept(tmp_path, DECISION).record()
    console = Console(width=200)
    with console.capture() as capture:
        console.print(tables.runs([record, replace(record, run="digits-2", finished=None)]))
    lines = capture.get().splitlines()
    assert any("digits-1" in line and "done" in line and "60.0 s" in line for line in lines)
    assert any("digits-2" in line and "60.0 s" not in line for line in lines)
    assert documents.listed_run(record)["run"] == "digits-1"
