"""The tables of ``omniglot.md``, made from the runs of the example.

``python -m docs.omniglot [STORE]`` looks for the newest finished run of
``pipelines/examples/omniglot.yaml`` for each seed, and writes what they found between the marks of
the page; what stands outside of them is written by hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from components.artifacts.decision import Candidate, Decision
from components.contract.errors import UserError
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import decimal

if TYPE_CHECKING:
    from pipelines.runs.leaderboard import Leaderboard
    from pipelines.stores.store import Store

PAGE = Path(__file__).with_name("omniglot.md")
EXAMPLE = Path(__file__).parents[1] / "pipelines" / "examples" / "omniglot.yaml"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
SEEDS = (0, 1, 2)
SHOWN = ("one_shot", "auc", "accuracy", "tar_1e3")
_TITLES = {**{name: METRICS[name].title for name in SHOWN}, "accuracy": "balanced accuracy"}
_CHOSEN = ("one_shot", "auc", "tar_1e3")
"""What is told of the winner on the sealed images."""

Boards = Mapping[int, "Leaderboard"]
"""What the run of each seed found out."""


def boards_of(store: Store, config: Path, seeds: Sequence[int]) -> Boards:
    """Return the newest finished run of a configuration for each seed.

    Raises:
        UserError: A seed has none.
    """
    from pipelines.cli.commands.show import read_board
    from pipelines.config.loading import load
    from pipelines.runs.records import list_runs

    loaded, records = load(config), list_runs(store)
    boards: dict[int, Leaderboard] = {}
    for seed in seeds:
        digest = loaded.reseeded(seed).digest
        runs = [one.run for one in records if (one.config_digest, one.outcome) == (digest, "done")]
        if not runs:
            raise UserError(
                f"{store.uri} has no finished run of {config.name} as it is now with seed {seed}",
                f"slimline run {config} --seed {seed}, or name another store",
            )
        boards[seed] = read_board(store, runs[-1], None)
    return boards


def figures(boards: Boards) -> str:
    """Return all tables in Markdown, one for each metric, then the drop and the sealed images."""
    decisions = {seed: _decision(board) for seed, board in boards.items()}
    parts = [_runs(boards)]
    for name in SHOWN:
        parts.append(f"**{_TITLES[name]}**, on letters of alphabets that nobody trained on:")
        parts.append(_by_variant(decisions, lambda one, name=name: one.metrics.get(name), name))
    metric = METRICS[next(iter(decisions.values())).metric].title
    parts.append(f"**Drop of the {metric}** against the teacher, paired:")
    parts.append(_by_variant(decisions, lambda one: one.drop, None))
    parts.append(f"**Gain of the {metric}** by the teacher, against the same net on labels alone:")
    parts.append(_by_variant(decisions, lambda one: one.gain, None, only_given=True))
    parts += ["**What was chosen**, on the sealed images:", _sealed(boards)]
    return "\n\n".join(parts)


def _decision(board: Leaderboard) -> Decision:
    assert board.decision is not None, f"{board.record.run} is done and came to no choice"
    return board.decision


def _runs(boards: Boards) -> str:
    told = [
        f"seed {seed}: `{board.record.run}`, {board.record.started[:10]}, "
        f"{board.record.wall_s / 60:.0f} minutes"
        for seed, board in boards.items()
    ]
    missing = [str(seed) for seed in SEEDS if seed not in boards]
    rest = f" Not run yet: seed {' and seed '.join(missing)}." if missing else ""
    return f"Runs: {'; '.join(told)}.{rest} Brackets hold 95 % bootstrap intervals."


def _by_variant(
    decisions: Mapping[int, Decision],
    figure: Callable[[Candidate], Interval | None],
    baseline: str | None,
    *,
    only_given: bool = False,
) -> str:
    """Return a table with a row a variant, largest file first, and a column a seed.

    Args:
        decisions: By seed.
        figure: What the table shows of a variant.
        baseline: The metric that the trivial answer is shown with below; None leaves it out.
        only_given: Leave out variants that have no such figure.
    """
    first = next(iter(decisions.values()))
    rows: list[tuple[int, list[str]]] = []
    for variant in first.variants:
        same = {seed: decision.variant(variant.name) for seed, decision in decisions.items()}
        found = [figure(one) for one in same.values()]
        if only_given and not any(found):
            continue
        size = max(one.size_bytes or 0 for one in same.values())
        rows.append((size, [variant.name, f"{size:,}", *map(_interval, found), _mean(found)]))
    lines = [cells for _, cells in sorted(rows, key=lambda row: -row[0])]
    if baseline is not None and first.baseline is not None:
        trivial = [
            decision.baseline.metrics.get(baseline) if decision.baseline else None
            for decision in decisions.values()
        ]
        lines.append([first.baseline.name, "", *map(_interval, trivial), _mean(trivial)])
    return _table(["variant", "bytes", *(f"seed {seed}" for seed in decisions), "mean"], lines)


def _sealed(boards: Boards) -> str:
    lines: list[list[str]] = []
    for seed, board in boards.items():
        decision, sealed = _decision(board), board.sealed
        if sealed is None or sealed.winner is None or decision.winner is None:
            lines.append([str(seed), "none", *[""] * (len(_CHOSEN) + 2), decision.reason])
            continue
        winner: Mapping[str, Any] = sealed.winner
        lines.append(
            [
                str(seed), decision.winner, f"{decision.variant(decision.winner).file_bytes:,}",
                *(_interval(_read(winner.get(name))) for name in _CHOSEN),
                _interval(_read(sealed.drop)),
                "yes" if sealed.qualified else f"no: {' '.join(sealed.reasons)}",
            ]
        )  # fmt: skip
    titles = [_TITLES[name] for name in _CHOSEN]
    return _table(["seed", "winner", "bytes", *titles, "drop", "qualified"], lines)


def _read(value: Mapping[str, float] | None) -> Interval | None:
    return None if value is None else Interval(value["value"], value["low"], value["high"])


def _interval(found: Interval | None) -> str:
    if found is None:
        return ""
    value, low, high = (decimal(number) for number in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _mean(found: Sequence[Interval | None]) -> str:
    """Return the mean over the seeds, where all of them have the figure."""
    values = [one.value for one in found if one is not None]
    return decimal(fmean(values)) if len(values) == len(found) else ""


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def written(page: str, text: str) -> str:
    """Return a page with other figures between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{PAGE.name} has no mark {BEGIN}"
    assert end, f"{PAGE.name} has no mark {END}"
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main() -> int:
    """Write the tables into the page and return the exit code."""
    from pipelines.stores.opening import open_store

    parser = argparse.ArgumentParser(prog="python -m docs.omniglot", description=__doc__)
    parser.add_argument("store", nargs="?", default="slimline-store")
    parser.add_argument("--config", type=Path, default=EXAMPLE, help="of which these are runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, metavar="N")
    arguments = parser.parse_args()
    try:
        boards = boards_of(open_store(arguments.store), arguments.config, arguments.seeds)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(written(page, figures(boards)), encoding="utf-8")
    sys.stdout.write(f"docs/{PAGE.name}: written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
