"""Curation: what becomes of every picture of a source. One fate each, and never in silence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from components.artifacts.dataset import SEALED
from components.contract.errors import UserError
from components.contract.interface import Task, Unit
from components.data.splits import LEAST_IDENTITIES, TRAIN, by_identity, by_image, draw

Status = Literal["used", "quarantined", "duplicate", "unused"]

IMAGES_AN_IDENTITY: Final = 4
"""Images that each identity of an evaluation split should have room for under its cap."""

_LEAST_IMAGES: Final[Mapping[Task, int]] = {"verification": 2, "classification": 1}
"""Images of a class in one split below which it teaches and shows nothing."""


@dataclass(frozen=True)
class Sample:
    """One picture as it was found.

    Attributes:
        name: Its file, or file, ``#`` and place for a record.
        file: The file that holds it.
        label: Name of its class or identity.
        digest: Of its pixels; empty when it cannot be used.
        fault: Why it cannot be used; a word, a colon and details. Empty when it can.
    """

    name: str
    file: str
    label: str
    digest: str
    fault: str = ""


@dataclass(frozen=True)
class Fate:
    """What became of a sample.

    Attributes:
        status: ``used`` is in a split; ``unused`` is sound and was left out by a limit.
        split: Where it is used.
        reason: Why it is quarantined or unused; a word, a colon and details.
        duplicate_of: Name of the sample that shows the same and was kept.
    """

    status: Status
    split: str | None = None
    reason: str | None = None
    duplicate_of: str | None = None


@dataclass(frozen=True)
class Plan:
    """How samples are chosen and split.

    Attributes:
        task: Verification needs two images of an identity; classification one of a class.
        split_by: Whole identities or single images.
        shares: Part of all for each split but train.
        subset: Most images in all, or None.
        evaluation_images: Most images of a split other than train.
        minimum_images: Classes and identities with fewer are left out.
        seed: Decides where chance would.
    """

    task: Task
    split_by: Unit
    shares: Mapping[str, float]
    subset: int | None
    evaluation_images: int
    minimum_images: int
    seed: int

    def check(self) -> None:
        """Refuse what cannot work whatever the data.

        Raises:
            UserError: Names the parameters that contradict each other.
        """
        if self.task == "classification" and self.split_by == "identity":
            raise UserError(
                "classification cannot be split by identity: every split needs every class",
                "set split_by: image",
            )
        if sum(self.shares.values()) >= 1:
            raise UserError(
                f"validation, selection and sealed_fraction add up to "
                f"{sum(self.shares.values()):g}; nothing is left to train on",
                "lower them until their sum is below 1",
            )
        if self.task == "verification" and self.minimum_images < 2:
            raise UserError(
                "minimum_images is 1; verification compares two images of an identity",
                "set minimum_images: 2",
            )


def curate(samples: Sequence[Sample], plan: Plan) -> list[Fate]:
    """Decide the fate of every sample.

    Samples that show the same are one: the first is kept, and where their labels differ none is.
    Then classes with too few images go, then what is beyond ``subset``; the rest is split.

    Args:
        samples: In the order of the source, which decides which of several equal ones is first.
        plan: See ``Plan``.

    Returns:
        A fate for each sample, in the same order.

    Raises:
        UserError: Too little is left, with what became of the rest.
    """
    fates: dict[str, Fate] = {}
    kept = _without_duplicates(samples, fates)
    by_label: dict[str, list[Sample]] = defaultdict(list)
    for sample in kept:
        by_label[sample.label].append(sample)
    for label, group in by_label.items():
        if len(group) < plan.minimum_images:
            reason = (
                f"few-images: {label!r} has {len(group)} usable; {plan.minimum_images} are needed"
            )
            fates |= {sample.name: Fate("quarantined", reason=reason) for sample in group}
    members = {
        label: [sample.digest for sample in group]
        for label, group in sorted(by_label.items())
        if len(group) >= plan.minimum_images
    }
    if plan.subset is not None and plan.subset < sum(map(len, members.values())):
        chosen = draw(members, plan.subset, plan.minimum_images, "subset", plan.seed)
        members = _only(members, chosen)
    _check_enough(members, plan, samples, fates)
    splits = _split(members, plan)
    _check_splits(members, splits, plan)
    for sample in kept:
        if sample.name not in fates:
            fates[sample.name] = _fate(sample, splits, plan)
    return [fates[sample.name] for sample in samples]


def _without_duplicates(samples: Iterable[Sample], fates: dict[str, Fate]) -> list[Sample]:
    """Return one sample of each picture, and record what becomes of the others."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.fault:
            fates[sample.name] = Fate("quarantined", reason=sample.fault)
        else:
            groups.setdefault(sample.digest, []).append(sample)
    kept: list[Sample] = []
    for first, *others in groups.values():
        if any(other.label != first.label for other in others):
            for sample in (first, *others):
                rival = next(o for o in (first, *others) if o.label != sample.label)
                reason = f"conflict: shows the same as {rival.name}, labelled {rival.label!r}"
                fates[sample.name] = Fate("quarantined", reason=reason)
            continue
        kept.append(first)
        for other in others:
            fates[other.name] = Fate("duplicate", duplicate_of=first.name)
    return kept


