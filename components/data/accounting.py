"""Accounting: what is used of a source, what is not and why, and what must not be overlooked."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from components.artifacts.data_use import DataUse, Loss
from components.contract.source import EMPTY_FOLDER
from components.contract.types import Task
from components.data.curation import kind_of
from components.data.grouping import groups_in_words
from components.data.image_list import unread_splits
from components.data.layouts import advice
from components.data.manifest import CuratedSource
from components.data.near_duplicates import NearDuplicate, named
from components.data.npz_unread import unread_arrays
from components.data.placing import DEEPER, SPLIT_WORDS
from components.data.remedies import remedy
from components.data.spelling import SameName

UNUSED_MOST: Final = 0.05
"""Part of the images that may be left out without a warning; ``subset`` was asked for."""
FEW_IMAGES: Final = 10
"""A class with fewer images is warned of: each split judges it by one or two."""

_JOINTS = re.compile(r"[|;,+&]")
_EXAMPLES_MAX = 3
_NAMES_MAX = 8


def data_use(
    curated: CuratedSource,
    task: Task,
    alike: Sequence[SameName],
    near: Sequence[NearDuplicate] = (),
    more: Sequence[str] = (),
) -> DataUse:
    """Sum up what became of a source.

    Args:
        curated: The source after curation.
        task: Classification warns of classes that too few images show.
        alike: Labels that are one name, where that was no reason to refuse the source.
        near: Images in two splits or under two labels that show almost the same.
        more: What else is to be warned of.

    Raises:
        UserError: A list changed since the source was listed.
    """
    items = list(left_out(curated))
    counts = Counter(item["kind"] for item in items)
    examples: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if len(examples[item["kind"]]) < _EXAMPLES_MAX:
            examples[item["kind"]].append(f"{item['name']} ({item['reason']})")
    losses = tuple(
        Loss(kind, count, tuple(examples[kind]))
        for kind, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )
    used = len(curated.images) - len(items)
    warnings = [
        *_unused(curated, losses),
        *_empty(curated),
        *_vanished(curated),
        *_alike(alike),
        *_near(near),
        *unread_splits(curated.source),
        *unread_arrays(curated.source),
        *more,
    ]
    if task == "classification":
        warnings += [*_several(curated), *_few(curated)]
    return DataUse(len(curated.images), used, losses, tuple(warnings))


def in_words(use: DataUse, groups: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Say in lines what became of a source.

    Args:
        use: See ``data_use``.
        groups: Used images of every group in every split.
    """
    return [
        use.summary,
        *groups_in_words(groups, use.used),
        *(f"{kind}: {text}" for kind, text in use.examples),
        *(f"WARNING: {warning}" for warning in use.warnings),
    ]


def left_out(curated: CuratedSource) -> Iterator[dict[str, str]]:
    """Yield a line for every image that is not used: ``name``, ``kind`` and ``reason``."""
    for image, result in curated.pairs():
        if result.status != "used":
            reason = result.reason or f"shows the same as {result.duplicate_of}"
            yield {"name": image.name, "kind": kind_of(result), "reason": reason}


def _unused(curated: CuratedSource, losses: Sequence[Loss]) -> Iterator[str]:
    folders = sum(loss.images for loss in losses if loss.reason == EMPTY_FOLDER)
    whole = len(curated.images) - folders
    lost = [loss for loss in losses if loss.reason not in ("subset", EMPTY_FOLDER)]
    count = sum(loss.images for loss in lost)
    if count <= UNUSED_MOST * whole:
        return
    kinds = ", ".join(f"{loss.images:,} {loss.reason}" for loss in lost)
    text = f"{count:,} of {whole:,} images ({100 * count / whole:.3g} %) are not used: {kinds}"
    if any(DEEPER in image.fault for image in curated.images):
        text += f". Of those that lie too deep: {advice(curated.source.names)}"
    elif fix := remedy(curated.images) or remedy([one for one in curated.images if one.fault]):
        text += f". To use more of them, {fix}"
    elif lost[0].reason == "limit":
        text += ". To use more of them, raise evaluation_images under split:"
    yield text


def _empty(curated: CuratedSource) -> Iterator[str]:
    """Warn of folders without a file, which may have been meant as classes."""
    names = [file.name[:-1] for file in curated.source.files if file.is_folder]
    if names:
        are, them = ("folder holds", "it") if len(names) == 1 else ("folders hold", "them")
        yield (
            f"{len(names)} {are} no file that is data: {_listed(names)}. Put images into {them}, "
            f"or remove {them}"
        )


