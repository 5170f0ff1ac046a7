"""Budgets of devices: what is broken, what is unknown, and that the worse end decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.artifacts.budgets import DEVICE_LIMITS, Budgets, DeviceLimit
from components.artifacts.decision import Candidate, Timing
from components.artifacts.measurement import Energy, Stability
from components.selection.budgets import breaches_of
from components.selection.choosing import choose
from components.selection.device_budgets import QUANTITIES, asked_of
from components.selection.next_steps import next_steps
from components.statistics.bootstrap import Interval
from tests.data.candidates import measured

TEACHER = measured("teacher", candidate=False, size_bytes=None)
UNREADABLE = Energy("", None, "its counter may not be read")


def phone(verdict: Stability = "stable", **changes: Any) -> Timing:
    """A phone that tells everything but what only chips tell."""
    made = Timing(
        Interval(10.0, 9.5, 10.5), None, 11.0, 30.0, verdict, "evidence; more of it",
        peak_memory_bytes=8_000_000, load_high_ms=41.0,
        energy=Energy("whole phone", Interval(4.0, 3.5, 4.5), ""),
    )  # fmt: skip
    return replace(made, **changes)


def chip(**changes: Any) -> Timing:
    made = Timing(None, None, None, None, "stable", "", arena_bytes=20_480, flash_bytes=30_720)
    return replace(made, **changes)


def small(**devices: Timing) -> Candidate:
    return measured("small", latency=devices)


def chosen(one: Candidate, **limits: Any) -> Candidate:
    choice = choose([TEACHER, one], Budgets("auc", 0.01, **limits), reference="teacher")
    return choice.candidates[1]


KEPT: dict[DeviceLimit, float] = {
    "latency_ms": 10.5, "load_ms": 41, "memory_mb": 8, "energy_mj": 4.5, "arena_kb": 20,
    "flash_kb": 30,
}  # fmt: skip
"""The largest budgets that the worse ends of ``phone`` and ``chip`` just keep."""
BROKEN: dict[DeviceLimit, tuple[float, str]] = {
    "latency_ms": (10.4, "p50 on s21 up to 10.5 ms > 10.4 ms"),
    "load_ms": (40, "load on s21 up to 41 ms > 40 ms"),
    "memory_mb": (7.9, "peak memory on s21 8 MB > 7.9 MB"),
    "energy_mj": (4.4, "energy on s21 up to 4.5 mJ > 4.4 mJ"),
    "arena_kb": (19, "arena on chip 20 KiB > 19 KiB"),
    "flash_kb": (29, "flash on chip 30 KiB > 29 KiB"),
}


def test_all_that_the_worse_ends_just_keep_is_kept() -> None:
    assert chosen(small(s21=phone(), chip=chip()), **KEPT).verdict == "winner"


@pytest.mark.parametrize("key", DEVICE_LIMITS)
def test_a_broken_budget_is_a_sentence_with_device_number_and_budget(key: DeviceLimit) -> None:
    limit, sentence = BROKEN[key]
    found = chosen(small(s21=phone(), chip=chip()), **{**KEPT, key: limit})
    assert (found.verdict, found.reason) == ("over-budget", sentence)


@pytest.mark.parametrize("key", DEVICE_LIMITS)
def test_the_own_budget_of_a_device_counts_there_and_nowhere_else(key: DeviceLimit) -> None:
    limit, _ = BROKEN[key]
    name = "chip" if key in ("arena_kb", "flash_kb") else "s21"
    both = small(s21=phone(), chip=chip())
    stricter = chosen(both, **KEPT, by_device={name: {key: limit}})
    assert stricter.verdict == "over-budget"
    looser = chosen(both, **{**KEPT, key: limit}, by_device={name: {key: KEPT[key]}})
    assert looser.verdict == "winner"
    elsewhere = small(s21=phone(), host=phone(p50_ms=Interval(1, 1, 1)), chip=chip())
    assert chosen(elsewhere, by_device={"host": {"latency_ms": 2}}).verdict == "winner"


def test_what_wins_by_the_value_alone_does_not_win() -> None:
    for key, limit in (("latency_ms", 10.2), ("energy_mj", 4.2), ("load_ms", 35)):
        assert chosen(small(s21=phone()), **{key: limit}).verdict == "over-budget"


def test_an_old_decision_has_the_median_load_alone() -> None:
    old = phone(load_high_ms=None)
    assert chosen(small(s21=old), load_ms=30).verdict == "winner"
    assert chosen(small(s21=old), load_ms=29).verdict == "over-budget"


# unknown ----------------------------------------------------------------------------------------


def test_energy_that_could_not_be_read_leaves_it_undecided_with_a_fix() -> None:
    found = chosen(small(s21=phone(energy=UNREADABLE)), energy_mj=5)
    assert found.verdict == "undecided"
    assert found.reason.startswith("its energy on s21 is unknown (its counter may not be read)")
    assert found.reason.endswith("set energy_mj under devices of budgets, for those that tell it")


def test_a_device_that_cannot_tell_is_not_asked() -> None:
    both = small(s21=phone(), chip=chip())
    assert chosen(both, memory_mb=8, load_ms=41, latency_ms=11).verdict == "winner"
    page = phone(energy=None)  # a browser measures none
    assert chosen(small(s21=phone(), page=page), energy_mj=4.5).verdict == "winner"


@pytest.mark.parametrize(
    ("key", "timing"),
    [
        ("load_ms", phone(load_ms=None, load_high_ms=None)),
        ("memory_mb", phone(peak_memory_bytes=None)),
    ],
)
def test_measurements_of_others_that_lack_a_number_say_which_to_add(
    key: str, timing: Timing
) -> None:
    given_there = replace(timing, given="benchmark app 2.3")
    found = chosen(small(iphone=given_there, host=phone()), **{key: 100})
    assert found.verdict == "undecided"
    column = {"load_ms": "load_ms", "memory_mb": "memory_bytes"}[key]
    assert f"add {column} to its measurements, or set {key} under devices" in found.reason
    helped = chosen(small(iphone=given_there, host=phone()), by_device={"host": {key: 100}})
    assert helped.verdict == "winner"


def test_a_budget_that_nothing_told_anything_of_is_not_kept() -> None:
    assert chosen(small(s21=phone()), arena_kb=64).verdict == "undecided"
    assert "no device told its arena" in chosen(small(s21=phone()), arena_kb=64).reason
    own = chosen(small(s21=phone(), chip=chip()), by_device={"s21": {"arena_kb": 64}})
    assert (own.verdict, "take arena_kb of s21 out of budgets" in own.reason) == ("undecided", True)


# verdicts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "kept", "broken"),
    [
        ("latency_ms", "winner", "undecided"), ("load_ms", "winner", "undecided"),
        ("memory_mb", "winner", "over-budget"), ("energy_mj", "undecided", "undecided"),
    ],
)  # fmt: skip
def test_other_load_only_slows_but_hides_energy_and_leaves_memory(
    key: DeviceLimit, kept: str, broken: str
) -> None:
    shaken = small(s21=phone("disturbed"))
    assert chosen(shaken, **{key: KEPT[key]}).verdict == kept
    found = chosen(shaken, **{key: BROKEN[key][0]})
    assert found.verdict == broken
    assert found.reason.startswith("disturbed on s21") == (broken == "undecided")


def test_what_is_kept_although_it_was_disturbed_is_said_once_for_a_device() -> None:
    found = chosen(small(s21=phone("disturbed")), latency_ms=11, load_ms=42)
    assert "its latency and its load on s21 keep their budgets although" in found.reason


@pytest.mark.parametrize("key", ["latency_ms", "load_ms", "energy_mj"])
def test_a_device_that_slowed_itself_down_decides_no_time_and_no_energy(key: DeviceLimit) -> None:
    hot = small(s21=phone("throttled"))
    assert chosen(hot, **{key: 1000}).verdict == "undecided"
    assert chosen(hot, memory_mb=8).verdict == "winner"
    assert chosen(hot, memory_mb=7).verdict == "over-budget"


# what helps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", DEVICE_LIMITS)
@pytest.mark.parametrize("own", [False, True])
def test_the_edit_that_next_steps_give_lets_it_win(key: DeviceLimit, *, own: bool) -> None:
    name = "chip" if key in ("arena_kb", "flash_kb") else "s21"
    limit = BROKEN[key][0]
    limits: dict[str, Any] = {"by_device": {name: {key: limit}}} if own else {key: limit}
    budgets = Budgets("auc", 0.01, **limits)
    one = small(s21=phone(), chip=chip())
    choice = choose([TEACHER, one], budgets, reference="teacher")
    assert choice.winner is None
    steps = next_steps(choice.near_misses, budgets, {}, units=100, unit="images")
    binds = next(step for step in steps if " binds: " in step)
    assert binds.startswith(QUANTITIES[key].budget)
    edit, _, place = binds.rpartition("it keeps every budget with ")[2].partition(" under ")
    value = yaml.safe_load(f"{{{edit}}}")
    assert place == (f"{name} of devices under budgets:" if own else "budgets:")
    helped = Budgets("auc", 0.01, **({"by_device": {name: value}} if own else value))
    assert choose([TEACHER, one], helped, reference="teacher").winner == "small"
    assert len(steps) > 1, "what makes less of it"


# any --------------------------------------------------------------------------------------------

numbers = st.floats(0.5, 50)


@st.composite
def timings(draw: st.DrawFn, device: str) -> Timing:
    if device == "chip":
        return chip(arena_bytes=draw(st.integers(512, 50_000)))
    value, span = draw(numbers), draw(st.floats(0, 5))
    return phone(
        draw(st.sampled_from(["stable", "stable", "stable", "disturbed", "throttled"])),
        p50_ms=Interval(value, max(0.1, value - span), value + span),
        load_high_ms=draw(st.one_of(st.none(), numbers)),
        peak_memory_bytes=draw(st.one_of(st.none(), st.integers(500_000, 50_000_000))),
        energy=draw(
            st.sampled_from(
                [None, UNREADABLE, Energy("board", Interval(value, value, 2 * value), "")]
            )
        ),
    )


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    devices = draw(st.sampled_from([("host",), ("host", "s21"), ("host", "s21", "chip")]))
    return [
        measured(
            name, size_bytes=draw(st.integers(1_000, 9_000)),
            latency={device: draw(timings(device)) for device in devices},
        )
        for name in "abcd"
    ]  # fmt: skip


limits = st.dictionaries(st.sampled_from(DEVICE_LIMITS), numbers, max_size=4)
budgets_of_devices = st.builds(
    lambda every, own: Budgets("auc", 0.01, **every, by_device=own or None),
    limits,
    st.dictionaries(st.just("host"), limits, max_size=1),
)


@given(candidates(), budgets_of_devices)
def test_the_winner_keeps_every_number_that_is_asked_for(
    made: list[Candidate], budgets: Budgets
) -> None:
    choice = choose([TEACHER, *made], budgets, reference="teacher")
    for one in choice.candidates[1:]:
        asked = list(asked_of(one, budgets))
        broken = [each for each in asked if each.value is not None and each.value > each.limit]
        if one.verdict in ("winner", "kept"):
            assert not broken
            for key in {each.key for each in asked}:
                assert any(each.value is not None for each in asked if each.key == key)
            assert all(each.value is not None for each in asked if each.own)
        if one.verdict == "over-budget":
            assert any(breach.certain for breach in breaches_of(one, budgets))


@given(candidates().flatmap(lambda made: st.tuples(st.just(made), st.permutations(made))),
       budgets_of_devices)  # fmt: skip
def test_no_order_of_variants_or_devices_matters(
    orders: tuple[list[Candidate], list[Candidate]], budgets: Budgets
) -> None:
    made, shuffled = orders
    turned = [replace(one, latency=dict(reversed([*one.latency.items()]))) for one in shuffled]
    first = choose([TEACHER, *made], budgets, reference="teacher")
    other = choose([TEACHER, *turned], budgets, reference="teacher")
    assert first.winner == other.winner
    verdicts = [{one.name: one.verdict for one in each.candidates} for each in (first, other)]
    assert verdicts[0] == verdicts[1]


@given(candidates(), budgets_of_devices, st.floats(1, 4))
def test_a_looser_budget_never_gives_a_larger_winner(
    made: list[Candidate], budgets: Budgets, factor: float
) -> None:
    def loosened(given: dict[Any, float]) -> dict[Any, float]:
        return {key: value * factor for key, value in given.items()}

    every = {key: getattr(budgets, key) for key in DEVICE_LIMITS if getattr(budgets, key)}
    own = {name: loosened(dict(limit)) for name, limit in (budgets.by_device or {}).items()}
    looser = Budgets("auc", 0.01, **loosened(every), by_device=own or None)
    sizes = {one.name: one.size_bytes for one in made}
    before = choose([TEACHER, *made], budgets, reference="teacher").winner
    after = choose([TEACHER, *made], looser, reference="teacher").winner
    assert before is None or (after is not None and sizes[after] <= sizes[before])
