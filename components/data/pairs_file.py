"""Files that list pairs of images: the form of LFW, or a csv file of paths.

The form of LFW has ``folds pairs`` in its first line; each fold then has so many lines ``name i j``
of one identity, and as many ``name i other j`` of two. The image is ``name/name_0001`` with any
ending, anywhere in the data. A csv file has the columns ``first``, ``second``, ``same`` and, where
it has folds, ``fold``; its paths start from the folder of the data.

References:
    Huang et al., Labeled Faces in the Wild (2007), and its README: the form of pairs.txt.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from components.artifacts.pair_list import ImageRows, PairList
from components.contract.errors import UserError
from components.contract.source import Source
from components.data.csv_text import rows_of
from components.data.images_found import SourceImage

FOLDS: Final = 10
"""Folds of a csv file that has no column of them: the pairs of each kind are dealt in turn."""

_SAME: Final = {"1": True, "true": True, "yes": True, "same": True,
                "0": False, "false": False, "no": False, "different": False}  # fmt: skip
_TOLD_MAX = 10
_ONE = (
    ", each once (rename the others, or list paths in a csv file of the columns first,second,same)"
)


@dataclass(frozen=True)
class NamedPair:
    """One pair as it is listed.

    Attributes:
        first: Path of an image, or ``name/name_0001`` without an ending.
        second: So.
        same: Whether they show the same.
        fold: Name of its fold.
    """

    first: str
    second: str
    same: bool
    fold: str


@dataclass(frozen=True)
class ListedPairs:
    """Pairs with the images that they name.

    Attributes:
        name: Of the file.
        pairs: All of them.
        places: Place among the images of the source, by what a pair calls it.
    """

    name: str
    pairs: Sequence[NamedPair]
    places: dict[str, int]

    @property
    def images(self) -> list[int]:
        """Places of the images among those of the source, in order, each once."""
        return sorted(set(self.places.values()))

    def with_images(self, order: Sequence[int], images: ImageRows) -> PairList:
        """Return the pairs with their images.

        Args:
            order: Places of the images among those of the source, in the order of ``images``.
            images: The images.
        """
        row = {place: number for number, place in enumerate(order)}
        names = sorted({pair.fold for pair in self.pairs}, key=lambda fold: (len(fold), fold))
        numbers = {fold: number for number, fold in enumerate(names)}
        table = np.array(
            [
                (row[self.places[one.first]], row[self.places[one.second]], numbers[one.fold])
                for one in self.pairs
            ],
            np.int32,
        )
        same = np.array([pair.same for pair in self.pairs])
        return PairList(self.name, images, table[:, 0], table[:, 1], same, table[:, 2])


def listed_pairs(source: Source, images: Sequence[SourceImage]) -> ListedPairs:
    """Read a file of pairs and find its images.

    Args:
        source: The file.
        images: Of the data.

    Raises:
        UserError: A line is none of its form, a fold lacks a kind of pairs, or images are missing
            or damaged; all of those are named.
    """
    (file,) = source.files
    rows = list(rows_of(source.verified(file), file.name))
    titles = [cell.lower() for cell in rows[0]] if rows else []
    by_path = {"first", "second", "same"} <= set(titles)
    pairs = _of_csv(rows, titles, file.name) if by_path else _of_lfw(rows, file.name)
    for fold in {pair.fold for pair in pairs}:
        kinds = {pair.same for pair in pairs if pair.fold == fold}
        if len(kinds) < 2:
            raise UserError(
                f"{file.name}: fold {fold} has only pairs of "
                f"{'the same' if kinds == {True} else 'different'} identity",
                "give every fold pairs of both kinds",
            )
    return ListedPairs(file.name, pairs, _found(pairs, images, file.name, by_path=by_path))


def _of_lfw(rows: Sequence[Sequence[str]], name: str) -> list[NamedPair]:
    lines = [" ".join(row).split() if len(row) == 1 else list(row) for row in rows]
    head = lines[0] if lines else []
    if head and name.lower().endswith(".csv"):
        raise UserError(
            f"{name} begins with {','.join(head)}: of a csv file of pairs, the columns first, "
            "second and same are read, and fold",
            f"call the columns of {name} so in its first line: first,second,same",
        )
    if not head or len(head) > 2 or not all(cell.isdigit() and int(cell) > 0 for cell in head):
        raise UserError(
            f"{name} begins with {' '.join(head)!r}: expected the number of folds and of pairs of "
            "each kind in a fold, as in '10 300', or a header with first, second and same",
            f"write that line at the top of {name}",
        )
    folds, each = (1, int(head[0])) if len(head) == 1 else (int(head[0]), int(head[1]))
    if len(lines) - 1 != 2 * folds * each:
        raise UserError(
            f"{name} has {len(lines) - 1} pairs; its first line says {folds} x 2 x {each} = "
            f"{2 * folds * each}",
            f"correct the first line of {name}, or fetch the file again",
        )
    pairs: list[NamedPair] = []
    for index, cells in enumerate(lines[1:]):
        same = index % (2 * each) < each
        if len(cells) != (3 if same else 4) or not all(
            cell.isdigit() for cell in (cells[1], cells[-1])
        ):
            raise UserError(
                f"{name}, pair {index + 1}: {' '.join(cells)!r} is not "
                f"{'name i j' if same else 'name i other j'}",
                f"correct that line of {name}: each fold has {each} lines of one name, then {each} "
                "of two",
            )
        second = cells[0] if same else cells[2]
        fold = str(index // (2 * each))
        pairs.append(NamedPair(_key(cells[0], cells[1]), _key(second, cells[-1]), same, fold))
    return pairs


def _key(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}"


def _of_csv(rows: Sequence[Sequence[str]], titles: Sequence[str], name: str) -> list[NamedPair]:
    first, second, same = (titles.index(title) for title in ("first", "second", "same"))
    fold = titles.index("fold") if "fold" in titles else None
    pairs: list[NamedPair] = []
    dealt = {True: 0, False: 0}
    for number, row in enumerate(rows[1:], start=1):
        kind = _SAME.get(row[same].lower()) if len(row) == len(titles) else None
        if kind is None:
            raise UserError(
                f"{name}, pair {number}: {','.join(row)!r} does not fit the header "
                f"{','.join(titles)}, with same being 1 or 0",
                f"correct that line of {name}",
            )
        where = str(dealt[kind] % FOLDS) if fold is None else row[fold]
        dealt[kind] += 1
        one, other = (posixpath.normpath(row[column]) for column in (first, second))
        pairs.append(NamedPair(one, other, kind, where))
    if not pairs:
        raise UserError(f"{name} lists no pairs", f"add pairs to {name}, one a line")
    return pairs


def _found(
    pairs: Sequence[NamedPair], images: Sequence[SourceImage], name: str, *, by_path: bool
) -> dict[str, int]:
    """Return the place of every image that is named, or refuse with all that cannot be had."""
    known: dict[str, list[int]] = defaultdict(list)
    for place, image in enumerate(images):
        stem = posixpath.splitext("/".join(image.name.split("/")[-2:]))[0]
        known[image.name if by_path else stem].append(place)
    places: dict[str, int] = {}
    faults: list[str] = []
    doubtful = False
    for key in dict.fromkeys(key for pair in pairs for key in (pair.first, pair.second)):
        sound = [place for place in known[key] if images[place].digest]
        if len(sound) == 1:
            places[key] = sound[0]
        elif len(sound) > 1:
            doubtful = True
            faults.append(f"{key} (could be {' or '.join(images[place].name for place in sound)})")
        else:
            why = [images[place].fault for place in known[key]]
            faults.append(f"{key} ({why[0]})" if why else f"{key} (missing)")
    if faults:
        more = f"\n  and {len(faults) - _TOLD_MAX} more" if len(faults) > _TOLD_MAX else ""
        listed = "".join(f"\n  {fault}" for fault in faults[:_TOLD_MAX])
        noun = "image that is" if len(faults) == 1 else "images that are"
        raise UserError(
            f"{name} names {len(faults)} {noun} not in the data, or not once:{listed}{more}",
            f"put the images below the folder of the data{_ONE if doubtful else ''}, or take their "
            f"pairs out of {name}",
        )
    return places
