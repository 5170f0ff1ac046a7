"""Templates: the one way from data to HTML. Every text is escaped."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.pages.charts.svg import STYLE, readable
from components.pages.words import (
    VERDICTS,
    ends,
    ends_ms,
    percent,
    sentence,
    steps_in_words,
    whole_intervals,
)
from components.statistics.quantities import (
    decimal,
    short_bytes,
    short_time,
    whole_bytes,
    with_interval,
)

HERE = Path(__file__).parent

FILTERS: dict[str, Callable[..., Any]] = {
    "decimal": decimal,
    "ends": ends,
    "ends_ms": ends_ms,
    "interval": with_interval,
    "short_time": short_time,
    "percent": percent,
    "sentence": sentence,
    "short_bytes": short_bytes,
    "steps": steps_in_words,
    "verdict": VERDICTS.get,
    "whole_intervals": whole_intervals,
    "whole_bytes": whole_bytes,
}
"""How templates write numbers and words."""


def render(template: str, *, title: str, **values: object) -> str:
    """Return a page of one file.

    Args:
        template: Name of a file in this folder.
        title: Of the page.
        **values: What the template uses; a missing one is an error.
    """
    style = STYLE.read_text() + (HERE / "style.css").read_text()
    page = _environment().get_template(template)
    return readable(page.render(title=title, style=Markup(style), **values))  # noqa: S704 our own


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    return environment
