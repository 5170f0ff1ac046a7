"""Readers: every record of a source, by the form of its files."""

from __future__ import annotations

from collections.abc import Iterator

from components.contract.source import Source
from components.data.csv_rows import csv_records
from components.data.idx import idx_records
from components.data.npz import npz_records
from components.data.record import Record, RecordFormat


def records_of(source: Source, form: RecordFormat) -> Iterator[Record]:
    """Read every record of a source, in order of file name and place.

    Args:
        source: Of the format ``npz``, ``idx`` or ``csv``.
        form: What the user says of its files.

    Raises:
        UserError: A file is damaged, changed, or not laid out as its format says.
    """
    reader = {"npz": npz_records, "idx": idx_records, "csv": csv_records}[source.format]
    yield from reader(source, form)
