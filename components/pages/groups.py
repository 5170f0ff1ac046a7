"""Groups on pages: how the winner did on each group of images, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.artifacts.decision import Decision
from components.artifacts.group_result import GroupResult
from components.statistics.metrics import METRICS
from components.statistics.quantities import with_interval

SHOWN_MOST = 20
"""Groups on a page; JSON has all of them."""

_LINES_MOST = 8


@dataclass(frozen=True)
class GroupTable:
    """The groups of one variant.

    Attributes:
        note: Whose they are, how many, and in which order.
        head: Titles of the columns.
        rows: One a group: its name, counts, and each metric or the reason why there is none.
    """

    note: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def group_table(
    groups: Mapping[str, GroupResult], variant: str, metric: str, *, most: int = SHOWN_MOST
) -> GroupTable | None:
    """Return the table of the worst groups; None where there are no groups.

    Args:
        groups: By name.
        variant: Whose they are.
        metric: The one that orders them.
        most: Rows of the table.
    """
    if not groups:
        return None
    names = worst_first(groups, metric)
    known = {name for group in groups.values() for name in (*group.metrics, *group.unmeasured)}
    metrics = [name for name in METRICS if name in known]
    shown = names[:most]
    note = f"{variant} on {len(names):,} {'group' if len(names) == 1 else 'groups'}"
    note += ", the worst first by the lower end of the interval"
    if len(shown) < len(names):
        note += f"; the worst {len(shown)} are shown, the JSON documents have all"
    return GroupTable(
        f"{note}.",
        ("Group", "Images", "Identities", *(METRICS[name].title for name in metrics)),
        tuple(
            (
                name,
                f"{groups[name].n_images:,}",
                f"{groups[name].n_identities:,}",
                *(cell(groups[name], each) for each in metrics),
            )
            for name in shown
        ),
    )


def worst_first(groups: Mapping[str, GroupResult], metric: str) -> list[str]:
    """Return the names of groups, the worst first, those without the metric last."""
    sign = 1 if METRICS[metric].higher_is_better else -1

    def order(name: str) -> tuple[bool, float, str]:
        found = groups[name].metrics.get(metric)
        end = 0.0 if found is None else found.low if sign > 0 else -found.high
        return found is None, end, name

    return sorted(groups, key=order)


def cell(group: GroupResult, metric: str) -> str:
    """Write a metric of a group with its interval, or why there is none."""
    found = group.metrics.get(metric)
    return with_interval(found) if found else f"none: {group.unmeasured.get(metric, 'unknown')}"


def shown_variant(decision: Decision) -> str:
    """Return whose groups are shown: the winner, the nearest miss, or the reference."""
    near = decision.near_misses[0].name if decision.near_misses else decision.reference
    return decision.winner or near


def group_lines(decision: Decision) -> Iterator[str]:
    """Say line by line how the variant that is shown did on its worst groups."""
    shown = decision.variant(shown_variant(decision))
    if not shown.groups:
        return
    names = worst_first(shown.groups, decision.metric)
    some = f" (the worst {_LINES_MOST}; all of them: --json)" if len(names) > _LINES_MOST else ""
    yield f"{decision.metric} of {shown.name} on {len(names):,} groups{some}"
    for name in names[:_LINES_MOST]:
        group = shown.groups[name]
        yield f"  {name}: {cell(group, decision.metric)}, {group.n_images:,} images"
