"""The tables of the Omniglot example hold what the runs of its seeds found, and nothing else."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts.decision import Decision
from components.contract.errors import UserError
from components.statistics.bootstrap import Interval
from docs import omniglot
from pipelines.config.loading import load
from pipelines.runs.records import put_finished
from tests.pipelines.runs.kept_run import DECISION, LOST, SMALL, Kept


def kept(folder: Path, decision: Decision, seed: int) -> Kept:
    """A store with a run of the example with this seed."""
    folder.mkdir()
    run = Kept(folder, decision)
    digest = load(omniglot.EXAMPLE).reseeded(seed).digest
    put_finished(run.store, replace(run.record(), run="omniglot-1", config_digest=digest))
    return run


def test_tables_hold_each_seed_and_the_mean(tmp_path: Path) -> None:
    better = replace(
        SMALL,
        metrics={
            "auc": Interval(0.981, 0.97, 0.99),
            "one_shot": Interval(0.9, 0.89, 0.91),
        },
        gain=Interval(0.02, 0.01, 0.03),
    )
    second = replace(DECISION, variants=(DECISION.variants[0], better, DECISION.variants[2]))
    boards = {
        seed: omniglot.boards_of(
            kept(tmp_path / str(seed), decision, seed).store, omniglot.EXAMPLE, [seed]
        )[seed]
        for seed, decision in enumerate((DECISION, second))
    }
    text = omniglot.figures(boards)
    assert re.search(r"seed 0: `omniglot-1`, \d{4}-\d\d-\d\d, 1 minutes", text)
    assert "Not run yet: seed 2." in text
    assert (
        "| student-int8 | 9,876 | 0.991 (0.985 to 0.995) | 0.981 (0.970 to 0.990) | 0.986 |" in text
    )
    assert (
        "| raw-pixel cosine |  | 0.870 (0.860 to 0.880) | 0.870 (0.860 to 0.880) | 0.870 |" in text
    )
    assert "| student-int8 | 9,876 |  | 0.900 (0.890 to 0.910) |  |" in text, "one-shot of one seed"
    assert "| student-int8 | 9,876 |  | 0.020 (0.010 to 0.030) |  |" in text, "gain of one seed"
    assert "| 1 | student-int8 | 9,876 |  | 0.984 (0.974 to 0.989) |  | 0.005 (0.000 to 0.009) | yes |" in text  # fmt: skip
    sizes = [line.split("|")[2] for line in text.splitlines() if line.startswith(("| teacher", "| st"))]  # fmt: skip
    assert sizes[:2] == [" 91,234 ", " 9,876 "], "largest first"


def test_a_run_without_a_winner_says_why(tmp_path: Path) -> None:
    store = kept(tmp_path / "0", LOST, 0).store
    text = omniglot.figures(omniglot.boards_of(store, omniglot.EXAMPLE, [0]))
    assert "none of 2 candidates keeps every budget" in text.splitlines()[-1]


def test_a_seed_without_a_run_and_a_run_of_another_configuration_are_refused(
    tmp_path: Path,
) -> None:
    run = kept(tmp_path / "0", DECISION, 0)
    with pytest.raises(UserError, match=r"no finished run of omniglot.yaml .* seed 1\n.*--seed 1"):
        omniglot.boards_of(run.store, omniglot.EXAMPLE, [0, 1])
    digest = load(omniglot.EXAMPLE).reseeded(1).digest
    half = replace(run.record(), run="omniglot-2", config_digest=digest, outcome="failed")
    put_finished(run.store, half)
    with pytest.raises(UserError, match="seed 1"):
        omniglot.boards_of(run.store, omniglot.EXAMPLE, [0, 1])
    put_finished(run.store, replace(half, run="omniglot-3", outcome="done"))  # the fix
    assert set(omniglot.boards_of(run.store, omniglot.EXAMPLE, [0, 1])) == {0, 1}


def test_the_page_takes_figures_and_keeps_the_rest() -> None:
    page = omniglot.PAGE.read_text(encoding="utf-8")
    changed = omniglot.written(page, "| a | b |")
    assert "\n| a | b |\n" in changed
    assert omniglot.written(changed, "other") == omniglot.written(page, "other")
    assert changed.partition(omniglot.BEGIN)[0] == page.partition(omniglot.BEGIN)[0]
