"""N-way one-shot trials: which of N identities, each known by one image, does another image show?

A trial asks about an image, the query. Its support set is one other image of the same identity and
one image of each of N - 1 other identities, all of the query's group where there are groups (of
Omniglot the alphabet). The support image of the largest cosine is the answer.

What is resampled is who is asked about; the support sets are the design, as the groups are. A
trial has N identities, so in hardly any resample of identities would one have been drawn whole;
and copies of an identity among its own rivals would change the question.

Shapes: n images, c cells (an identity within a group), t trials, w ways, u units to resample, r
resamples.

References:
    Lake, Salakhutdinov and Tenenbaum, Human-level concept learning through probabilistic program
    induction (2015): 20-way within alphabets.
    Koch, Zemel and Salakhutdinov, Siamese neural networks for one-shot image recognition (2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from components.statistics.one_shot_plan import OneShotPlan
from components.statistics.running_sums import Counts, Floats, Ints

_PARTS = 720_720
"""A right answer, divisible by 1 to 16: a tie is shared in whole numbers, so sums are exact."""


@dataclass(frozen=True)
class OneShotTask:
    """Which one-shot trials there are on a split.

    Attributes:
        ways: Identities that each trial chooses between.
        trials: How many there are.
        seed: Decides which: equal for every model.
        chance: Accuracy of guessing, 1 / ``ways``.
        identities: Those that are asked about: at least two images in a group that is used.
        groups: Groups that are used; 0 where the data has none.
        left_out: Groups of fewer identities than ``ways``, by name; nothing is asked in them.
    """

    ways: int
    trials: int
    seed: int
    chance: float
    identities: int
    groups: int
    left_out: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The trials in words, for reports."""
        where = f", each within one of {self.groups:,} groups" if self.groups else ""
        text = (
            f"{self.trials:,} trials of {self.ways} ways and 1 shot about {self.identities:,} "
            f"identities{where}; guessing reaches {self.chance:.3g}"
        )
        if not self.left_out:
            return text
        noun = "group has" if len(self.left_out) == 1 else "groups have"
        return (
            f"{text}. {len(self.left_out)} {noun} fewer than {self.ways} identities and "
            f"{'is' if len(self.left_out) == 1 else 'are'} left out: {', '.join(self.left_out)}"
        )


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials as they were drawn.

    Attributes:
        task: Which they are.
        query_t: The image that each asks about.
        support_tw: The images to choose between; the first shows the query's identity.
    """

    task: OneShotTask
    query_t: Ints
    support_tw: Ints

    def within(self, chosen_n: NDArray[np.bool_]) -> Trials | None:
        """Return the trials on some of the images, which are then numbered among themselves.

        Args:
            chosen_n: Which images; a trial about one of them shows no other.

        Returns:
            None where no trial is about them.
        """
        kept = chosen_n[self.query_t]
        if not kept.any():
            return None
        place_n = np.cumsum(chosen_n, dtype=np.int64) - 1
        task = replace(self.task, trials=int(np.count_nonzero(kept)))
        return Trials(task, place_n[self.query_t[kept]], place_n[self.support_tw[kept]])

    def outcomes(self, cosines_nn: Floats, unit_n: Ints, units: int) -> Outcomes:
        """Return what a model answers.

        Args:
            cosines_nn: Of every two images.
            unit_n: What each image is drawn with: its identity, or itself.
            units: How many of those there are.
        """
        scores_tw = cosines_nn[self.query_t[:, None], self.support_tw]
        best = scores_tw.max(axis=1)
        tied = np.count_nonzero(scores_tw == best[:, None], axis=1)
        right = np.where(scores_tw[:, 0] == best, np.rint(_PARTS / tied), 0).astype(np.int64)
        asked_u, right_u = np.zeros(units, np.int64), np.zeros(units, np.int64)
        np.add.at(asked_u, unit_n[self.query_t], 1)
        np.add.at(right_u, unit_n[self.query_t], right)
        return Outcomes(asked_u, right_u)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a model answered in all trials, by the unit that was asked about.

    Attributes:
        asked_u: Trials about each unit.
        right_u: Right answers among them, in parts; of k tied images each is a k-th of an answer.
    """

    asked_u: Ints
    right_u: Ints

    def usable(self, weights_ru: Counts) -> NDArray[np.bool_]:
        """Return which rows have a trial at all; models do not matter."""
        return (weights_ru @ self.asked_u) > 0

    def accuracy(self, weights_ru: Counts) -> Floats:
        """Return the share of right answers under each row of weights."""
        return (weights_ru @ self.right_u) / (weights_ru @ self.asked_u) / _PARTS


