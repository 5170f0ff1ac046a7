"""The ROC curve of a verifier.

References:
    Fawcett, An introduction to ROC analysis (2006): ties count half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.statistics.running_sums import Floats


@dataclass(frozen=True, eq=False)
class Roc:
    """The operating points of a verifier, from accepting nothing to accepting everything.

    Attributes:
        thresholds: Accept at this score or above, descending; the first accepts nothing.
        false_positive_rate: Share of impostor pairs accepted.
        true_positive_rate: Share of genuine pairs accepted.
    """

    thresholds: Floats
    false_positive_rate: Floats
    true_positive_rate: Floats

    def thinned(self, points: int) -> Roc:
        """Return at most ``points`` of them, evenly along the curve, both ends kept."""
        if self.thresholds.size <= points:
            return self
        travelled = self.false_positive_rate + self.true_positive_rate
        kept = np.unique(np.searchsorted(travelled, np.linspace(0, 2, points)))
        kept = np.clip(kept, 0, self.thresholds.size - 1)
        return Roc(
            self.thresholds[kept], self.false_positive_rate[kept], self.true_positive_rate[kept]
        )
