"""Measurements that were made elsewhere, as a file lists them: JSON or CSV, one entry a process.

    {"measurements": [{"model_sha256": "3f5a...", "device": "iPhone 15 Pro", "os": "iOS 19.1",
                       "made_by": "benchmark app 2.3", "samples_ms": [3.1, 3.0, 3.2, ...]}]}

As CSV the keys are the titles of the columns; an empty cell is a key that is not there, and
``samples_ms`` holds numbers with spaces between them. What is known of a model stands under the
sha256 of its file, so that no number is taken for that of another file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, cast

from pydantic import Field, TypeAdapter, ValidationError

from components.contract.errors import UserError, suggest
from components.contract.source import Source
from components.contract.types import NonNegativeFloat, PositiveFloat, PositiveInt
from components.data.csv_text import rows_of

SUFFIXES: Final = (".json", ".csv")
EXAMPLE: Final = "model_sha256,device,made_by,p50_ms,p50_low_ms,p50_high_ms"
"""The shortest first line of a CSV file."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=200)]


@dataclass(frozen=True, kw_only=True)
class GivenRow:
    """What one process measured, or what somebody made of several.

    Attributes:
        model_sha256: Of the ``.tflite`` file, 64 hexadecimal digits.
        samples_ms: Steady inferences of one process, in their order.
        p50_ms: Their median, where the samples themselves are not known.
        p50_low_ms: Lower end of its 95 % interval, from whoever measured.
        p50_high_ms: Upper end of that.
        load_ms: From opening the file to allocated tensors.
        first_ms: The first inference.
        memory_bytes: Peak above that of the runtime alone.
        arena_bytes: Memory for tensors, where a microcontroller was measured.
        flash_bytes: Of the model in its firmware.
        threads: Of the runtime.
        device: What it ran on, as its maker calls it.
        os: Operating system and version.
        runtime: Runtime and version.
        accelerator: What computed: ``cpu``, ``gpu``, the name of a delegate.
        made_by: Program, service or farm that measured, and its job, so that it can be found again.
    """

    model_sha256: Sha256
    samples_ms: tuple[PositiveFloat, ...] = ()
    p50_ms: PositiveFloat | None = None
    p50_low_ms: PositiveFloat | None = None
    p50_high_ms: PositiveFloat | None = None
    load_ms: NonNegativeFloat | None = None
    first_ms: NonNegativeFloat | None = None
    memory_bytes: Annotated[int, Field(ge=0)] | None = None
    arena_bytes: PositiveInt | None = None
    flash_bytes: PositiveInt | None = None
    threads: PositiveInt | None = None
    device: Text = ""
    os: Text = ""
    runtime: Text = ""
    accelerator: Text = ""
    made_by: Text = ""

    @property
    def place(self) -> dict[str, str]:
        """What makes two measurements comparable, as far as the file says."""
        known = {name: getattr(self, name) for name in ("device", "os", "runtime", "accelerator")}
        return {name: value for name, value in known.items() if value}

    @property
    def p50_interval(self) -> tuple[float, float] | None:
        """Both ends of the interval, where the file gives them."""
        if self.p50_low_ms is None or self.p50_high_ms is None:
            return None
        return self.p50_low_ms, self.p50_high_ms


_ROW: Final = TypeAdapter(GivenRow)
_KEYS: Final = tuple(field.name for field in fields(GivenRow))


def given_rows(source: Source) -> tuple[GivenRow, ...]:
    """Read a file of measurements.

    Args:
        source: The file, staged.

    Raises:
        UserError: It is damaged, or an entry of it is not as above; says which and why.
    """
    (file,) = source.files
    path = source.verified(file)
    if PurePosixPath(file.name).suffix.lower() == ".json":
        entries = _of_json(path.read_bytes(), file.name)
    else:
        entries = _of_csv(list(rows_of(path, file.name)), file.name)
    rows = tuple(_row(entry, where) for where, entry in entries)
    if not rows:
        raise UserError(f"{file.name} holds no measurements", f"list them under {EXAMPLE}")
    return rows


def _of_json(content: bytes, name: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise UserError(f"{name} is damaged: {error}", "fetch or write the file again") from None
    listed = document.get("measurements") if isinstance(document, dict) else document  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(listed, list):
        raise UserError(
            f"{name} holds no list of measurements", 'write {"measurements": [{...}, {...}]}'
        )
    for number, entry in enumerate(cast("list[object]", listed), 1):
        where = f"{name}, measurement {number}"
        if not isinstance(entry, dict):
            raise UserError(f"{where} is no mapping", "write keys and values in braces there")
        given = cast("dict[str, object]", entry)
        yield where, {key: value for key, value in given.items() if value is not None}


def _of_csv(rows: Sequence[Sequence[str]], name: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    titles = [cell.lower() for cell in rows[0]] if rows else []
    if "model_sha256" not in titles:
        raise UserError(
            f"{name} has no column model_sha256 in its first line",
            f"begin it with the titles of its columns, such as {EXAMPLE}",
        )
    for number, cells in enumerate(rows[1:], 1):
        where = f"{name}, measurement {number}"
        if len(cells) > len(titles):
            raise UserError(
                f"{where} has {len(cells)} cells under {len(titles)} titles",
                "separate samples by spaces, or put texts with commas in quotes",
            )
        given = {title: cell for title, cell in zip(titles, cells, strict=False) if cell}
        yield where, given


def _row(entry: Mapping[str, object], where: str) -> GivenRow:
    """Check one entry.

    Raises:
        UserError: A key that there is none of, a value of another type or range, or no latency.
    """
    for key in entry:
        if key not in _KEYS:
            raise UserError(f"{where}: there is no key {key!r}", suggest(key, _KEYS))
    given: dict[str, Any] = dict(entry)
    if isinstance(given.get("samples_ms"), str):
        given["samples_ms"] = given["samples_ms"].split()
    if isinstance(given.get("model_sha256"), str):
        given["model_sha256"] = given["model_sha256"].lower()
    try:
        row = _ROW.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "model_sha256"
        told = "it is missing" if first["type"] == "missing" else first["msg"]
        raise UserError(
            f"{where}: {key}: {told}", _FIXES.get(key, f"correct {key} there")
        ) from None
    _check(row, where)
    return row


_FIXES: Final = {
    "model_sha256": "write the sha256 of the .tflite file there, 64 digits as sha256sum prints them"
}


def _check(row: GivenRow, where: str) -> None:
    if row.samples_ms and row.p50_ms is not None:
        raise UserError(
            f"{where} gives both samples_ms and p50_ms", "give samples_ms alone: p50_ms follows"
        )
    if not row.samples_ms and row.p50_ms is None:
        raise UserError(
            f"{where} gives neither samples_ms nor p50_ms",
            "give samples_ms; or p50_ms with p50_low_ms and p50_high_ms, where they are not known",
        )
    if row.p50_low_ms is None and row.p50_high_ms is None:
        return
    ends = row.p50_interval
    if row.p50_ms is None or ends is None or not ends[0] <= row.p50_ms <= ends[1]:
        raise UserError(
            f"{where}: p50_low_ms and p50_high_ms are no interval around its p50_ms",
            "give both ends beside p50_ms, the lower one first, or leave both away",
        )
