"""Measurements: what was measured of every variant on each device, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from components.artifacts.decision import Candidate, Decision, Timing
from components.pages.operators import operator_shares
from components.pages.words import count, ends_ms
from components.selection.device_budgets import asked_of
from components.statistics.quantities import kibibytes, short_bytes, short_time, significant

_NONE = ("\N{EN DASH}", "")
_Cell = Callable[[Timing], tuple[str, str]]


@dataclass(frozen=True)
class DeviceTable:
    """What was measured on one device.

    Attributes:
        device: Its name.
        note: What it is, in a sentence.
        heads: Titles of the columns.
        rows: Name of a variant, and for each column its value and what stands below it.
        evidence: Name of a variant, its verdict, and what that rests on.
    """

    device: str
    note: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    evidence: tuple[tuple[str, str, str], ...]


def device_tables(decision: Decision, variants: Sequence[Candidate]) -> tuple[DeviceTable, ...]:
    """Return a table for each device, without columns that nothing is known for.

    Args:
        decision: Names the devices.
        variants: In the order of the rows.
    """
    return tuple(_table(name, decision, variants) for name in decision.devices)


@dataclass(frozen=True)
class LimitedColumn:
    """A number of devices that a budget limits, beside latency, which every device has.

    Attributes:
        title: What it is.
        cells: By name of a variant, for each device that told one: its name, the worse end, and the
            budget.
    """

    title: str
    cells: Mapping[str, Sequence[tuple[str, str, str]]]


def limited_columns(decision: Decision) -> tuple[LimitedColumn, ...]:
    """Return the numbers of devices that budgets limit, without medians."""
    found: dict[str, dict[str, list[tuple[str, str, str]]]] = {}
    for one in decision.variants:
        for asked in asked_of(one, decision.budgets):
            if asked.key != "latency_ms" and asked.value is not None:
                told = (asked.device, asked.value_in_words, asked.limit_in_words)
                found.setdefault(asked.noun, {}).setdefault(one.name, []).append(told)
    return tuple(LimitedColumn(title, cells) for title, cells in found.items())


def timed_devices(decision: Decision) -> tuple[str, ...]:
    """Return the devices that have medians, or that nothing came of; chips have none."""
    return tuple(
        device
        for device in dict.fromkeys(name for one in decision.variants for name in one.latency)
        if not any(
            (timing := one.latency.get(device)) and timing.arena_bytes and not timing.p50_ms
            for one in decision.variants
        )
    )


def chips(decision: Decision) -> tuple[str, ...]:
    """Return the devices that tell memory for tensors and no time."""
    timed = timed_devices(decision)
    every = dict.fromkeys(name for one in decision.variants for name in one.latency)
    return tuple(device for device in every if device not in timed)


def _table(device: str, decision: Decision, variants: Sequence[Candidate]) -> DeviceTable:
    timed = [(one.name, one.latency[device]) for one in variants if device in one.latency]
    shown = [
        (head, cell) for head, cell in _COLUMNS if any(cell(timing) != _NONE for _, timing in timed)
    ]
    machine = decision.devices[device]
    threads = "1 thread" if machine.threads == 1 else f"{machine.threads} threads"
    what = machine.facts.get("model") or machine.facts.get("cpu") or device
    runtimes = ", ".join(dict.fromkeys(timing.runtime for _, timing in timed if timing.runtime))
    return DeviceTable(
        device=device,
        note=" ".join((f"{what}; {runtimes or machine.runtime}, {threads}.", *_notes(timed))),
        heads=tuple(head for head, _ in shown),
        rows=tuple((name, tuple(cell(timing) for _, cell in shown)) for name, timing in timed),
        evidence=tuple((name, timing.verdict, timing.evidence) for name, timing in timed),
    )


def _notes(timed: Sequence[tuple[str, Timing]]) -> list[str]:
    """Return what has to be known of the numbers, each sentence with the variants that it is of."""
    of: dict[str, list[str]] = {}
    for name, timing in timed:
        for note in timing.notes:
            of.setdefault(note, []).append(name)
    return [
        f"{'' if len(names) == len(timed) else ', '.join(names) + ': '}{note}."
        for note, names in of.items()
    ]


def _median(timing: Timing) -> tuple[str, str]:
    if timing.p50_ms is None:
        return _NONE
    return short_time(timing.p50_ms.value), ends_ms(timing.p50_ms)


def _verdict(timing: Timing) -> tuple[str, str]:
    return timing.verdict, "" if timing.verdict == "stable" else timing.short_evidence


def _first(timing: Timing) -> tuple[str, str]:
    if timing.first_ms is None:
        return _NONE
    loaded = "" if timing.load_ms is None else f"loaded in {short_time(timing.load_ms)}"
    slowest = timing.load_high_ms
    if loaded and slowest:
        loaded += f", at most {short_time(slowest)}"
    return short_time(timing.first_ms), loaded


def _memory(timing: Timing) -> tuple[str, str]:
    return (
        _NONE if timing.peak_memory_bytes is None else (short_bytes(timing.peak_memory_bytes), "")
    )


def _delegate(timing: Timing) -> tuple[str, str]:
    """Say how many pieces the delegate runs, and what computed where that was asked for."""
    pieces = "" if timing.partitions is None else count(timing.partitions, "partition")
    ran = timing.accelerator
    if ran is None or (ran.asked == "cpu" and (pieces or ran.evidence == "unknown")):
        return (pieces, "") if pieces else _NONE
    got = ran.got if ran.got == ran.asked else f"{ran.got}, asked for {ran.asked}"
    return pieces or got, f"{got}: {ran.evidence}" if pieces else ran.evidence


def _clock(timing: Timing) -> tuple[str, str]:
    cores = f"cores {', '.join(map(str, timing.cores))}" if timing.cores else ""
    if timing.clock_mhz is None:
        return (cores, "") if cores else _NONE
    low, high = (f"{each:.0f}" for each in timing.clock_mhz)
    return f"{low} MHz" if low == high else f"{low} to {high} MHz", cores


def _heat(timing: Timing) -> tuple[str, str]:
    if timing.heat_c is None:
        return _NONE
    began, most = timing.heat_c
    degrees = "\N{DEGREE SIGN}C"
    ended = "" if timing.end_heat_c is None else f", at the end {timing.end_heat_c:.0f} {degrees}"
    return f"{most:.0f} {degrees}", f"from {began:.0f} {degrees}{ended}"


def _sustained(timing: Timing) -> tuple[str, str]:
    lasting = timing.sustained
    if lasting is None:
        return _NONE
    if lasting.p50_ms is None or lasting.first_p50_ms is None:
        return "unknown", lasting.why_not
    grown = 100 * (lasting.p50_ms.value / lasting.first_p50_ms.value - 1)
    after = f"{grown:+.0f} % after {lasting.seconds / 60:.0f} minutes"
    return short_time(lasting.p50_ms.value), after


def _energy(timing: Timing) -> tuple[str, str]:
    energy = timing.energy
    if energy is None:
        return _NONE
    taken = energy.mj_per_inference
    if taken is None:
        return "unknown", energy.why_not
    told = f"{significant(taken.low)} to {significant(taken.high)}, {energy.scope}"
    return f"{significant(taken.value)} mJ", told


def _arena(timing: Timing) -> tuple[str, str]:
    return _NONE if timing.arena_bytes is None else (kibibytes(timing.arena_bytes), "")


def _flash(timing: Timing) -> tuple[str, str]:
    return _NONE if timing.flash_bytes is None else (kibibytes(timing.flash_bytes), "the model")


def _operators(timing: Timing) -> tuple[str, str]:
    """Return the kinds that take most, and what all of them are of the p50."""
    times = timing.operators
    if times is None:
        return _NONE
    return operator_shares(times) or ("unknown", times.why_not)


def _estimate(timing: Timing) -> tuple[str, str]:
    reckoned = timing.estimate
    if reckoned is None:
        return _NONE
    return "none" if reckoned.ms is None else short_time(reckoned.ms), reckoned.words


def _given(timing: Timing) -> tuple[str, str]:
    return (timing.given, "") if timing.given else _NONE


_COLUMNS: tuple[tuple[str, _Cell], ...] = (
    ("p50", _median),
    ("verdict", _verdict),
    ("first inference", _first),
    ("peak memory", _memory),
    ("delegate", _delegate),
    ("clock", _clock),
    ("heat", _heat),
    ("p50 under lasting load", _sustained),
    ("energy an inference", _energy),
    ("operators that take most", _operators),
    ("arena", _arena),
    ("flash", _flash),
    ("given by", _given),
    ("an estimate, not measured", _estimate),
)
