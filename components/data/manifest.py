"""What ingest says of a source: a line for every file, and a report in counts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from components.artifacts.dataset import SEALED
from components.artifacts.manifest import EXCLUDED, RecordFate
from components.contract.source import IDX_GROUPS, IDX_LABELS, Source, SourceFile
from components.contract.types import SplitUnit
from components.data.curation import CurationResult, kind_of
from components.data.division import group_of
from components.data.images_found import SourceImage

_MOST_SIZES = 10  # listed in a report


@dataclass(frozen=True)
class CuratedSource:
    """A source after curation; the three lists run in parallel, in order of the source.

    Attributes:
        source: Where the images are from.
        images: Every image that was found.
        results: What became of each.
        rows: Its row in the images of its split; None when it has none.
    """

    source: Source
    images: Sequence[SourceImage]
    results: Sequence[CurationResult]
    rows: Sequence[int | None]

    def pairs(self) -> Iterator[tuple[SourceImage, CurationResult]]:
        """Yield every image with its result."""
        return zip(self.images, self.results, strict=True)

    def used(self) -> list[tuple[SourceImage, str]]:
        """Return the images that are in a split, and which."""
        return [(image, result.split) for image, result in self.pairs() if result.split]


def with_rows(
    source: Source, images: Sequence[SourceImage], results: Sequence[CurationResult]
) -> CuratedSource:
    """Give every used image its row: splits keep the order of the source."""
    counts: Counter[str] = Counter()
    rows: list[int | None] = []
    for result in results:
        if result.split is None:
            rows.append(None)
            continue
        rows.append(counts[result.split])
        counts[result.split] += 1
    return CuratedSource(source, images, results, rows)


def manifest(curated: CuratedSource, *, sealed: bool) -> Iterator[dict[str, object]]:
    """Yield the lines of a dataset's manifest, in order of file name and place.

    A file that is one image has one line. A file of records has a line with counts, then one
    for each record that is not simply used; such names end in ``#`` and the record's place.

    Args:
        curated: The source after curation.
        sealed: Only what is in the sealed split; the open manifest names those too, without row.
    """
    by_file: dict[str, list[int] | tuple[int]] = {}
    for index, image in enumerate(curated.images):
        if isinstance(indices := by_file.setdefault(image.file, (index,)), list):
            indices.append(index)
        elif indices != (index,):
            by_file[image.file] = [*indices, index]
    for file in curated.source.files:
        indices = list(by_file.get(file.name, ()))
        if sealed:
            indices = [index for index in indices if curated.results[index].split == SEALED]
            if not indices:
                continue
        one_image = curated.source.format in ("folder", "list")
        if one_image and file.name != curated.source.index:
            (index,) = indices
            yield _line(curated, index, file, sealed=sealed)
            continue
        yield _counts(curated, indices, file, sealed=sealed)
        for index in indices:
            if curated.results[index].status in ("quarantined", "duplicate"):
                yield _line(curated, index, file, sealed=sealed)


def has_records(source: Source) -> bool:
    """Whether the files of a source hold many images each."""
    return source.format not in ("folder", "list")


def record_fates(curated: CuratedSource) -> Iterator[RecordFate]:
    """Yield what became of every record, in order of the source."""
    for image, result in curated.pairs():
        fate = result.split or ("excluded" if result.reason == EXCLUDED else result.status)
        yield RecordFate(image.digest, fate, image.label)


def _line(
    curated: CuratedSource, index: int, file: SourceFile, *, sealed: bool
) -> dict[str, object]:
    image = curated.images[index]
    result = curated.results[index]
    hidden = result.split == SEALED and not sealed
    return {
        "name": image.name,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "label": image.label or None,
        "pixels": image.digest or None,
        "status": result.status,
        "split": result.split,
        "index": None if hidden else curated.rows[index],
        "reason": result.reason,
        "duplicate_of": result.duplicate_of,
    }


def _counts(
    curated: CuratedSource, indices: Sequence[int], file: SourceFile, *, sealed: bool
) -> dict[str, object]:
    """Return the line of a file of records; one that holds none is described by another file."""
    results = [curated.results[index] for index in indices]
    counts = Counter(result.status for result in results)
    describes = (
        file.name == curated.source.index
        or re.fullmatch(IDX_LABELS, file.name)
        or re.fullmatch(IDX_GROUPS, file.name)
    )
    splits = Counter(result.split for result in results if result.split)
    place: dict[str, int] = {}
    if not sealed and has_records(curated.source):  # where records/ has them, one after the other
        first, count = indices[0] if indices else 0, len(indices)
        assert not indices or indices[-1] == first + count - 1, file.name
        place = {"first": first, "count": count}
    return {
        "name": file.name,
        "sha256": file.sha256,
        "size_bytes": file.size_bytes,
        "status": "used" if counts["used"] or describes else "unused",
        "split": None,
        "index": None,
        "reason": None if indices else "holds no pictures",
        "duplicate_of": None,
        "records": {**counts, "splits": dict(splits), **place},
    }


def ingest_report(curated: CuratedSource, sizes: Counter[tuple[int, int]]) -> dict[str, object]:
    """Return ``ingest.json``: how many images, what became of them, and of which class.

    Args:
        curated: The source after curation.
        sizes: How many sound images had which height and width.
    """
    results = curated.results
    status = Counter(result.status for result in results)
    quarantined = [result for result in results if result.status == "quarantined"]
    return {
        "schema": 1,
        "format": curated.source.format,
        "files": len(curated.source.files),
        "pictures": len(results),
        "used": status["used"],
        "unused": status["unused"],
        "duplicates": status["duplicate"],
        "quarantined": status["quarantined"],
        "quarantined_by_reason": dict(Counter(map(kind_of, quarantined))),
        "splits": _splits(curated),
        "classes": _classes(curated),
        "sizes": [
            {"height": height, "width": width, "pictures": count}
            for (height, width), count in sorted(
                sizes.items(), key=lambda item: (-item[1], item[0])
            )[:_MOST_SIZES]
        ],
        "distinct_sizes": len(sizes),
    }


def _splits(curated: CuratedSource) -> dict[str, dict[str, int]]:
    """Count images and classes of every split."""
    labels: dict[str, list[str]] = defaultdict(list)
    for image, split in curated.used():
        labels[split].append(image.label)
    return {
        split: {"images": len(names), "classes": len(set(names))} for split, names in labels.items()
    }


def _classes(curated: CuratedSource) -> dict[str, dict[str, int]]:
    """Count the images of every class in every split, and those that are not used."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for image, result in curated.pairs():
        if result.reason != EXCLUDED:
            counts[image.label][result.split or result.status] += 1
    return {label: dict(count) for label, count in counts.items()}


def described(curated: CuratedSource, split: str, split_by: SplitUnit) -> str:
    """Return the sentence by which reports say what a split consists of."""
    images = [image for image, where in curated.used() if where == split]
    names = {image.label for image in images}
    own = sorted({image.split for image in images if image.split})
    given = all(image.split for image in images) and own != ["train"]
    whose = f" (the data's own split: {' and '.join(own)})" if given else ""
    if split_by == "image":
        total = len({image.label for image, _ in curated.used()})
        which = "all" if len(names) == total else f"{len(names)} of"
        return f"unseen images of {which} {total} classes{whose}"
    if split_by == "group":
        groups = {group_of(image) for image in images}
        return (
            f"{len(names)} {'class' if len(names) == 1 else 'classes'} of {len(groups)} "
            f"{'group' if len(groups) == 1 else 'groups'} never trained on{whose}"
        )
    return f"{len(names)} identities never trained on{whose}"


def class_names(labels: Iterable[str]) -> list[str]:
    """Return the different labels in order: whole numbers by value, other names as text."""
    names = set(labels)
    if all(name.isascii() and name.isdigit() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)
