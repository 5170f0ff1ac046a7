"""Spelling: labels that are the same name to a person, and differ only as text.

``Zoë`` has two forms in Unicode, and file systems and archives turn one into the other; ``kim``
and ``Kim``, or a trailing blank, come from typing. Taken for two people they would stand on both
sides of a split.

References:
    Unicode Standard Annex 15 (normalization forms); the Unicode Standard, 3.13 (case folding).
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from components.contract.errors import UserError
from components.data.images_found import SourceImage
from components.data.settings import SameNames

_TOLD_MAX = 10  # names in an error


@dataclass(frozen=True)
class SameName:
    """Labels that are one name.

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
    counts = Counter(image.label for image in images)
    groups: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts):
        groups[key_of(label)].append(label)
    found: list[SameName] = []
    for _, labels in sorted(groups.items()):
        if len(labels) > 1:
            most = max(labels, key=lambda label: counts[label])
            found.append(SameName(most, tuple(label for label in labels if label != most)))
    return found


def respelled(
    images: Sequence[SourceImage], found: Sequence[SameName], rule: SameNames
) -> list[SourceImage]:
    """Give labels that are one name one spelling, where that is the rule.

    Args:
        images: Of a source.
        found: What ``same_names`` found in them.
        rule: What becomes of such labels.

    Raises:
        UserError: There are some and the rule is to refuse them.
    """
    if found and rule == "refuse":
        named = "".join(f"\n  {same}" for same in found[:_TOLD_MAX])
        more = f"\n  and {len(found) - _TOLD_MAX} more" if len(found) > _TOLD_MAX else ""
        raise UserError(
            f"{len(found)} names are spelt in more than one way (case, Unicode form, blanks around "
            f"them):{named}{more}",
            "rename the folders or labels; or set split: {same_names: merge} where each is one and "
            "the same, split: {same_names: apart} where they are different",
        )
    if rule != "merge":
        return list(images)
    names = {other: same.label for same in found for other in same.others}
    return [
        replace(image, label=names[image.label]) if image.label in names else image
        for image in images
    ]
