"""Split sizes: whether every split has enough to learn from or to judge by, or what helps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from components.artifacts.dataset import SEALED
from components.contract.errors import UserError
from components.data.division import LEAST_IMAGES
from components.data.images_found import SourceImage
from components.data.placing import SPLIT_WORDS, TRAIN
from components.data.settings import CurationPlan
from components.data.splits import LEAST_IDENTITIES

_SHARES: Final = (0.2, 0.25, 0.3)
"""Shares that are tried where a split is too small: three of them leave some to train on."""

Divided = Callable[[CurationPlan], Mapping[str, str]]
"""Divides the images by another plan: the split of each by digest."""


def check_splits(
    images: Sequence[SourceImage],
    splits: Mapping[str, str],
    plan: CurationPlan,
    divided: Divided,
    held: Collection[str] = (),
) -> None:
    """Refuse splits that nothing can be learnt from or measured on.

    Args:
        images: Those that can be used.
        splits: Of each by digest.
        plan: How they were divided.
        divided: Tells what another plan would do.
        held: What listed pairs seal, if there are any.

    Raises:
        UserError: One has too few classes or identities with enough images.
    """
    counts = _counts(images, splits, plan)
    small = _too_small(counts, plan)
    if small is None:
        return
    split, found = small
    noun = "identities" if plan.task == "verification" else "classes"
    least = LEAST_IMAGES[plan.task]
    trained = plan.task == "classification" and split != TRAIN
    fix = _more(split, counts, images, plan, divided)
    if held and split == SEALED:
        fix = f"list pairs of more {noun} with {least} different images or more each"
    raise UserError(
        f"too little data: the {split} split of {counts[split].total()} images has {found} "
        f"{noun}{' that are trained on' if trained else ''} with {least} images or more; "
        f"{LEAST_IDENTITIES} are needed",
        fix,
    )


def _counts(
    images: Sequence[SourceImage], splits: Mapping[str, str], plan: CurationPlan
) -> dict[str, Counter[str]]:
    """Count the images of each label in every split."""
    counts = {split: Counter[str]() for split in (TRAIN, *plan.shares)}
    for image in images:
        if image.digest in splits:
            counts[splits[image.digest]][image.label] += 1
    return counts


def _too_small(counts: Mapping[str, Counter[str]], plan: CurationPlan) -> tuple[str, int] | None:
    """Return a split that is too small and how many labels count in it; None where all do."""
    for split, count in counts.items():
        enough = {label for label, number in count.items() if number >= LEAST_IMAGES[plan.task]}
        if plan.task == "classification":
            enough &= counts[TRAIN].keys()
        if len(enough) < LEAST_IDENTITIES:
            return split, len(enough)
    return None


def _more(
    split: str,
    counts: Mapping[str, Counter[str]],
    images: Sequence[SourceImage],
    plan: CurationPlan,
    divided: Divided,
) -> str:
    """Say how a split gets more."""
    own = {SPLIT_WORDS[image.split] for image in images if image.split}
    if split in own:
        return f"add images of more classes to the data's own {split} split"
    if split == "selection" and "validation" in own:
        return (
            "add images of each class to the data's own validation split, which is halved into "
            "validation and selection"
        )
    if plan.split_by == "group":
        return "set split: {by: image}, or add groups that have the classes in common"
    if split == TRAIN:
        return "add images, or lower validation, selection and sealed under split:"
    limits = ["subset"] if plan.subset is not None else []
    limits += ["evaluation_images"] if plan.most_judging == counts[split].total() else []
    more = f"add images, or raise {' or '.join(limits)} under split:" if limits else "add images"
    edit = _shares_that_help(split, images, plan, divided)
    return f"set split: {{{edit}}}, or {more}" if edit else f"{more}{_of_each(plan, limits)}"


def _shares_that_help(
    split: str, images: Sequence[SourceImage], plan: CurationPlan, divided: Divided
) -> str:
    """Return the shares, as they are written under ``split``, by which no split is too small."""
    for names in ([split], list(plan.shares)):
        for share in _SHARES:
            if share <= plan.shares[split]:
                continue
            changed = {f"{name}{'_fraction' * (name == SEALED)}": share for name in names}
            other = replace(plan, **changed)  # type: ignore[arg-type]
            if sum(other.shares.values()) >= 1:
                continue
            try:
                counts = _counts(images, divided(other), other)
            except UserError:
                continue
            if _too_small(counts, other) is None:
                return ", ".join(f"{name}: {share}" for name in names)
    return ""


def _of_each(plan: CurationPlan, limits: Sequence[str]) -> str:
    """Say that no share helps: every split needs images of its own."""
    if limits:
        return ""
    each = LEAST_IMAGES[plan.task] * (1 + len(plan.shares))
    noun = "identity" if plan.task == "verification" else "class"
    return f" of each {noun}: {each} at the least, so that all splits have some"
