"""Amounts as people write them: durations, shares, and how often something may happen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from components.contract.errors import UserError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"(\d+)([smhdw])")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")
_RATE = re.compile(r"(\d+)/(\d+[smhdw])")


def duration_s(text: str, option: str) -> int:
    """Read a duration such as ``90s``, ``10m``, ``6h``, ``30d`` or ``2w``, in seconds.

    Raises:
        UserError: It is none, or no time at all.
    """
    found = _DURATION.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not seconds:
        raise UserError(
            f"{option} {text!r} is no duration: expected a number and s, m, h, d or w",
            f"write {option} 10m",
        )
    return seconds


def share(text: str, option: str) -> float:
    """Read a share such as ``20%``, 0 to 1.

    Raises:
        UserError: It is none, or above 100%.
    """
    found = _SHARE.fullmatch(text)
    value = float(found[1]) / 100 if found else 2.0
    if not 0 <= value <= 1:
        raise UserError(
            f"{option} {text!r} is no share: expected 0% to 100%", f"write {option} 20%"
        )
    return value


@dataclass(frozen=True)
class Rate:
    """How often something may happen.

    Attributes:
        count: So many times, at least 1.
        period_s: In so many seconds.
    """

    count: int
    period_s: int

    def __str__(self) -> str:
        return f"{self.count}/{in_words(self.period_s)}"


def rate(text: str, option: str) -> Rate:
    """Read a rate such as ``1/24h``.

    Raises:
        UserError: It is none, or never.
    """
    found = _RATE.fullmatch(text)
    if not found or not int(found[1]):
        raise UserError(
            f"{option} {text!r} is no rate: expected a count, a slash and a duration",
            f"write {option} 1/24h",
        )
    return Rate(int(found[1]), duration_s(found[2], option))


def in_words(seconds: float) -> str:
    """Write a duration as ``duration_s`` reads it, in the largest unit that says it exactly."""
    whole = round(seconds)
    for unit, length in reversed(_UNITS.items()):
        if whole and whole % length == 0:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def told(seconds: float) -> str:
    """Write a duration for people: its two largest units, such as ``3 h 12 min``."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def _whole(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise ValueError(text)
    return int(text)


_READERS: dict[str, Callable[[str], float]] = {
    "images": _whole,
    "identities": _whole,
    "changed": lambda text: share(text, "--when changed"),
    "age": lambda text: duration_s(text, "--when age"),
}


@dataclass(frozen=True)
class Thresholds:
    """What has to have changed before a watch trains again: any one of these is enough.

    Attributes:
        images: So many images are new.
        identities: So many classes or identities are new.
        changed: So large a share of the images is new or gone, 0 to 1.
        age_s: The last training is so long ago, in seconds, and something has changed.
    """

    images: int | None = None
    identities: int | None = None
    changed: float | None = None
    age_s: float | None = None

    @property
    def any_change(self) -> bool:
        """Whether nothing is asked, so that each change counts."""
        return self == Thresholds()


def _amount(name: str, value: str) -> float | None:
    try:
        return _READERS[name](value)
    except (KeyError, ValueError):
        return None


def thresholds(texts: list[str]) -> Thresholds:
    """Read thresholds such as ``images:200``, ``identities:5``, ``changed:5%`` and ``age:30d``.

    Raises:
        UserError: One of them is none of these, or given twice.
    """
    found: dict[str, float] = {}
    for text in (part for given in texts for part in given.split("|")):
        name, colon, value = text.partition(":")
        amount = _amount(name, value) if colon and name not in found else None
        if amount is None:
            raise UserError(
                f"--when {text!r} is no threshold: expected each of images:200, identities:5, "
                "changed:5%, age:30d at most once",
                "write --when images:200, or several of them: --when images:200 --when age:30d",
            )
        found[name] = amount
    images, identities = found.get("images"), found.get("identities")
    return Thresholds(
        images=None if images is None else int(images),
        identities=None if identities is None else int(identities),
        changed=found.get("changed"),
        age_s=found.get("age"),
    )
