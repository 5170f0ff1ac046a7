"""Grouping: which group every used image belongs to, and whether the data tells of any."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

import numpy as np

from components.artifacts.grouping import NO_GROUP, Grouping
from components.contract.errors import UserError
from components.data.manifest import CuratedSource, class_names
from components.data.settings import CurationPlan

_FIX: Final = {
    "folder": "set split: {groups: folder} where images lie in GROUP/LABEL/IMAGE, or "
    "split: {labels: path} where the first folder is a part of the label, too",
    "list": "add a column called group to the list",
    "npz": "save the labels as GROUP/LABEL, and set split: {labels: path}; or save an array "
    "called groups, too",
    "csv": "add a column called group to the file, and a line of titles",
    "idx": "add a file called as that of the labels, with groups in place of labels: a number "
    "for each image",
}


def grouping_of(curated: CuratedSource, plan: CurationPlan) -> Grouping:
    """Return the groups of all used images, in the order in which splits hold them.

    Args:
        curated: The source after curation.
        plan: Says whether groups are needed.

    Raises:
        UserError: They are, and the source tells of none; or of none in the one way asked for.
    """
    form = curated.source.format
    if plan.groups == "folder" and form != "folder":
        raise UserError(
            f"split.groups is folder, but the data is no folder of images: it is {_named(form)}",
            f"remove groups: folder under split:; {_FIX[form]}",
        )
    used = curated.used()
    names = class_names(image.group for image, _ in used if image.group is not None)
    if plan.groups_needed and not names:
        raise UserError(
            "budgets.per is group, but the data tells of no groups: no image says to which it "
            "belongs",
            f"{_FIX[form]}; or remove per: group under budgets:",
        )
    places = {name: place for place, name in enumerate(names)}
    rows: dict[str, list[int]] = defaultdict(list)
    for image, split in used:
        rows[split].append(NO_GROUP if image.group is None else places[image.group])
    arrays = {split: np.array(groups, np.int32) for split, groups in rows.items()}
    return Grouping(tuple(names), arrays)


def _named(form: str) -> str:
    return "a list of images" if form == "list" else f"a file of the form {form}"


def group_counts(curated: CuratedSource) -> dict[str, dict[str, int]]:
    """Count the used images of every group in every split; empty where there are no groups."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for image, split in curated.used():
        if image.group is not None:
            counts[image.group][split] += 1
    return {group: dict(counts[group]) for group in sorted(counts)}


def groups_in_words(counts: Mapping[str, Mapping[str, int]], used: int) -> list[str]:
    """Say how many groups there are, and how many images say of none; nothing without groups.

    Args:
        counts: What ``group_counts`` gave.
        used: How many images are used.
    """
    if not counts:
        return []
    without = used - sum(sum(of_group.values()) for of_group in counts.values())
    rest = f"; {without:,} images say of no group that they belong to it" if without else ""
    return [f"{len(counts):,} group{'' if len(counts) == 1 else 's'}{rest}"]
