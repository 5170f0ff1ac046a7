"""Tables of what people give and what becomes of it, made by giving it.

``python -m docs.forms`` writes them into ``forms.md`` beside this file, between two marks for
each table; what stands outside of them is written by hand. Each row is made by a small function
that writes an input into an empty folder, and says what slimline answered to it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import UserError

PAGE = Path(__file__).with_name("forms.md")


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        given: What was given, in words.
        outcome: What became of it.
    """

    given: str
    outcome: str


@dataclass(frozen=True)
class Form:
    """Something that people give.

    Attributes:
        given: What it is, in words.
        outcome: Writes it into an empty folder and returns what slimline makes of it.
    """

    given: str
    outcome: Callable[[Path], str]


def rows_of(forms: Iterable[Form]) -> Iterator[Row]:
    """Give every form in a folder of its own; an error that has a fix is an outcome, too."""
    for form in forms:
        with tempfile.TemporaryDirectory(prefix="slimline-form-") as name:
            folder = Path(name).resolve()
            try:
                outcome = form.outcome(folder)
            except UserError as error:
                outcome = f"refused: {' '.join(error.what.split())}. Fix: {error.fix}"
            yield Row(form.given, outcome.replace(f"{folder}/", ""))


def data_rows() -> list[Row]:
    """Return what becomes of forms of data."""
    from docs.data_forms import FORMS

    return list(rows_of(FORMS))


def model_rows() -> list[Row]:
    """Return what becomes of forms of models."""
    from components.ml.runtime import configure
    from docs.model_forms import FORMS

    configure(threads=2, seed=0)
    return list(rows_of(FORMS))


TABLES: Mapping[str, tuple[tuple[str, str], Callable[[], Sequence[Row]]]] = {
    "data": (("data", "what becomes of it"), data_rows),
    "models": (("model", "what becomes of it"), model_rows),
}
"""Titles of the columns and rows of every table, by the name in its marks."""


def table(name: str) -> str:
    """Return a table in Markdown."""
    titles, rows = TABLES[name]
    lines = [f"| {' | '.join(titles)} |", "|---|---|"]
    lines += [f"| {_cell(row.given)} | {_cell(row.outcome)} |" for row in rows()]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def written(page: str, name: str, text: str) -> str:
    """Return a page with a new table between the marks of its name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    assert after, f"{PAGE.name} has no marks for the table {name}"
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def main() -> int:
    """Write every table into the page and return the exit code."""
    page = PAGE.read_text(encoding="utf-8")
    for name in TABLES:
        page = written(page, name, table(name))
    PAGE.write_text(page, encoding="utf-8")
    sys.stdout.write(f"docs/{PAGE.name}: written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
