"""Given: the measurement of a model that somebody else made, out of the file that lists it.

An interval comes from the samples, by the same bootstrap as everywhere; or from medians of at least
``MEDIANS_LEAST`` processes, by their order; or from whoever measured. One number alone has none, so
it can decide no budget, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.measurement import (
    P90_SAMPLES,
    P99_SAMPLES,
    Attempt,
    MeasuredDevice,
    Measurement,
    Summary,
)
from components.contract.errors import UserError
from components.contract.source import Source
from components.measure.given_rows import GivenRow, given_rows
from components.statistics.bootstrap import Interval, grouped_quantiles, quantile
from components.statistics.order_interval import median_by_order
from components.statistics.resampling import Resampling
from components.statistics.two_stage import block_draws

_Number = TypeVar("_Number", int, float)

MEDIANS_LEAST = 6
"""Of so many medians the least and the largest hold the true one with 96.9 %."""
SAMPLES_LEAST = 30
"""Fewer than this in all are no distribution to draw from."""
_BLOCKS = 8
"""Into which the samples of a process are cut: those in a row resemble each other."""


def measurement_given(
    model: Path, source: Source, device: str, resampling: Resampling
) -> Measurement:
    """Return what a file says of a LiteModel.

    Args:
        model: Its folder.
        source: The file, staged.
        device: Name of the device in the configuration.
        resampling: How intervals are made.

    Raises:
        UserError: The file is damaged, measures this model on two devices, or gives no interval
            for it and nothing to make one from.
    """
    info, name = LiteModelInfo.read(model), source.files[0].name
    rows = [row for row in given_rows(source) if row.model_sha256 == info.sha256]
    where = f"{name}, model {info.sha256[:12]}"
    places = {tuple(sorted(row.place.items())) for row in rows}
    if len(places) > 1:
        told = " and ".join(" ".join(dict(place).values()) or "nothing" for place in sorted(places))
        raise UserError(
            f"{where}: measured in {len(places)} places: {told}",
            "give each a file of its own, and each file a device under devices",
        )
    made_by = ", ".join(dict.fromkeys(row.made_by for row in rows if row.made_by))
    threads = {row.threads for row in rows if row.threads is not None}
    place = rows[0].place if rows else {}
    return Measurement(
        device=MeasuredDevice(device, place, kind="results"),
        threads=max(threads, default=1),
        model_sha256=info.sha256,
        size_bytes=info.size_bytes,
        gzip_bytes=info.gzip_bytes,
        runtime={"name": place.get("runtime", "unknown"), "version": "", "source": "given"},
        processes=(),
        attempts=(_attempt(rows, name, info.sha256, made_by),),
        crashed=None,
        summary=_summary(rows, where, resampling) if rows else None,
        given=made_by or name,
        arena_bytes=_largest(row.arena_bytes for row in rows),
        flash_bytes=_largest(row.flash_bytes for row in rows),
    )


def _attempt(rows: Sequence[GivenRow], name: str, sha256: str, made_by: str) -> Attempt:
    if not rows:
        return Attempt("absent", f"{name} measures no model of the sha256 {sha256}")
    samples = sum(len(row.samples_ms) for row in rows)
    processes = f"{len(rows)} process{'es' if len(rows) > 1 else ''}"
    told = [made_by or name, f"{processes}, {samples} samples" if samples else processes]
    return Attempt("stable", f"given by {'; '.join(told)}; not repeated here")


def _summary(rows: Sequence[GivenRow], where: str, resampling: Resampling) -> Summary:
    sampled = [row for row in rows if row.samples_ms]
    if sampled and len(sampled) < len(rows):
        raise UserError(
            f"{where}: some of its {len(rows)} measurements have samples_ms and others p50_ms",
            "give samples_ms of all, or p50_ms of all",
        )
    quantiles = (
        _of_samples(sampled, where, resampling)
        if sampled
        else (_of_medians(rows, where, resampling.confidence), None, None)
    )
    medians = [quantile(np.array(row.samples_ms), 0.5) for row in sampled] or [
        row.p50_ms for row in rows if row.p50_ms is not None
    ]
    return Summary(
        samples=sum(len(row.samples_ms) for row in rows),
        load_ms=_median(row.load_ms for row in rows),
        first_ms=_median(row.first_ms for row in rows),
        p50_ms=quantiles[0],
        p90_ms=quantiles[1],
        p99_ms=quantiles[2],
        spread_ms=max(medians) - min(medians),
        peak_memory_bytes=_largest(row.memory_bytes for row in rows),
        load_high_ms=_largest(row.load_ms for row in rows),
    )


def _of_samples(
    rows: Sequence[GivenRow], where: str, resampling: Resampling
) -> tuple[Interval, Interval | None, Interval | None]:
    """Return median and tails with their intervals; those of tails that the samples can tell."""
    values = np.concatenate([row.samples_ms for row in rows])
    if values.size < SAMPLES_LEAST:
        raise UserError(
            f"{where}: {values.size} samples in all, and {SAMPLES_LEAST} are needed",
            "measure longer, or give more of the samples that there are",
        )
    cuts = [[len(part) for part in np.array_split(row.samples_ms, _BLOCKS)] for row in rows]
    blocks = [[size for size in sizes if size] for sizes in cuts]
    drawn_rb = block_draws([len(sizes) for sizes in blocks], resampling)
    flat = [size for sizes in blocks for size in sizes]
    tail = (1 - resampling.confidence) / 2

    def interval(share: float) -> Interval:
        drawn = grouped_quantiles(values, flat, drawn_rb, share)
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return Interval(quantile(values, share), float(low), float(high))

    return (
        interval(0.5),
        interval(0.9) if values.size >= P90_SAMPLES else None,
        interval(0.99) if values.size >= P99_SAMPLES else None,
    )


def _of_medians(rows: Sequence[GivenRow], where: str, confidence: float) -> Interval:
    """Return the median of medians with an interval by their order, or the one that is given."""
    medians = [row.p50_ms for row in rows if row.p50_ms is not None]
    if len(rows) == 1 and (ends := rows[0].p50_interval):
        return Interval(medians[0], *ends)
    found = median_by_order(medians, confidence)
    if found is None:
        raise UserError(
            f"{where}: {len(medians)} times p50_ms, and no interval follows from fewer than "
            f"{MEDIANS_LEAST}",
            "give samples_ms, or p50_low_ms and p50_high_ms in one measurement, or p50_ms of "
            f"{MEDIANS_LEAST} processes",
        )
    return found


def _largest(values: Iterable[_Number | None]) -> _Number | None:
    return max((value for value in values if value is not None), default=None)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
