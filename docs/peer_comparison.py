"""Whether slimline's front dominates or equals a file of another tool, and in what it does not.

A file is described by bytes, accuracy and latency. Accuracies are compared in pairs, image by
image, and count as equal where the interval of their difference holds 0; so do medians whose
intervals overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from components.measure.paired import Answers, Reference
from components.statistics.bootstrap import Interval
from components.statistics.quantities import decimal, short_time
from components.statistics.resampling import Resampling
from docs.peer_results import MeasuredFile

METRIC = "accuracy"


@dataclass(frozen=True, eq=False)
class Entry:
    """A file with what it answered to the test images.

    Attributes:
        part: Whose it is, as ``--only`` takes it.
        title: The same as the page has it.
        file: How it was measured.
        folder: Of the result.
    """

    part: str
    title: str
    file: MeasuredFile
    folder: Path

    @property
    def measured(self) -> bool:
        """Whether it was run on the images and timed."""
        whole = self.file.accuracy is not None and self.file.p50_ms is not None
        return whole and not self.file.failure

    @property
    def accuracy(self) -> Interval:
        """On the test images."""
        assert self.file.accuracy, "only what was measured is compared"
        return self.file.accuracy

    @property
    def p50_ms(self) -> Interval:
        """Median of one inference."""
        assert self.file.p50_ms, "only what was measured is compared"
        return self.file.p50_ms

    @cached_property
    def reference(self) -> Reference:
        """What others are compared with, on the resamples that all share."""
        return Reference.of(self._answers, METRIC, Resampling())

    @cached_property
    def _answers(self) -> Answers:
        return Answers.read(self.folder / self.file.evaluation)

    def drop_of(self, other: Entry) -> Interval:
        """Return by how much ``other`` is less accurate, paired; negative is better."""
        return self.reference.drop_of(other._answers)


@dataclass(frozen=True)
class Verdict:
    """What slimline's front is against a file.

    Attributes:
        relation: dominates: a variant is better in at least one of the three and worse in none.
            equals: a variant is worse in none beyond what the intervals can tell. neither.
        sentence: By which variant, or what is missing.
    """

    relation: str
    sentence: str


def verdict_on(peer: Entry, front: Sequence[Entry]) -> Verdict:
    """Compare a file with slimline's variants, smallest first.

    Args:
        peer: A file of another tool that was measured.
        front: Variants on slimline's front that were measured.
    """
    small = sorted(
        (one for one in front if one.file.size_bytes <= peer.file.size_bytes),
        key=lambda one: one.file.size_bytes,
    )
    quick = [one for one in small if one.p50_ms.low <= peer.p50_ms.high]
    drops = [(one, peer.drop_of(one)) for one in quick]
    better = [(one, drop) for one, drop in drops if drop.value <= 0 and _ahead(one, peer, drop)]
    if better:
        return Verdict("dominates", _told(*better[0]))
    equal = [(one, drop) for one, drop in drops if drop.low <= 0]
    if equal:
        return Verdict("equals", _told(*min(equal, key=lambda pair: pair[1].value)))
    return Verdict("neither", _missing(peer, small, quick))


def _ahead(one: Entry, peer: Entry, drop: Interval) -> bool:
    """Say whether a variant that is worse in nothing is better in something.

    Its median may lie above the other's, within the intervals, only where it is not all there is.
    """
    slower = one.p50_ms.value > peer.p50_ms.value
    smaller = one.file.size_bytes < peer.file.size_bytes
    return not slower and (smaller or drop.value < 0 or one.p50_ms.high < peer.p50_ms.low)


def _told(one: Entry, drop: Interval) -> str:
    size, accuracy = f"{one.file.size_bytes:,} bytes", decimal(one.accuracy.value)
    took = short_time(one.p50_ms.value)
    return f"`{one.file.name}` with {size}, accuracy {accuracy}, a drop of {interval(drop)}, {took}"


def _missing(peer: Entry, small: Sequence[Entry], quick: Sequence[Entry]) -> str:
    """Say what no variant reaches."""
    if not small:
        return f"no variant on the front has at most {peer.file.size_bytes:,} bytes"
    best = max(small, key=lambda one: one.accuracy.value)
    drop = peer.drop_of(best)
    if best not in quick and drop.low <= 0:
        return (
            "of the variants that are no larger, those as accurate are slower: "
            f"{_told(best, drop)} against {short_time(peer.p50_ms.value)}"
        )
    return f"of the variants that are no larger, the most accurate is {_told(best, drop)}"


def interval(found: Interval) -> str:
    """Write a number with its interval."""
    value, low, high = (decimal(number) for number in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"
