"""Text from outside in what ``rich`` prints: without its markup, and visible."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.disk.visible import visible

if TYPE_CHECKING:  # what prints no table loads no rich
    from rich.table import Table
    from rich.text import Text


def line(text: str, style: str = "") -> Text:
    """Return a text as ``rich`` prints it: without its markup, and visible."""
    from rich.text import Text

    return Text(visible(text), style=style)


def add_row(table: Table, *cells: str, style: str = "") -> None:
    """Add a row of such texts to a table."""
    table.add_row(*(line(cell) for cell in cells), style=style or None)
