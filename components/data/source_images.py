"""All images of a source after reading: names and digests in memory, pixels in files."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.artifacts.pair_list import PairList
from components.contract.errors import UserError
from components.data.curation import PAIRS
from components.data.images_found import SourceImage
from components.data.manifest import CuratedSource
from components.data.near_duplicates import near_pairs
from components.data.pairs_file import ListedPairs
from components.data.spool import Spool, SpoolRows

DARK: Final = 64
"""The brightest pixel of a sound source is above, unless its scale was misunderstood."""


@dataclass(frozen=True)
class SourceImages:
    """All that was found in a source.

    Attributes:
        images: Every image, sound or not, in order of the source.
        places: Where in the spools each is; -1 for those that cannot be used.
        spool: The resized images.
        copies: Grey copies of them to find near-duplicates by.
        sizes: How many sound images had which height and width.
        brightest: The largest pixel of all, or one that is bright enough, 0 to 255.
    """

    images: list[SourceImage]
    places: Sequence[int]
    spool: Spool
    copies: Spool
    sizes: Counter[tuple[int, int]]
    brightest: int

    def near_pairs(self) -> list[tuple[int, int]]:
        """Return the places in ``images`` of different ones that show almost the same."""
        seen: set[str] = set()
        indices, places = array("q"), array("q")
        for index, place in enumerate(self.places):
            digest = self.images[index].digest
            if place >= 0 and digest not in seen:
                seen.add(digest)
                indices.append(index)
                places.append(place)
        del seen
        pairs = near_pairs(self.copies.mapped(len(self.places))[..., 0], np.array(places, np.int64))
        return [(indices[one], indices[other]) for one, other in pairs.tolist()]

    def check_brightness(self, maximum: int) -> None:
        """Refuse images that a wrong ``maximum`` made nearly black, which nothing else notices.

        Raises:
            UserError: Names the value that the files seem to have.
        """
        if self.brightest < DARK:
            raise UserError(
                f"all images are nearly black: with maximum {maximum} the brightest pixel is "
                f"{self.brightest} of 255",
                "set it to the largest value in the files: image: {maximum: "
                f"{max(1, round(self.brightest * maximum / 255))}}} or about that",
            )

    def paired(self, listed: ListedPairs, curated: CuratedSource) -> PairList:
        """Return listed pairs with their images; those of no split come first, as in the manifest.

        Args:
            listed: The pairs.
            curated: The source after curation.
        """
        order = sorted(listed.images, key=lambda place: curated.results[place].split != PAIRS)
        return listed.with_images(
            order, SpoolRows(self.spool, [self.places[place] for place in order])
        )

    def splits(
        self, curated: CuratedSource, classes: Sequence[str]
    ) -> dict[str, tuple[SpoolRows, NDArray[np.int32]]]:
        """Return images and labels of every split, in order of the source."""
        places: dict[str, array[int]] = defaultdict(lambda: array("q"))
        labels: dict[str, array[int]] = defaultdict(lambda: array("l"))
        numbers = {name: number for number, name in enumerate(classes)}
        for (image, result), place in zip(curated.pairs(), self.places, strict=True):
            if result.split:
                places[result.split].append(place)
                labels[result.split].append(numbers[image.label])
        return {
            split: (SpoolRows(self.spool, places[split]), np.array(labels[split], np.int32))
            for split in places
        }
