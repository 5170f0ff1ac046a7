"""Rows under headers in the form that the terminal has room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table

from pipelines.cli.visible import add_row, line

_WRAPPED = 24
"""Columns of the terminal that a text which may be wrapped needs at least."""
_ENDLESS = 10_000
_INDENT = 2


@dataclass(frozen=True)
class Column:
    """A header, and how what stands below it is set.

    Attributes:
        header: Its text.
        right: Whether cells end at the same place, as numbers do.
        wraps: Whether its texts may take several lines.
        short: What stands before its cells in stacked rows, where that is not the header.
    """

    header: str
    right: bool = False
    wraps: bool = False
    short: str = ""


@dataclass
class Sheet:
    """A table where it fits, a narrower one where that fits, and otherwise stacked rows.

    Nothing is cut: figures that a terminal has no room for side by side stand below each other.

    Attributes:
        columns: The first names the rows.
        spaced: Whether an empty line parts the rows.
        narrower: The same rows in fewer columns, or None.
        rows: Cells and style of each.
    """

    columns: Sequence[Column]
    spaced: bool = False
    narrower: Sheet | None = None
    rows: list[tuple[tuple[str, ...], str]] = field(
        default_factory=list[tuple[tuple[str, ...], str]]
    )

    def add(self, *cells: str, style: str = "") -> None:
        """Add a row."""
        self.rows.append((cells, style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose the form; ``rich`` calls this."""
        for sheet in (self, self.narrower):
            if sheet and sheet.needs(console) <= options.max_width:
                yield sheet.table()
                return
        yield self._stacked()

    def needs(self, console: Console) -> int:
        """Return the width of the narrowest table that cuts nothing, in columns of a terminal."""
        endless = console.options.update(width=_ENDLESS)
        return console.measure(self.table(wrapped=_WRAPPED), options=endless).maximum

    def table(self, wrapped: int | None = None) -> Table:
        """Return the table; ``wrapped`` is the most that a column of texts gets."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, leading=int(self.spaced))
        for column in self.columns:
            table.add_column(
                line(column.header),
                justify="right" if column.right else "left",
                overflow="fold",
                no_wrap=not column.wraps,
                max_width=wrapped if column.wraps else None,
            )
        for cells, style in self.rows:
            add_row(table, *cells, style=style)
        return table

    def _stacked(self) -> Group:
        parts: list[RenderableType] = []
        for cells, style in self.rows:
            figures = Table.grid(padding=(0, 2, 0, 0))
            figures.add_column(overflow="fold")
            figures.add_column(overflow="fold")
            for column, cell in zip(self.columns[1:], cells[1:], strict=True):
                add_row(figures, " " * _INDENT + (column.short or column.header), cell, style=style)
            parts += [line(cells[0], f"bold {style}"), figures, line("")]
        return Group(*parts)
