"""Near-duplicates: images that show almost the same, as after another compression or scaling.

Each image is kept as a small grey copy. Its hash has a bit for each of the lowest frequencies of
the copy; pairs of images whose hashes differ in few bits are compared by their copies. What has
few bits different has at least one of several bands of the hash in common, so that only images
with a common band are compared, and not each with each.

Shapes: n images, s rows and columns of a copy, p pairs.

References:
    Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions (2010);
    Norouzi, Punjani, Fleet, Fast Search in Hamming Space with Multi-Index Hashing (2012).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.artifacts.image_file import release

SIDE: Final = 16
"""Rows and columns of the grey copy of an image."""
LEAST_SIDE: Final = 32
"""Fewest rows and columns of an image that is compared: smaller ones look alike by nature."""
MOST_BITS: Final = 6
"""Most bits by which the hashes of near-duplicates differ."""
LEAST_CORRELATION: Final = 0.98
"""Least correlation of the copies of near-duplicates."""

_FREQUENCIES = 8  # rows and columns of the spectrum that the hash is made of
_BANDS = MOST_BITS + 1  # at least one of them is equal where MOST_BITS differ
_BAND_BITS = (_FREQUENCIES**2 - 1) // _BANDS
_LEAST_CONTRAST = 2.0  # standard deviation of grey levels below which a copy shows nothing
_PARTNERS_MAX = 8  # of an image in a band: a camera that stands still makes pairs without number
_NEXT_MAX = 2048  # images of a band, in order of their hashes, that one is compared with
_CELLS = 1 << 20  # of a table of distances in memory at once
_COPIES = 1 << 10  # read at once: as numbers, each takes 2 KiB, and more than once

Copies = NDArray[np.uint8]


@dataclass(frozen=True)
class NearDuplicate:
    """Two used images that show almost the same, in two splits or under two labels.

    Attributes:
        one: Name of the image that comes first in the source.
        other: Name of the other.
        one_label: Its class or identity.
        other_label: Of the other.
        one_split: Where it is used.
        other_split: Of the other.
    """

    one: str
    other: str
    one_label: str
    other_label: str
    one_split: str
    other_split: str

    def __str__(self) -> str:
        names = ((self.one, self.one_label, self.one_split),)
        names += ((self.other, self.other_label, self.other_split),)
        return " and ".join(f"{name} ({label!r}, {split})" for name, label, split in names)


def copy_of(image: Image.Image) -> Copies:
    """Return the grey copy of an image, s x s x 1; black where the image is too small to compare.

    Args:
        image: Grey or RGB.
    """
    if min(image.size) < LEAST_SIDE:
        return np.zeros((SIDE, SIDE, 1), np.uint8)
    # Grey first: one channel is reduced in a quarter of the time that three take.
    grey = image.convert("L").reduce((image.width // LEAST_SIDE, image.height // LEAST_SIDE))
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX))[..., None]


def hashes_of(copies_nss: Copies) -> NDArray[np.uint64]:
    """Return a hash of 63 bits for each copy: which frequencies are stronger than the median.

    The mean of the image is none of them, so that brightness does not matter.
    """
    places = np.arange(SIDE)
    waves = np.cos(np.pi * (2 * places + 1) * places[:_FREQUENCIES, None] / (2 * SIDE))
    spectra = waves @ copies_nss.astype(np.float64) @ waves.T
    strengths = spectra.reshape(len(spectra), _FREQUENCIES**2)[:, 1:]
    bits = strengths > np.median(strengths, axis=1, keepdims=True)
    powers = np.left_shift(np.uint64(1), np.arange(bits.shape[1], dtype=np.uint64))
    return np.where(bits, powers, np.uint64(0)).sum(axis=1, dtype=np.uint64)


def near_pairs(copies_nss: Copies, which: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the pairs of images that show almost the same.

    Of an image that very many others are like, some pairs are found and not all: enough to know
    which images belong together.

    Args:
        copies_nss: Of all images, in memory or in a file.
        which: Places of those to compare.

    Returns:
        p x 2 places in ``which``, the smaller first, in order.
    """
    hashes = np.zeros(len(which), np.uint64)
    shows = np.zeros(len(which), np.bool_)
    for start in range(0, len(which), _COPIES):
        chunk = copies_nss[which[start : start + _COPIES]]
        hashes[start : start + _COPIES] = hashes_of(chunk)
        shows[start : start + _COPIES] = chunk.std(axis=(1, 2)) >= _LEAST_CONTRAST
        release([copies_nss])
    (places,) = np.nonzero(shows)
    found = [np.zeros((0, 2), np.int64)]
    for pairs in _close(hashes[places]):
        for start in range(0, len(pairs), _COPIES):
            some = np.sort(places[pairs[start : start + _COPIES]], axis=1)
            alike = _correlation(copies_nss[which[some[:, 0]]], copies_nss[which[some[:, 1]]])
            found.append(some[alike >= LEAST_CORRELATION])
            release([copies_nss])
    return np.unique(np.concatenate(found), axis=0)


