"""Which images two datasets have in common, and what became of each in both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

QUARANTINED = "quarantined"


@dataclass(frozen=True)
class Fate:
    """What a manifest says of an image.

    Attributes:
        name: Name of the file, with ``#`` and the place of a record in it.
        sha256: Of the file; None of a record, whose file holds others as well.
        pixels: Digest of the decoded pixels; None where they were not decoded, or where an earlier
            version wrote the manifest.
        label: What it shows; None where the manifest does not say it.
        split: Which split it is in; None for none.
        status: ``used``, ``unused``, ``duplicate`` or ``quarantined``.
        reason: Why it is quarantined.
    """

    name: str
    sha256: str | None
    pixels: str | None
    label: str | None
    split: str | None
    status: str
    reason: str = ""


@dataclass(frozen=True)
class ImageChange:
    """One image of which two datasets say different things.

    Attributes:
        name: Of the image in the later dataset.
        before: Label, split or name there was; a split ``duplicate`` or ``unused`` is none.
        now: The same in the later dataset; of what is quarantined the reason.
    """

    name: str
    before: str
    now: str


@dataclass(frozen=True)
class SampleChanges:
    """What differs between the images of two datasets.

    Images are the same when their decoded pixels are, or else the bytes of their files. What has
    moved to another name is not added and removed.

    Attributes:
        before: How many images the earlier dataset knows, those left out included.
        now: The same of the later one.
        added: Names of images that only the later one has.
        removed: Names of images that only the earlier one has.
        relabelled: Images with another label.
        moved: Images in another split, or in one now and in none before or the other way round.
        quarantined: Images that are quarantined now, and were not, with the reason.
        restored: Names of images that were quarantined and no longer are.
        replaced: Names under which there are other pixels now.
        renamed: Images under another name.
    """

    before: int
    now: int
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    relabelled: Sequence[ImageChange] = ()
    moved: Sequence[ImageChange] = ()
    quarantined: Sequence[ImageChange] = ()
    restored: Sequence[str] = ()
    replaced: Sequence[str] = ()
    renamed: Sequence[ImageChange] = ()

    @property
    def any(self) -> bool:
        """Whether anything differs."""
        return any(
            (
                self.added, self.removed, self.relabelled, self.moved, self.quarantined,
                self.restored, self.replaced, self.renamed,
            )
        )  # fmt: skip


def compare_samples(before: Iterable[Fate], now: Iterable[Fate]) -> SampleChanges:
    """Compare the images of two datasets.

    An image is looked for under its name first, then by what it shows, and what is left under one
    name in both has been replaced.

    Args:
        before: What the manifest of the earlier dataset says of each image.
        now: The same of the later one.
    """
    earlier, later = {fate.name: fate for fate in before}, {fate.name: fate for fate in now}
    pairs = [
        (earlier[name], fate)
        for name, fate in later.items()
        if name in earlier and _same(earlier[name], fate)
    ]
    old = {name: earlier[name] for name in earlier.keys() - {one.name for one, _ in pairs}}
    new = {name: later[name] for name in later.keys() - {one.name for _, one in pairs}}
    renamed = _by_content(sorted(old.values(), key=_name), sorted(new.values(), key=_name))
    for one, other in renamed:
        del old[one.name], new[other.name]
    replaced = [(old.pop(name), new.pop(name)) for name in sorted(old.keys() & new.keys())]
    both = sorted([*pairs, *renamed, *replaced], key=lambda pair: pair[1].name)
    return SampleChanges(
        before=len(earlier),
        now=len(later),
        added=sorted(new),
        removed=sorted(old),
        relabelled=[
            ImageChange(now.name, was.label, now.label)
            for was, now in both
            if was.label is not None and now.label is not None and was.label != now.label
        ],
        moved=[
            ImageChange(now.name, _place(was), _place(now))
            for was, now in both
            if _place(was) != _place(now) and QUARANTINED not in (was.status, now.status)
        ],
        quarantined=[
            ImageChange(fate.name, _place(was) if was else "", fate.reason)
            for was, fate in sorted(
                [*both, *((None, fate) for fate in new.values())], key=lambda pair: pair[1].name
            )
            if fate.status == QUARANTINED and (was is None or was.status != QUARANTINED)
        ],
        restored=[now.name for was, now in both if _restored(was, now)],
        replaced=[now.name for _, now in replaced],
        renamed=[ImageChange(now.name, was.name, now.name) for was, now in renamed],
    )


def _name(fate: Fate) -> str:
    return fate.name


def _place(fate: Fate) -> str:
    """Return the split of an image, or why it is in none."""
    return fate.split or fate.status


def _restored(was: Fate, now: Fate) -> bool:
    return was.status == QUARANTINED and now.status != QUARANTINED


def _same(one: Fate, other: Fate) -> bool:
    """Whether two images of one name are the same as far as the manifests tell."""
    if one.pixels and other.pixels:
        return one.pixels == other.pixels
    return one.sha256 is None or other.sha256 is None or one.sha256 == other.sha256


def _contents(fate: Fate) -> list[str]:
    """Return the digests by which the same image is found under another name."""
    found = (("pixels", fate.pixels), ("file", fate.sha256))
    return [f"{kind} {digest}" for kind, digest in found if digest]


def _by_content(old: Sequence[Fate], new: Sequence[Fate]) -> list[tuple[Fate, Fate]]:
    """Pair images that show the same; where several do, those of one label first."""
    pairs: list[tuple[Fate, Fate]] = []
    used: set[str] = set()
    paired: set[str] = set()
    for with_label in (True, False):
        waiting: dict[tuple[str, str | None], list[Fate]] = defaultdict(list)
        for fate in reversed(old):
            if fate.name not in used:
                for content in _contents(fate):
                    waiting[content, fate.label if with_label else None].append(fate)
        for fate in new:
            if fate.name in paired:
                continue
            keys = [(content, fate.label if with_label else None) for content in _contents(fate)]
            found = next(
                (one for key in keys for one in reversed(waiting[key]) if one.name not in used),
                None,
            )
            if found:
                pairs.append((found, fate))
                used.add(found.name)
                paired.add(fate.name)
    return pairs
