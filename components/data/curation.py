"""Curation: what becomes of every image of a source, and why; none vanishes in silence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from components.contract.errors import UserError
from components.contract.source import EMPTY_FOLDER
from components.data.division import LEAST_IMAGES, divide, members_of, torn, unit_of
from components.data.image_list import is_table
from components.data.images_found import SourceImage
from components.data.placing import SPLIT_WORDS, TRAIN
from components.data.remedies import remedy
from components.data.settings import CurationPlan
from components.data.split_sizes import check_splits
from components.data.splits import LEAST_IDENTITIES, draw

PAIRS: Final = "pairs"
"""Where images are used that stand in listed pairs alone."""

Status = Literal["used", "quarantined", "duplicate", "unused"]


@dataclass(frozen=True, slots=True)
class CurationResult:
    """What became of an image.

    Attributes:
        status: ``used`` is in a split; ``unused`` is sound and was left out by a limit.
        split: Where it is used.
        reason: Why it is quarantined or unused; a word, a colon and details.
        duplicate_of: Name of the image that shows the same and was kept.
    """

    status: Status
    split: str | None = None
    reason: str | None = None
    duplicate_of: str | None = None


def curate(
    images: Sequence[SourceImage],
    plan: CurationPlan,
    paired: Collection[str] = (),
    leaders: Mapping[str, str] | None = None,
) -> list[CurationResult]:
    """Decide what becomes of every image.

    Images that show the same are one: the first is kept (where the data has its own split, the
    first that is not trained on), and where their labels differ none is.
    Then classes with too few images go, then what is beyond ``subset``; the rest is split.

    Args:
        images: In the order of the source, which decides which of several equal ones is first.
        plan: See ``CurationPlan``.
        paired: Names of images in listed pairs, all sound. What they show is sealed; those that
            the sealed split has no use for are in ``pairs`` alone.
        leaders: By digest which images show almost the same and stay in one split.

    Returns:
        A result for each image, in the same order.

    Raises:
        UserError: Too little is left, with what became of the rest.
    """
    _check_words(images)
    results: dict[str, CurationResult] = {}
    kept = _without_duplicates(images, results)
    by_label: dict[str, list[SourceImage]] = defaultdict(list)
    for image in kept:
        by_label[image.label].append(image)
    for label, group in by_label.items():
        if len(group) < plan.minimum_images:
            reason = (
                f"few-images: {label!r} has {len(group)} usable; {plan.minimum_images} are needed"
            )
            results |= {image.name: CurationResult("quarantined", reason=reason) for image in group}
    chosen = [image for image in kept if image.name not in results]
    if plan.subset is not None and plan.subset < len(chosen):
        members = members_of(chosen)
        drawn = draw(members, plan.subset, plan.minimum_images, "subset", plan.seed)
        reason = f"subset: beyond the {plan.subset} images asked for"
        beyond = CurationResult("unused", reason=reason)
        results |= {image.name: beyond for image in chosen if image.digest not in drawn}
        chosen = [image for image in chosen if image.digest in drawn]
    _check_enough(len({image.label for image in chosen}), plan, images, results)
    held = {unit_of(image, plan) for image in images if image.name in paired}
    splits = divide(chosen, plan, held, leaders)
    apart = torn(chosen, splits, leaders or {})
    splits = {digest: split for digest, split in splits.items() if digest not in apart}
    check_splits(chosen, splits, plan, lambda other: divide(chosen, other, held, leaders), held)
    reason = f"limit: beyond the {plan.evaluation_images} evaluation_images of its split"
    left_out = CurationResult("unused", reason=reason)
    used = {split: CurationResult("used", split=split) for split in set(splits.values())}
    for image in chosen:  # one result for all of a split: there may be very many
        split = splits.get(image.digest)
        results[image.name] = left_out if split is None else used[split]
    for image in chosen:
        if image.digest in apart:
            results[image.name] = CurationResult("unused", reason=apart[image.digest])
    for name in paired:
        if results[name].status != "used":
            results[name] = CurationResult("used", split=PAIRS)
    return [results[image.name] for image in images]


def _without_duplicates(
    images: Sequence[SourceImage], results: dict[str, CurationResult]
) -> list[SourceImage]:
    """Return one of each group of equal images, and record what becomes of the others."""
    groups: dict[str, SourceImage | list[SourceImage]] = {}  # nearly all are alone
    divided = any(image.split for image in images)
    for image in images:
        if fault := image.fault or (_split_fault(image) if divided else ""):
            results[image.name] = CurationResult("quarantined", reason=fault)
        elif isinstance(same := groups.setdefault(image.digest, image), list):
            same.append(image)
        elif same is not image:
            groups[image.digest] = [same, image]
    kept: list[SourceImage] = []
    for group in groups.values():
        if isinstance(group, SourceImage):
            kept.append(group)
            continue
        first, *others = sorted(group, key=_first_kept)
        if any(other.label != first.label for other in others):
            for image in (first, *others):
                against = next(o for o in (first, *others) if o.label != image.label)
                reason = f"conflict: shows the same as {against.name}, labelled {against.label!r}"
                results[image.name] = CurationResult("quarantined", reason=reason)
            continue
        kept.append(first)
        for other in others:
            results[other.name] = CurationResult("duplicate", duplicate_of=first.name)
    return kept


def _check_words(images: Iterable[SourceImage]) -> None:
    """Refuse a source of which no split is called as one."""
    words = sorted({image.split for image in images if image.split})
    if words and not set(words) & SPLIT_WORDS.keys():
        named = ", ".join(map(repr, words[:5]))
        raise UserError(
            f"the splits of the data are called {named}{' and so on' if len(words) > 5 else ''}; "
            f"expected {', '.join(SPLIT_WORDS)}",
            "call them train, val and test; or give the column of splits another title",
        )


def _split_fault(image: SourceImage) -> str:
    """Say what is wrong with the split of an image where others have one."""
    if not image.split:
        return "split: it is given none, and others are"
    known = ", ".join(SPLIT_WORDS)
    return "" if image.split in SPLIT_WORDS else f"split: {image.split!r} is none of {known}"


def _first_kept(image: SourceImage) -> int:
    """Return a smaller number for the image to keep: one that the data's own split judges by."""
    return image.split is None or SPLIT_WORDS[image.split] == TRAIN


