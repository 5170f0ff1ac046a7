"""Measurements: what was measured of every variant on each device, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.artifacts.decision import Candidate, Decision, Timing
from components.pages.words import ends_ms
from components.statistics.quantities import short_bytes, short_time, significant

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


def _table(device: str, decision: Decision, variants: Sequence[Candidate]) -> DeviceTable:
    timed = [(one.name, one.latency[device]) for one in variants if device in one.latency]
    shown = [
        (head, cell) for head, cell in _COLUMNS if any(cell(timing) != _NONE for _, timing in timed)
    ]
    machine = decision.devices[device]
    threads = "1 thread" if machine.threads == 1 else f"{machine.threads} threads"
    what = machine.facts.get("model") or machine.facts.get("cpu") or device
    return DeviceTable(
        device=device,
        note=f"{what}; {machine.runtime}, {threads}.",
        heads=tuple(head for head, _ in shown),
        rows=tuple((name, tuple(cell(timing) for _, cell in shown)) for name, timing in timed),
        evidence=tuple((name, timing.verdict, timing.evidence) for name, timing in timed),
    )


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
    return short_time(timing.first_ms), loaded


def _memory(timing: Timing) -> tuple[str, str]:
    return (
        _NONE if timing.peak_memory_bytes is None else (short_bytes(timing.peak_memory_bytes), "")
    )


def _partitions(timing: Timing) -> tuple[str, str]:
    return _NONE if timing.partitions is None else (f"{timing.partitions}", "")


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
    return f"{most:.0f} \N{DEGREE SIGN}C", f"from {began:.0f} \N{DEGREE SIGN}C"


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
    return _NONE if timing.arena_bytes is None else (short_bytes(timing.arena_bytes), "")


def _flash(timing: Timing) -> tuple[str, str]:
    return _NONE if timing.flash_bytes is None else (short_bytes(timing.flash_bytes), "the model")


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
    ("partitions of the delegate", _partitions),
    ("clock", _clock),
    ("heat", _heat),
    ("p50 under lasting load", _sustained),
    ("energy an inference", _energy),
    ("arena", _arena),
    ("flash", _flash),
    ("given by", _given),
    ("an estimate, not measured", _estimate),
)
