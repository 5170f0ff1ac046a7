"""Pruned networks that a learning rate ruins are trained again, at a tenth of it.

Pruning itself costs something, and training may or may not bring it back. What it costs is known
where the pruned network is measured before it is trained: a training that leaves it far below that
has destroyed what it began with (see ``training/ruin.py``). Networks without batch norms that take
pixels of 0 to 255 are in danger; batch norms, which pruning keeps, bring what they read back to
its usual size. A network that knows next to nothing once it is pruned cannot be judged this way,
and is not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from components.artifacts import answers
from components.artifacts.history import Curve
from components.artifacts.model import ModelInfo
from components.ml.settings import Optimization
from components.ml.techniques.self_distillation import RuinedTraining
from components.ml.training.folder_outputs import outputs_of_folder
from components.ml.training.loop import Epoch, History
from components.ml.training.ruin import RuinedError, floor_of, refuse_ruin
from components.ml.training.validation import SPLIT, Validation

_RESTARTS = 2
_SLOWER = 0.1
"""How often a training begins again, and at which share of the rate: as ``self_distillation``."""

Fit: TypeAlias = Callable[[Optimization, float | None], History]
"""Trains the network in place; told how, and the metric that it is to stay above, if any."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrunedTraining:
    """What the training of a pruned network came to.

    Attributes:
        history: Of the epochs; epoch 0 is kept where every rate made it worse.
        optimization: How it was trained in the end.
        untrained: Validation of the pruned network before it was trained, 0 to 1.
        ruined: Trainings before it, at higher rates, from which nothing was kept.
    """

    history: History
    optimization: Optimization
    untrained: float
    ruined: tuple[RuinedTraining, ...] = ()

    def told(self, curve: Curve) -> Curve:
        """Return a curve with the learning rate that it was lowered to, if it was."""
        return replace(curve, lowered_to=self.optimization.learning_rate) if self.ruined else curve

    def to_json(self) -> dict[str, object]:
        """Return what reports say beside the history."""
        return {
            "validation_untrained": self.untrained,
            "learning_rate": self.optimization.learning_rate,
            "ruined": [asdict(one) for one in self.ruined],
        }


def floor_of_pruned(
    untrained: float, validation: Validation, teacher: Path | None = None,
    image_shape: tuple[int, int, int] | None = None,
) -> float | None:  # fmt: skip
    """Return the metric below which training has ruined a pruned network; None: it has none.

    Who follows a teacher that knows less than itself is not ruined, but learns what it is to learn.

    Args:
        untrained: Validation metric of the pruned network before it is trained, 0 to 1.
        validation: What measures it.
        teacher: The Model whose answers it learns, if not its own.
        image_shape: Of the dataset; needed with a teacher.
    """
    known = untrained
    if teacher is not None:
        theirs_nt = answers.stored(teacher, SPLIT)
        if theirs_nt is None:
            outputs = outputs_of_folder(teacher, ModelInfo.read(teacher), image_shape)
            known = min(known, validation.measure(outputs))
        else:
            known = min(known, validation.measure_answers(theirs_nt))
    return floor_of(known, validation.guessed)


def train_pruned(
    network: Any, fit: Fit, optimization: Optimization, untrained: float, floor: float | None
) -> PrunedTraining:
    """Train a pruned network in place, and again at a tenth of the rate where that ruins it.

    It begins again at most twice. Where the last attempt ruins it, too, its weights of before are
    kept; unless the last epoch is to be kept in any case.

    Args:
        network: With the weights that it begins with.
        fit: Trains it.
        optimization: How, at first.
        untrained: Validation metric of the pruned network before it is trained, 0 to 1.
        floor: The metric below which it is ruined, see ``ruin.floor_of``; None: it cannot be told.

    Raises:
        RuinedError: It ruins the network at the lowest of these rates, too, and the last epoch is
            to be kept, or its loss is not finite.
    """
    start, ruined = network.get_weights(), list[RuinedTraining]()
    while True:
        last = len(ruined) == _RESTARTS
        judged = not last or optimization.keep == "last"
        rate, epochs = optimization.learning_rate, optimization.epochs
        try:
            history = fit(optimization, floor if judged else None)
            if floor is not None and judged:
                refuse_ruin(
                    history.kept.validation or 0.0, floor, metric=history.metric,
                    epoch=len(history.epochs), epochs=epochs, learning_rate=rate,
                )  # fmt: skip
            break
        except RuinedError as ruin:
            if last:
                raise
            ruined.append(RuinedTraining(rate, ruin.epoch, ruin.validation))
            optimization = replace(optimization, learning_rate=rate * _SLOWER)
            network.set_weights(start)
            _LOG.warning(
                "%s; the pruned network had %.4f before; begun again with learning_rate %g in "
                "place of %g", ruin.what, untrained, optimization.learning_rate, rate,
            )  # fmt: skip
    if ruined and optimization.keep == "best" and (history.kept.validation or 0.0) < untrained:
        network.set_weights(start)
        _LOG.warning(
            "at learning_rate %g it was still worse than before in every epoch: %s %.4f at best, "
            "%.4f before; the weights of before are kept; try a lower one", rate, history.metric,
            history.kept.validation or 0.0, untrained,
        )  # fmt: skip
        history = replace(history, kept=Epoch(0, None, 0.0, untrained))
    return PrunedTraining(history, optimization, untrained, tuple(ruined))
