"""Cron: five fields as people write them, six as Kubeflow takes them, and when they fire.

Kubeflow parses with robfig/cron 1.2 (``backend/src/crd/controller/scheduledworkflow/util/
cron_schedule.go``), whose first field is the second: five fields are taken for the first five of
six, so that ``0 3 * * 1`` would run every hour of some January days. That library goes through the
hours of the clock as they happen: a time that the clock leaps over when summer time begins is left
out, one that comes twice when it ends fires twice. With day and weekday both restricted either is
enough; a field that begins with a star restricts nothing, also as ``*/2``.

All schedules of an installation are in one zone, that of the environment variable
``CRON_SCHEDULE_TIMEZONE`` of its deployment ``ml-pipeline-scheduledworkflow``, UTC without it.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from components.contract.errors import UserError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day", 1, 31, {}),
    ("month", 1, 12, {name: index for index, name in enumerate(_MONTHS, 1)}),
    ("weekday", 0, 6, {name: index for index, name in enumerate(_DAYS)}),
)
_ITEM = re.compile(r"(?:(\*|\?)|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]+))?")
_HORIZON_DAYS = 5 * 366
"""How far ahead the library looks for the next time, five years, before it gives up."""


@dataclass(frozen=True)
class Times:
    """A checked cron expression.

    Attributes:
        five: As people write it.
        values: What each field allows.
        free: Whether day and weekday begin with a star.
    """

    five: str
    values: tuple[frozenset[int], ...]
    free: tuple[bool, bool]

    @property
    def six(self) -> str:
        """As Kubeflow takes it, the second first."""
        return f"0 {self.five}"

    def after(self, moment: datetime, zone: zoneinfo.ZoneInfo) -> Iterator[datetime]:
        """Yield the times that follow a moment, in the zone, for the next five years."""
        day = moment.astimezone(zone).date()
        for _ in range(_HORIZON_DAYS):
            if self._on(day.month, day.day, (day.weekday() + 1) % 7):
                local = (
                    datetime.combine(day, time(hour, minute, fold=fold), zone)
                    for hour in sorted(self.values[1])
                    for minute in sorted(self.values[0])
                    for fold in (0, 1)
                )
                # Two folds of a time that comes once are one moment. One that is leapt over is
                # another time when it comes back from UTC, and must not stand for that one.
                moments = {item.astimezone(UTC) for item in local if _is_there(item, zone)}
                yield from (item.astimezone(zone) for item in sorted(moments) if item > moment)
            day += timedelta(days=1)

    def _on(self, month: int, day: int, weekday: int) -> bool:
        _, _, days, months, weekdays = self.values
        if month not in months:
            return False
        if any(self.free):
            return day in days and weekday in weekdays
        return day in days or weekday in weekdays


def _is_there(local: datetime, zone: zoneinfo.ZoneInfo) -> bool:
    """Whether the clock of a zone ever reads so."""
    back = local.astimezone(UTC).astimezone(zone)
    return back.replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0)


def parse(text: str) -> Times:
    """Read five fields.

    Raises:
        UserError: Not five, or one that is out of range or no cron field.
    """
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        raise UserError(
            f"--cron {text!r} has {len(fields)} fields: expected five, which are minute, hour, "
            "day, month and weekday",
            "write it like '30 3 * * mon'; slimline adds the second that Kubeflow wants"
            if len(fields) in (6, 7)
            else "write it like '30 3 * * mon', in quotes",
        )
    values = tuple(
        _values(text, given, *field) for given, field in zip(fields, _FIELDS, strict=True)
    )
    times = Times(" ".join(fields), values, (fields[2][0] in "*?", fields[4][0] in "*?"))
    if next(times.after(datetime.now(UTC), zoneinfo.ZoneInfo("UTC")), None) is None:
        raise UserError(f"--cron {text!r} never fires: there is no such day", "correct the day")
    return times


def _values(
    text: str, given: str, name: str, low: int, high: int, names: Mapping[str, int]
) -> frozenset[int]:
    made: set[int] = set()
    for item in given.split(","):
        found = _ITEM.fullmatch(item)
        if not found:
            raise _wrong(text, name, item, low, high)
        star, first, last, step = found.groups()
        start = low if star else _number(first, names)
        end = high if star or (step and not last) else _number(last or first, names)
        if start is None or end is None or not low <= start <= end <= high or step == "0":
            raise _wrong(text, name, item, low, high)
        made.update(range(start, end + 1, int(step or 1)))
    return frozenset(made)


def _number(text: str, names: Mapping[str, int]) -> int | None:
    return names.get(text, int(text) if text.isdigit() else None)


def _wrong(text: str, name: str, item: str, low: int, high: int) -> UserError:
    sunday = name == "weekday" and item == "7"
    return UserError(
        f"--cron {text!r}: the {name} {item!r} must be {low} to {high}, a range such as "
        f"{low}-{high}, a list, or a step such as */2",
        "Sunday is 0 here, or sun" if sunday else f"correct the {name}",
    )
