"""Budgets of devices: what a candidate has to keep on each, what it breaks, and what is not known.

A budget of all devices concerns each that can tell its number. One that can and did not, such as a
meter of energy that may not be read, leaves a candidate undecided, as does a budget that no device
told anything about. A device's own budget has to be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from components.artifacts.budgets import DEVICE_LIMITS, Budgets, DeviceLimit
from components.artifacts.decision import Candidate, Timing
from components.statistics.quantities import (
    KIBIBYTE,
    MEGABYTE,
    distinct_digits,
    kibibytes,
    millijoules,
)
from components.statistics.units import Writer, size_writer, time_writer


@dataclass(frozen=True)
class Breach:
    """One budget that a candidate does not keep.

    Attributes:
        text: The sentence.
        excess: By which part of the budget it is missed; 0.5 is half as much again.
        certain: False when it rests on a disturbed measurement.
        budget: Which one, in a word: drop, latency, load, memory, energy, arena, flash, size.
        allowed: The edit of the configuration that would allow it, for a number in place of {}.
        needed: That number; infinite where none would do.
    """

    text: str
    excess: float
    certain: bool = True
    budget: str = "a floor"
    allowed: str = ""
    needed: float = 0.0


@dataclass(frozen=True)
class Quantity:
    """A number that devices tell and a budget limits.

    Attributes:
        budget: What breaches and next steps call the budget.
        noun: What is limited.
        worst: Its worse end, in the unit of the record; None where the device told none.
        unit: How many of these the budget's own unit holds.
        writer: What writes numbers of the record's unit, of which this is the largest.
        end: Of which several it is the worst, which sentences say by "up to"; empty where of none.
        by_load: What other load makes of it: ``slower`` can only make it worse, ``wrong`` may make
            it better as well, ``equal`` leaves it as it is.
        advice: What to do about a device that can tell it and did not.
        limited: What lists of budgets call it, where that is not the noun.
    """

    budget: str
    noun: str
    worst: Callable[[Timing], float | None]
    unit: float
    writer: Callable[[float], Writer]
    end: str
    by_load: Literal["slower", "wrong", "equal"]
    advice: str
    limited: str = ""

    def written(self, limit: float) -> str:
        """Write a budget with its unit and what it limits: ``50 ms load``."""
        return f"{self.alone(limit * self.unit)} {self.limited or self.noun}"

    def alone(self, value: float) -> str:
        """Write a number of the record's unit that nothing is compared with."""
        return self.writer(value)(value, 3)


def _energy(timing: Timing) -> float | None:
    taken = timing.energy and timing.energy.mj_per_inference
    return taken.high if taken else None


QUANTITIES: Final[dict[DeviceLimit, Quantity]] = {
    "latency_ms": Quantity(
        "latency", "p50", lambda timing: timing.p50_ms and timing.p50_ms.high, 1.0, time_writer,
        end="upper end of its interval", by_load="slower",
        advice="add samples_ms or p50_ms to its measurements", limited="median latency",
    ),
    "load_ms": Quantity(
        "load", "load", lambda timing: timing.slowest_load_ms, 1.0, time_writer,
        end="the slowest process", by_load="slower", advice="add load_ms to its measurements",
    ),
    "memory_mb": Quantity(
        "memory", "peak memory", lambda timing: timing.peak_memory_bytes, MEGABYTE, size_writer,
        end="", by_load="equal", advice="add memory_bytes to its measurements",
    ),
    "energy_mj": Quantity(
        "energy", "energy", _energy, 1.0, lambda _: millijoules,
        end="upper end of its interval", by_load="wrong", advice="make its counter readable",
        limited="energy an inference",
    ),
    "arena_kb": Quantity(
        "arena", "arena", lambda timing: timing.arena_bytes, KIBIBYTE, lambda _: kibibytes,
        end="", by_load="equal", advice="add arena_bytes to its measurements",
    ),
    "flash_kb": Quantity(
        "flash", "flash", lambda timing: timing.flash_bytes, KIBIBYTE, lambda _: kibibytes,
        end="", by_load="equal", advice="add flash_bytes to its measurements",
    ),
}  # fmt: skip
"""By the key of a budget what it limits."""

_ON_CHIPS: Final = ("arena_kb", "flash_kb")


