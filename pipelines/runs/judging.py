"""Whether enough images judge to prove the drop that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.contract.source import Format
from components.data.image_list import IMAGE_FILE
from components.data.placing import TRAIN, layout_of
from components.data.settings import CurationPlan
from components.statistics.metrics import PRIMARY
from components.statistics.sample_size import units_needed

_SPLIT = "selection"  # by which the variants are compared
_IMAGES_AN_IDENTITY = 4  # that a cap leaves room for


@dataclass(frozen=True)
class Judges:
    """What is expected to compare the variants, or does.

    Attributes:
        task: What the model is to do.
        unit: ``image`` or ``identity``: what intervals are resampled over.
        count: How many.
        counted: Whether ingest counted them; otherwise they follow from names of files.
    """

    task: str
    unit: str
    count: int
    counted: bool

    def too_few(self, metric: str | None, drop: float, confidence: float) -> str:
        """Warn where they are too few to prove a drop; nothing where they are enough.

        Args:
            metric: Of which the drop is; None is the task's leading one.
            drop: Largest loss against the teacher.
            confidence: Coverage of intervals.
        """
        metric = metric or PRIMARY[self.task]
        needed = units_needed(self.task, metric, drop, confidence)
        if needed is None or self.count >= needed:
            return ""
        noun = "images" if self.unit == "image" else "identities"
        about = "" if self.counted else "about "
        return (
            f"{about}{self.count:,} {noun} compare the variants; to prove a drop of {metric} of at "
            f"most {drop:g} takes about {needed:,}, even of a variant that loses nothing. Give "
            f"more data, a larger {_SPLIT} under split:, or a larger drop under budgets:"
        )


def judges_of(report: Mapping[str, Any]) -> Judges | None:
    """Read who judges out of ``ingest.json``; None from one that does not say it."""
    split = report["splits"].get(_SPLIT)
    if split is None or "task" not in report:
        return None
    count = split["classes" if report["resample"] == "identity" else "images"]
    return Judges(report["task"], report["resample"], count, counted=True)


def expected_judges(names: list[str], form: Format, plan: CurationPlan) -> Judges | None:
    """Foretell who will judge from the names of files; None where they do not say it.

    Args:
        names: Of all files of the source.
        form: How they are to be read.
        plan: How they will be divided.
    """
    if form != "folder":
        return None
    layout = layout_of(names, plan.labels)
    places = [layout.place(name) for name in names if IMAGE_FILE.search(name)]
    sound = [place for place in places if not place.fault]
    if any(place.split for place in sound):
        own = [place for place in sound if place.split in ("val", "valid", "validation")]
        share = 0.5 if own else plan.selection
        sound = own or [place for place in sound if (place.split or "").startswith(TRAIN)]
    else:
        share = plan.selection
    if plan.resample == "identity":
        count = round(share * len({place.label for place in sound}))
        most = plan.evaluation_images // _IMAGES_AN_IDENTITY
    else:
        count = round(share * min(len(sound), plan.subset or len(sound)))
        most = plan.most_judging or count
    return Judges(plan.task, plan.resample, min(count, most), counted=False)
