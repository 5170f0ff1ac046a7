"""The steps of a run that choose: one for every device together, or one for each device."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

SELECT, SEALED = "select", "evaluate-sealed"


@dataclass(frozen=True)
class ChoiceSteps:
    """The names of the steps of one choice.

    Attributes:
        device: For which device it is; None is for every one.
        select: The step that chooses.
        sealed: The step that measures the winner on the sealed images.
    """

    device: str | None
    select: str
    sealed: str

    @classmethod
    def on(cls, device: str | None) -> ChoiceSteps:
        """Return the steps of the choice for a device."""
        end = "" if device is None else f"-{device}"
        return cls(device, f"{SELECT}{end}", f"{SEALED}{end}")


def choices_of(devices: Sequence[str] | None) -> tuple[ChoiceSteps, ...]:
    """Return the choices of a graph.

    Args:
        devices: That have a choice each; None is one for every device.
    """
    return tuple(ChoiceSteps.on(device) for device in (devices or (None,)))


def choices_in(steps: Collection[str]) -> tuple[ChoiceSteps, ...]:
    """Return the choices of a run, by the names of its steps, in their order."""
    start = f"{SELECT}-"
    return choices_of([name.removeprefix(start) for name in steps if name.startswith(start)])
