"""What people are told of a run, from a store that holds one."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from components.artifacts.group_result import GroupResult
from components.artifacts.pair_list import PairListResult
from components.statistics.bootstrap import Interval
from pipelines.cli import documents, run_states, tables
from pipelines.launch.explaining import NEW, Changed, Explanation, Upstream
from pipelines.runs.keys import Change
from pipelines.runs.leaderboard import Leaderboard, leaderboard_of
from tests.pipelines.runs.kept_run import DECISION, LOST, Kept


def text_of(board: Leaderboard, width: int = 200) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(tables.leaderboard(board))
    return capture.get()


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
    assert "drop 0.005 (0.000 to 0.009); qualified" in text
    for name in ("model.tflite (5 bytes)", "card.md", "report.html"):
        assert str(release / name) in text
    assert "manifest.json" not in text, "what is not there is not listed"


def test_without_a_winner_the_nearest_misses_are_shown(tmp_path: Path) -> None:
    board = Kept(tmp_path, LOST).board()
    assert board.decision is not None
    assert board.decision.winner is None
    assert board.sealed is not None
    assert board.sealed.winner is None
    assert not board.sealed.qualified
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


@pytest.mark.parametrize(
    ("reason", "words", "document"),
    [
        (
            None,
            "its result is there",
            {"state": "cached", "changed": [], "values": {}, "upstream": None},
        ),
        (
            Changed((Change("parameters.epochs", 3, 5), Change("code"))),
            "changed: parameters.epochs: 3 -> 5, code",
            {
                "state": "run",
                "changed": ["parameters.epochs", "code"],
                "values": {"parameters.epochs": (3, 5)},
                "upstream": None,
            },
        ),
        (
            Changed((NEW,)),
            "it has never run",
            {"state": "run", "changed": ["new"], "values": {}, "upstream": None},
        ),
        (
            Upstream("train"),
            "train would run",
            {"state": "run", "changed": [], "values": {}, "upstream": "train"},
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
        console.print(run_states.runs([record, replace(record, run="digits-2", finished=None)]))
    lines = capture.get().splitlines()
    assert any("digits-1" in line and "done" in line and "60.0 s" in line for line in lines)
    assert any("digits-2" in line and "60.0 s" not in line for line in lines)
    assert documents.listed_run(record)["run"] == "digits-1"


def test_groups_and_notes_are_shown_the_worst_first(tmp_path: Path) -> None:
    auc = {f"g{number:02d}": Interval(0.9, 0.8 - number / 100, 0.95) for number in range(12)}
    groups = {name: GroupResult(40, 6, {"auc": item}, {}) for name, item in auc.items()}
    groups["tiny"] = GroupResult(4, 1, {}, {"auc": "1 identity"})
    variants = tuple(
        replace(one, groups=groups) if one.name == DECISION.winner else one
        for one in DECISION.variants
    )
    decision = replace(
        DECISION,
        variants=variants,
        notes=("the teacher is undertrained",),
        next_steps=("size binds",),
    )
    board = Kept(tmp_path, decision).board()
    lines = text_of(board).splitlines()
    assert "note: the teacher is undertrained" in lines
    assert "try next: size binds" in lines
    assert board.to_json()["next_steps"] == ("size binds",)
    start = lines.index("auc of student-int8 on 13 groups (the worst 8; all of them: --json)")
    assert lines[start + 1] == "  g11: 0.900 (0.690 to 0.950), 40 images"
    assert not any("g03" in line or "tiny" in line for line in lines)
    (document,) = (row for row in board.to_json()["variants"] if row["name"] == decision.winner)
    assert len(document["groups"]) == 13
    assert document["groups"]["tiny"]["unmeasured"] == {"auc": "1 identity"}


FIGURES = (
    "0.991", "0.985 to 0.995", "0.004", "0.001 to 0.008", "9,876", "83,000", "0.31 ms",
    "0.3 to", "0.33 ms", "410 kB", "winner",
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_all_figures_are_there_at_any_width(tmp_path: Path, width: int) -> None:
    lines = text_of(Kept(tmp_path, DECISION).board(), width).splitlines()
    assert max(map(len, lines)) <= width
    start = next(n for n, row in enumerate(lines) if row.lstrip().startswith("student-int8 *"))
    rows = "\n".join(lines[start : start + (1 if width == 200 else 9)])
    for figure in FIGURES:
        assert figure in rows
    assert not any("…" in row for row in lines)


@pytest.mark.parametrize("width", [40, 80])
def test_the_list_of_runs_is_never_cut(tmp_path: Path, width: int) -> None:
    record = Kept(tmp_path, DECISION).record()
    console = Console(width=width)
    with console.capture() as capture:
        console.print(run_states.runs([replace(record, run="a-name-of-30-letters-in-a-list")]))
    for figure in ("a-name-of-30-letters-in-a-list", "60.0 s", record.started[:10]):
        assert figure in capture.get()


def test_what_listed_pairs_gave_is_shown(tmp_path: Path) -> None:
    board = Kept(tmp_path, DECISION).board()
    assert board.sealed
    assert "pairs.txt" not in text_of(board)
    found = asdict(PairListResult("pairs.txt", 400, 120, 0.93, 0.01, (0.92, 0.94), (0.3, 0.31)))
    listed = {"winner": {**found, "accuracy": 0.92}, "teacher": found, "baseline": None}
    text = text_of(replace(board, sealed=replace(board.sealed, pairs=listed)))
    line = next(line for line in text.splitlines() if line.startswith("pairs.txt: "))
    assert "accuracy of winner 0.9200" in line
    assert "teacher 0.9300" in line
    assert "400 pairs of 120 images: 2 folds" in line


def test_memory_on_a_chip_has_a_column_of_its_own(tmp_path: Path) -> None:
    (timed,) = [one for one in DECISION.variants if one.name == DECISION.winner]
    chip = replace(
        timed.latency["host"], p50_ms=None, p90_ms=None, verdict="absent", arena_bytes=4_048
    )
    variants = tuple(
        replace(one, latency={**one.latency, "sensor": chip}) if one is timed else one
        for one in DECISION.variants
    )
    board = Kept(tmp_path, replace(DECISION, variants=variants)).board()
    for width in (60, 200):
        text = text_of(board, width)
        assert "arena sensor" in " ".join(text.split())
        assert "3.95 KiB" in text
        assert "p50 sensor" not in text
