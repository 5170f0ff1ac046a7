"""Five fields become six, and fire when robfig/cron 1.2 would, over the changes of the clock too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.errors import UserError
from pipelines.engines.kubeflow.recurring.cron import parse

BERLIN = ZoneInfo("Europe/Berlin")


def following(five: str, start: datetime, where: ZoneInfo = BERLIN, count: int = 5) -> list[str]:
    found = islice(parse(five).after(start, where), count)
    return [item.strftime("%Y-%m-%d %H:%M %Z") for item in found]


def test_the_second_is_put_first() -> None:
    assert parse("30 3 * * mon-fri").six == "0 30 3 * * mon-fri"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 30 3 * * 1", "has 6 fields"),
        ("0 30 3 * * 1 2026", "has 7 fields"),
        ("30 3 * *", "has 4 fields"),
        ("@daily", "has 1 fields"),
        ("60 3 * * *", "minute '60' must be 0 to 59"),
        ("0 24 * * *", "hour '24'"),
        ("0 3 0 * *", "day '0'"),
        ("0 3 * foo *", "month 'foo'"),
        ("0 3 * * 7", "weekday '7'"),
        ("*/0 3 * * *", "minute"),
        ("5-1 3 * * *", "minute"),
        ("1,,2 3 * * *", "minute"),
        ("0 3 30 2 *", "never fires"),
    ],
)
def test_what_is_no_cron_is_said(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    assert said in caught.value.what


def test_six_fields_are_told_that_the_second_comes_by_itself() -> None:
    with pytest.raises(UserError) as caught:
        parse("0 30 3 * * 1")
    assert "slimline adds the second" in caught.value.fix
    with pytest.raises(UserError) as caught:
        parse("0 3 * * 7")
    assert "Sunday is 0" in caught.value.fix


def test_a_time_that_the_clock_leaps_over_is_left_out() -> None:
    # On 29 March 2026 the clock in Berlin goes from 02:00 to 03:00.
    start = datetime(2026, 3, 27, 12, tzinfo=UTC)
    assert following("30 2 * * *", start, count=3) == [
        "2026-03-28 02:30 CET", "2026-03-30 02:30 CEST", "2026-03-31 02:30 CEST"
    ]  # fmt: skip


def test_the_hour_before_the_leap_is_there() -> None:
    start = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    assert following("*/20 * * * *", start, count=5) == [
        "2026-03-29 00:40 CET", "2026-03-29 01:00 CET", "2026-03-29 01:20 CET",
        "2026-03-29 01:40 CET", "2026-03-29 03:00 CEST",
    ]  # fmt: skip


def test_a_time_that_comes_twice_fires_twice() -> None:
    # On 25 October 2026 it goes from 03:00 back to 02:00.
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert following("30 2 * * *", start, count=3) == [
        "2026-10-25 02:30 CEST", "2026-10-25 02:30 CET", "2026-10-26 02:30 CET"
    ]  # fmt: skip
    assert following("0,30 2 * * *", start, count=4) == [
        "2026-10-25 02:00 CEST", "2026-10-25 02:30 CEST",
        "2026-10-25 02:00 CET", "2026-10-25 02:30 CET",
    ]  # fmt: skip


def test_day_or_weekday_where_both_are_restricted_and_both_where_one_begins_with_a_star() -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    utc = ZoneInfo("UTC")
    either = following("0 0 13 * fri", start, utc, 6)
    assert [item[8:10] for item in either] == ["05", "12", "13", "19", "26", "03"]
    both = following("0 0 */13 * fri", start, utc, 2)  # days 1, 14 and 27 that are Fridays
    assert [item[:10] for item in both] == ["2026-08-14", "2026-11-27"]


def test_leap_days_are_found() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert following("0 0 29 2 *", start, ZoneInfo("UTC"), 1) == ["2028-02-29 00:00 UTC"]


@given(
    minute=st.sampled_from(["*/20", "7", "0-59/30", "5,50"]),
    hour=st.sampled_from(["*", "2", "1-3", "*/5"]),
    name=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)),  # noqa: DTZ001 hypothesis adds none
)
def test_it_is_every_minute_whose_clock_reads_so(
    minute: str, hour: str, name: str, start: datetime
) -> None:
    times, where = parse(f"{minute} {hour} * * *"), ZoneInfo(name)
    begin = start.replace(tzinfo=UTC, second=0, microsecond=0)
    minutes = (begin + timedelta(minutes=index) for index in range(1, 2 * 24 * 60))
    local = [item.astimezone(where) for item in minutes]
    expected = [i for i in local if i.minute in times.values[0] and i.hour in times.values[1]]
    found = list(islice(times.after(begin, where), len(expected)))
    assert [item.astimezone(UTC) for item in found] == [item.astimezone(UTC) for item in expected]
