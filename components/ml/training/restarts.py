"""Restarts: a training that ruins its network is begun again at a tenth of the learning rate.

A learning rate that suits one network ruins another (see ``ruin.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from components.artifacts.history import Curve
from components.ml.settings import Optimization
from components.ml.training.loop import Epoch, History
from components.ml.training.ruin import RuinedError, refuse_ruin

_RESTARTS = 2
_SLOWER = 0.1
"""How often a training that ruins its network begins again; each time at this share of the rate."""

Fit: TypeAlias = Callable[[Optimization, float | None], History]
"""Trains a network in place; told how, and the metric that it is to stay above, if any."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RuinedTraining:
    """A training that was given up because it ruined the network.

    Attributes:
        learning_rate: Its peak.
        epochs: That were run, count.
        validation: The best metric after one of them, 0 to 1; None where the loss was not finite.
    """

    learning_rate: float
    epochs: int
    validation: float | None


@dataclass(frozen=True)
class RestartedTraining:
    """What a training came to that may have begun again.

    Attributes:
        history: Of the epochs; epoch 0 is kept where the weights of before are.
        optimization: How it was trained in the end.
        untrained: Validation metric before it, 0 to 1.
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


def fit_with_restarts(
    network: Any,
    fit: Fit,
    optimization: Optimization,
    untrained: float,
    floor: float | None,
    *,
    never_worse: bool,
) -> RestartedTraining:
    """Train a network in place, and again at a tenth of the rate, at most twice, if it is ruined.

    Args:
        network: With the weights that it begins with.
        fit: Trains it; with a new objective each time, whose variables would be ruined, too.
        optimization: How, at first.
        untrained: Validation metric before it is trained, 0 to 1.
        floor: The metric below which it is ruined, see ``ruin.floor_of``; None: it cannot be told.
        never_worse: The weights of before stay where every epoch is worse, unless the last epoch is
            to be kept. False: only where the last attempt ruins it, too.

    Raises:
        RuinedError: It ruins the network at the lowest of these rates, too, and the last epoch is
            to be kept, or its loss is not finite.
    """
    start, ruined = network.get_weights(), list[RuinedTraining]()
    while True:
        last, rate = len(ruined) == _RESTARTS, optimization.learning_rate
        # After the last attempt the start is there to be kept, but where the last epoch has to be.
        judged = floor if not last or optimization.keep == "last" else None
        try:
            history = fit(optimization, judged)
            if judged is not None:
                refuse_ruin(
                    history.kept.validation or 0.0, judged, metric=history.metric,
                    epoch=len(history.epochs), epochs=optimization.epochs, learning_rate=rate,
                )  # fmt: skip
            break
        except RuinedError as ruin:
            if last:
                raise
            ruined.append(RuinedTraining(rate, ruin.epoch, ruin.validation))
            optimization = replace(optimization, learning_rate=rate * _SLOWER)
            network.set_weights(start)
            _LOG.warning(
                "%s; it was %.4f before; begun again with learning_rate %g in place of %g",
                ruin.what, untrained, optimization.learning_rate, rate,
            )  # fmt: skip
    reached = history.kept.validation or 0.0
    if (never_worse or ruined) and optimization.keep == "best" and reached < untrained:
        # What is compressed worked before; training that only harms it helps nobody.
        network.set_weights(start)
        _LOG.warning(
            "training made it worse in every epoch: %s %.4f at best, %.4f before; the weights of "
            "before are kept; try a learning_rate below %g",
            history.metric, reached, untrained, optimization.learning_rate,
        )  # fmt: skip
        history = replace(history, kept=Epoch(0, None, 0.0, untrained))
    return RestartedTraining(history, optimization, untrained, tuple(ruined))
