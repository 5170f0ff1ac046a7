"""Rankings: pairs of variants that change places between devices, for certain."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from components.artifacts.decision import Candidate, RankingDifference, Timing
from components.artifacts.measurement import Stability
from components.selection.rankings import ranking_differences
from components.statistics.bootstrap import Interval
from tests.data.candidates import measured


def timing(low: float, high: float, verdict: Stability = "stable") -> Timing:
    return Timing(Interval((low + high) / 2, low, high), None, None, None, verdict, "")


CHIP = Timing(None, None, None, None, "stable", "", arena_bytes=4048)


def one(name: str, **devices: Timing) -> Candidate:
    return measured(name, latency=devices)


def test_a_pair_that_changes_places_is_told_with_where() -> None:
    wide = one("wide", host=timing(5, 6), s21=timing(1, 2), pi=timing(1, 9), chip=CHIP)
    deep = one("deep", host=timing(3, 4), s21=timing(3, 4), pi=timing(2, 8), chip=CHIP)
    expected = (RankingDifference("deep", "wide", ("host",), ("s21",)),)
    assert ranking_differences([wide, deep]) == expected
    (turned,) = ranking_differences([wide, deep], "wide") or ()
    assert turned == RankingDifference("wide", "deep", ("s21",), ("host",))


def test_intervals_that_overlap_tell_nothing() -> None:
    a = one("a", host=timing(1, 2), s21=timing(3, 4))
    b = one("b", host=timing(1.9, 3), s21=timing(1, 2))
    assert ranking_differences([a, b]) == ()


def test_other_load_may_explain_a_slower_one_and_never_a_faster_one() -> None:
    def found(fast: Stability, slow: Stability) -> int:
        a = one("a", host=timing(1, 2, fast), s21=timing(3, 4))
        b = one("b", host=timing(3, 4, slow), s21=timing(1, 2))
        return len(ranking_differences([a, b]) or ())

    assert found("stable", "stable") == found("disturbed", "stable") == 1
    assert found("stable", "disturbed") == found("throttled", "stable") == 0
    assert found("stable", "throttled") == 0


def test_nothing_is_compared_with_fewer_than_two_timed_devices() -> None:
    assert ranking_differences([one("a", host=timing(1, 2), chip=CHIP)]) is None
    assert ranking_differences([one("a")]) is None


spans = st.tuples(st.floats(0.1, 10), st.floats(0, 2))


@given(
    st.lists(st.tuples(spans, spans, spans), min_size=2, max_size=6).flatmap(
        lambda made: st.tuples(st.just(made), st.permutations(range(len(made))))
    )
)
def test_the_order_in_which_they_are_listed_does_not_matter(orders) -> None:
    made, shuffled = orders
    every = [
        one(f"v{place}", **{name: timing(low, low + wide) for name, (low, wide) in
                            zip(("a", "b", "c"), told, strict=True)})
        for place, told in enumerate(made)
    ]  # fmt: skip
    found = ranking_differences(every, "v0")
    assert found == ranking_differences([every[place] for place in shuffled], "v0")
    by_name = {each.name: each.latency for each in every}
    for pair in found or ():
        for fast, slow, devices in ((pair.one, pair.other, pair.one_faster),
                                    (pair.other, pair.one, pair.other_faster)):  # fmt: skip
            assert devices
            for device in devices:
                assert by_name[fast][device].p50_ms.high < by_name[slow][device].p50_ms.low
