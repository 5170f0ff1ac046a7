"""Search page: what a search found, on one page."""

from __future__ import annotations

from components.contract.types import PageOut, ReportIn

IMAGE = "light"


def search_page(front: ReportIn, page: PageOut) -> None:
    """Draw the front of a search: sizes against the metric, and a table of all architectures.

    Args:
        front: The report of search.
        page: One HTML file that needs nothing else.
    """
    from components.artifacts.search_front import SearchFront
    from components.pages.search_front import front_page

    page.write_text(front_page(SearchFront.read(front)))
