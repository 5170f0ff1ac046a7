"""The figures that differ between two runs, as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.cli.sheet import Column, Sheet
from pipelines.lineage.comparing.telling import MOST, figure_in_words

if TYPE_CHECKING:
    from pipelines.lineage.comparing.metrics import MetricChanges


def figures(metrics: MetricChanges, most: int | None = MOST) -> Sheet:
    """Return the figures that differ as a table: intervals that are apart first.

    Args:
        metrics: What differs.
        most: How many rows; None are all.
    """
    sheet = Sheet(
        [
            Column("variant"), Column("figure"), Column("images"),
            Column("first", right=True), Column("second", right=True), Column("intervals"),
        ]
    )  # fmt: skip
    rows = sorted(metrics.figures, key=lambda one: not one.apart)
    for one in rows[:most]:
        images = f"{one.images}, {one.group}" if one.group else one.images
        words = "apart" if one.apart else "overlap"
        sheet.add(
            one.variant, one.figure, images, figure_in_words(one, one.before),
            figure_in_words(one, one.now),
            words if one.before and one.now else "",
            style="bold" if one.apart else "",
        )  # fmt: skip
    return sheet
