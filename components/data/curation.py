"""Curation: what becomes of every image of a source, and why; none vanishes in silence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from components.artifacts.dataset import SEALED
from components.contract.errors import UserError
from components.contract.types import Task
from components.data.settings import CurationPlan
from components.data.splits import LEAST_IDENTITIES, TRAIN, by_identity, by_image, draw

Status = Literal["used", "quarantined", "duplicate", "unused"]

IMAGES_AN_IDENTITY: Final = 4
"""Images that each identity of an evaluation split should have room for under its cap."""

_LEAST_IMAGES: Final[Mapping[Task, int]] = {"verification": 2, "classification": 1}
"""Images of a class in one split below which it teaches and shows nothing."""


@dataclass(frozen=True)
class SourceImage:
    """One image as it was found.

    Attributes:
        name: Its file, or file, ``#`` and place for a record.
        file: The file that holds it.
        label: Name of its class or identity.
        digest: Of its pixels; empty when it cannot be used.
        fault: Why it cannot be used; a word, a colon and details. Empty when it can.
        split: Lower-case word by which its source says where it is used; None where it does not.
        group: What its source says it belongs to (a site, a camera); None where it does not.
    """

    name: str
    file: str
    label: str
    digest: str
    fault: str = ""
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
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


def curate(images: Sequence[SourceImage], plan: CurationPlan) -> list[CurationResult]:
    """Decide what becomes of every image.

    Images that show the same are one: the first is kept, and where their labels differ none is.
    Then classes with too few images go, then what is beyond ``subset``; the rest is split.

    Args:
        images: In the order of the source, which decides which of several equal ones is first.
        plan: See ``CurationPlan``.

    Returns:
        A result for each image, in the same order.

    Raises:
        UserError: Too little is left, with what became of the rest.
    """
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
    members = {
        label: [image.digest for image in group]
        for label, group in sorted(by_label.items())
        if len(group) >= plan.minimum_images
    }
    if plan.subset is not None and plan.subset < sum(map(len, members.values())):
        chosen = draw(members, plan.subset, plan.minimum_images, "subset", plan.seed)
        members = _only(members, chosen)
    _check_enough(members, plan, images, results)
    splits = _split(members, plan)
    _check_splits(members, splits, plan)
    for image in kept:
        if image.name not in results:
            results[image.name] = _result_of(image, splits, plan)
    return [results[image.name] for image in images]


def _without_duplicates(
    images: Iterable[SourceImage], results: dict[str, CurationResult]
) -> list[SourceImage]:
    """Return one of each group of equal images, and record what becomes of the others."""
    groups: dict[str, list[SourceImage]] = {}
    for image in images:
        if image.fault:
            results[image.name] = CurationResult("quarantined", reason=image.fault)
        else:
            groups.setdefault(image.digest, []).append(image)
    kept: list[SourceImage] = []
    for first, *others in groups.values():
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


def _only(members: Mapping[str, Sequence[str]], chosen: set[str]) -> dict[str, list[str]]:
    left = {name: [key for key in keys if key in chosen] for name, keys in members.items()}
    return {name: keys for name, keys in left.items() if keys}


def _split(members: Mapping[str, Sequence[str]], plan: CurationPlan) -> dict[str, str]:
    """Return the split of every image that has one, by digest."""
    if plan.split_by == "image":
        return by_image(
            members, plan.shares, plan.evaluation_images, _LEAST_IMAGES[plan.task], plan.seed
        )
    most = max(LEAST_IDENTITIES, plan.evaluation_images // IMAGES_AN_IDENTITY)
    split_of = by_identity(members, plan.shares, most, plan.seed)
    placed: dict[str, str] = {}
    for split in (TRAIN, *plan.shares):
        group = {name: keys for name, keys in members.items() if split_of[name] == split}
        if split != TRAIN and sum(map(len, group.values())) > plan.evaluation_images:
            chosen = draw(
                group, plan.evaluation_images, plan.minimum_images, f"cap of {split}", plan.seed
            )
            group = _only(group, chosen)
        placed |= {key: split for keys in group.values() for key in keys}
    return placed


def _result_of(image: SourceImage, splits: Mapping[str, str], plan: CurationPlan) -> CurationResult:
    if image.digest in splits:
        return CurationResult("used", split=splits[image.digest])
    limits = {"subset": plan.subset, "evaluation_images": plan.evaluation_images}
    text = ", ".join(f"{name} {value}" for name, value in limits.items() if value is not None)
    return CurationResult("unused", reason=f"limit: left out by {text}")


def _check_enough(
    members: Mapping[str, Sequence[str]],
    plan: CurationPlan,
    images: Sequence[SourceImage],
    results: Mapping[str, CurationResult],
) -> None:
    noun = "identities" if plan.task == "verification" else "classes"
    needed = LEAST_IDENTITIES
    why = f"at least {needed} are needed"
    if plan.split_by == "identity":
        needed *= 1 + len(plan.shares)
        why = f"splitting by identity needs {needed}, {LEAST_IDENTITIES} in each split"
    if len(members) >= needed:
        return
    found = f"{len(images)} images" if images else "no images at all"
    left = f"{len(members)} {noun}" if len(members) != 1 else f"one, {next(iter(members))!r},"
    fix = f"add {noun}, with {plan.minimum_images} different images or more each"
    if plan.split_by == "identity" and len(members) >= LEAST_IDENTITIES:
        fix += "; or set split_by: image, which tests on people who were trained on"
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


def _check_splits(
    members: Mapping[str, Sequence[str]], splits: Mapping[str, str], plan: CurationPlan
) -> None:
    """Refuse splits that nothing can be learnt from or measured on."""
    images = _LEAST_IMAGES[plan.task]
    for split in (TRAIN, *plan.shares):
        counts = [sum(splits.get(key) == split for key in keys) for keys in members.values()]
        enough = sum(count >= images for count in counts)
        if enough < LEAST_IDENTITIES:
            raise UserError(
                f"too little data: the {split} split of {sum(counts)} images has {enough} classes "
                f"with {images} images or more; {LEAST_IDENTITIES} are needed",
                "add images, raise subset or evaluation_images, or raise "
                f"{'sealed_fraction' if split == SEALED else split}"
                if split != TRAIN
                else "add images, or lower validation, selection and sealed_fraction",
            )