def clusters(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for everything in a pair the name of what belongs together, by way of others too.

    Example:
        >>> clusters([("a", "b"), ("b", "c"), ("x", "y")])
        {'a': 'a', 'b': 'a', 'c': 'a', 'x': 'x', 'y': 'x'}
    """
    leaders: dict[str, str] = {}

    def leader(key: str) -> str:
        while leaders[key] != key:
            leaders[key] = leaders[leaders[key]]
            key = leaders[key]
        return key

    for pair in pairs:
        one, other = (leader(leaders.setdefault(key, key) and key) for key in pair)
        leaders[max(one, other)] = min(one, other)
    return {key: leader(key) for key in leaders}


def _close(hashes_n: NDArray[np.uint64]) -> Iterator[NDArray[np.int64]]:
    """Yield the pairs whose hashes differ in few bits, each pair once."""
    mask = np.uint64((1 << _BAND_BITS) - 1)
    for band in range(_BANDS):
        keys = (hashes_n >> np.uint64(band * _BAND_BITS)) & mask
        order = np.lexsort((hashes_n, keys))
        keys = keys[order]
        # How many of those behind each have the same band: it is compared with no others.
        behind = np.searchsorted(keys, keys, side="right") - np.arange(1, len(keys) + 1)
        for pairs in _close_in(hashes_n[order], np.minimum(behind, _NEXT_MAX)):
            members = order[pairs]
            different = hashes_n[members[:, 0]] ^ hashes_n[members[:, 1]]
            # A pair that an earlier band has in common was found there.
            earlier = [(different >> np.uint64(b * _BAND_BITS)) & mask for b in range(band)]
            new = np.all([bits != 0 for bits in earlier], axis=0) if earlier else slice(None)
            yield members[new]


def _close_in(
    hashes_n: NDArray[np.uint64], behind_n: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    """Yield the places of close pairs, each with so many of those behind it."""
    start = 0
    while start < len(hashes_n):
        # As many rows as fill the table, whose width is that of the longest of them.
        widths = np.maximum.accumulate(behind_n[start : start + _CELLS])
        rows = np.arange(1, len(widths) + 1)
        count = max(1, int(np.searchsorted(rows * widths, _CELLS, side="right")))
        width = int(widths[count - 1])
        if width:
            yield from _close_rows(hashes_n, behind_n, start, count, width)
        start += count


def _close_rows(
    hashes_n: NDArray[np.uint64], behind_n: NDArray[np.int64], start: int, count: int, width: int
) -> Iterator[NDArray[np.int64]]:
    """Yield the close pairs whose first is one of ``count`` places from ``start``."""
    padded = np.zeros(count + width, np.uint64)
    padded[: len(hashes_n) - start] = hashes_n[start : start + count + width]
    next_to = np.lib.stride_tricks.sliding_window_view(padded[1:], width)[:count]
    bits = cast("NDArray[np.uint8]", np.bitwise_count(next_to ^ padded[:count, None]))
    close = bits <= MOST_BITS
    close &= np.arange(width) < behind_n[start : start + count, None]
    if np.count_nonzero(close) > _PARTNERS_MAX * count:
        close &= np.cumsum(close, axis=1, dtype=np.int32) <= _PARTNERS_MAX
    first, step = np.nonzero(close)
    yield np.stack([first + start, first + start + step + 1], axis=1)


def _correlation(one_nss: Copies, other_nss: Copies) -> NDArray[np.float64]:
    """Return how alike copies are whatever their brightness and contrast, at most 1."""
    one, other = _standard(one_nss), _standard(other_nss)
    return (one * other).mean(axis=1)


def _standard(copies_nss: Copies) -> NDArray[np.float64]:
    flat = copies_nss.reshape(len(copies_nss), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / flat.std(axis=1, keepdims=True)


def named(found: Sequence[NearDuplicate], most: int) -> str:
    """Name some of the pairs."""
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return f"{'; '.join(map(str, found[:most]))}{more}"