def _only(members: Mapping[str, Sequence[str]], chosen: set[str]) -> dict[str, list[str]]:
    left = {name: [key for key in keys if key in chosen] for name, keys in members.items()}
    return {name: keys for name, keys in left.items() if keys}


def _split(members: Mapping[str, Sequence[str]], plan: Plan) -> dict[str, str]:
    """Return the split of every picture that has one, by digest."""
    if plan.split_by == "image":
        return by_image(
            members, plan.shares, plan.evaluation_images, _LEAST_IMAGES[plan.task], plan.seed
        )
    most = max(LEAST_IDENTITIES, plan.evaluation_images // IMAGES_AN_IDENTITY)
    homes = by_identity(members, plan.shares, most, plan.seed)
    placed: dict[str, str] = {}
    for split in (TRAIN, *plan.shares):
        group = {name: keys for name, keys in members.items() if homes[name] == split}
        if split != TRAIN and sum(map(len, group.values())) > plan.evaluation_images:
            chosen = draw(
                group, plan.evaluation_images, plan.minimum_images, f"cap of {split}", plan.seed
            )
            group = _only(group, chosen)
        placed |= {key: split for keys in group.values() for key in keys}
    return placed


def _fate(sample: Sample, splits: Mapping[str, str], plan: Plan) -> Fate:
    if sample.digest in splits:
        return Fate("used", split=splits[sample.digest])
    limits = {"subset": plan.subset, "evaluation_images": plan.evaluation_images}
    text = ", ".join(f"{name} {value}" for name, value in limits.items() if value is not None)
    return Fate("unused", reason=f"limit: left out by {text}")


def _check_enough(
    members: Mapping[str, Sequence[str]],
    plan: Plan,
    samples: Sequence[Sample],
    fates: Mapping[str, Fate],
) -> None:
    noun = "identities" if plan.task == "verification" else "classes"
    needed = LEAST_IDENTITIES
    why = f"at least {needed} are needed"
    if plan.split_by == "identity":
        needed *= 1 + len(plan.shares)
        why = f"splitting by identity needs {needed}, {LEAST_IDENTITIES} in each split"
    if len(members) >= needed:
        return
    found = f"{len(samples)} pictures" if samples else "no pictures at all"
    left = f"{len(members)} {noun}" if len(members) != 1 else f"one, {next(iter(members))!r},"
    fix = f"add {noun}, with {plan.minimum_images} different images or more each"
    if plan.split_by == "identity" and len(members) >= LEAST_IDENTITIES:
        fix += "; or set split_by: image, which tests on people who were trained on"
    raise UserError(
        f"too little data: of {found}, {left} can be used; {why}{_losses(samples, fates)}", fix
    )


def _losses(samples: Sequence[Sample], fates: Mapping[str, Fate]) -> str:
    """Say what was lost, with an example of each kind."""
    lost = [(sample.name, fates[sample.name]) for sample in samples if sample.name in fates]
    kinds = Counter(kind_of(fate) for _, fate in lost)
    lines = [
        f"\n  {count} {kind}: {name} ({fate.reason or f'shows the same as {fate.duplicate_of}'})"
        for kind, count in kinds.most_common()
        for name, fate in [next(item for item in lost if kind_of(item[1]) == kind)]
    ]
    return "".join(lines)


def kind_of(fate: Fate) -> str:
    """Return the word under which reports count a fate that is not ``used``."""
    return fate.reason.partition(":")[0] if fate.reason else fate.status


def _check_splits(
    members: Mapping[str, Sequence[str]], splits: Mapping[str, str], plan: Plan
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