def _check_enough(
    labels: int,
    plan: CurationPlan,
    images: Sequence[SourceImage],
    results: Mapping[str, CurationResult],
) -> None:
    noun = "identities" if plan.task == "verification" else "classes"
    needed = LEAST_IDENTITIES
    why = f"at least {needed} are needed"
    if plan.split_by == "identity" and not any(image.split for image in images):
        needed *= 1 + len(plan.shares)
        why = f"splitting by identity needs {needed}, {LEAST_IDENTITIES} in each split"
    if labels >= needed:
        return
    found = f"{len(images)} images" if images else "no images at all"
    only = {image.label for image in images if image.name not in results}
    left = f"{labels} {noun}" if labels != 1 else f"one, {next(iter(only))!r},"
    fix = remedy(images)
    kinds = Counter(map(kind_of, results.values()))
    if 2 * kinds["conflict"] >= len(images) > 0:
        fix = "keep each image under one label"
    if not fix:
        fix = f"add {noun}, with {plan.minimum_images} different images or more each"
        # A file of its own, and no row of the data.
        tables = (one.file for one in images if one.fault and one.name == one.file)
        if table := next(filter(is_table, tables), ""):
            fix = f"if {table} lists the images and their labels, give it as the data; or {fix}"
        if kinds[EMPTY_FOLDER]:
            fix = f"put images into the folders that hold none, or {fix}"
        if plan.split_by == "identity" and labels >= LEAST_IDENTITIES:
            fix += "; or set split: {by: image}, which tests on people who were trained on"
        elif kinds["few-images"] and plan.minimum_images > LEAST_IMAGES[plan.task]:
            fix += "; or lower minimum_images under split:"
        elif labels == 1:
            fix += (
                f"; where the names of files tell the {noun}, list the images in a .csv file with "
                "the columns path and label, and give that"
            )
    raise UserError(
        f"too little data: of {found}, {left} can be used; {why}{_losses(images, results)}", fix
    )


def _losses(images: Sequence[SourceImage], results: Mapping[str, CurationResult]) -> str:
    """Say what was lost, with an example of each kind."""
    lost = [(image.name, results[image.name]) for image in images if image.name in results]
    kinds = Counter(kind_of(result) for _, result in lost)
    lines = [
        f"\n  {count} {kind}: {name} "
        f"({result.reason or f'shows the same as {result.duplicate_of}'})"
        for kind, count in kinds.most_common()
        for name, result in [next(item for item in lost if kind_of(item[1]) == kind)]
    ]
    return "".join(lines)


def kind_of(result: CurationResult) -> str:
    """Return the word under which reports count an image that is not ``used``."""
    return result.reason.partition(":")[0] if result.reason else result.status
