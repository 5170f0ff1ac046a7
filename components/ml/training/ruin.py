"""Ruin: a learning rate too high for a network destroys what it had learned, and how that is told.

One step moves every weight by about the learning rate, however small the weight is. A network that
takes pixels of 0 to 255 has kernels of a few thousandths in its first layer.
"""

from __future__ import annotations

from components.contract.errors import UserError

_KNOWS_SOMETHING = 0.1
_LOST = 0.5
"""A network whose metric is so far above guessing is ruined where it has lost this share of it."""
_JUDGED_AFTER = 0.25
"""Share of the epochs before which a network may fall as it likes: the rate is at its highest."""


class RuinedError(UserError):
    """The learning rate destroyed what the network had learned.

    Args:
        epoch: The last one that was run, from 1.
        validation: The best metric until then, 0 to 1; None where the loss was no finite number.
        what: See ``UserError``.
        fix: See ``UserError``.
    """

    def __init__(self, epoch: int, validation: float | None, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.epoch = epoch
        self.validation = validation


def floor_of(start: float, guessed: float) -> float | None:
    """Return the validation metric below which a network is ruined; None if it knew too little.

    Args:
        start: The metric before training, 0 to 1.
        guessed: What a network that knows nothing reaches, 0 to 1.
    """
    known = start - guessed
    return start - _LOST * known if known >= _KNOWS_SOMETHING else None


def refuse_ruin(
    reached: float, floor: float, *, metric: str, epoch: int, epochs: int, learning_rate: float
) -> None:
    """Ask that a network is above its floor, once a quarter of the epochs is over.

    Args:
        reached: Its validation metric, 0 to 1.
        floor: See ``floor_of``.
        metric: Name of it.
        epoch: That was run last, from 1.
        epochs: Of the whole training, count.
        learning_rate: Its peak.

    Raises:
        RuinedError: It is below.
    """
    if reached >= floor or epoch < _JUDGED_AFTER * epochs:
        return
    raise RuinedError(
        epoch,
        reached,
        f"training ruined the network: {metric} {reached:.4f} after epoch {epoch}, and below "
        f"{floor:.4f} most of what it knew is lost",
        f"set learning_rate below {learning_rate:g}",
    )
