"""The page of a search: the front of architectures as an image and as a table."""

from __future__ import annotations

from components.artifacts.search_front import SearchFront
from components.pages.charts.search_front import front_svg
from components.pages.charts.svg import NARROW, WIDE
from components.pages.templates import render
from components.statistics.metrics import METRICS


def front_page(found: SearchFront) -> str:
    """Return the page.

    Args:
        found: What a search found.
    """
    title = METRICS[found.metric].title
    return render(
        "search.html",
        title="Architecture search",
        found=found,
        metric=title,
        wide=front_svg(found, metric=title, width=WIDE, ident="front-wide"),
        narrow=front_svg(found, metric=title, width=NARROW, ident="front-narrow"),
    )
