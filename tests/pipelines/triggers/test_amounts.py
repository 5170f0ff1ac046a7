"""Amounts: what people write, what is refused, and that the fix that is named works."""

import re

import pytest

from components.contract.errors import UserError
from pipelines.triggers import amounts
from pipelines.triggers.amounts import Rate, Thresholds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("6h", 21_600), ("30d", 2_592_000), ("1w", 604_800)],
)
def test_durations_are_read_and_written_alike(text, seconds):
    assert amounts.duration_s(text, "--quiet") == seconds
    assert amounts.duration_s(amounts.in_words(seconds), "--quiet") == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "0m", "-1m", "1.5h", "10 m"])
def test_what_is_no_duration_is_refused_and_the_fix_works(text):
    with pytest.raises(UserError) as refused:
        amounts.duration_s(text, "--quiet")
    (again,) = re.findall(r"--quiet (\S+)", refused.value.fix)
    assert amounts.duration_s(again, "--quiet") == 600


def test_shares_and_rates():
    assert amounts.share("20%", "--shrink") == 0.2
    assert amounts.rate("2/24h", "--at-most") == Rate(2, 86_400)
    assert str(amounts.rate("2/24h", "--at-most")) == "2/1d"
    for read, wrong in ((amounts.share, "120%"), (amounts.share, "0.2"), (amounts.rate, "0/1h")):
        with pytest.raises(UserError) as refused:
            read(wrong, "--x")
        read(refused.value.fix.rpartition(" ")[2], "--x")


def test_thresholds_are_any_of_what_is_given_once():
    assert amounts.thresholds([]).any_change
    found = amounts.thresholds(["images:200|age:30d", "changed:5%"])
    assert found == Thresholds(images=200, changed=0.05, age_s=2_592_000)
    for wrong in (["images"], ["images:0"], ["images:1", "images:2"], ["weight:3"], ["age:x"]):
        with pytest.raises(UserError) as refused:
            amounts.thresholds(wrong)
        assert amounts.thresholds(re.findall(r"--when (\S+)", refused.value.fix)[1:])


def test_people_are_told_two_units():
    assert amounts.told(11_520 + 7) == "3 h 12 min"
    assert amounts.told(0) == "0 s"
    assert amounts.told(200_000) == "2 d 7 h"
