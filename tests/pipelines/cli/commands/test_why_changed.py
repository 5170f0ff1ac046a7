"""``slimline why-changed``: the first line, the lists with their limits, the document, faults."""

import json

import pytest

from pipelines.cli.main import main
from pipelines.cli.why_changed_text import figures
from pipelines.lineage.comparing.differences import Difference
from pipelines.lineage.comparing.metrics import compare_metrics
from pipelines.lineage.comparing.samples import Fate, compare_samples
from pipelines.lineage.comparing.steps import StepChange, StepChanges
from pipelines.lineage.comparing.telling import MOST, lines_of
from pipelines.lineage.comparing.why import ComparedRun, WhyChanged
from pipelines.stores.opening import open_store
from tests.data.traced_runs import RunWriter
from tests.pipelines.runs.kept_run import DECISION, Kept

SOURCE = "50" * 32


def answer(**changes):
    run = ComparedRun("faces-1", "faces-1", "2026-11-26T00:00:00", "local", "ann@desk")
    return WhyChanged(
        **{
            "summary": "only the data differs", "causes": ["data"], "before": run, "now": run,
            "sources": [], "budgets": [], "samples": None, "steps": StepChanges(),
            "metrics": None, "lacking": [], **changes,
        }
    )  # fmt: skip


def fates(count, label="a"):
    return [Fate(f"{n:03}.png", f"{n:064x}", None, label, "train", "used") for n in range(count)]


def test_twenty_names_and_how_many_more():
    told = list(lines_of(answer(samples=compare_samples(fates(5), fates(5 + MOST + 7)))))
    (added,) = [line for line in told if line.startswith("  added")]
    assert added.startswith(f"  added {MOST + 7}: 005.png, ")
    assert added.endswith(" and 7 more (--all)")
    assert added.count(".png") == MOST
    every = list(lines_of(answer(samples=compare_samples(fates(5), fates(5 + MOST + 7))), None))
    (added,) = [line for line in every if line.startswith("  added")]
    assert added.count(".png") == MOST + 7
    assert "--all" not in added


def test_each_kind_of_difference_has_its_words():
    change = StepChange(
        "prune-80", "prune-50", [Difference("sparsity", 0.5, 0.8)], [Difference("threads", 1, 2)],
        [Difference("train.py", "11111111", None)], [Difference("numpy", "1", "2")],
        [Difference("cpu", "x", "y")], ["model"], ["source"],
    )  # fmt: skip
    again = StepChange("benchmark", "benchmark", unexplained=True)
    after = StepChange("convert", "convert", inputs=["model"])
    steps = StepChanges([change, again, after], ["new"], ["old"], 3)
    told = "\n".join(lines_of(answer(steps=steps)))
    assert told.startswith("only the data differs\nfirst: faces-1, started ")
    for words in (
        "prune-50 -> prune-80: sparsity 0.5 -> 0.8; threads 1 -> 2; code train.py 11111111 -> none",
        "; package numpy 1 -> 2; machine cpu x -> y; other files in source\n",
        "steps: 3 made of the same, 3 of something else",
        "only what steps before gave differs: convert\n",
        "another result of the same: benchmark\n", "only in the second: new", "first: old",
    ):  # fmt: skip
        assert words in told


def test_figures_that_are_apart_come_first(tmp_path):
    board = Kept(tmp_path, DECISION).board()
    assert not compare_metrics(board, board).figures
    assert not figures(compare_metrics(board, board)).rows


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    store = open_store(str(tmp_path / "slimline-store"))
    for run, epochs in (("faces-1", 3), ("faces-2", 5)):
        writer = RunWriter(store, run, sources={"data": SOURCE})
        writer.step("train", {"dataset": SOURCE}, {"model": {"w": run.encode()}},
                    parameters={"epochs": epochs})  # fmt: skip
        writer.end()
    return tmp_path


def test_the_command_says_what_differs(folder, capsys):
    assert main(["why-changed", "faces-1", "faces-2"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert folder
    assert told[0] == "these differ: parameters"
    assert "  train: epochs 3 -> 5" in told


def test_the_document(folder, capsys):
    assert main(["why-changed", "faces-1", "latest", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert folder
    assert document["causes"] == ["parameters"]
    assert document["steps"]["changed"][0]["parameters"] == [
        {"what": "epochs", "before": 3, "now": 5}
    ]


def test_what_is_no_run_is_refused_with_a_fix_that_works(folder, capsys):
    assert folder
    assert main(["why-changed", "faces-1", "faces-3"]) == 2
    told = capsys.readouterr().err
    assert "no such run" in told
    assert "did you mean 'faces-" in told
    suggested = told.partition("did you mean '")[2].partition("'")[0]
    assert main(["why-changed", "faces-1", suggested]) == 0
