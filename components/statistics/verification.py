"""All pairs of a split with their scores: how well a verifier tells them apart.

Shapes: n samples, d outputs, u units to resample, r resamples, c resamples of one chunk, p pairs,
k distinct scores of genuine pairs, i identities.

References:
    Fawcett, An introduction to ROC analysis (2006): ties count half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.contract.types import Unit
from components.statistics.bootstrap import draw
from components.statistics.one_shot import Outcomes, Trials
from components.statistics.roc import Roc
from components.statistics.running_sums import Counts, Floats, Ints, RunningSums, running_sums

FAR: Final = 0.01
"""The false accept rate at which ``tar`` is read."""

LOW_FAR: Final = 0.001
"""The false accept rate at which ``tar_1e3`` is read."""

IMPOSTORS_LEAST: Final = 10_000
"""Impostor pairs that ``tar_1e3`` needs: ten false accepts are then expected. With fewer, the
threshold would be the score of one or two pairs."""

_DECIMALS = 9
"""Cosines are rounded to this: what is equal in exact arithmetic must tie, whatever BLAS does with
the last bit, and the outputs are float32, so nothing real is lost."""
_PIXELS = 4096
# Most columns and cells of a chunk: its arrays stay in the processor's caches.
_COLUMNS, _CELLS = 64, 2_000_000


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of a split with their scores: the sample of verification.

    Genuine pairs lie in descending order of score, and so do impostor pairs.

    Attributes:
        units: How many units there are to resample.
        resample: What a unit is.
        labels: n labels.
        scores_genuine: Score of each genuine pair.
        scores_impostor: Score of each impostor pair.
        units_genuine: 2 x p, the units that a genuine pair's weight is the product of; one row
            where an identity is drawn as a whole.
        units_impostor: 2 x p.
        threshold: Where ``accuracy`` is read; None leaves it out.
        outcomes: Of one-shot trials; None where there are none.
    """

    units: int
    resample: Unit
    labels: Ints
    scores_genuine: Floats
    scores_impostor: Floats
    units_genuine: Ints
    units_impostor: Ints
    threshold: float | None
    outcomes: Outcomes | None = None

    @classmethod
    def of(
        cls,
        outputs: NDArray[np.generic],
        labels: NDArray[np.integer],
        *,
        resample: Unit = "identity",
        threshold: float | None = None,
        trials: Trials | None = None,
    ) -> Pairs:
        """Score all pairs of samples by the cosine of their outputs.

        Args:
            outputs: n x d embeddings (or anything to compare), of any length; a zero vector has the
                cosine 0 with everything.
            labels: n identities.
            resample: "identity" draws whole identities, for people never trained on; "image" draws
                images within each, where all identities there are were trained on.
            threshold: See the class.
            trials: One-shot trials on these images.

        Raises:
            ValueError: An output is not finite, or there are no genuine or no impostor pairs.
        """
        first, second = np.triu_indices(len(labels), k=1)
        cosines_nn = cosines(outputs)
        scores = cosines_nn[first, second]
        known, identity = np.unique(labels, return_inverse=True)
        genuine = identity[first] == identity[second]
        unit = identity if resample == "identity" else np.arange(len(labels))
        if not genuine.any() or genuine.all():
            missing = "impostor" if genuine.all() else "genuine"
            raise ValueError(f"{len(labels)} samples of {known.size} identities: no {missing} pair")

        def side(chosen: NDArray[np.bool_]) -> tuple[Floats, Ints]:
            (places,) = np.nonzero(chosen)
            # In which order equal scores come is of no account: nothing is read between them.
            places = places[np.argsort(-scores[places])]
            return scores[places], np.stack([unit[first[places]], unit[second[places]]])

        scores_genuine, units_genuine = side(genuine)
        scores_impostor, units_impostor = side(~genuine)
        units = known.size if resample == "identity" else len(labels)
        return cls(
            units=units,
            resample=resample,
            labels=identity.astype(np.int64),
            scores_genuine=scores_genuine,
            scores_impostor=scores_impostor,
            units_genuine=units_genuine[:1] if resample == "identity" else units_genuine,
            units_impostor=units_impostor,
            threshold=threshold,
            outcomes=trials and trials.outcomes(cosines_nn, unit, units),
        )

    def draw(self, resamples: int, seed: int) -> Counts:
        """Return r x u counts; a draw without genuine or without impostor pairs is drawn again.

        Identities are drawn from all of them, images from those of the same identity: when images
        are the units, which identities there are and how many images of each is the design.
        """
        strata = np.zeros(self.units, np.int64) if self.resample == "identity" else self.labels
        return draw(strata, resamples, seed, self._usable)

    def _usable(self, weights_ru: Counts) -> NDArray[np.bool_]:
        paired = self._paired(weights_ru)
        return paired & self.outcomes.usable(weights_ru) if self.outcomes else paired

    def _paired(self, weights_ru: Counts) -> NDArray[np.bool_]:
        members = np.bincount(self.labels)
        if self.resample == "identity":
            drawn = weights_ru > 0
            return (drawn.sum(axis=1) > 1) & drawn[:, members > 1].any(axis=1)
        of_identity_ni = (self.labels[:, None] == np.arange(members.size)).astype(np.float32)
        distinct_ri = (weights_ru > 0).astype(np.float32) @ of_identity_ni
        return ((distinct_ri > 0).sum(axis=1) > 1) & (distinct_ri > 1).any(axis=1)

    def measure(self, weights_ru: Counts) -> dict[str, Floats]:
        """Return every metric that exists: name to r values.

        ``accuracy`` needs a threshold, ``tar_1e3`` 10,000 impostor pairs, ``one_shot`` trials.

        A pair weighs the product of its units' weights; a genuine pair within a drawn identity
        weighs what the identity weighs. All sums are of integers, so exact in any order.
        """
        cuts = _Cuts.of(self)
        step = int(np.clip(_CELLS // cuts.genuine.size, 8, _COLUMNS))
        chunks = [
            cuts.measure(np.ascontiguousarray(weights_ru[start : start + step].T))
            for start in range(0, len(weights_ru), step)
        ]
        found = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
        if self.outcomes:
            found["one_shot"] = self.outcomes.accuracy(weights_ru)
        return found

    def roc(self) -> Roc:
        """Return the curve over all distinct scores, thresholds finite."""
        genuine, impostor = -self.scores_genuine, -self.scores_impostor
        cuts = np.unique(np.concatenate([genuine, impostor]))
        nothing = np.nextafter(cuts[:1], -np.inf)
        return Roc(
            -np.concatenate([nothing, cuts]),
            np.searchsorted(impostor, np.append(nothing, cuts), "right") / impostor.size,
            np.searchsorted(genuine, np.append(nothing, cuts), "right") / genuine.size,
        )

    def balanced_threshold(self) -> float:
        """Return the score at which as many genuine pairs are refused as impostors accepted.

        The equal-error point and not the best accuracy: an argmax over few pairs is far noisier.
        It lies half-way between two scores that occurred, so that rounding decides nothing.
        """
        roc = self.roc()
        balance = roc.false_positive_rate - (1 - roc.true_positive_rate)
        crossing = int(np.argmax(balance >= 0))
        if abs(balance[crossing - 1]) < balance[crossing]:
            crossing -= 1
        below = roc.thresholds[min(crossing + 1, roc.thresholds.size - 1)]
        return float((roc.thresholds[crossing] + below) / 2)

    def histogram(self, bins: int = 50) -> dict[str, list[float] | list[int]]:
        """Count genuine and impostor pairs by score over -1 to 1, equal bins for every model."""
        edges = np.linspace(-1, 1, bins + 1)
        genuine, impostor = (
            np.histogram(np.clip(scores, -1, 1), edges)[0].tolist()
            for scores in (self.scores_genuine, self.scores_impostor)
        )
        return {"edges": edges.tolist(), "genuine": genuine, "impostor": impostor}


@dataclass(frozen=True, eq=False)
class _Cuts:
    """Where the distinct genuine scores cut the sorted pairs: what a resample needs, found once.

    The curve's corners are (impostors above a cut, genuine pairs before it) and (impostors above
    or tied, genuine pairs up to it); between two cuts it only runs sideways, so the impostors'
    own scores need no corner.
    """

    pairs: Pairs
    genuine: Ints  # k cuts, descending: genuine pairs up to and with this score
    above: Ints  # impostor pairs strictly above it
    level: Ints  # impostor pairs above it or tied with it

    @classmethod
    def of(cls, pairs: Pairs) -> _Cuts:
        genuine, impostor = -pairs.scores_genuine, -pairs.scores_impostor
        cuts = np.unique(genuine)
        return cls(
            pairs=pairs,
            genuine=np.searchsorted(genuine, cuts, "right"),
            above=np.searchsorted(impostor, cuts, "left"),
            level=np.searchsorted(impostor, cuts, "right"),
        )

    def measure(self, weights_uc: Counts) -> dict[str, Floats]:
        """Return the metrics under each column of weights."""
        pairs, cuts = self.pairs, self.genuine.size
        above, level = slice(cuts), slice(cuts, 2 * cuts)  # of the impostors' positions
        genuine, impostor = self._sums(weights_uc)
        tpr, fpr = genuine.share, impostor.share
        tpr_kc = np.concatenate([np.zeros_like(tpr[:1]), tpr[:cuts]])  # a row before the first cut
        risen_kc = np.diff(genuine.sums[:cuts].astype(np.int64), axis=0, prepend=0)
        beside_kc = impostor.sums[above].astype(np.int64) + impostor.sums[level]
        lost = np.einsum("kc,kc->c", risen_kc, beside_kc)
        metrics = {
            "auc": 1 - lost / (2.0 * genuine.total * impostor.total),
            "eer": _equal_error(tpr_kc, fpr[above], fpr[level]),
        }
        rates = {"tar": FAR}
        if pairs.scores_impostor.size >= IMPOSTORS_LEAST:
            rates["tar_1e3"] = LOW_FAR
        for name, rate in rates.items():
            # Both rates rise along the curve, so counting rows finds where one is crossed.
            within = np.count_nonzero(fpr[level] <= rate * (1 + 1e-12), axis=0)
            metrics[name] = tpr_kc[within, np.arange(within.size)]
        if pairs.threshold is not None:
            metrics["accuracy"] = (tpr[-1] + 1 - fpr[-1]) / 2
        return metrics

    def _sums(self, weights_uc: Counts) -> tuple[RunningSums, RunningSums]:
        """Return the weights of the first genuine and impostor pairs, up to each cut.

        The last row of each is up to the threshold: what is accepted there.
        """
        pairs = self.pairs
        threshold = np.inf if pairs.threshold is None else pairs.threshold
        genuine = np.append(self.genuine, np.count_nonzero(pairs.scores_genuine >= threshold))
        accepted = np.count_nonzero(pairs.scores_impostor >= threshold)
        impostor = np.concatenate([self.above, self.level, [accepted]])
        return (
            running_sums(weights_uc, pairs.units_genuine, genuine),
            running_sums(weights_uc, pairs.units_impostor, impostor),
        )


def _equal_error(tpr_kc: Floats, above_kc: Floats, level_kc: Floats) -> Floats:
    """Return, per column, the rate at which the curve crosses false accepts = false rejects.

    Args:
        tpr_kc: k + 1 x c true positive rates, before the first cut and after each.
        above_kc: k x c false positive rates as a cut is reached.
        level_kc: k x c false positive rates after it.
    """
    columns = np.arange(len(tpr_kc[0]))
    cut = np.count_nonzero(level_kc + tpr_kc[1:] < 1, axis=0)
    start, stop = above_kc[cut, columns], level_kc[cut, columns]
    before, after = tpr_kc[cut, columns], tpr_kc[cut + 1, columns]
    rise = stop - start + after - before
    share = (1 - start - before) / np.where(rise > 0, rise, 1)
    return np.where(start + before >= 1, 1 - before, start + share * (stop - start))


def has_pairs(labels: NDArray[np.integer]) -> bool:
    """Whether there is a genuine pair and an impostor pair among samples with these labels."""
    members = np.unique(labels, return_counts=True)[1]
    return members.size > 1 and bool((members > 1).any())


def impostor_pairs(labels: NDArray[np.integer]) -> int:
    """Count the pairs of samples of different identities."""
    counts = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return int(counts.sum() ** 2 - (counts**2).sum()) // 2


def cosines(outputs: NDArray[np.generic]) -> Floats:
    """Return the n x n cosines of the rows of ``outputs`` (n x d, not all finite: ValueError)."""
    if not np.isfinite(outputs).all():
        raise ValueError("an output is not finite")
    gram = np.zeros((len(outputs), len(outputs)))
    for start in range(0, outputs.shape[1], _PIXELS):  # raw pixels are too many for float64 at once
        part = outputs[:, start : start + _PIXELS].astype(np.float64)
        gram += part @ part.T
    length = np.sqrt(np.diag(gram))
    length[length == 0] = np.inf
    return np.round(gram / length[:, None] / length, _DECIMALS)
