"""Spelling: labels, or groups, that are the same name to a person, and differ only as text.

``Zoë`` has two forms in Unicode, and file systems and archives turn one into the other; ``kim``
and ``Kim``, or a trailing blank, come from typing. Taken for two people they would stand on both
sides of a split; and a group in two spellings would be measured as two.

References:
    Unicode Standard Annex 15 (normalization forms); the Unicode Standard, 3.13 (case folding).
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from components.contract.errors import UserError
from components.data.images_found import SourceImage
from components.data.settings import SameNames

_TOLD_MAX = 10  # names in an error


@dataclass(frozen=True)
class SameName:
    """Labels, or groups, that are one name.

    Attributes:
        label: The one that most images have; of equally many the first.
        others: The others, in order.
    """

    label: str
    others: tuple[str, ...]

    def __str__(self) -> str:
        return " and ".join(_quoted((self.label, *self.others)))


def key_of(label: str) -> str:
    """Return what two labels have in common that are one name.

    Example:
        >>> key_of("Kim_Roe ") == key_of("kim_roe")
        True
    """
    parts = (unicodedata.normalize("NFC", part.strip()).casefold() for part in label.split("/"))
    return "/".join(unicodedata.normalize("NFC", part) for part in parts)


def _quoted(labels: Sequence[str]) -> list[str]:
    """Quote labels such that those which look the same can be told apart."""
    seen = Counter(unicodedata.normalize("NFC", label) for label in labels)
    return [
        ascii(label) if seen[unicodedata.normalize("NFC", label)] > 1 else repr(label)
        for label in labels
    ]


def same_names(images: Sequence[SourceImage]) -> list[SameName]:
    """Find the labels that are one name, in order of name."""
    return _same(image.label for image in images)


def same_groups(images: Sequence[SourceImage]) -> list[SameName]:
    """Find the groups that are one name, in order of name."""
    return _same(image.group for image in images if image.group is not None)


def _same(names: Iterable[str]) -> list[SameName]:
    counts = Counter(names)
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counts):
        alike[key_of(name)].append(name)
    found: list[SameName] = []
    for _, spellings in sorted(alike.items()):
        if len(spellings) > 1:
            most = max(spellings, key=lambda name: counts[name])
            found.append(SameName(most, tuple(name for name in spellings if name != most)))
    return found


def respelled(
    images: Sequence[SourceImage],
    labels: Sequence[SameName],
    groups: Sequence[SameName],
    rule: SameNames,
) -> list[SourceImage]:
    """Give labels, and groups, that are one name one spelling, where that is the rule.

    Args:
        images: Of a source.
        labels: What ``same_names`` found in them.
        groups: What ``same_groups`` found in them.
        rule: What becomes of such names.

    Raises:
        UserError: There are some and the rule is to refuse them.
    """
    if rule == "refuse":
        _refuse(labels, "name", "rename the folders or labels")
        _refuse(groups, "group", "rename the groups: their folders, or the column group")
    if rule != "merge":
        return list(images)
    label_of, group_of = (
        {other: same.label for same in found for other in same.others} for found in (labels, groups)
    )
    return [
        replace(image, label=label_of.get(image.label, image.label), group=_merged(image, group_of))
        if image.label in label_of or image.group in group_of
        else image
        for image in images
    ]


def _refuse(found: Sequence[SameName], noun: str, rename: str) -> None:
    if not found:
        return
    named = "".join(f"\n  {same}" for same in found[:_TOLD_MAX])
    more = f"\n  and {len(found) - _TOLD_MAX} more" if len(found) > _TOLD_MAX else ""
    are = f"{noun} is" if len(found) == 1 else f"{noun}s are"
    raise UserError(
        f"{len(found)} {are} spelt in more than one way (case, Unicode form, blanks around "
        f"them):{named}{more}",
        f"{rename}; or set split: {{same_names: merge}} where each is one and the same, split: "
        "{same_names: apart} where they are different",
    )


def _merged(image: SourceImage, group_of: Mapping[str, str]) -> str | None:
    return None if image.group is None else group_of.get(image.group, image.group)
