"""When the scheduled-workflow controller starts runs: cron as robfig/cron 1.2 reads it, and late.

The controller looks at a schedule when its turn comes, which was up to 20 seconds after the minute;
the run says in ``scheduled_at`` which minute it stands for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LATE_MAX_S = 20.0

_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NAMES = {
    name: str(number)
    for names in (
        "SUN MON TUE WED THU FRI SAT",
        "- JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC",
    )
    for number, name in enumerate(names.split())
}


@dataclass(frozen=True)
class Cron:
    """Six fields: second, minute, hour, day, month, day of the week, which may be left out.

    Args:
        text: The fields.
    """

    text: str

    def times(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the times after one moment, up to and including another, in UTC."""
        fields = self.text.split()
        fields += ["*"] * (6 - len(fields))
        sets = [_values(field, *bounds) for field, bounds in zip(fields, _RANGES, strict=True)]
        moment = after.astimezone(UTC).replace(second=0, microsecond=0)
        while moment <= until:
            if self._fits(moment, sets, fields):
                for second in sorted(sets[0]):
                    found = moment.replace(second=second)
                    if after < found <= until:
                        yield found
            moment += timedelta(minutes=1)

    def _fits(self, moment: datetime, sets: list[set[int]], fields: list[str]) -> bool:
        day, weekday = moment.day in sets[3], (moment.weekday() + 1) % 7 in sets[5]
        either = fields[3] not in ("*", "?") and fields[5] not in ("*", "?")
        days = (day or weekday) if either else (day and weekday)
        return (
            moment.minute in sets[1] and moment.hour in sets[2] and moment.month in sets[4] and days
        )


def _values(field: str, low: int, high: int) -> set[int]:
    made: set[int] = set()
    for part in field.upper().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in ("*", "?"):
            start, end = low, high
        else:
            start = int(_NAMES.get(first, first))
            end = int(_NAMES.get(last, last)) if last else (high if step else start)
        made |= set(range(start, end + 1, int(step or 1)))
    return made


def lateness_s(name: str, moment: datetime) -> float:
    """Return how late the controller comes for one time of one schedule, always the same."""
    return random.Random(f"{name} {moment.isoformat()}").uniform(0.0, LATE_MAX_S)
