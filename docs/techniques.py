"""The table of docs/techniques.md: what each technique made of one student, from the newest run.

``python -m docs.techniques STORE`` writes the newest run of the configuration ``everything`` in a
store between two marks of that page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from components.contract.errors import UserError
from components.statistics.quantities import milliseconds, with_interval
from pipelines.runs.leaderboard import Leaderboard, VariantRow

PAGE = Path(__file__).with_name("techniques.md")
BEGIN, END = "<!-- everything: begin -->", "<!-- everything: end -->"
NAME = "everything"
_AT_ONCE = 2  # steps, on two cores


def newest(store: str) -> Leaderboard:
    """Return the leaderboard of the newest run of everything.yaml that came to a choice.

    Raises:
        UserError: There is none.
    """
    from pipelines.runs.cache import Cache
    from pipelines.runs.leaderboard import leaderboard_of
    from pipelines.runs.records import list_runs
    from pipelines.runs.workspace import workspace_root
    from pipelines.stores.opening import open_store

    opened = open_store(store)
    runs = [record for record in list_runs(opened) if record.name == NAME]
    for record in reversed(runs):
        board = leaderboard_of(Cache(opened, workspace_root(opened)), record)
        if board.decision:
            return board
    raise UserError(f"{store} has no run of {NAME} that came to a choice", "make everything")


def table(board: Leaderboard) -> str:
    """Return the table in Markdown, smallest file first, the teacher at its top."""
    assert board.decision, "newest looks for one"
    metric, record = board.decision.metric, board.record
    computed = {
        one.get("key", name): one.get("function_s", 0.0) for name, one in record.steps.items()
    }
    computed_s = sum(computed.values())  # each step once, whoever shares it
    earlier = ", some of them in an earlier run" if computed_s > _AT_ONCE * record.wall_s else ""
    took = (
        f"{record.wall_s / 60:.0f} minutes; its {len(record.steps)} steps computed for "
        f"{computed_s / 60:.0f} minutes, two at a time{earlier}"
    )
    lines = [
        f"Run of {record.started[:10]}, {took}. Brackets hold 95 % intervals.",
        "",
        f"| variant | bytes | gzip | {metric} | drop | p50 | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    first, *others = board.variants
    ordered = sorted(others, key=lambda row: row.variant.size_bytes or sys.maxsize)
    return "\n".join([*lines, *(_line(row) for row in (first, *ordered))])


def page(board: Leaderboard) -> str:
    """Return the page with the table of a run."""
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    return f"{before}{BEGIN}\n\n{table(board)}\n\n{after}"


def _line(row: VariantRow) -> str:
    return f"| {' | '.join(_cells(row))} |"


def _cells(row: VariantRow) -> Iterator[str]:
    one = row.variant
    yield one.name
    for size in (one.size_bytes, one.gzip_bytes):
        yield "" if size is None else f"{size:,}"
    for interval in (one.metric, one.drop):
        yield "" if interval is None else with_interval(interval)
    times = [each.p50_ms for each in one.latency.values() if each.p50_ms]
    yield "" if not times else milliseconds(times[0].value)
    yield one.verdict


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m docs.techniques", description=__doc__)
    parser.add_argument("store")
    text = page(newest(parser.parse_args().store))
    PAGE.write_text(text)
    sys.stdout.write(f"{PAGE.name}: written\n")


if __name__ == "__main__":
    main()
