"""Division: which split every image goes to: the data's own where it has one, else drawn.

The data's test images are the sealed ones; its validation images are halved into ``validation``
and ``selection``; what the data does not say is drawn from its training images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from components.artifacts.dataset import SEALED
from components.contract.errors import UserError
from components.contract.types import Task
from components.data.images_found import SourceImage
from components.data.near_duplicates import clusters
from components.data.placing import SPLIT_WORDS, TRAIN
from components.data.settings import CurationPlan
from components.data.splits import LEAST_IDENTITIES, by_identity, by_image, draw

IMAGES_AN_IDENTITY: Final = 4
"""Images that each identity of an evaluation split should have room for under its cap."""

LEAST_IMAGES: Final[Mapping[Task, int]] = {"verification": 2, "classification": 1}
"""Images of a class in one split below which it teaches and shows nothing."""

_TOLD_MAX = 5  # examples in a sentence

Members = Mapping[str, Sequence[str]]
"""Digests of the images of each class."""


def group_of(image: SourceImage) -> str:
    """Return what an image is kept together with: its group, else the head of its label."""
    return image.group if image.group is not None else image.label.partition("/")[0]


def unit_of(image: SourceImage, plan: CurationPlan) -> str:
    """Return what goes to a split as a whole: an image's identity, its group, or itself."""
    if plan.split_by == "image":
        return image.digest
    return group_of(image) if plan.split_by == "group" else image.label


