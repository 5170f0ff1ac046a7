"""Cron against an independent reading of the zone files: each minute looked at one by one."""

import bisect
import struct
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import TZPATH

import pytest

from components.contract.errors import UserError
from pipelines.triggers import cron

ZONES = ("Europe/Berlin", "America/Santiago", "Australia/Lord_Howe")
"""An hour at 2, an hour at midnight, and half an hour."""


_HEADER = struct.Struct(">4sc15x6l")


class ZoneFile:
    """Transitions as a compiled zone file lists them (RFC 9636, version 2), read without zoneinfo."""

    def __init__(self, zone):
        (path, *_) = [path for root in TZPATH if (path := Path(root, zone)).is_file()]
        data = path.read_bytes()
        begin = _HEADER.size + self._length(data, 0, 4)  # what version 1 can say comes first
        self._length(data, begin, 8)
        *_, leaps, times, types, characters = _HEADER.unpack_from(data, begin)
        at = begin + _HEADER.size
        self.times = struct.unpack_from(f">{times}q", data, at)
        kinds = struct.unpack_from(f"{times}B", data, at + 8 * times)
        offsets = [
            struct.unpack_from(">l", data, at + 9 * times + 6 * kind)[0] for kind in range(types)
        ]
        self.offsets = [offsets[kind] for kind in kinds]
        assert (leaps, bool(characters)) == (0, True)
        assert self.times[-1] > datetime(2027, 1, 1, tzinfo=UTC).timestamp()

    @staticmethod
    def _length(data, at, width):
        magic, _, utc, standard, leaps, times, types, characters = _HEADER.unpack_from(data, at)
        assert magic == b"TZif"
        counted = times * (width + 1) + types * 6 + characters
        return counted + leaps * (width + 4) + standard + utc

    def clock(self, moment):
        """What the clock shows then, without a zone."""
        last = bisect.bisect_right(self.times, moment.timestamp()) - 1
        return (moment + timedelta(seconds=self.offsets[last])).replace(tzinfo=None)


def fires(hour, minute, zone, begin, days):
    """Moments of a daily time by Debian's rules, read from the zone file alone, minute by minute."""
    found, leapt, seen, file = [], set(), set(), ZoneFile(zone)
    moments = [begin + timedelta(minutes=n) for n in range(days * 1440)]
    for (_, before), (moment, now) in pairwise((moment, file.clock(moment)) for moment in moments):
        gone = before + timedelta(minutes=1)
        while gone < now:  # minutes of the clock that never were
            leapt.add((gone.date(), gone.hour, gone.minute))
            gone += timedelta(minutes=1)
        wanted = (now.hour, now.minute) == (hour, minute)
        made_up = (now.date(), hour, minute) in leapt
        if (wanted or made_up) and now.date() not in seen:
            seen.add(now.date())
            found.append(moment)
    return found


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("hour", "minute"), [(2, 30), (0, 15), (3, 0), (12, 0)])
def test_daily_times_come_once_a_day_over_both_changes(zone, hour, minute):
    for begin in (
        datetime(2026, 3, 20, tzinfo=UTC),
        datetime(2026, 8, 31, tzinfo=UTC),
        datetime(2026, 10, 1, tzinfo=UTC),
    ):
        expected = fires(hour, minute, zone, begin, 30)
        found = cron.coming(f"{minute} {hour} * * *", zone, begin, len(expected))
        assert [moment.astimezone(UTC) for moment in found] == expected
        back = cron.due(f"{minute} {hour} * * *", zone, begin, found[-1], 100)
        assert [moment.astimezone(UTC) for moment in reversed(back)] == expected


def test_due_is_after_since_and_not_after_now():
    now = datetime(2026, 11, 27, 3, 30, 59, tzinfo=UTC)
    (one,) = cron.due("30 3 * * *", "UTC", now - timedelta(days=1), now, 9)
    assert cron.key_of(one) == "20261127T0330Z"
    assert not cron.due("30 3 * * *", "UTC", one, now, 9)
    assert not cron.due("31 3 * * *", "UTC", now - timedelta(hours=1), now, 9)
    assert len(cron.due("* * * * *", "UTC", now - timedelta(days=900), now, 7)) == 7


def test_two_machines_name_a_time_alike():
    (berlin,) = cron.coming("0 3 * * *", "Europe/Berlin", datetime(2026, 7, 1, tzinfo=UTC), 1)
    (utc,) = cron.coming("0 1 * * *", "UTC", datetime(2026, 7, 1, tzinfo=UTC), 1)
    assert cron.key_of(berlin) == cron.key_of(utc)


@pytest.mark.parametrize("text", ["61 * * * *", "* * *", "0 0 31 2 *", "x * * * *", "* * * * * *"])
def test_what_never_comes_is_refused_and_the_fix_works(text):
    with pytest.raises(UserError) as refused:
        cron.check(text)
    assert cron.check(refused.value.fix.split("'")[1]) == "30 3 * * mon"