def draw_trials(
    labels: NDArray[np.integer],
    groups: NDArray[np.integer] | None,
    plan: OneShotPlan,
    *,
    seed: int,
    group_names: Sequence[str] = (),
) -> Trials | str:
    """Draw the trials of a split.

    Args:
        labels: n identities.
        groups: n groups, which a trial does not leave, -1 for none: such images take no part;
            None is one group for all.
        plan: How many ways and trials.
        seed: Equal seeds, equal trials, whatever a model answers.
        group_names: What the groups index, for reports.

    Returns:
        The trials, or why there are none, in one sentence.
    """
    group_n = np.zeros(len(labels), np.int64) if groups is None else groups.astype(np.int64)
    cells = _Cells.of(labels, group_n).of_groups()
    used, sizes = np.unique(cells.group_c, return_counts=True)
    if not used.size:
        return "no image belongs to a group"
    enough = used[sizes >= plan.ways]
    asked_c = np.flatnonzero(np.isin(cells.group_c, enough) & (cells.count_c > 1))
    if not asked_c.size:
        return _reason(plan.ways, used, sizes, groups, group_names)
    random = np.random.default_rng(seed)
    order = random.permutation(asked_c)
    trials = np.array_split(np.arange(plan.trials), len(order))
    drawn = [
        _about(cells, cell, len(numbers), plan.ways, random)
        for cell, numbers in zip(order, trials, strict=True)
        if len(numbers)
    ]
    left_out = used[sizes < plan.ways] if groups is not None else used[:0]
    task = OneShotTask(
        ways=plan.ways,
        trials=plan.trials,
        seed=seed,
        chance=1 / plan.ways,
        identities=len(drawn),
        groups=0 if groups is None else len(enough),
        left_out=tuple(_name(group, group_names) for group in left_out),
    )
    query_t, support_tw = (np.concatenate(part) for part in zip(*drawn, strict=True))
    return Trials(task, query_t, support_tw)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Images ordered by cell, an identity within a group."""

    group_c: Ints
    start_c: Ints  # in image_n
    count_c: Ints
    image_n: Ints

    @classmethod
    def of(cls, labels: NDArray[np.integer], group_n: Ints) -> _Cells:
        both, cell_n, count_c = np.unique(
            np.stack([group_n, labels.astype(np.int64)]),
            axis=1,
            return_inverse=True,
            return_counts=True,
        )
        image_n = np.argsort(cell_n.ravel(), kind="stable")
        return cls(both[0], np.cumsum(count_c) - count_c, count_c, image_n)

    def of_groups(self) -> _Cells:
        """Return those without the images of no group."""
        kept = self.group_c >= 0
        return _Cells(self.group_c[kept], self.start_c[kept], self.count_c[kept], self.image_n)

    def image(self, cell: Ints, place: Ints) -> Ints:
        """Return the images at places within their cells."""
        return self.image_n[self.start_c[cell] + place]


def _about(
    cells: _Cells, cell: int, trials: int, ways: int, random: np.random.Generator
) -> tuple[Ints, Ints]:
    """Draw the trials about one cell: queries and their support sets."""
    count = int(cells.count_c[cell])
    asked = (random.random(trials) * count).astype(np.int64)
    shown = (asked + 1 + (random.random(trials) * (count - 1)).astype(np.int64)) % count
    (others,) = np.nonzero(cells.group_c == cells.group_c[cell])
    others = others[others != cell]
    rivals = others[random.random((trials, others.size)).argsort(axis=1)[:, : ways - 1]]
    places = (random.random(rivals.shape) * cells.count_c[rivals]).astype(np.int64)
    same = np.full(trials, cell)
    support = np.concatenate(
        [cells.image(same, shown)[:, None], cells.image(rivals, places)], axis=1
    )
    return cells.image(same, asked), support


def _reason(
    ways: int,
    used: Ints,
    sizes: Ints,
    groups: NDArray[np.integer] | None,
    names: Sequence[str],
) -> str:
    most = int(sizes.max())
    if most >= ways:
        return f"no identity of a group of {ways} or more has two images to ask with"
    if groups is None:
        return f"a trial of {ways} ways needs {ways} identities, and there are {most}"
    largest = _name(used[int(sizes.argmax())], names)
    return (
        f"a trial of {ways} ways needs {ways} identities in a group, and the largest group, "
        f"{largest}, has {most}"
    )


def _name(group: np.integer, names: Sequence[str]) -> str:
    return names[int(group)] if names else f"group {group}"
