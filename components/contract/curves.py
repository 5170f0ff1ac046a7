"""Curves that are small enough to be metadata: fewer points, fewer classes by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from components.contract.digests import canonical_json

_POINTS, _MATRIX = "confidenceMetrics", "confusionMatrix"
_FEWEST = 2  # points of a curve, and rows of a matrix


def thinned(curve: Mapping[str, object], room: int) -> dict[str, object]:
    """Return a curve with as many of its points, or classes, as fit.

    Of a ROC every other point goes, again and again, and both ends stay. Of a confusion matrix the
    classes stay that are confused most, and all others are one row and one column behind them.

    Args:
        curve: In the shape of KFP's ClassificationMetrics.
        room: Bytes that it may take as JSON. Where two points do not fit, it is returned as it is.
    """
    made = dict(curve)
    while len(canonical_json(made)) > room:
        points, matrix = made.get(_POINTS), made.get(_MATRIX)
        if isinstance(points, list) and len(cast("list[Any]", points)) > _FEWEST:
            made[_POINTS] = _every_other(cast("list[Any]", points))
        elif isinstance(matrix, dict) and len(_rows(cast("dict[str, Any]", matrix))) > _FEWEST:
            made[_MATRIX] = _halved(cast("dict[str, Any]", matrix))
        else:
            return dict(curve)
    return made


def _every_other(points: list[Any]) -> list[Any]:
    return [*points[:-1:2], points[-1]]


def _rows(matrix: Mapping[str, Any]) -> list[list[int]]:
    return [item["row"] for item in matrix["rows"]]


def _halved(matrix: Mapping[str, Any]) -> dict[str, Any]:
    """Return a matrix of half as many rows, the last of them for what is merged."""
    rows = _rows(matrix)
    names: list[str] = [item["displayName"] for item in matrix["annotationSpecs"]]
    merged = _others(names[-1])
    count = len(rows) - (1 if merged else 0)
    columns = list(zip(*rows, strict=True))
    confused = [
        sum(rows[place]) + sum(columns[place]) - 2 * rows[place][place] for place in range(count)
    ]
    most = sorted(range(count), key=lambda place: (-confused[place], place))
    kept = sorted(most[: max(1, len(rows) // 2 - 1)])
    rest = [place for place in range(len(rows)) if place not in set(kept)]
    told = [names[place] for place in kept]
    told.append(f"(the other {count - len(kept) + merged:,} classes)")
    groups = [[place] for place in kept] + [rest]
    merged_columns = [[sum(row[place] for place in group) for group in groups] for row in rows]
    return {
        "annotationSpecs": [{"displayName": name} for name in told],
        "rows": [
            {"row": [sum(merged_columns[place][column] for place in group)
                     for column in range(len(groups))]}
            for group in groups
        ],
    }  # fmt: skip


def _others(name: str) -> int:
    """Return how many classes a row is for that says so, or 0."""
    start, _, rest = name.partition("(the other ")
    number = rest.removesuffix(" classes)").replace(",", "")
    return int(number) if not start and number.isdigit() else 0
