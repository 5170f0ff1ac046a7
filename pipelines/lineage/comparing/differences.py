"""Something that is not the same in both runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in both runs.

    Attributes:
        what: Which parameter, package, file of code or fact of the machine.
        before: What it was in the first run; null where there was none.
        now: What it is in the second; null where there is none.
    """

    what: str
    before: object
    now: object


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Return what is not the same under one name, or is under one of the two alone."""
    return [
        Difference(name, before.get(name), now.get(name))
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
