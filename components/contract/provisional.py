"""Provisional results: what a component found while something else was in its way.

Such a result goes to the steps after it in this run, which say what is missing. An engine keeps it
for no other run: the next one executes the step again.
"""

from __future__ import annotations

from collections.abc import Mapping

PROVISIONAL = "provisional"
"""The metric, 1, by which a component says so."""


def is_provisional(metrics: Mapping[str, object]) -> bool:
    """Whether the metrics of a step say that its result is for this run alone."""
    return metrics.get(PROVISIONAL) == 1
