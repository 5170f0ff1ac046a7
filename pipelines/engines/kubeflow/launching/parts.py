"""Parts: a graph that one run of Kubeflow cannot hold is divided into runs that follow each other.

Variant after variant, so that a part imports little of the others: first what all need, then the
steps of one variant after those of another, last what compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from components.contract.errors import UserError
from pipelines.runs.graph import Graph


def by_variant(graph: Graph, names: Collection[str]) -> tuple[str, ...]:
    """Return steps such that each comes after all that it needs, and variants one after another.

    Args:
        graph: All steps, in the order of the configuration.
        names: Which of them.
    """
    order: dict[str, None] = {}
    for step in graph.steps:  # a graph is as deep as a variant's path: a few steps
        _append(graph, step.name, order)
    return tuple(name for name in order if name in names)


def _append(graph: Graph, name: str, order: dict[str, None]) -> None:
    if name in order:
        return
    for producer in dict.fromkeys(ref.step for ref in graph.by_name[name].refs):
        _append(graph, producer, order)
    order[name] = None


def first_part(
    order: Sequence[str], why_not: Callable[[Sequence[str]], UserError | None]
) -> tuple[str, ...]:
    """Return the longest beginning that fits into one run.

    Args:
        order: All steps to run, as ``by_variant`` gives them.
        why_not: Says what hinders a run of some steps, None where nothing does. A run that lacks
            the last step of one that fits is taken to fit as well.

    Raises:
        UserError: Not even the first step fits.
    """
    if why_not(order) is None:
        return tuple(order)
    fits, too_many = 0, len(order)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if why_not(order[:middle]) is None:
            fits = middle
        else:
            too_many = middle
    if fits == 0:
        raise why_not(order[:1]) or AssertionError
    return tuple(order[:fits])


def divided(
    order: Sequence[str], why_not: Callable[[Sequence[str]], UserError | None]
) -> list[tuple[str, ...]]:
    """Return the parts that the steps make, in the order in which they run.

    Args:
        order: See ``first_part``.
        why_not: See there.

    Raises:
        UserError: A single step does not fit.
    """
    parts: list[tuple[str, ...]] = []
    rest = list(order)
    while rest:
        parts.append(first_part(rest, why_not))
        rest = rest[len(parts[-1]) :]
    return parts