def _vanished(curated: CuratedSource) -> Iterator[str]:
    """Warn of labels, and of splits of the data, of which no image can be used."""
    fates: dict[str, set[bool]] = defaultdict(set)
    splits: dict[str, set[bool]] = defaultdict(set)
    for image, result in curated.pairs():
        if image.label and not image.fault.startswith("layout:"):  # outside of the labels' folders
            fates[image.label].add(result.status == "quarantined")
        if image.split and image.split in SPLIT_WORDS:
            splits[SPLIT_WORDS[image.split]].add(result.status == "quarantined")
    for split in sorted(split for split, fate in splits.items() if fate == {True}):
        words = ", ".join(word for word, meant in SPLIT_WORDS.items() if meant == split)
        yield (
            f"the data's own {split} split ({words}) has no image that can be used, so it is drawn "
            "from the images to train on"
        )
    gone = sorted(label for label, fate in fates.items() if fate == {True})
    if gone:
        noun = "label has" if len(gone) == 1 else "labels have"
        yield f"{len(gone)} {noun} no image that can be used: {_listed(gone)}"


def _alike(alike: Sequence[SameName]) -> Iterator[str]:
    if alike:
        named = _listed([str(same) for same in alike])
        are = "name is" if len(alike) == 1 else "names are"
        yield f"{len(alike)} {are} spelt in more than one way: {named}"


def near_duplicates(
    curated: CuratedSource, pairs: Iterable[tuple[int, int]]
) -> list[NearDuplicate]:
    """Return the used images that show almost the same, in two splits or under two labels.

    Args:
        curated: The source after curation.
        pairs: Places of images that show almost the same.
    """
    found: list[NearDuplicate] = []
    for places in sorted(pairs):
        one, other = (curated.images[place] for place in places)
        here, there = (curated.results[place].split for place in places)
        if here and there and (here != there or one.label != other.label):
            found.append(NearDuplicate(one.name, other.name, one.label, other.label, here, there))
    return found


def _near(near: Sequence[NearDuplicate]) -> Iterator[str]:
    torn = [pair for pair in near if pair.one_split != pair.other_split]
    if torn:
        yield (
            f"{_pairs(len(torn))} in two splits almost the same: {named(torn, _EXAMPLES_MAX)}. "
            "Set split: {near_duplicates: together} to keep each pair in one"
        )
    labels = [pair for pair in near if pair.one_label != pair.other_label]
    if labels:
        yield (
            f"{_pairs(len(labels))} under two labels almost the same: "
            f"{named(labels, _EXAMPLES_MAX)}. One of the labels may be wrong"
        )


def _pairs(count: int) -> str:
    return "1 pair of images shows" if count == 1 else f"{count:,} pairs of images show"


def _several(curated: CuratedSource) -> Iterator[str]:
    """Warn of labels that join others, as lists of several classes of one image do."""
    labels = {image.label for image, _ in curated.used()}
    joined = [
        label
        for label in sorted(labels)
        if len(parts := [part.strip() for part in _JOINTS.split(label)]) > 1 and labels >= {*parts}
    ]
    if joined:
        one = len(joined) == 1
        are = "label joins others, and is a class" if one else "labels join others, and are classes"
        yield (
            f"{len(joined)} {are} by {'itself' if one else 'themselves'}: {_listed(joined)}. "
            "Several classes of one image are not learnt: keep one label an image, or drop those"
        )


def _few(curated: CuratedSource) -> Iterator[str]:
    """Warn of classes that some split lacks, and of those with few images."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for image, split in curated.used():
        counts[split][image.label] += 1
    total = sum(counts.values(), Counter[str]())
    for split in sorted(counts):
        missing = [label for label in sorted(total) if not counts[split][label]]
        if missing:
            noun = "class has" if len(missing) == 1 else "classes have"
            yield f"{len(missing)} {noun} no image in the {split} split: {_listed(missing)}"
    few = [label for label in sorted(total) if total[label] < FEW_IMAGES]
    if few:
        noun = "class has" if len(few) == 1 else "classes have"
        yield f"{len(few)} {noun} fewer than {FEW_IMAGES} images: {_listed(few)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else ""
    return f"{', '.join(names[:_NAMES_MAX])}{more}"
