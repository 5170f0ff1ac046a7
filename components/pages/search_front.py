"""What an architecture search found, in a picture and tables: for its page and for the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from components.artifacts.search_front import Architecture, SearchFront
from components.pages.charts.search_front import front_svg
from components.pages.charts.svg import NARROW, WIDE
from components.pages.figures import FigureTable
from components.pages.templates import render
from components.statistics.metrics import METRICS
from components.statistics.quantities import decimal, short_time, whole_bytes


@dataclass(frozen=True)
class ShownFront:
    """What pages show of a search.

    Attributes:
        found: What it found.
        wide: Predicted sizes against the metric, for desks.
        narrow: The same for phones.
        front: The architectures on the front, the smallest first.
        others: All others that were trained.
    """

    found: SearchFront
    wide: Markup
    narrow: Markup
    front: FigureTable
    others: FigureTable


def shown_front(found: SearchFront) -> ShownFront:
    """Return what pages show of a search.

    Args:
        found: What it found.
    """
    title = METRICS[found.metric].title
    return ShownFront(
        found=found,
        wide=front_svg(found, metric=title, width=WIDE, ident="search-wide"),
        narrow=front_svg(found, metric=title, width=NARROW, ident="search-narrow"),
        front=_table(found, title, found.front),
        others=_table(found, title, (one for one in found.architectures if not one.on_front)),
    )


def front_page(found: SearchFront) -> str:
    """Return the page.

    Args:
        found: What a search found.
    """
    return render("search.html", title="Architecture search", search=shown_front(found))


def _table(found: SearchFront, title: str, listed: Iterable[Architecture]) -> FigureTable:
    heads = (title, "Predicted size", "Predicted time")
    return FigureTable(heads, tuple((one.name, _cells(one, found)) for one in listed))


def _cells(one: Architecture, found: SearchFront) -> tuple[tuple[str, str], ...]:
    trained = one.trainings[-1]
    after = f"after {trained.steps:,} steps"
    taken = "taken by distill" if one.name == found.chosen else ""
    slowest = max(one.latency_ms, key=one.latency_ms.__getitem__)
    return (
        ("\N{EN DASH}", trained.fault) if trained.fault else (decimal(one.metric), after),
        (whole_bytes(round(one.size_bytes)), taken),
        (short_time(one.slowest_ms), f"on {slowest}"),
    )