def divide(
    images: Sequence[SourceImage],
    plan: CurationPlan,
    held: Collection[str] = (),
    leaders: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Send images to the splits.

    Args:
        images: Those that can be used, all different.
        plan: How they are divided.
        held: Units, see ``unit_of``, that a list of pairs names: they, and no others, are sealed.
        leaders: By digest which images are drawn together: those with the same value.

    Returns:
        The split of every image by digest, without those that a cap leaves out.

    Raises:
        UserError: The data's own split cannot be kept, or there are too few identities or groups.
    """
    leaders = leaders or {}
    given: dict[str, list[SourceImage]] = defaultdict(list)
    for image in images:
        given[SPLIT_WORDS[image.split] if image.split else TRAIN].append(image)
    if held:
        _check_held(images, plan, held)
    if not any(image.split for image in images):
        if held:
            return _capped(_with_held(images, plan, held, leaders), images, plan)
        return _capped(_Drawing(images, plan, leaders).drawn(plan.shares, TRAIN), images, plan)
    if TRAIN not in given:
        raise UserError(
            f"the data's own split has {', '.join(sorted(given))} and nothing to train on",
            "call the folder, or the split, of the images to train on: train",
        )
    _check_apart(images, plan)
    placed: dict[str, str] = {}
    if "validation" in given and "selection" not in given:
        own = given.pop("validation")
        halves = _Drawing(own, plan, leaders, "the data's validation images")
        placed |= halves.drawn({"selection": 0.5}, "validation")
        present = {*given, "validation", "selection"}
    else:
        present = set(given)
    missing = {split: share for split, share in plan.shares.items() if split not in present}
    rest = _Drawing(given.pop(TRAIN), plan, leaders, "the data's training images")
    placed |= rest.drawn(missing, TRAIN)
    placed |= {image.digest: split for split, found in given.items() for image in found}
    return _capped(placed, images, plan)


def _with_held(
    images: Sequence[SourceImage],
    plan: CurationPlan,
    held: Collection[str],
    leaders: Mapping[str, str],
) -> dict[str, str]:
    """Seal what the pairs name and divide the rest."""
    rest = [image for image in images if unit_of(image, plan) not in held]
    shares = {split: share for split, share in plan.shares.items() if split != SEALED}
    drawn = _Drawing(rest, plan, leaders, "the images that no pair names").drawn(shares, TRAIN)
    return {image.digest: drawn.get(image.digest, SEALED) for image in images}


def _check_held(images: Sequence[SourceImage], plan: CurationPlan, held: Collection[str]) -> None:
    """Refuse a split of the data that trains, or chooses, on what the pairs name."""
    torn = {
        image.name if plan.split_by == "image" else unit_of(image, plan): image.split
        for image in images
        if image.split and SPLIT_WORDS[image.split] != SEALED and unit_of(image, plan) in held
    }
    if torn:
        noun = {"image": "images", "group": "groups", "identity": "identities"}[plan.split_by]
        listed = [f"{name!r} in {split}" for name, split in sorted(torn.items())[:_TOLD_MAX]]
        raise UserError(
            f"{len(torn)} {noun} of the listed pairs are not in the data's own test split: "
            f"{', '.join(listed)}{' and so on' if len(torn) > _TOLD_MAX else ''}",
            "move them to the folder, or the split, called test; or take their pairs out of the "
            "list",
        )


def members_of(images: Iterable[SourceImage]) -> dict[str, list[str]]:
    """Return the digests of the images of each class, classes in order of their names."""
    found: dict[str, list[str]] = defaultdict(list)
    for image in images:
        found[image.label].append(image.digest)
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class _Drawing:
    """Images that are divided by shares.

    Attributes:
        images: All of them.
        plan: How.
        leaders: By digest which are drawn together.
        whose: What they are called in an error; empty where they are all images.
    """

    images: Sequence[SourceImage]
    plan: CurationPlan
    leaders: Mapping[str, str]
    whose: str = ""

    def drawn(self, shares: Mapping[str, float], rest: str) -> dict[str, str]:
        """Return the split of every image by digest; ``rest`` has those of no share."""
        plan = self.plan
        if not shares:
            return {image.digest: rest for image in self.images}
        if plan.split_by == "image":
            firsts: dict[str, SourceImage] = {}
            for image in self.images:
                firsts.setdefault(self._leader(image), image)
            members = members_of(firsts.values())
            keep = LEAST_IMAGES[plan.task]
            homes = by_image(members, shares, plan.most_judging, keep, plan.seed, rest=rest)
            return {i.digest: homes[firsts[self._leader(i)].digest] for i in self.images}
        by_group = plan.split_by == "group"
        units = self._units(group_of if by_group else _label_of)
        names = sorted(set(units))
        least = 1 if by_group else LEAST_IDENTITIES
        if len(names) < least * (1 + len(shares)):
            self._refuse(len(names), least, [*shares, rest])
        most = plan.most_judging
        most = len(names) if most is None or by_group else most // IMAGES_AN_IDENTITY
        homes = by_identity(names, shares, max(least, most), plan.seed, rest=rest, least=least)
        return {i.digest: homes[unit] for i, unit in zip(self.images, units, strict=True)}

    def _leader(self, image: SourceImage) -> str:
        return self.leaders.get(image.digest, image.digest)

    def _units(self, unit_of: Callable[[SourceImage], str]) -> list[str]:
        """Return the unit of every image; units that share near-duplicates are one."""
        shared: dict[str, list[str]] = defaultdict(list)
        for image in self.images:
            if image.digest in self.leaders:
                shared[self.leaders[image.digest]].append(unit_of(image))
        joined = clusters((units[0], unit) for units in shared.values() for unit in units)
        return [joined.get(unit_of(image), unit_of(image)) for image in self.images]

    def _refuse(self, found: int, least: int, splits: Sequence[str]) -> None:
        noun = "groups" if self.plan.split_by == "group" else "identities"
        whose = self.whose or "the images"
        raise UserError(
            f"too little data: {whose} are of {found} {noun}; dividing them into "
            f"{', '.join(sorted(splits))} by {self.plan.split_by} needs {least * len(splits)}, "
            f"{least} in each",
            f"add {noun}; or set split: {{by: image}}, which tests on {noun} that were trained on"
            f"{self._or_unjoined()}",
        )

    def _or_unjoined(self) -> str:
        """Return what else helps where near-duplicates make several units one."""
        alike = any(image.digest in self.leaders for image in self.images)
        return "; or leave out near_duplicates: together" if alike else ""


def torn(
    images: Sequence[SourceImage], splits: Mapping[str, str], leaders: Mapping[str, str]
) -> dict[str, str]:
    """Say of images that stand apart from their near-duplicates why they are left out.

    That happens where the data's own split divides them: the one that judges is kept.

    Args:
        images: Those that were divided.
        splits: The split of each by digest.
        leaders: By digest which images belong together.

    Returns:
        Reasons by digest.
    """
    kept: dict[str, SourceImage] = {}
    order = (SEALED, "selection", "validation", TRAIN)
    found = [image for image in images if image.digest in leaders and image.digest in splits]
    for image in sorted(found, key=lambda image: order.index(splits[image.digest])):
        kept.setdefault(leaders[image.digest], image)
    reasons: dict[str, str] = {}
    for image in found:
        first = kept[leaders[image.digest]]
        if splits[image.digest] != splits[first.digest]:
            reasons[image.digest] = (
                f"near-duplicate: shows almost the same as {first.name}, which is in the "
                f"{splits[first.digest]} split"
            )
    return reasons


def _label_of(image: SourceImage) -> str:
    return image.label


def _check_apart(images: Iterable[SourceImage], plan: CurationPlan) -> None:
    """Refuse a given split that divides what is to stay together."""
    if plan.split_by == "image":
        return
    by_group = plan.split_by == "group"
    homes: dict[str, set[str]] = defaultdict(set)
    for image in images:
        if image.split:
            homes[group_of(image) if by_group else image.label].add(image.split)
    torn = {name: sorted(splits) for name, splits in sorted(homes.items()) if len(splits) > 1}
    if torn:
        noun = "groups" if by_group else "identities"
        examples = [
            f"{name!r} in {' and '.join(splits)}" for name, splits in list(torn.items())[:_TOLD_MAX]
        ]
        raise UserError(
            f"{len(torn)} {noun} are in two or more of the data's own splits: "
            f"{', '.join(examples)}{' and so on' if len(torn) > _TOLD_MAX else ''}",
            f"keep each in one split; or set split: {{by: image}}, which tests on {noun} that were "
            "trained on",
        )


def _capped(
    placed: Mapping[str, str], images: Sequence[SourceImage], plan: CurationPlan
) -> dict[str, str]:
    """Leave out what is beyond the cap of a split that judges."""
    left = dict(placed)
    for split in (SEALED, "selection", "validation"):
        members = members_of(image for image in images if placed[image.digest] == split)
        size = sum(map(len, members.values()))
        if plan.most_judging is not None and size > plan.most_judging:
            chosen = draw(
                members, plan.most_judging, plan.minimum_images, f"cap of {split}", plan.seed
            )
            for key in (key for keys in members.values() for key in keys if key not in chosen):
                del left[key]
    return left
