"""Cron on this machine: which moments five fields mean in a time zone.

Debian's rules: a time that the clock leaps over when summer time begins comes right after the
leap, one that comes twice when it ends comes once; what repeats within the hour follows the clock
as it happens. Day and weekday both restricted: either is enough. Sunday is 0 or 7.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from components.contract.errors import UserError
from pipelines.runs.moments import zone

_FIELDS = 5


def check(expression: str) -> str:
    """Return five fields, tidied.

    Raises:
        UserError: They are no cron expression, or never come.
    """
    fields = " ".join(expression.split())
    wrong: Exception | None = None
    if fields.count(" ") != _FIELDS - 1:  # the library also takes seconds
        wrong = CronSimError("Wrong number of fields")
    try:
        next(CronSim(fields, datetime.now(UTC)))
    except (CronSimError, StopIteration) as error:
        wrong = error
    if wrong is not None:
        why = f": {str(wrong).lower()}" if str(wrong) else ": it never comes"
        raise UserError(
            f"--cron {expression!r} is no cron expression{why}; expected five fields, which are "
            "minute, hour, day, month and weekday",
            "write it like '30 3 * * mon', in quotes",
        )
    return fields


def coming(expression: str, named: str, after: datetime, count: int) -> list[datetime]:
    """Return the next moments after one, in the zone.

    Args:
        expression: Five fields that ``check`` has passed.
        named: Name of the zone.
        after: Not itself among them.
        count: How many.
    """
    moments = CronSim(expression, after.astimezone(zone(named)))
    return list(itertools.islice(moments, count))


def due(
    expression: str, named: str, since: datetime, until: datetime, count: int
) -> list[datetime]:
    """Return the latest moments after ``since`` and not after ``until``, the newest first.

    See ``coming`` for the arguments. At most ``count`` are looked at: years in which nobody asked
    cost no more than a minute.
    """
    begin = until.astimezone(zone(named)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    found: list[datetime] = []
    for moment in CronSim(expression, begin, reverse=True):
        if moment <= since or len(found) == count:
            break
        if moment <= until:
            found.append(moment)
    return found


def key_of(moment: datetime) -> str:
    """Return the nominal minute in UTC, which names a launch: the same on every machine."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%MZ}"
