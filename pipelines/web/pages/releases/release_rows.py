"""Releases as pages show them, read from the index; the log, from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import decimal, short_time, short_times
from pipelines.lineage.index.opening import OpenIndex

_LISTED = """
SELECT release.name, release.run, artifact.digest, release.state, release.at, run.actor,
       decision.winner, decision.bytes, choice.artifact
FROM release JOIN artifact ON artifact.id = release.artifact
             LEFT JOIN run ON run.run = release.run
             LEFT JOIN choice ON choice.run = run.id
             LEFT JOIN decision ON decision.artifact = choice.artifact
"""
_NAMES = """
SELECT name, count(*), sum(state = 'candidate'), max(at) FROM release GROUP BY name ORDER BY name
"""
_LAST = """
SELECT release_log.name, release_log.seq, kind, release, run, actor, reason, at FROM release_log
JOIN (SELECT name, max(seq) AS seq FROM release_log GROUP BY name) AS latest
ON latest.name = release_log.name AND latest.seq = release_log.seq
"""
_WITH_MODEL = "WHERE coalesce(release.state, '') <> 'no winner'"
_MEASURED = "SELECT decision, variant, device, name, value, low, high FROM metric"
_LATENCY = "p50_ms"
ON_A_PAGE = 50


@dataclass(frozen=True)
class WinnerFigure:
    """Something that was measured of a winner.

    Attributes:
        name: What, as the reports call it.
        text: The number with its unit.
        interval: The interval around it; empty where there is none.
    """

    name: str
    text: str
    interval: str


@dataclass(frozen=True)
class ReleaseRow:
    """A release in a list.

    Attributes:
        name: Of the releases.
        run: Which run published it.
        digest: Of its tree.
        state: As ``slimline releases`` says it; ``unknown`` where its manifest cannot be read.
        at: When it was published, ISO 8601.
        actor: Who started its run; None where no record says it.
        variant: Which variant won; None where nobody knows.
        bytes: Size of its model.
        figures: What was measured of the winner.
    """

    name: str
    run: str
    digest: str
    state: str
    at: str
    actor: str | None
    variant: str | None
    bytes: int | None
    figures: Sequence[WinnerFigure] = field(default=())


@dataclass(frozen=True)
class NameRow:
    """All releases of a name.

    Attributes:
        name: That.
        releases: How many.
        candidates: How many could become the champion.
        latest: When the last was published, ISO 8601.
        champion: The champion, or None.
        since: When it became that.
        by: Who made it that.
        entry: Number of the last entry of the log; 0 where there is none.
        fault: What is wrong with the log; empty while nothing is.
    """

    name: str
    releases: int
    candidates: int
    latest: str
    champion: ReleaseRow | None
    since: str
    by: str
    entry: int
    fault: str


def names_of(index: OpenIndex) -> list[NameRow]:
    """Return all names under which runs have published."""
    last = {row[0]: row for row in index.execute(_LAST)}
    faults = {
        str(key).split("/")[1]: str(what)
        for key, what in index.execute(
            "SELECT key, what FROM problem WHERE key >= 'releases/' AND key < 'releases0'"
        )
        if "/log/" in str(key)
    }
    rows: list[NameRow] = []
    for name, count, candidates, latest in index.execute(_NAMES):
        entry = last.get(name)
        found = rows_of(index, name, "release.run = ?", (entry[4],)) if entry else []
        rows.append(
            NameRow(
                name, count, candidates or 0, latest, found[0] if found else None,
                since=entry[7] if entry else "", by=entry[5] if entry else "",
                entry=entry[1] if entry else 0, fault=faults.get(name, ""),
            )
        )  # fmt: skip
    return rows


def rows_of(
    index: OpenIndex,
    name: str,
    where: str = "1",
    values: Sequence[Any] = (),
    most: int = ON_A_PAGE,
) -> list[ReleaseRow]:
    """Return releases of a name, the newest first.

    Args:
        index: Where they are found.
        name: That.
        where: SQL, with a question mark for each value.
        values: Those.
        most: So many at most.
    """
    sql = f"{_LISTED} WHERE release.name = ? AND {where} ORDER BY release.run DESC LIMIT ?"
    return _rows(index, sql, (name, *values, most))


def latest_rows(index: OpenIndex, most: int) -> list[ReleaseRow]:
    """Return the latest releases of all names that hold a model, the newest first."""
    return _rows(index, f"{_LISTED} {_WITH_MODEL} ORDER BY release.at DESC LIMIT ?", (most,))


def _rows(index: OpenIndex, sql: str, values: Sequence[Any]) -> list[ReleaseRow]:
    found = list(index.execute(sql, values))
    figures = _figures(index, {row[8]: row[6] for row in found if row[8] is not None})
    rows: list[ReleaseRow] = []
    for of, run, digest, state, at, actor, variant, size, decision in found:
        measured = figures.get(decision, ())
        rows.append(
            ReleaseRow(
                of, run, digest.hex(), state or "unknown", at, actor, variant, size, measured
            )
        )
    return rows


def _figures(index: OpenIndex, winners: Mapping[int, str]) -> dict[int, Sequence[WinnerFigure]]:
    """Return what was measured of the winner of each decision, by the decision's id."""
    marks = ",".join("?" * len(winners))
    sql = f"{_MEASURED} WHERE decision IN ({marks}) ORDER BY device, name"
    found: dict[int, list[WinnerFigure]] = {}
    for decision, variant, device, name, value, low, high in index.execute(sql, list(winners)):
        if variant == winners[decision] and value is not None:
            interval = Interval(value, low, high) if low is not None and high is not None else None
            found.setdefault(decision, []).append(_figure(device, name, value, interval))
    return dict(found)


def _figure(device: str, name: str, value: float, interval: Interval | None) -> WinnerFigure:
    if name == _LATENCY:
        around = short_times(interval.low, interval.high) if interval else ""
        return WinnerFigure(f"p50 on {device}" if device else "p50", short_time(value), around)
    title = METRICS[name].title if name in METRICS else name
    around = f"{decimal(interval.low)} to {decimal(interval.high)}" if interval else ""
    return WinnerFigure(title, decimal(value), around)