@dataclass(frozen=True)
class LimitedNumber:
    """One budget on one device.

    Attributes:
        device: Its name.
        key: Of the budget.
        limit: The budget, in its own unit.
        own: Whether it is that device's own.
        timing: What was measured there.
    """

    device: str
    key: DeviceLimit
    limit: float
    own: bool
    timing: Timing

    @property
    def quantity(self) -> Quantity:
        """What is limited."""
        return QUANTITIES[self.key]

    @property
    def value(self) -> float | None:
        """The worse end, in the budget's unit; None where the device told none."""
        worst = self.quantity.worst(self.timing)
        return None if worst is None else worst / self.quantity.unit

    @property
    def noun(self) -> str:
        """What is limited, as the beginning of a line."""
        noun = self.quantity.limited or self.quantity.noun
        return f"{noun[:1].upper()}{noun[1:]}"

    @property
    def limit_in_words(self) -> str:
        """The budget with its unit."""
        return self.quantity.alone(self.limit * self.quantity.unit)

    @property
    def value_in_words(self) -> str:
        """The worse end with its unit."""
        worst = self.quantity.worst(self.timing)
        return "unknown" if worst is None else self.quantity.alone(worst)

    @property
    def in_words(self) -> str:
        """Both: ``up to 41 ms; budget 50 ms``."""
        upto = "up to " if self.quantity.end else ""
        return f"{upto}{self.value_in_words}; budget {self.limit_in_words}"

    @property
    def is_kept(self) -> bool:
        """Whether the worse end keeps it."""
        return self.value is not None and self.value <= self.limit

    @property
    def is_certain(self) -> bool:
        """Whether the number can be believed, whatever it says."""
        return self.quantity.by_load == "equal" or self.timing.verdict == "stable"


def asked_of(candidate: Candidate, budgets: Budgets) -> Iterator[LimitedNumber]:
    """Yield what a candidate has to keep on each device, budget after budget."""
    for key in DEVICE_LIMITS:
        for device, timing in candidate.latency.items():
            limit = getattr(budgets.on(device), key)
            if limit is not None:
                yield LimitedNumber(device, key, limit, budgets.is_own(device, key), timing)


def device_breaches(candidate: Candidate, budgets: Budgets) -> Iterator[Breach]:
    """Yield every budget that is not kept on a device."""
    several = len(candidate.latency) > 1
    for asked in asked_of(candidate, budgets):
        if asked.value is not None and not asked.is_kept:
            yield _breach(asked, asked.value, named=several or asked.key != "latency_ms")


def _breach(asked: LimitedNumber, value: float, *, named: bool) -> Breach:
    quantity = asked.quantity
    found, limit = value * quantity.unit, asked.limit * quantity.unit
    write = quantity.writer(max(found, limit))
    digits = distinct_digits(found, limit, write)
    where = f" on {asked.device}" if named else ""
    upto = " up to" if quantity.end else ""
    place = f" under {asked.device} of devices under budgets:" if asked.own else " under budgets:"
    return Breach(
        f"{quantity.noun}{where}{upto} {write(found, digits)} > {write(limit, digits)}",
        value / asked.limit - 1,
        certain=asked.is_certain,
        budget=quantity.budget,
        allowed=f"{asked.key}: {{}}{place}",
        needed=value,
    )


def disturbed_and_kept(candidate: Candidate, budgets: Budgets) -> dict[str, list[str]]:
    """Return by budget the devices where it is kept although the measurement was disturbed."""
    found: dict[str, list[str]] = {}
    for asked in asked_of(candidate, budgets):
        shaken = asked.timing.verdict == "disturbed"
        if shaken and asked.is_kept and asked.quantity.by_load == "slower":
            found.setdefault(asked.quantity.budget, []).append(asked.device)
    return found


def unbelievable(candidate: Candidate, budgets: Budgets, device: str) -> bool:
    """Whether a budget rests on a number that the verdict on its measurement makes doubtful."""
    verdict = candidate.latency[device].verdict
    for asked in asked_of(candidate, budgets):
        if asked.device != device or asked.is_certain or asked.value is None:
            continue
        if verdict == "throttled" or asked.quantity.by_load == "wrong" or not asked.is_kept:
            return True
    return False


def device_doubt(candidate: Candidate, budgets: Budgets) -> str | None:
    """Say of which budget a device should have told the number and did not, or None."""
    told: dict[DeviceLimit, bool] = {}
    for asked in asked_of(candidate, budgets):
        told[asked.key] = told.get(asked.key, False) or asked.value is not None
        if asked.value is None and (asked.own or _can_tell(asked)):
            return _missing(asked)
    for key, known in told.items():
        if not known:
            noun = QUANTITIES[key].noun
            return f"no device told its {noun}, so whether {key} is kept is unknown"
    return None


def _can_tell(asked: LimitedNumber) -> bool:
    """Whether a device that told nothing could have: chips have no time, and others no arena."""
    if asked.key in _ON_CHIPS:
        return False
    if asked.key == "energy_mj":
        return asked.timing.energy is not None
    return asked.timing.p50_ms is not None


def _missing(asked: LimitedNumber) -> str:
    """Say why a number is unknown, and what to do."""
    quantity, timing = asked.quantity, asked.timing
    energy = timing.energy if asked.key == "energy_mj" else None
    why = f" ({energy.why_not})" if energy and energy.why_not else ""
    others = (
        f"take {asked.key} of {asked.device} out of budgets"
        if asked.own
        else f"set {asked.key} under devices of budgets, for those that tell it"
    )
    advice = f"{quantity.advice}, or " if timing.given or energy else ""
    return (
        f"its {quantity.noun} on {asked.device} is unknown{why}, so whether {asked.key} is kept is "
        f"unknown: {advice}{others}"
    )
