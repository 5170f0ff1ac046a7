"""What pages show of a measurement: verdict and why, heat, clocks, lasting load, energy."""

from __future__ import annotations

from dataclasses import replace

from components.artifacts.decision import Candidate
from components.artifacts.estimate import CycleEstimate
from components.artifacts.measurement import Acceleration, Energy, Sustained
from components.artifacts.operators import OperatorTime, OperatorTimes
from components.artifacts.report_material import ReportMaterial
from components.pages.leaderboard import leaderboard_page
from components.pages.measurements import device_tables
from components.statistics.bootstrap import Interval
from tests.data.decisions import decision_of, variants

OPERATORS = OperatorTimes.told(
    "a profiler",
    50,
    [OperatorTime("CONV_2D", 0.5), OperatorTime("SOFTMAX", 0.3), OperatorTime("CONV_2D", 0.4)],
    1.5,
)


def with_timing(one: Candidate, **changes: object) -> Candidate:
    return replace(one, latency={"host": replace(one.latency["host"], **changes)})


def test_columns_that_nothing_is_known_for_are_left_out() -> None:
    decision = decision_of()
    (table,) = device_tables(decision, decision.variants)
    assert table.heads == ("p50", "verdict", "first inference")
    assert table.note == "Test CPU; ai-edge-litert 2.3.0, 1 thread."
    assert table.evidence[0] == ("teacher", "stable", "quiet")


def test_everything_that_was_measured_is_shown() -> None:
    teacher, good, small = variants()
    lasting = Sustained(300.0, Interval(1.0, 0.9, 1.1), Interval(1.25, 1.2, 1.3))
    full = with_timing(
        good,
        verdict="throttled",
        evidence="its thermal status was 2; 24 of 24 blocks undisturbed",
        peak_memory_bytes=1_500_000,
        heat_c=(31.0, 44.0),
        clock_mhz=(1800.0, 2400.0),
        cores=(4, 5),
        partitions=2,
        sustained=lasting,
        energy=Energy("CPU package", Interval(2.5, 2.0, 3.0), ""),
        operators=OPERATORS.by_kind(),
        accelerator=Acceleration("gpu", "gpu", "LITERT_CL runs 31 of 31 nodes"),
        notes=("an app may differ",),
    )
    other = with_timing(
        small,
        sustained=Sustained(0.0, None, None, "the process ended with signal 9 (SIGKILL)"),
        energy=Energy("", None, "not available: the device charges over its cable"),
        operators=OperatorTimes("a profiler", why_not="too short"),
    )
    decision = decision_of([teacher, full, other])
    (table,) = device_tables(decision, decision.variants)
    cells = {name: dict(zip(table.heads, row, strict=True)) for name, row in table.rows}
    assert cells["good"] == {
        "p50": ("1.5 ms", "1.43 to 1.57 ms"),
        "verdict": ("throttled", "its thermal status was 2"),
        "first inference": ("1.5 ms", "loaded in 1.5 ms"),
        "peak memory": ("1.5 MB", ""),
        "delegate": ("2 partitions", "gpu: LITERT_CL runs 31 of 31 nodes"),
        "clock": ("1800 to 2400 MHz", "cores 4, 5"),
        "heat": ("44 \N{DEGREE SIGN}C", "from 31 \N{DEGREE SIGN}C"),
        "p50 under lasting load": ("1.25 ms", "+25 % after 5 minutes"),
        "energy an inference": ("2.5 mJ", "2 to 3, CPU package"),
        "operators that take most": (
            "CONV_2D 75%, SOFTMAX 25%",
            "all operators: 1.2 ms, 80% of the p50; a profiler",
        ),
    }
    assert table.note.endswith("1 thread. good: an app may differ.")
    assert cells["small"]["operators that take most"] == ("unknown", "too short")
    assert cells["small"]["energy an inference"] == (
        "unknown", "not available: the device charges over its cable",
    )  # fmt: skip
    assert cells["small"]["p50 under lasting load"][1].endswith("signal 9 (SIGKILL)")
    page = leaderboard_page(decision, ReportMaterial((), {}))
    assert "On host: all that was measured" in page
    assert "run again with --remeasure when the device has cooled down" in page
    assert "<strong>good</strong> is throttled: its thermal status was 2" in page


def test_what_others_measured_is_marked_and_a_microcontroller_has_no_time() -> None:
    teacher, good, small = variants()
    given = with_timing(good, given="benchmark app 2.3", first_ms=None)
    micro = with_timing(small, p50_ms=None, first_ms=None, arena_bytes=4048, flash_bytes=6432)
    decision = decision_of([teacher, given, micro])
    (table,) = device_tables(decision, decision.variants)
    cells = {name: dict(zip(table.heads, row, strict=True)) for name, row in table.rows}
    assert cells["good"]["given by"] == ("benchmark app 2.3", "")
    assert cells["small"]["arena"] == ("3.95 KiB", "")
    assert cells["small"]["flash"] == ("6.28 KiB", "the model")
    assert cells["small"]["p50"] == ("\N{EN DASH}", "")


def test_an_estimate_stands_apart_and_no_choice_knows_it() -> None:
    teacher, good, small = variants()
    reckoned = CycleEstimate(
        "ethos-u-vela", "5.2.0", "ethos-u55-128", "High_End", "Shared_Sram", 4460, 500.0, 0.00892,
        1280, 7, 1,
    )  # fmt: skip
    floats = CycleEstimate("ethos-u-vela", "5.2.0", "ethos-u55-128", why_not="not int8")
    decision = decision_of(
        [teacher, with_timing(good, estimate=reckoned), with_timing(small, estimate=floats)]
    )
    (table,) = device_tables(decision, decision.variants)
    assert table.heads[-1] == "an estimate, not measured"
    cells = {name: dict(zip(table.heads, row, strict=True)) for name, row in table.rows}
    value, below = cells["good"]["an estimate, not measured"]
    assert value == "8.92 \N{MICRO SIGN}s"
    assert below == (
        "4,460 cycles of ethos-u55-128 at 500 MHz, reckoned by ethos-u-vela 5.2.0; 1 operator "
        "beside it is not counted"
    )
    assert cells["small"]["an estimate, not measured"] == ("none", "not int8")
    without = decision_of([teacher, good, small])
    slow = replace(reckoned, cycles=10**12, ms=2e6)
    with_slow = decision_of([teacher, with_timing(good, estimate=slow), small])
    told = [(one.name, one.verdict, one.on_front, one.reason) for one in without.variants]
    assert [(one.name, one.verdict, one.on_front, one.reason) for one in with_slow.variants] == told


def test_a_variant_that_the_file_does_not_measure_says_what_helps() -> None:
    teacher, good, small = variants()
    evidence = "phone.csv measures no model of the sha256 ab"
    absent = with_timing(small, verdict="absent", p50_ms=None, evidence=evidence)
    decision = decision_of([teacher, good, absent])
    found = decision.variant("small")
    assert (found.verdict, found.reason) == ("undecided", f"not measured on host: {evidence}")
    page = leaderboard_page(decision, ReportMaterial((), {}))
    assert "measure the file of that sha256, add it to the measurements" in page
