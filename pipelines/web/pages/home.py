"""The first page: what needs somebody, what runs, what comes next."""

from __future__ import annotations

from starlette.responses import Response

from pipelines.web.view import PageRoute, View


def home(view: View) -> Response:
    """Show it."""
    return view.render("home.html", title="Home", running=sorted(view.service.live))


ROUTES = (PageRoute("/", home),)
